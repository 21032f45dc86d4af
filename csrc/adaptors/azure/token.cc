// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>

namespace dsmsg::azure {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Resource(const Identity& identity) {
  return Encoded(identity.hub + "/" + identity.path());
}

}  // namespace

std::string ToBase64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), Bytes(bytes),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.size() - std::min(text.find('='), text.size());
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), Bytes(text),
                                   static_cast<int>(text.size()));
  if (size < 0 || padding > 2 || text.substr(text.size() - padding) != std::string(padding, '=')) {
    return std::nullopt;
  }
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

std::string TextToSign(const Identity& identity, int64_t expires) {
  return Resource(identity) + "\n" + std::to_string(expires);
}

std::string Signature(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(), digest,
       &size);
  return ToBase64({reinterpret_cast<const char*>(digest), size});
}

std::string Token(const Identity& identity, std::string_view signature, int64_t expires) {
  return "SharedAccessSignature sr=" + Resource(identity) + "&sig=" + Encoded(signature) +
         "&se=" + std::to_string(expires);
}

std::optional<int64_t> ExpiryOf(std::string_view token) {
  constexpr std::string_view kName = "se=";
  for (size_t at = token.find(kName); at != token.npos; at = token.find(kName, at + 1)) {
    if (at == 0 || (token[at - 1] != '&' && token[at - 1] != ' ')) continue;
    int64_t value = 0;
    const char* const end = token.data() + token.size();
    const auto [rest, error] = std::from_chars(token.data() + at + kName.size(), end, value);
    if (error == std::errc() && (rest == end || *rest == '&')) return value;
  }
  return std::nullopt;
}

}  // namespace dsmsg::azure
