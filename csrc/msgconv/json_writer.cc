// SPDX-License-Identifier: Apache-2.0
#include "msgconv/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "msgconv/utf8.h"

namespace dsmsg::msgconv {
namespace {

constexpr size_t kFirstCapacity = 4096;
constexpr size_t kLongestNumber = 32;

enum ByteClass : uint8_t { kPlain, kEscape, kMultiByte };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (size_t i = 0; i < 0x20; ++i) classes[i] = kEscape;
  classes['"'] = classes['\\'] = classes[0x7F] = kEscape;
  for (size_t i = 0x80; i < 0x100; ++i) classes[i] = kMultiByte;
  return classes;
}();

char* PutEscape(char* out, uint8_t byte) {
  *out++ = '\\';
  switch (byte) {
    case '"':
    case '\\':
      *out++ = static_cast<char>(byte);
      return out;
    case '\n':
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = 't';
      return out;
    default:
      break;
  }
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) *out++ = c;
  return out;
}

}  // namespace

void JsonWriter::Grow(size_t n) {
  const size_t capacity = std::max({kFirstCapacity, capacity_ * 2, size_ + n});
  std::unique_ptr<char[]> data(new char[capacity]);
  if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

void JsonWriter::String(std::string_view text) {
  // No byte expands to more than six.
  char* out = Room(text.size() * 6 + 2);
  char* const begin = out;
  *out++ = '"';
  const uint8_t* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const uint8_t kind = kClasses[*p];
    if (kind == kPlain) {
      *out++ = static_cast<char>(*p++);
    } else if (kind == kEscape) {
      out = PutEscape(out, *p++);
    } else if (const size_t length = SequenceLength(p, static_cast<size_t>(end - p)); length > 0) {
      out = std::copy(p, p + length, out);
      p += length;
    } else {
      out = std::copy(kReplacement.begin(), kReplacement.end(), out);
      ++p;
    }
  }
  *out++ = '"';
  Wrote(static_cast<size_t>(out - begin));
}

template <std::floating_point T>
void JsonWriter::Float(T value) {
  // Whole numbers are common (pixels) and faster as integers; beyond 2^53 a double cannot represent
  // all of them.
  constexpr T kExact = 9007199254740992.0;
  if (value > -kExact && value < kExact) {
    const int64_t whole = static_cast<int64_t>(value);
    if (static_cast<T>(whole) == value) {
      Integer(whole);
      if (typed_) Raw(".0");
      return;
    }
  } else if (!std::isfinite(value)) {
    return Raw("null");
  }
  char* out = Room(kLongestNumber);
  Wrote(static_cast<size_t>(std::to_chars(out, out + kLongestNumber, value).ptr - out));
}

void JsonWriter::Number(double value) { Float(value); }
void JsonWriter::Number(float value) { typed_ ? Float(static_cast<double>(value)) : Float(value); }

void JsonWriter::Integer(long long value) {
  char* out = Room(kLongestNumber);
  Wrote(static_cast<size_t>(std::to_chars(out, out + kLongestNumber, value).ptr - out));
}

void JsonWriter::Unsigned(unsigned long long value) {
  char* out = Room(kLongestNumber);
  Wrote(static_cast<size_t>(std::to_chars(out, out + kLongestNumber, value).ptr - out));
}

}  // namespace dsmsg::msgconv
