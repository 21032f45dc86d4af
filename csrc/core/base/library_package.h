// SPDX-License-Identifier: Apache-2.0
// Which package brings a shared library that is missing. A pure function: any thread.
#ifndef DSMSG_CORE_BASE_LIBRARY_PACKAGE_H_
#define DSMSG_CORE_BASE_LIBRARY_PACKAGE_H_

#include <string>
#include <string_view>

namespace dsmsg {

/// The Debian or Ubuntu package that contains a shared library: "librdkafka.so.1" -> "librdkafka1".
/// Empty for a name that is not of that form.
std::string PackageOfLibrary(std::string_view soname);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LIBRARY_PACKAGE_H_
