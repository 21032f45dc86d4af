// SPDX-License-Identifier: Apache-2.0
// The options of the MQTT adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_MQTT_SETTINGS_H_
#define DSMSG_ADAPTORS_MQTT_SETTINGS_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adaptors/mqtt/dialect.h"
#include "core/driver/driver.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/login.h"
#include "core/options/options.h"

namespace dsmsg::mqtt {

struct MqttSettings {
  /// What the server publishes for us when it loses us without a DISCONNECT.
  struct Will {
    std::string topic, payload;
    int qos = 1;
    bool retain = false;
  };

  std::vector<HostPort> hosts;
  Login login;
  TlsSettings tls;
  std::string client_id;  // never empty
  bool client_id_given = false;
  int keep_alive = 60;  // seconds; 0: off
  Millis connect_timeout{5000}, loop_timeout{2000};
  /// Hearing nothing for this long although an answer is due is an outage.
  Millis silence_limit{5000};
  bool version5 = true;
  bool clean_session = true;
  uint32_t session_expiry = 0;  // seconds

  int qos = 1;
  bool retain = false;
  size_t max_inflight = 1000;
  Pairs user_properties;
  bool has_headers = false;  // option headers: every message carries some
  std::optional<Will> will;

  /// DeepStream 9: payloads are wrapped in a protobuf message with the sensor's id.
  bool sensor_envelope = false;
  std::string default_sensor_id;

  std::shared_ptr<Dialect> dialect;  // null: plain MQTT
};

std::span<const OptionSpec> Options();

/// UTF-8 that a field of a packet can hold.
bool IsText(const std::string& text);

/// What every dialect has: servers, TLS, time limits, keep-alive, qos and max-inflight.
Status ReadConnection(const Endpoints& endpoints, const Config& config, MqttSettings* out);
Result<MqttSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_SETTINGS_H_
