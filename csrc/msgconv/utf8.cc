// SPDX-License-Identifier: Apache-2.0
#include "msgconv/utf8.h"

namespace dsmsg::msgconv {
namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

size_t SequenceLength(const uint8_t* p, size_t left) {
  const uint8_t first = p[0];
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  uint8_t low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(p[i])) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    const size_t length = p[i] < 0x80 ? 1 : SequenceLength(p + i, text.size() - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string Repaired(std::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  std::string good;
  for (size_t i = 0; i < text.size();) {
    const size_t length = p[i] < 0x80 ? 1 : SequenceLength(p + i, text.size() - i);
    good.append(length == 0 ? kReplacement : text.substr(i, length));
    i += length == 0 ? 1 : length;
  }
  return good;
}

}  // namespace dsmsg::msgconv
