// SPDX-License-Identifier: Apache-2.0
#include "msgconv/utf8.h"

#include <glib.h>

namespace dsmsg::msgconv {

size_t SequenceLength(const uint8_t* p, size_t left) {
  constexpr gunichar kError = 0x80000000;  // (gunichar)-1 and -2
  const auto* text = reinterpret_cast<const char*>(p);
  const bool valid = g_utf8_get_char_validated(text, static_cast<gssize>(left)) < kError;
  return valid ? static_cast<size_t>(g_utf8_next_char(text) - text) : 0;
}

// Not g_utf8_validate or g_utf8_make_valid, which treat a NUL as an error.
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
