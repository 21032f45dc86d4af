// SPDX-License-Identifier: Apache-2.0
// The driver of Azure IoT Hub for modules, at the hub itself or behind an IoT Edge gateway.
//
// Threads: as core/driver/driver.h says.
#ifndef DSMSG_ADAPTORS_AZURE_EDGE_DRIVER_H_
#define DSMSG_ADAPTORS_AZURE_EDGE_DRIVER_H_

#include "adaptors/azure/driver.h"

namespace dsmsg::azure_edge {

class ModuleDriver final : public azure::HubDriver {
 public:
  static const DriverInfo& Info();

  explicit ModuleDriver(DriverHost& host) : HubDriver(host, true) {}
};

}  // namespace dsmsg::azure_edge

#endif  // DSMSG_ADAPTORS_AZURE_EDGE_DRIVER_H_
