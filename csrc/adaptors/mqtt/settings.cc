// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/settings.h"

#include <mosquitto.h>

#include <algorithm>
#include <random>

#include "core/base/environment.h"
#include "core/options/config.h"

namespace dsmsg::mqtt {
namespace {

Status Bad(const std::string& text) { return {Code::kInvalidArgument, text}; }

std::string RandomClientId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device device;
  std::string id =
      "dsmsg-";  // with 16 digits within the 23 characters that every server must accept
  for (int i = 0; i < 16; ++i) id += kDigits[device() & 15];
  return id;
}

Status ReadSession(const Config& config, MqttSettings* out) {
  out->client_id = config.GetString("client-id");
  if (!IsText(out->client_id)) {
    return Bad("client-id: not valid UTF-8 of at most 65535 bytes");
  }
  out->clean_session = config.GetBool("clean-session");
  if (!out->clean_session && out->client_id.empty()) {
    return Bad(
        "clean-session=0 needs a client-id: without one the server cannot know whose session it is "
        "(set client-id to a name that only this connection uses)");
  }
  if (!out->clean_session) {
    const auto seconds =
        std::chrono::ceil<std::chrono::seconds>(config.GetMillis("session-expiry"));
    out->session_expiry = static_cast<uint32_t>(seconds.count());
    if (out->session_expiry == 0) {
      return Bad(
          "session-expiry=0 with clean-session=0: the session would end with its connection (set a "
          "time, or clean-session=1)");
    }
  }
  out->client_id_given = !out->client_id.empty();
  if (!out->client_id_given) out->client_id = RandomClientId();
  if (out->keep_alive > 0 && out->keep_alive < 5) {
    return Bad("keep-alive: " + std::to_string(out->keep_alive) +
               " seconds are less than the client library allows (0: off, or 5 to 65535)");
  }
  return {};
}

Status ReadWill(const Config& config, MqttSettings* out) {
  MqttSettings::Will will;
  will.topic = config.GetString("will-topic");
  if (will.topic.empty()) {
    // Writing out the defaults requests nothing.
    const std::pair<const char*, bool> asked[] = {
        {"will-payload", !config.GetString("will-payload").empty()},
        {"will-qos", config.GetInt("will-qos") != 1},
        {"will-retain", config.GetBool("will-retain")}};
    for (const auto& [option, set] : asked) {
      if (set) {
        return Bad(std::string(option) + " is set without will-topic (set the topic too)");
      }
    }
    return {};
  }
  if (!IsText(will.topic) || mosquitto_pub_topic_check(will.topic.c_str()) != MOSQ_ERR_SUCCESS) {
    return Bad("will-topic=" + will.topic +
               ": not a topic that can be published to (it must not contain + or #)");
  }
  will.payload = config.GetString("will-payload");
  will.qos = static_cast<int>(config.GetInt("will-qos"));
  will.retain = config.GetBool("will-retain");
  out->will = std::move(will);
  return {};
}

Status ReadProducer(const Config& config, MqttSettings* out) {
  if (out->qos == 2 && !out->clean_session) {
    return Bad(
        "qos=2 with clean-session=0: after a lost connection the server would mistake new messages "
        "for old ones with the same packet identifier (use qos=1, or clean-session=1)");
  }
  out->retain = config.GetBool("retain");
  out->version5 = config.GetString("protocol") == "5";
  out->user_properties = config.GetPairs("user-properties");
  for (const auto& [name, value] : out->user_properties) {
    if (!IsText(name) || !IsText(value)) {
      return Bad("user-properties: \"" + name + "\" is not valid UTF-8 of at most 65535 bytes");
    }
  }
  out->has_headers = !config.GetPairs("headers").empty() ||
                     (config.GetBool("ledger") && config.GetString("ledger-field").empty());
  if (!out->version5 && !out->user_properties.empty()) {
    return Bad("user-properties need protocol=5 (MQTT 3.1.1 has none)");
  }
  if (!out->version5 && out->has_headers) {
    return Bad("headers need protocol=5 (MQTT 3.1.1 has no user properties)");
  }
  const bool extraction = FromEnvironment("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION") == "1";
  out->sensor_envelope = extraction;
  out->default_sensor_id = FromEnvironment("DEEPSTREAM_SENSOR_ID");
  return {};
}

Status ReadLogin(const Endpoints& endpoints, const Config& config, MqttSettings* out) {
  if (endpoints.hosts.empty()) {
    return Bad(
        "no server is named (conn-str is \"host;port\", for example \"localhost;1883\", or set "
        "hostname and port in the config file)");
  }
  if (!endpoints.path.empty()) {
    return Bad(
        "an mqtt:// URL has no path (for example mqtt://localhost:1883; set the topic with the "
        "option topic)");
  }
  out->login = dsmsg::ReadLogin(endpoints, config, "MQTT");
  if (!IsText(out->login.user)) return Bad("username: not valid UTF-8 of at most 65535 bytes");
  if (out->login.password.size() > 65535) return Bad("password: longer than 65535 bytes");
  if (out->login.user.empty() && !out->login.password.empty() &&
      config.GetString("protocol") != "5") {
    return Bad("password is set without username, which MQTT 3.1.1 does not allow (set USER_MQTT)");
  }
  return {};
}

}  // namespace

bool IsText(const std::string& text) {
  return text.find('\0') == text.npos && text.size() <= 65535 &&
         mosquitto_validate_utf8(text.data(), static_cast<int>(text.size())) == MOSQ_ERR_SUCCESS;
}

Status ReadConnection(const Endpoints& endpoints, const Config& config, MqttSettings* out) {
  out->hosts = endpoints.hosts;
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  out->tls = std::move(tls.value());
  const Millis keep_alive = config.GetMillis("keep-alive");
  out->keep_alive = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(keep_alive).count());
  out->connect_timeout = config.GetMillis("connect-timeout");
  out->silence_limit = std::max(out->connect_timeout, Millis(5000));
  out->qos = static_cast<int>(config.GetInt("qos"));
  out->max_inflight = static_cast<size_t>(config.GetInt("max-inflight"));
  return {};
}

Result<MqttSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  MqttSettings settings;
  using Reader = Status (*)(const Config&, MqttSettings*);
  Status status = ReadLogin(endpoints, config, &settings);
  if (status.ok()) status = ReadConnection(endpoints, config, &settings);
  for (const Reader read : {ReadSession, ReadProducer, ReadWill}) {
    if (status.ok()) status = read(config, &settings);
  }
  if (!status.ok()) return status;
  settings.loop_timeout = config.GetMillis("loop-timeout");
  return settings;
}

}  // namespace dsmsg::mqtt
