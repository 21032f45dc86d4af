// SPDX-License-Identifier: Apache-2.0
#include "core/base/library_package.h"

#include <algorithm>
#include <cctype>

namespace dsmsg {

std::string PackageOfLibrary(std::string_view soname) {
  const size_t dot = soname.find(".so.");
  if (!soname.starts_with("lib") || dot == std::string_view::npos) return {};
  std::string name(soname.substr(0, dot));
  const std::string_view version = soname.substr(dot + 4);
  if (version.empty()) return {};
  // Debian's rule: name, a dash if two digits would meet, version. GLib keeps its API version
  // without dash.
  if (name == "libglib-2.0") return "libglib2.0-0";
  if (std::isdigit(static_cast<unsigned char>(name.back())) != 0) name += '-';
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return name.append(version);
}

}  // namespace dsmsg
