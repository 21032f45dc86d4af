// SPDX-License-Identifier: Apache-2.0
// The two things that are new in every message: an id and a time. Both: one thread at a time.
#ifndef DSMSG_MSGCONV_IDENTITY_H_
#define DSMSG_MSGCONV_IDENTITY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dsmsg::msgconv {

/// Random UUIDs (RFC 9562, version 4) at a few nanoseconds each: xoshiro256++ seeded from the
/// system. Unique, not unguessable: nothing here is a secret. Not for use on both sides of a
/// fork().
class UuidGenerator {
 public:
  static constexpr size_t kLength = 36;
  UuidGenerator();
  /// Writes kLength characters, no terminator.
  void Next(char* out);

 private:
  uint64_t NextWord();
  std::array<uint64_t, 4> state_;
};

/// UTC times as RFC 3339 with milliseconds: 2026-11-21T10:15:30.123Z. The text of the last
/// millisecond is kept, because all messages of a frame share it.
class TimeFormatter {
 public:
  TimeFormatter() = default;
  /// Valid until the next call. Times after the year 9999 are clamped to its end.
  std::string_view Format(uint64_t ns_since_1970);

 private:
  void FormatSecond(uint64_t second);
  uint64_t second_ = UINT64_MAX, millisecond_ = UINT64_MAX;
  char text_[25] = {};
};

/// Nanoseconds since 1970 of a time in RFC 3339: 2026-11-21T10:15:30.123Z, with any fraction,
/// followed by "Z", "+hh:mm", "-hh:mm" or nothing (UTC). nullopt if it is not such a time, or lies
/// before 1970 or after 2261.
std::optional<uint64_t> ParseTime(std::string_view text);

/// The system's clock, nanoseconds since 1970.
uint64_t NowNs();

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_IDENTITY_H_
