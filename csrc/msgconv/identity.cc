// SPDX-License-Identifier: Apache-2.0
#include "msgconv/identity.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <ctime>

namespace dsmsg::msgconv {
namespace {

struct HexPair {
  char text[2];
};

constexpr std::array<HexPair, 256> kHexPairs = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<HexPair, 256> pairs{};
  for (size_t i = 0; i < 256; ++i) pairs[i] = {{kHex[i >> 4], kHex[i & 15]}};
  return pairs;
}();

constexpr uint64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

}  // namespace

UuidGenerator::UuidGenerator() {
  // 32 bytes come whole or not at all (getrandom(2)); a kernel without entropy leaves the clock and
  // an address.
  if (getrandom(state_.data(), sizeof(state_), 0) == static_cast<ssize_t>(sizeof(state_))) return;
  uint64_t seed =
      static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
      (reinterpret_cast<uint64_t>(this) << 20);
  for (uint64_t& word : state_) {  // splitmix64
    uint64_t z = (seed += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    word = z ^ (z >> 31);
  }
}

uint64_t UuidGenerator::NextWord() {
  const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

void UuidGenerator::Next(char* out) {
  uint64_t high = NextWord(), low = NextWord();
  high = (high & ~uint64_t{0xF000}) | 0x4000;                // version 4
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant
  for (int byte = 0; byte < 16; ++byte) {
    const uint64_t word = byte < 8 ? high : low;
    const HexPair& pair = kHexPairs[(word >> (56 - 8 * (byte & 7))) & 0xFF];
    *out++ = pair.text[0];
    *out++ = pair.text[1];
    if (byte == 3 || byte == 5 || byte == 7 || byte == 9) *out++ = '-';
  }
}

void TimeFormatter::FormatSecond(uint64_t second) {
  const time_t seconds = static_cast<time_t>(second);
  struct tm utc = {};
  gmtime_r(&seconds, &utc);
  strftime(text_, sizeof(text_), "%Y-%m-%dT%H:%M:%S.000Z", &utc);
}

std::string_view TimeFormatter::Format(uint64_t ns_since_1970) {
  constexpr size_t kMillisAt = 20;
  const uint64_t millisecond = std::min(ns_since_1970 / 1'000'000, kLastSecond * 1000 + 999);
  if (millisecond != millisecond_) {
    if (millisecond / 1000 != second_) FormatSecond(second_ = millisecond / 1000);
    millisecond_ = millisecond;
    const uint64_t rest = millisecond % 1000;
    text_[kMillisAt] = static_cast<char>('0' + rest / 100);
    text_[kMillisAt + 1] = static_cast<char>('0' + rest / 10 % 10);
    text_[kMillisAt + 2] = static_cast<char>('0' + rest % 10);
  }
  return {text_, sizeof(text_) - 1};
}

}  // namespace dsmsg::msgconv
