// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/token.h"

#include <openssl/hmac.h>

#include <charconv>

#include "core/base/encoding.h"

namespace dsmsg::azure {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Resource(const Identity& identity) {
  return PercentEncoded(identity.hub + "/" + identity.path());
}

}  // namespace

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
  return "SharedAccessSignature sr=" + Resource(identity) + "&sig=" + PercentEncoded(signature) +
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
