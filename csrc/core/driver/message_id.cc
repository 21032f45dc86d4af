// SPDX-License-Identifier: Apache-2.0
#include "core/driver/message_id.h"

#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <iterator>

namespace dsmsg {
namespace {

constexpr size_t kOriginDigits = 16;

bool ParseHex(std::string_view text, uint64_t* out) {
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, *out, 16);
  return error == std::errc() && last == end;
}

}  // namespace

void MessageId::AppendTo(std::string* out) const {
  char digits[kOriginDigits];
  const char* end = std::to_chars(std::begin(digits), std::end(digits), origin, 16).ptr;
  const auto size = static_cast<size_t>(end - digits);
  out->append(kOriginDigits - size, '0').append(digits, size).append("-");
  end = std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

std::string MessageId::ToString() const {
  std::string text;
  AppendTo(&text);
  return text;
}

MessageId MessageId::Parse(std::string_view text) {
  MessageId id;
  if (text.size() < kOriginDigits + 2 || text[kOriginDigits] != '-' ||
      !ParseHex(text.substr(0, kOriginDigits), &id.origin) ||
      !ParseHex(text.substr(kOriginDigits + 1), &id.number)) {
    return {};
  }
  return id;
}

uint64_t MessageId::NewOrigin() {
  uint64_t origin = 0;
  if (getrandom(&origin, sizeof origin, 0) == sizeof origin) return origin;
  // A system without it, or where it is forbidden: the time, and which of them asks when.
  static std::atomic<uint64_t> asked{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return static_cast<uint64_t>(now) ^ (static_cast<uint64_t>(getpid()) << 40) ^ (++asked << 52);
}

}  // namespace dsmsg
