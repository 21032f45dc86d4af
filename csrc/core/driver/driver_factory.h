// SPDX-License-Identifier: Apache-2.0
// How the core makes drivers. Constant: any thread may use it.
#ifndef DSMSG_CORE_DRIVER_DRIVER_FACTORY_H_
#define DSMSG_CORE_DRIVER_DRIVER_FACTORY_H_

#include <memory>

#include "core/driver/driver.h"

namespace dsmsg {

/// Makes one object for each role (see DriverInfo::separate_roles).
struct DriverFactory {
  const DriverInfo* info;
  std::unique_ptr<Driver> (*create)(DriverHost& host);
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_DRIVER_DRIVER_FACTORY_H_
