// SPDX-License-Identifier: Apache-2.0
#include "core/base/encoding.h"

#include <glib.h>

namespace dsmsg {

std::string ToBase64(std::string_view bytes) {
  gchar* const text = g_base64_encode(reinterpret_cast<const guchar*>(bytes.data()), bytes.size());
  std::string out(text);
  g_free(text);
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view letters = text.substr(0, text.find('='));
  const std::string_view padding = text.substr(letters.size());
  if (text.size() % 4 != 0 || letters.find_first_not_of(kLetters) != letters.npos ||
      (!padding.empty() && padding != "=" && padding != "==")) {
    return std::nullopt;
  }
  gsize size = 0;
  guchar* const bytes = g_base64_decode(std::string(text).c_str(), &size);
  std::string out(reinterpret_cast<const char*>(bytes), size);
  g_free(bytes);
  return out;
}

std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append({kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return text;
}

void AppendPercentEncoded(std::string_view text, std::string_view also_plain, std::string* out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (g_ascii_isalnum(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
        also_plain.find(c) != also_plain.npos) {
      out->push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out->append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
}

std::string PercentEncoded(std::string_view text) {
  std::string out;
  AppendPercentEncoded(text, {}, &out);
  return out;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = g_ascii_xdigit_value(text[i + 1]), low = g_ascii_xdigit_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace dsmsg
