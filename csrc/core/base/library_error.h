// SPDX-License-Identifier: Apache-2.0
// Why a shared library does not load, and what to do about it. Plain functions: any thread.
#ifndef DSMSG_CORE_BASE_LIBRARY_ERROR_H_
#define DSMSG_CORE_BASE_LIBRARY_ERROR_H_

#include <string>
#include <string_view>

namespace dsmsg {

/// What to tell the user when dlopen() of the adaptor `path` failed with `error` (dlerror()'s
/// text): it, and the package to install, or the kind of machine that the file is for.
std::string ExplainLoadError(const std::string& path, std::string_view error);

/// The Debian or Ubuntu package that contains a shared library: "librdkafka.so.1" -> "librdkafka1".
/// Empty for a name that is not of that form.
std::string PackageOfLibrary(std::string_view soname);

/// The kind of machine that a program or library is for: "x86-64", "aarch64", ... Empty if the file
/// is neither, or cannot be read.
std::string MachineOfLibrary(const std::string& path);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LIBRARY_ERROR_H_
