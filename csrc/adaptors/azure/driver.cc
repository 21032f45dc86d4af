// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/driver.h"

#include <glib.h>
#include <mosquitto.h>
#include <sys/mman.h>

#include <algorithm>
#include <memory>

#include "adaptors/azure/hub.h"
#include "core/base/encoding.h"
#include "core/options/settings.h"

namespace dsmsg::azure {
namespace {

constexpr uint16_t kPort = 8883;
constexpr Millis kSilence{30000};  // a hub that throttles answers late

std::string UserName(const Identity& identity, const Config& config) {
  const std::string model = config.GetString("model-id");
  std::string version = config.GetString("api-version");
  if (version.empty()) version = model.empty() ? "2019-10-01" : "2020-09-30";
  return identity.hub + "/" + identity.client_id() + "/?api-version=" + PercentEncoded(version) +
         "&DeviceClientType=" + PercentEncoded("dsmsg/" DSMSG_VERSION) +
         (model.empty() ? "" : "&model-id=" + PercentEncoded(model));
}

bool IsText(const std::string& text) {
  return text.find('\0') == text.npos && g_utf8_validate(text.data(), -1, nullptr) != 0;
}

Status ReadProperties(const Config& config, const std::string& topic_property, Pairs* out) {
  *out = config.GetPairs("custom-msg-properties");
  const std::pair<const char*, const char*> options[] = {{"content-type", "$.ct"},
                                                         {"content-encoding", "$.ce"}};
  for (const auto& [option, name] : options) {
    if (config.IsSet(option)) out->emplace_back(name, config.GetString(option));
  }
  Pairs all = *out;
  all.emplace_back(topic_property, "");
  for (const auto& header : config.GetPairs("headers")) all.push_back(header);
  for (const auto& [name, value] : all) {
    if (!IsText(name) || !IsText(value)) {
      return {Code::kInvalidArgument, "the message property \"" + name + "\" is not valid UTF-8"};
    }
    if (name == "$.on" || (name.starts_with("$.") && !Hub::IsSystemName(name))) {
      return {Code::kInvalidArgument,
              "a message property cannot be named \"" + name +
                  "\": of the names that begin with $. the hub knows $.mid, $.cid, $.uid, $.ct, "
                  "$.ce, $.ifid and $.exp"};
    }
  }
  return {};
}

// Where to connect: an address of its own, or the gateway ("host" or "host:port"), or the hub.
Result<std::vector<HostPort>> Servers(const Endpoints& endpoints, const Identity& identity) {
  const bool hub = endpoints.hosts.size() == 1 &&
                   g_ascii_strcasecmp(endpoints.hosts[0].host.c_str(), identity.hub.c_str()) == 0;
  if (!hub || identity.gateway.empty()) return endpoints.hosts;
  const bool with_port = identity.gateway.find(':') != std::string::npos;
  const std::string address =
      identity.gateway + (with_port ? "" : ":" + std::to_string(endpoints.hosts[0].port));
  const Result<Endpoints> gateway = ParseConnString(address, ConnRules{});
  if (!gateway.ok()) {
    return Status(Code::kInvalidArgument,
                  "gateway-hostname=" + identity.gateway + ": not a host name (nor host:port)");
  }
  return gateway.value().hosts;
}

Status Adjust(Settings* settings) {
  settings->topic_optional = true;
  if (settings->config.IsSet("cleanup-timeout")) {
    settings->flush_timeout = settings->config.GetMillis("cleanup-timeout");
  }
  return {};
}

}  // namespace

DriverInfo HubInfo() {
  static constexpr std::string_view kFields[] = {"HostName",
                                                 "DeviceId",
                                                 "ModuleId",
                                                 "SharedAccessKey",
                                                 "GatewayHostName",
                                                 "SharedAccessSignature",
                                                 "SharedAccessKeyName",
                                                 "x509"};
  DriverInfo made = mqtt::MqttDriver::Info();
  made.delivery = "OK: the hub has acknowledged the message (PUBACK; qos=0: it was written)";
  made.conn_rules = {};
  made.conn_rules.default_port = kPort;
  made.conn_rules.fields = kFields;
  made.conn_rules.fields_example =
      "HostName=<hub>.azure-devices.net;DeviceId=<id>;SharedAccessKey=<key>";
  made.adjust = Adjust;
  made.acknowledges_early = nullptr;  // the session is kept
  return made;
}

const DriverInfo& DeviceDriver::Info() {
  static const DriverInfo info = [] {
    DriverInfo made = HubInfo();
    made.protocol = "AZURE_DEVICE_CLIENT";
    made.env_suffix = "AZURE";
    made.conn_rules.protocol = "azure";
    made.options = Options();
    made.matches = [](const Config& config, const std::string& topic, const std::string& received) {
      return config.GetString("topic-property").empty() || topic == received || topic == "#";
    };
    return made;
  }();
  return info;
}

Status HubDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<Identity> identity = ReadIdentity(endpoints, module_);
  if (!identity.ok()) return identity.status();
  HubSettings hub;
  hub.identity = std::move(identity.value());
  if (config.IsSet("gateway-hostname")) hub.identity.gateway = config.GetString("gateway-hostname");
  hub.user_name = UserName(hub.identity, config);
  hub.token_life = std::chrono::duration_cast<std::chrono::seconds>(config.GetMillis("sas-ttl"));
  if (!module_) hub.topic_property = config.GetString("topic-property");
  Status status = ReadProperties(config, hub.topic_property, &hub.properties);
  if (!status.ok()) return status;
  mqtt::MqttSettings settings;
  Result<std::vector<HostPort>> servers = Servers(endpoints, hub.identity);
  if (!servers.ok()) return servers.status();
  settings.hosts = std::move(servers.value());
  Endpoints encrypted = endpoints;
  encrypted.tls = true;
  Result<TlsSettings> tls = ReadTlsSettings(encrypted, config);
  if (!tls.ok()) return tls.status();
  settings.tls = std::move(tls.value());
  if (hub.identity.x509 && settings.tls.certfile.empty()) {
    return {Code::kInvalidArgument,
            "x509=true: the device's certificate is missing (set "
            "tls-certfile and tls-keyfile)"};
  }
  if (hub.identity.workload && settings.tls.cafile.empty() && settings.tls.capath.empty()) {
    hub.trust_bundle = UniqueFd(memfd_create("trust-bundle", MFD_CLOEXEC));
    if (!hub.trust_bundle.valid()) return {Code::kInternal, "no memory for the trust bundle"};
    settings.tls.cafile = "/proc/self/fd/" + std::to_string(hub.trust_bundle.get());
  }
  settings.client_id = hub.identity.client_id();
  settings.client_id_given = true;
  settings.version5 = false;
  settings.clean_session = false;
  settings.keep_alive = static_cast<int>(config.GetMillis("keep-alive").count() / 1000);
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, kSilence);
  settings.qos = static_cast<int>(config.GetInt("qos"));
  settings.max_inflight = static_cast<size_t>(config.GetInt("max-inflight"));
  settings.dialect = std::make_shared<Hub>(std::move(hub), host().log());
  Start(std::move(settings));
  return {};
}

}  // namespace dsmsg::azure
