// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace dsmsg::pulsar {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected
constexpr size_t kStep = 8;                   // bytes that are looked up together

using Table = std::array<uint32_t, 256>;

// The first table is for one byte; each other one for a byte with one more zero byte behind it.
constexpr std::array<Table, kStep> MakeTables() {
  std::array<Table, kStep> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t table = 1; table < kStep; ++table) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[table - 1][byte];
      tables[table][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr std::array<Table, kStep> kTables = MakeTables();

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kStep; at += kStep, left -= kStep) {
    std::array<unsigned char, kStep> part;
    std::memcpy(part.data(), at, kStep);
    for (size_t i = 0; i < 4; ++i) part[i] ^= static_cast<unsigned char>(crc >> (8 * i));
    crc = 0;
    for (size_t i = 0; i < kStep; ++i) crc ^= kTables[kStep - 1 - i][part[i]];
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  }
  return crc ^ 0xffffffff;
}

}  // namespace dsmsg::pulsar
