// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin as UTF-8, which JSON and protobuf require. Plain functions.
#ifndef DSMSG_MSGCONV_UTF8_H_
#define DSMSG_MSGCONV_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dsmsg::msgconv {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Length of the UTF-8 sequence at `p` (first byte >= 0x80), or 0 if it is not one: including
/// overlong forms, surrogates and code points above U+10FFFF. `left`: bytes available.
size_t SequenceLength(const uint8_t* p, size_t left);

bool IsUtf8(std::string_view text);
/// With U+FFFD in place of each byte that is not part of a character.
std::string Repaired(std::string_view text);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_UTF8_H_
