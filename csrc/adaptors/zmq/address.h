// SPDX-License-Identifier: Apache-2.0
// Addresses of ZeroMQ sockets, as users write them. Pure functions and values: any thread.
#ifndef DSMSG_ADAPTORS_ZMQ_ADDRESS_H_
#define DSMSG_ADAPTORS_ZMQ_ADDRESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/options/conn_string.h"

namespace dsmsg::zmq {

struct ZmqAddress {
  enum class Transport { kTcp, kIpc, kInproc };
  /// Whether the text itself says to bind or connect: '*' or '@' binds, '>' connects.
  enum class Marker { kNone, kBind, kConnect };

  Transport transport = Transport::kTcp;
  Marker marker = Marker::kNone;
  std::string text;    // for libzmq and for messages: "tcp://host:5555", without the marker
  HostPort host_port;  // tcp; port 0: any free one (only to bind)
  std::string path;    // ipc: a path, or '@' and an abstract name; inproc: the name
};

/// One address or several separated by commas; `option` names where they come from in errors.
Result<std::vector<ZmqAddress>> ParseZmqAddresses(std::string_view text, const char* option);

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_ADDRESS_H_
