// SPDX-License-Identifier: Apache-2.0
// The options of the NATS adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_NATS_SETTINGS_H_
#define DSMSG_ADAPTORS_NATS_SETTINGS_H_

#include <span>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/login.h"
#include "core/options/options.h"

namespace dsmsg::nats {

struct NatsSettings {
  std::vector<HostPort> hosts;
  Login login;              // password is a secret; without a user it is the token
  std::string nkey_seed;    // secret
  std::string credentials;  // a path
  TlsSettings tls;
  bool tls_first = false;
  Millis connect_timeout{5000};
  /// No answer at all for this long is an outage.
  Millis silence_limit{5000};
  std::string inbox_prefix;

  bool jetstream = true;
  std::string stream;  // empty: whichever has the subject
  std::string api;     // "$JS.API.": where JetStream takes requests
  size_t pipeline = 1000;
  Millis ack_timeout{5000};

  std::string durable;  // empty: none
  bool deliver_all = false;
  Millis ack_wait{30000};
  size_t batch_read = 200;
  std::string queue_group;
};

std::span<const OptionSpec> Options();

Result<NatsSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_SETTINGS_H_
