// SPDX-License-Identifier: Apache-2.0
// The drivers of Azure IoT Hub: for devices (libnvds_azure_proto.so) and for modules, at the hub
// itself or behind an IoT Edge gateway (libnvds_azure_edge_proto.so). Both are the MQTT driver with
// the hub's dialect.
//
// Threads: as core/driver/driver.h says.
#ifndef DSMSG_ADAPTORS_AZURE_DRIVER_H_
#define DSMSG_ADAPTORS_AZURE_DRIVER_H_

#include "adaptors/mqtt/driver.h"

namespace dsmsg::azure {

/// Constant until the end of the process.
std::span<const OptionSpec> Options(bool module);

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

class ModuleDriver final : public HubDriver {
 public:
  static const DriverInfo& Info();
  explicit ModuleDriver(DriverHost& host) : HubDriver(host, true) {}
};

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_DRIVER_H_
