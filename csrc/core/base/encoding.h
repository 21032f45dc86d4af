// SPDX-License-Identifier: Apache-2.0
// Bytes as text: base64, hexadecimal digits and percent-encoding. Pure functions: any thread.
#ifndef DSMSG_CORE_BASE_ENCODING_H_
#define DSMSG_CORE_BASE_ENCODING_H_

#include <optional>
#include <string>
#include <string_view>

namespace dsmsg {

std::string ToBase64(std::string_view bytes);
/// Nothing where `text` is not base64 from its first to its last character, with the '=' at its
/// end.
std::optional<std::string> FromBase64(std::string_view text);

/// Two digits for each byte, in small letters.
std::string ToHex(std::string_view bytes);

/// %XX, in capitals, for all but letters, digits, "-._~" and what is in `also_plain`.
void AppendPercentEncoded(std::string_view text, std::string_view also_plain, std::string* out);
std::string PercentEncoded(std::string_view text);
/// Nothing where a '%' is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecoded(std::string_view text);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_ENCODING_H_
