// SPDX-License-Identifier: Apache-2.0
// Environment variables. Threads: any, as long as none changes the environment.
#ifndef DSMSG_CORE_BASE_ENVIRONMENT_H_
#define DSMSG_CORE_BASE_ENVIRONMENT_H_

#include <cstdlib>
#include <string>

namespace dsmsg {

/// "" for a variable that is not set, since container files often pass on empty ones for those.
inline std::string FromEnvironment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value != nullptr ? value : "";
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_ENVIRONMENT_H_
