// SPDX-License-Identifier: Apache-2.0
// The options of the AMQP adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_AMQP_SETTINGS_H_
#define DSMSG_ADAPTORS_AMQP_SETTINGS_H_

#include <span>
#include <string>
#include <vector>

#include "core/driver/driver.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/login.h"
#include "core/options/options.h"

namespace dsmsg::amqp {

struct AmqpSettings {
  std::vector<HostPort> hosts;
  Login login;            // guest/guest if nothing is given
  bool external = false;  // SASL EXTERNAL: the client certificate is the login
  std::string vhost = "/";
  TlsSettings tls;
  Millis connect_timeout{5000};
  /// Unconfirmed messages and nothing from the broker for this long is an outage.
  Millis silence_limit{5000};

  uint32_t frame_max = 131072;
  uint16_t heartbeat = 60;  // seconds; 0: none
  uint16_t channel_max = 0;

  std::string exchange;       // empty: the default exchange, whose routing keys are queue names
  std::string exchange_type;  // not empty: the exchange is declared
  bool confirm = true, mandatory = true, persistent = true;
  size_t confirm_window = 1000;
  std::string content_type;  // empty: by the payload

  std::string queue;       // empty: a private one
  std::string queue_type;  // empty: the broker's default
  Pairs queue_arguments;   // of a queue to be created
  uint16_t prefetch = 50;
};

std::span<const OptionSpec> Options();

Result<AmqpSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_SETTINGS_H_
