// SPDX-License-Identifier: Apache-2.0
#include "msgconv/identity.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <ctime>
#include <iterator>

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
  // getrandom(2) returns 32 bytes completely or not at all; without entropy, the clock and an
  // address must do.
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

namespace {

// Removes `digits` digits from the front; nullopt if they are not there.
std::optional<int64_t> TakeNumber(std::string_view* text, size_t digits) {
  if (text->size() < digits) return std::nullopt;
  int64_t number = 0;
  for (const char c : text->substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return number;
}

bool Take(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// ".123456789", as nanoseconds; further digits are dropped.
int64_t TakeFraction(std::string_view* text) {
  if (!Take(text, ".,")) return 0;
  int64_t fraction = 0, unit = 100'000'000;
  while (!text->empty() && text->front() >= '0' && text->front() <= '9') {
    fraction += unit * (text->front() - '0');
    unit /= 10;
    text->remove_prefix(1);
  }
  return fraction;
}

// "Z", "+02:00" or nothing, in seconds.
std::optional<int64_t> TakeOffset(std::string_view* text) {
  if (text->empty() || Take(text, "Zz")) return 0;
  const bool west = text->front() == '-';
  if (!Take(text, "+-")) return std::nullopt;
  const auto hours = TakeNumber(text, 2);
  Take(text, ":");
  const auto minutes = TakeNumber(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int64_t seconds = *hours * 3600 + *minutes * 60;
  return west ? -seconds : seconds;
}

}  // namespace

std::optional<uint64_t> ParseTime(std::string_view text) {
  namespace chrono = std::chrono;
  std::array<int64_t, 6> parts{};  // year month day hour minute second
  constexpr std::string_view kAfter[] = {"-", "-", "Tt ", ":", ":"};
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto number = TakeNumber(&text, i == 0 ? 4 : 2);
    if (!number) return std::nullopt;
    parts[i] = *number;
    if (i < std::size(kAfter) && !Take(&text, kAfter[i])) return std::nullopt;
  }
  const int64_t fraction = TakeFraction(&text);
  const auto offset = TakeOffset(&text);
  const chrono::year_month_day date(chrono::year(static_cast<int>(parts[0])),
                                    chrono::month(static_cast<unsigned>(parts[1])),
                                    chrono::day(static_cast<unsigned>(parts[2])));
  if (!offset || !text.empty() || !date.ok() || parts[0] > 2261) return std::nullopt;
  if (parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  const int64_t days = chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = days * 86400 + parts[3] * 3600 + parts[4] * 60 + parts[5] - *offset;
  if (seconds < 0) return std::nullopt;
  return static_cast<uint64_t>(seconds) * 1'000'000'000 + static_cast<uint64_t>(fraction);
}

uint64_t NowNs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace dsmsg::msgconv
