// SPDX-License-Identifier: Apache-2.0
// Where the strings of a JSON text end, and where its brackets are, 64 bytes at a time. Pure
// functions: any thread.
#ifndef DSMSG_CORE_OPTIONS_JSON_BLOCK_H_
#define DSMSG_CORE_OPTIONS_JSON_BLOCK_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dsmsg {

constexpr size_t kJsonBlock = 64;

/// Bit i of each: whether the byte at text + i is one.
struct JsonMarks {
  uint64_t quotes = 0, slashes = 0, brackets = 0;
  bool operator==(const JsonMarks&) const = default;
};

/// Bit i: the byte at text + i ends a plain run of a string: a quote, a backslash or a control
/// character. Reads kJsonBlock bytes.
inline uint64_t StringStopsPortable(const char* text) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kEach = 0x0101010101010101, kLow = 0x7f * kEach, kHigh = 0x80 * kEach;
  uint64_t stops = 0;
  for (size_t i = 0; i < kJsonBlock; i += 8) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text + i, sizeof bytes);
    const uint64_t quote = bytes ^ ('"' * kEach), slash = bytes ^ ('\\' * kEach);
    // The high bit of each byte that is not 0, not 0, and not below 0x20.
    const uint64_t plain = (((quote & kLow) + kLow) | quote) & (((slash & kLow) + kLow) | slash) &
                           (((bytes & kLow) + 0x60 * kEach) | bytes);
    // Gathers the eight high bits in the top byte.
    stops |= (((~plain & kHigh) >> 7) * 0x0102040810204080 >> 56) << i;
  }
  return stops;
}

/// The high bit of each byte of `bytes` that is `c`.
inline uint64_t BytesThatAre(uint64_t bytes, char c) {
  constexpr uint64_t kEach = 0x0101010101010101, kLow = 0x7f * kEach;
  const uint64_t other = bytes ^ (static_cast<unsigned char>(c) * kEach);
  return ~(((other & kLow) + kLow) | other | kLow);
}

/// Reads kJsonBlock bytes.
inline JsonMarks MarksPortable(const char* text) {
  static_assert(std::endian::native == std::endian::little);
  JsonMarks marks;
  for (size_t i = 0; i < kJsonBlock; i += 8) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text + i, sizeof bytes);
    const auto gathered = [i](uint64_t high) {
      return ((high >> 7) * 0x0102040810204080 >> 56) << i;
    };
    const uint64_t lower = bytes | 0x2020202020202020;  // '[' becomes '{', and ']' '}'
    marks.quotes |= gathered(BytesThatAre(bytes, '"'));
    marks.slashes |= gathered(BytesThatAre(bytes, '\\'));
    marks.brackets |= gathered(BytesThatAre(lower, '{') | BytesThatAre(lower, '}'));
  }
  return marks;
}

#if defined(__SSE2__)
inline uint64_t StringStops16(const char* text) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control)));
}
inline uint64_t StringStops(const char* text) {
  return StringStops16(text) | StringStops16(text + 16) << 16 | StringStops16(text + 32) << 32 |
         StringStops16(text + 48) << 48;
}
inline JsonMarks Marks(const char* text) {
  const auto mask = [](__m128i bytes) {
    return static_cast<uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(bytes)));
  };
  const auto load = [text](size_t i) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + i));
  };
  const __m128i slash = _mm_set1_epi8('\\');
  JsonMarks marks;
  __m128i slashes = _mm_setzero_si128();
#pragma GCC unroll 4
  for (size_t i = 0; i < kJsonBlock; i += 16) {
    const __m128i bytes = load(i);
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    marks.quotes |= mask(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'))) << i;
    marks.brackets |= mask(_mm_or_si128(_mm_cmpeq_epi8(lower, _mm_set1_epi8('{')),
                                        _mm_cmpeq_epi8(lower, _mm_set1_epi8('}'))))
                      << i;
    slashes = _mm_or_si128(slashes, _mm_cmpeq_epi8(bytes, slash));
  }
  if (mask(slashes) != 0) [[unlikely]] {
    for (size_t i = 0; i < kJsonBlock; i += 16)
      marks.slashes |= mask(_mm_cmpeq_epi8(load(i), slash)) << i;
  }
  return marks;
}
#else
inline uint64_t StringStops(const char* text) { return StringStopsPortable(text); }
inline JsonMarks Marks(const char* text) { return MarksPortable(text); }
#endif

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_JSON_BLOCK_H_
