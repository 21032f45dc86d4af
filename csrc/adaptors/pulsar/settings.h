// SPDX-License-Identifier: Apache-2.0
// The options of the Pulsar adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_PULSAR_SETTINGS_H_
#define DSMSG_ADAPTORS_PULSAR_SETTINGS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adaptors/pulsar/wire.h"
#include "core/base/time.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/login.h"
#include "core/options/options.h"

namespace dsmsg::pulsar {

struct PulsarSettings {
  std::vector<HostPort> hosts;
  dsmsg::Login login;  // password is a secret; without a user it is the token
  std::string token_file;
  TlsSettings tls;
  Millis connect_timeout{5000};
  /// No answer at all for this long is an outage.
  Millis silence_limit{5000};
  std::string name_space, listener;

  std::string producer_name;
  size_t pipeline = 1000, batch_messages = 1000, batch_bytes = size_t{128} << 10;
  bool murmur3 = false;
  Millis ack_timeout{30000};

  std::string subscription;  // empty: none that the broker keeps
  uint32_t subscription_type = 1;
  bool earliest = false;
  uint32_t receiver_queue = 1000;
  std::string consumer_name;

  /// What to log in with now: reads the file.
  Result<Login> ReadLogin() const;
  /// What to check when the broker refuses it.
  std::string Advice() const;
};

std::span<const OptionSpec> Options();

Result<PulsarSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_SETTINGS_H_
