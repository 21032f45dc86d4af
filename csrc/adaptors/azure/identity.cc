// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/identity.h"

#include <glib.h>

#include "core/base/encoding.h"
#include "core/base/environment.h"
#include "core/net/tls.h"

namespace dsmsg::azure {
namespace {

constexpr size_t kLongestId = 128;

Status Bad(const std::string& text) { return {Code::kInvalidArgument, text}; }

// What the hub's registry allows. Publishing to a topic cannot contain '+' or '#', nor a slash that
// would begin the next level.
Status CheckId(const std::string& name, const std::string& id) {
  constexpr std::string_view kAlso = "-._%*?!(),:=@$'";
  if (id.size() > kLongestId) return Bad(name + " is longer than 128 characters");
  for (const char c : id) {
    if (g_ascii_isalnum(c) || kAlso.find(c) != kAlso.npos) continue;
    if (c == '+' || c == '#') {
      return Bad(name + " contains '" + std::string(1, c) +
                 "': MQTT cannot publish to a topic with it (register the device under "
                 "another id)");
    }
    return Bad(name + " contains a character that IoT Hub does not allow (letters, digits and " +
               std::string(kAlso) + ")");
  }
  return {};
}

// An IoT Edge runtime proves who its modules are.
Status ReadWorkload(Identity* out) {
  constexpr std::string_view kScheme = "unix://";
  const std::string uri = FromEnvironment("IOTEDGE_WORKLOADURI");
  if (out->module.empty() || uri.empty()) {
    return Bad(
        "the connection string has no SharedAccessKey (nor SharedAccessSignature or "
        "x509=true): take the device's whole connection string from the portal");
  }
  if (!uri.starts_with(kScheme)) {
    return Bad("IOTEDGE_WORKLOADURI=" + uri + ": only unix:///path is supported");
  }
  out->workload = uri.substr(kScheme.size());
  out->generation = FromEnvironment("IOTEDGE_MODULEGENERATIONID");
  return out->generation.empty() ? Bad("IOTEDGE_MODULEGENERATIONID is not set") : Status();
}

Status ReadProof(const Endpoints& endpoints, Identity* out) {
  const std::string key = endpoints.Field("SharedAccessKey"), x509 = endpoints.Field("x509");
  out->token = endpoints.Field("SharedAccessSignature");
  if (!x509.empty() && x509 != "true" && x509 != "false") return Bad("x509 must be true or false");
  out->x509 = x509 == "true";
  const int given = !key.empty() + !out->token.empty() + out->x509;
  if (given == 0) return ReadWorkload(out);
  if (given > 1) {
    return Bad(
        "the connection string has more than one of SharedAccessKey, SharedAccessSignature "
        "and x509=true: only one can prove who this is");
  }
  if (!out->token.empty() && !out->token.starts_with("SharedAccessSignature sr=")) {
    return Bad(
        "SharedAccessSignature does not begin with \"SharedAccessSignature sr=\" (give the token "
        "as az iot hub generate-sas-token prints it)");
  }
  const std::optional<std::string> bytes = FromBase64(key);
  if (!bytes) {
    return Bad(
        "SharedAccessKey is not valid base64 (copy the device's primary or secondary key "
        "whole, with the = at its end)");
  }
  out->key = *bytes;
  return {};
}

}  // namespace

Result<Identity> ReadIdentity(const Endpoints& endpoints, bool module) {
  if (endpoints.fields.empty()) {
    return Bad(
        "the device's connection string is missing (give it as connection string, or set "
        "connection_str in the config file: "
        "HostName=<hub>.azure-devices.net;DeviceId=<id>;SharedAccessKey=<key>)");
  }
  Identity identity;
  const std::string host = endpoints.Field("HostName");
  const std::string policy = endpoints.Field("SharedAccessKeyName");
  identity.hub = WithoutFinalDot(host.substr(0, host.find(':')));
  identity.device = endpoints.Field("DeviceId");
  identity.module = endpoints.Field("ModuleId");
  identity.gateway = endpoints.Field("GatewayHostName");
  if (identity.hub.find(',') != identity.hub.npos) return Bad("HostName is that of one hub");
  if (identity.device.empty()) {
    return Bad(policy.empty() ? "DeviceId is missing in the connection string"
                              : "this is the connection string of the policy \"" + policy +
                                    "\", for services (take that of the device: it has DeviceId)");
  }
  if (identity.module.empty() && module) {
    return Bad(
        "ModuleId is missing in the connection string (a device uses "
        "libnvds_azure_proto.so)");
  }
  if (!identity.module.empty() && !module) {
    return Bad("the connection string has a ModuleId (a module uses libnvds_azure_edge_proto.so)");
  }
  Status status = CheckId("DeviceId", identity.device);
  if (status.ok()) status = CheckId("ModuleId", identity.module);
  if (status.ok()) status = ReadProof(endpoints, &identity);
  if (!status.ok()) return status;
  return identity;
}

std::string ModuleOfEnvironment() {
  constexpr const char* kParts[][2] = {{"HostName=", "IOTEDGE_IOTHUBHOSTNAME"},
                                       {";GatewayHostName=", "IOTEDGE_GATEWAYHOSTNAME"},
                                       {";DeviceId=", "IOTEDGE_DEVICEID"},
                                       {";ModuleId=", "IOTEDGE_MODULEID"}};
  std::string text;
  for (const auto& [name, variable] : kParts) {
    const std::string value = FromEnvironment(variable);
    if (value.empty()) return "";
    text += name + value;
  }
  return text;
}

}  // namespace dsmsg::azure
