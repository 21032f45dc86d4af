// SPDX-License-Identifier: Apache-2.0
#include "core/base/library_error.h"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>

namespace dsmsg {

std::string ExplainLoadError(const std::string& path, std::string_view error) {
  std::string message = "cannot load " + path + ": ";
  const std::string machine = MachineOfLibrary(path);
  const std::string here = MachineOfLibrary("/proc/self/exe");
  // The loader says of such a file that it does not exist.
  if (!machine.empty() && !here.empty() && machine != here) {
    return message + "it is for " + machine + ", and this process is " + here +
           " (install the build for " + here + ")";
  }
  message += error;
  const size_t end = error.find(": cannot open shared object file");
  if (end == error.npos) {
    const bool other = error.find("invalid ELF header") != error.npos;
    return other ? message + " (the file is not a library)" : message;
  }
  const std::string_view missing = error.substr(0, end);
  if (missing == path) return message + " (is the path right?)";
  message.append(" (the adaptor needs ").append(missing);
  const std::string package = PackageOfLibrary(missing);
  if (!package.empty()) message += "; Debian, Ubuntu: apt install " + package;
  return message + ")";
}

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

std::string MachineOfLibrary(const std::string& path) {
  unsigned char head[20];
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(head), sizeof(head))) return {};
  if (std::memcmp(head, ELFMAG, SELFMAG) != 0) return {};
  // e_machine has the same place in files of 32 and 64 bits.
  const bool big = head[EI_DATA] == ELFDATA2MSB;
  const int machine = big ? head[18] << 8 | head[19] : head[19] << 8 | head[18];
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "x86 (32 bits)";
    case EM_ARM:
      return "ARM (32 bits)";
    default:
      return "machine " + std::to_string(machine) + " of ELF";
  }
}

}  // namespace dsmsg
