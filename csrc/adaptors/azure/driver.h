// SPDX-License-Identifier: Apache-2.0
// The driver of Azure IoT Hub for devices (libnvds_azure_proto.so), and what that for modules
// (adaptors/azure_edge) shares with it. Both are the MQTT driver with the hub's dialect.
//
// Threads: as core/driver/driver.h says.
#ifndef DSMSG_ADAPTORS_AZURE_DRIVER_H_
#define DSMSG_ADAPTORS_AZURE_DRIVER_H_

#include <initializer_list>
#include <span>
#include <vector>

#include "adaptors/azure/identity.h"
#include "adaptors/mqtt/driver.h"

namespace dsmsg::azure {

std::span<const OptionSpec> Options();

/// A table of `own` options and those that devices and modules share. Never destroyed: keep the
/// reference, and call it once for each table.
const std::vector<OptionSpec>& WithHubOptions(std::initializer_list<OptionSpec> own);
/// What both say of themselves, without names and options.
DriverInfo HubInfo();

class HubDriver : public mqtt::MqttDriver {
 public:
  Status Configure(const Endpoints& endpoints, const Config& config) override;

 protected:
  HubDriver(DriverHost& host, bool module) : MqttDriver(host), module_(module) {}

 private:
  const bool module_;
};

class DeviceDriver final : public HubDriver {
 public:
  static const DriverInfo& Info();

  explicit DeviceDriver(DriverHost& host) : HubDriver(host, false) {}
};

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_DRIVER_H_
