// SPDX-License-Identifier: Apache-2.0
// Parts of texts that are compared or split as text; numbers as C's printf writes them. Plain
// functions.
#ifndef DSMSG_MSGCONV_TEXT_PARTS_H_
#define DSMSG_MSGCONV_TEXT_PARTS_H_

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace dsmsg::msgconv {

/// As "%g": six digits. Quick for what is a float, as boxes and confidences are.
void AppendShort(std::string* out, double value);

/// As "%f": six digits after the point.
inline void AppendFixed(std::string* out, double value) {
  std::array<char, 512> text;  // DBL_MAX has 309 digits before the point
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 6).ptr;
  out->append(text.data(), end);
}

template <std::integral T>
void AppendWhole(std::string* out, T value) {
  std::array<char, 24> text;
  out->append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

/// With "_" for "|", which separates the fields of the delimited form and cannot be escaped there.
inline void AppendField(std::string* out, std::string_view text) {
  out->append(text);
  std::replace(out->end() - static_cast<std::ptrdiff_t>(text.size()), out->end(), '|', '_');
}

/// "1.000000,2.000000"
inline void AppendPair(std::string* out, float x, float y) {
  AppendFixed(out, static_cast<double>(x));
  out->push_back(',');
  AppendFixed(out, static_cast<double>(y));
}

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_TEXT_PARTS_H_
