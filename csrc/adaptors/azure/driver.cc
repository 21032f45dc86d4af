// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/driver.h"

#include <glib.h>
#include <sys/mman.h>

#include <algorithm>
#include <memory>

#include "adaptors/azure/hub.h"
#include "core/base/encoding.h"
#include "core/net/tls.h"
#include "core/options/settings.h"

namespace dsmsg::azure {
namespace {

constexpr uint16_t kPort = 8883;
constexpr Millis kSilence{30000};  // a hub that throttles answers late
constexpr std::string_view kFields[] = {"HostName",
                                        "DeviceId",
                                        "ModuleId",
                                        "SharedAccessKey",
                                        "GatewayHostName",
                                        "SharedAccessSignature",
                                        "SharedAccessKeyName",
                                        "x509"};

std::string UserName(const Identity& identity, const Config& config) {
  const std::string model = config.GetString("model-id");
  std::string version = config.GetString("api-version");
  if (version.empty()) version = model.empty() ? "2019-10-01" : "2020-09-30";
  return identity.hub + "/" + identity.client_id() + "/?api-version=" + PercentEncoded(version) +
         "&DeviceClientType=" + PercentEncoded("dsmsg/" DSMSG_VERSION) +
         (model.empty() ? "" : "&model-id=" + PercentEncoded(model));
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
    if (!mqtt::IsText(name) || !mqtt::IsText(value)) {
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

// An IoT Edge gateway takes the hub's place, unless the host names an address of its own.
Status ReadGateway(const Identity& identity, Endpoints* endpoints) {
  const bool hub = endpoints->hosts.size() == 1 &&
                   g_ascii_strcasecmp(WithoutFinalDot(endpoints->hosts[0].host).c_str(),
                                      identity.hub.c_str()) == 0;
  if (!hub || identity.gateway.empty()) return {};
  ConnRules rules;
  rules.default_port = endpoints->hosts[0].port;
  const Result<Endpoints> gateway = ParseConnString(identity.gateway, rules);
  if (!gateway.ok()) {
    return {Code::kInvalidArgument,
            "gateway-hostname=" + identity.gateway + ": not a host name (nor host:port)"};
  }
  endpoints->hosts = gateway.value().hosts;
  return {};
}

Status ReadTrust(const Identity& identity, TlsSettings* tls, UniqueFd* bundle) {
  if (identity.x509 && tls->certfile.empty()) {
    return {Code::kInvalidArgument,
            "x509=true: the device's certificate is missing (set tls-certfile and tls-keyfile)"};
  }
  if (identity.workload.empty() || !tls->cafile.empty() || !tls->capath.empty()) return {};
  *bundle = UniqueFd(memfd_create("trust-bundle", MFD_CLOEXEC));
  if (!bundle->valid()) return {Code::kInternal, "no memory for the trust bundle"};
  tls->cafile = "/proc/self/fd/" + std::to_string(bundle->get());
  return {};
}

Status Adjust(Settings* settings) {
  settings->topic_optional = true;
  if (settings->config.IsSet("cleanup-timeout")) {
    settings->flush_timeout = settings->config.GetMillis("cleanup-timeout");
  }
  return {};
}

bool Matches(const Config& config, const std::string& topic, const std::string& received) {
  const bool one_topic = config.Has("topic-property") && config.GetString("topic-property").empty();
  return one_topic || topic == received || topic == "#";
}

DriverInfo HubInfo(bool module) {
  DriverInfo made = mqtt::MqttDriver::Info();
  made.protocol = module ? "AZURE_MODULE_CLIENT" : "AZURE_DEVICE_CLIENT";
  made.env_suffix = module ? "AZURE_EDGE" : "AZURE";
  made.delivery = "OK: the hub has acknowledged the message (PUBACK; qos=0: it was written)";
  made.options = Options(module);
  made.conn_rules = {};
  made.conn_rules.protocol = module ? "azure_edge" : "azure";
  made.conn_rules.default_port = kPort;
  made.conn_rules.fields = kFields;
  made.conn_rules.fields_example =
      module ? "HostName=<hub>.azure-devices.net;DeviceId=<id>;ModuleId=<id>;SharedAccessKey=<key>"
             : "HostName=<hub>.azure-devices.net;DeviceId=<id>;SharedAccessKey=<key>";
  if (module) made.conn_rules.fields_by_default = ModuleOfEnvironment;
  made.adjust = Adjust;
  made.acknowledges_early = nullptr;  // the session is kept
  made.matches = Matches;
  made.no_headers = nullptr;  // they are properties
  return made;
}

}  // namespace

const DriverInfo& DeviceDriver::Info() {
  static const DriverInfo info = HubInfo(false);
  return info;
}

const DriverInfo& ModuleDriver::Info() {
  static const DriverInfo info = HubInfo(true);
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
  Endpoints encrypted = endpoints;
  encrypted.tls = true;
  mqtt::MqttSettings settings;
  Status status = ReadProperties(config, hub.topic_property, &hub.properties);
  if (status.ok()) status = ReadGateway(hub.identity, &encrypted);
  if (status.ok()) status = mqtt::ReadConnection(encrypted, config, &settings);
  if (status.ok()) status = ReadTrust(hub.identity, &settings.tls, &hub.trust_bundle);
  if (!status.ok()) return status;
  settings.client_id = hub.identity.client_id();
  settings.client_id_given = true;
  settings.version5 = false;
  settings.clean_session = false;
  settings.silence_limit = std::max(settings.connect_timeout, kSilence);
  settings.dialect = std::make_shared<Hub>(std::move(hub), host().log());
  Start(std::move(settings));
  return {};
}

}  // namespace dsmsg::azure
