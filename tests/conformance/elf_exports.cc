// SPDX-License-Identifier: Apache-2.0
#include "elf_exports.h"

#include <array>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace dsmsg::conformance {

std::set<std::string> ExportedSymbols(const std::string& path) {
  const std::string command = "LC_ALL=C readelf --dyn-syms --wide '" + path + "'";
  std::FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("cannot run: " + command);
  std::string output;
  std::array<char, 4096> part;
  while (const size_t size = std::fread(part.data(), 1, part.size(), pipe)) {
    output.append(part.data(), size);
  }
  if (pclose(pipe) != 0) throw std::runtime_error("failed (install binutils?): " + command);
  std::set<std::string> names;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number, value, size, type, bind, visibility, section, name;
    fields >> number >> value >> size >> type >> bind >> visibility >> section >> name;
    if (section == "UND" || (bind != "GLOBAL" && bind != "WEAK")) continue;
    names.insert(name.substr(0, name.find('@')));
  }
  return names;
}

}  // namespace dsmsg::conformance
