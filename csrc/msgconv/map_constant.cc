// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_constant.h"

#include <charconv>
#include <cstring>

#include "msgconv/json_writer.h"

namespace dsmsg::msgconv {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string QuotedJson(std::string_view text) {
  JsonWriter writer;
  writer.String(text);
  return std::string(writer.view());
}

std::string PlainJson(std::string_view text) {
  for (const std::string_view null : {"", "~", "null", "Null", "NULL"}) {
    if (text == null) return "null";
  }
  for (const std::string_view word : {"true", "false"}) {
    const bool same =
        text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
    if (same) return std::string(word);
  }
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || !IsDigit(digits.front())) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  // JSON has no zeros in front: YAML's 007 is a text here, because it is one to its reader.
  if (digits.size() > 1 && digits[0] == '0' && IsDigit(digits[1])) return {};
  const size_t point = digits.find('.');
  if (point != digits.npos && (point + 1 == digits.size() || !IsDigit(digits[point + 1])))
    return {};
  return std::string(text);
}

}  // namespace dsmsg::msgconv
