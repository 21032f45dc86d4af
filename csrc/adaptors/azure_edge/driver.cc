// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure_edge/driver.h"

#include "adaptors/azure/identity.h"

namespace dsmsg::azure_edge {
namespace {

constexpr OptionSpec kConnection = {
    "connection-str", "string", "",
    "Connection string of the module, with ModuleId, used when the host gives none; without it, "
    "what the IoT Edge runtime says",
    kOptSecret};

std::span<const OptionSpec> Options() {
  static const auto& table = azure::WithHubOptions({kConnection});
  return table;
}

}  // namespace

const DriverInfo& ModuleDriver::Info() {
  static const DriverInfo info = [] {
    DriverInfo made = azure::HubInfo();
    made.protocol = "AZURE_MODULE_CLIENT";
    made.env_suffix = "AZURE_EDGE";
    made.conn_rules.protocol = "azure_edge";
    made.conn_rules.fields_example =
        "HostName=<hub>.azure-devices.net;DeviceId=<id>;ModuleId=<id>;SharedAccessKey=<key>";
    made.conn_rules.fields_by_default = azure::ModuleOfEnvironment;
    made.options = Options();
    made.matches = [](const Config&, const std::string& topic, const std::string& received) {
      return topic == received || topic == "#";
    };
    return made;
  }();
  return info;
}

}  // namespace dsmsg::azure_edge
