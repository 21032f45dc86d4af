// SPDX-License-Identifier: Apache-2.0
#include "elf_exports.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace dsmsg::conformance {
namespace {

template <class T>
T At(const std::string& file, size_t offset) {
  if (offset + sizeof(T) > file.size()) throw std::runtime_error("ELF file is cut short");
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

}  // namespace

std::set<std::string> ExportedSymbols(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  const auto header = At<Elf64_Ehdr>(file, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    throw std::runtime_error("no ELF: " + path);
  const auto section = [&](size_t index) {
    return At<Elf64_Shdr>(file, header.e_shoff + index * header.e_shentsize);
  };
  std::set<std::string> names;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr symbols = section(i);
    if (symbols.sh_type != SHT_DYNSYM) continue;
    const Elf64_Shdr strings = section(symbols.sh_link);
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = At<Elf64_Sym>(file, symbols.sh_offset + at);
      const auto bind = ELF64_ST_BIND(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || (bind != STB_GLOBAL && bind != STB_WEAK)) continue;
      names.insert(file.c_str() + strings.sh_offset + symbol.st_name);
    }
  }
  return names;
}

}  // namespace dsmsg::conformance
