// SPDX-License-Identifier: Apache-2.0
#include "core/base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>

namespace dsmsg {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

std::string Sha256(std::string_view bytes) {
  Digest digest;
  ::SHA256(Bytes(bytes), bytes.size(), digest.data());
  return Text(digest);
}

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  Digest digest;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(bytes), bytes.size(),
         digest.data(), nullptr);
  return Text(digest);
}

}  // namespace dsmsg
