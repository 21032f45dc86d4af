// SPDX-License-Identifier: Apache-2.0
// Reads what a shared library exports from its file, without loading it. Pure function: any thread.
#ifndef DSMSG_CONFORMANCE_ELF_EXPORTS_H_
#define DSMSG_CONFORMANCE_ELF_EXPORTS_H_

#include <set>
#include <string>

namespace dsmsg::conformance {

/// Names of the defined global and weak dynamic symbols. Throws std::runtime_error.
std::set<std::string> ExportedSymbols(const std::string& path);

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_ELF_EXPORTS_H_
