// SPDX-License-Identifier: Apache-2.0
#include "msgconv/text_parts.h"

#include <cmath>
#include <cstdint>

namespace dsmsg::msgconv {
namespace {

// Six digits, as a whole number, are at most this.
constexpr int64_t kMost = 999'999;
constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/// Digits behind the point of a number of six digits; -1: it is written with an exponent, or zero.
int DigitsBehindPoint(double size) {
  if (!(size >= 1e-4 && size < 1e6)) return -1;  // also what is no number
  constexpr double kLeast[] = {1e5, 1e4, 1e3, 1e2, 1e1, 1, 1e-1, 1e-2, 1e-3, 1e-4};
  int digits = 0;
  while (size < kLeast[digits]) ++digits;
  return digits;
}

}  // namespace

void AppendShort(std::string* out, double value) {
  const double size = std::fabs(value);
  const int digits =
      static_cast<double>(static_cast<float>(size)) == size ? DigitsBehindPoint(size) : -1;
  // The product is exact: a float has 24 bits, 5 to the power of 9 has 21.
  int64_t all = digits < 0 ? 0 : std::llrint(size * kPowers[digits]);
  if (digits < 0 || (digits == 0 && all > kMost)) {
    std::array<char, 32> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6)
            .ptr;
    out->append(text.data(), end);
    return;
  }
  if (value < 0) out->push_back('-');
  const auto power = static_cast<int64_t>(kPowers[digits]);
  AppendWhole(out, all / power);
  all %= power;
  if (all == 0) return;
  std::array<char, 9> fraction;
  int count = digits;
  for (int i = digits; i-- > 0; all /= 10) {
    fraction[static_cast<size_t>(i)] = static_cast<char>('0' + all % 10);
  }
  while (fraction[static_cast<size_t>(count - 1)] == '0') --count;
  out->push_back('.');
  out->append(fraction.data(), static_cast<size_t>(count));
}

}  // namespace dsmsg::msgconv
