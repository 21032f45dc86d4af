// SPDX-License-Identifier: Apache-2.0
// The options of the ZeroMQ adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_ZMQ_SETTINGS_H_
#define DSMSG_ADAPTORS_ZMQ_SETTINGS_H_

#include <span>
#include <string>
#include <vector>

#include "adaptors/zmq/address.h"
#include "core/driver/driver.h"
#include "core/options/config.h"
#include "core/options/options.h"

namespace dsmsg::zmq {

/// Where a socket is bound or connected.
struct ZmqTarget {
  std::vector<ZmqAddress> addresses;
  bool bind = false;
  std::string ToString() const;  // the addresses, for messages
};

struct ZmqSettings {
  enum class Send { kNone, kPush, kPub, kReq };
  enum class Receive { kSub, kPull, kRep };

  Send send = Send::kPush;
  Receive receive = Receive::kSub;
  ZmqTarget send_target, receive_target;
  /// Each direction has its own address; otherwise the first use decides.
  bool both = false;

  bool topic_frame = false;
  int high_water_mark = 1000;
  Millis linger{1000}, request_timeout{5000}, connect_timeout{5000};
  Millis reconnect_interval{5000}, reconnect_max_interval{30000};
  Millis heartbeat{0};
  int64_t retries = 3;
  bool wait_for_subscribers = false, no_drop = false;
  bool lazy = false;  // connect=lazy: do not wait for the other side

  // Z85 text of 40 characters each, or empty.
  std::string curve_server_key, curve_public_key, curve_secret_key;  // the last is a secret
  std::string user, password;                                        // PLAIN; password is a secret
};

std::span<const OptionSpec> Options();

Result<ZmqSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

/// Applies options with ZeroMQ's own names to the core's settings (DriverInfo.adjust).
Status AdjustSettings(Settings* settings);

const char* Name(ZmqSettings::Send type);
const char* Name(ZmqSettings::Receive type);
/// The socket on the other side.
const char* PeerName(ZmqSettings::Send type);
const char* PeerName(ZmqSettings::Receive type);

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_SETTINGS_H_
