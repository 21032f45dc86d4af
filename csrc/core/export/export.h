// SPDX-License-Identifier: Apache-2.0
// DSMSG_DEFINE_ADAPTOR(DriverClass) makes a shared library an adaptor: the nine nvds_msgapi_*
// functions and the dsmsg_* extensions, with argument checks and an exception barrier. DriverClass
// needs a constructor that takes a DriverHost& and a static `const DriverInfo& Info()`. Used once,
// in the adaptor's adaptor.cc, outside any namespace. The functions themselves are in
// export.cc, which is compiled into every adaptor. Threads: from any.
#ifndef DSMSG_CORE_EXPORT_EXPORT_H_
#define DSMSG_CORE_EXPORT_EXPORT_H_

#include <memory>

#include "core/driver/driver_factory.h"

namespace dsmsg {

/// Defined by DSMSG_DEFINE_ADAPTOR.
const DriverFactory& AdaptorFactory();

}  // namespace dsmsg

#define DSMSG_DEFINE_ADAPTOR(DriverClass)                                 \
  const ::dsmsg::DriverFactory& ::dsmsg::AdaptorFactory() {               \
    static const ::dsmsg::DriverFactory factory = {                       \
        &DriverClass::Info(), [](::dsmsg::DriverHost& host) {             \
          return std::unique_ptr<::dsmsg::Driver>(new DriverClass(host)); \
        }};                                                               \
    return factory;                                                       \
  }                                                                       \
  static_assert(true)

#endif  // DSMSG_CORE_EXPORT_EXPORT_H_
