// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/nkey.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/text_file.h"

namespace dsmsg::nats {
namespace {

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr uint8_t kSeedPrefix = 18 << 3, kUserPrefix = 20 << 3;  // 'S', 'U'
constexpr size_t kKeySize = 32, kSignatureSize = 64;
constexpr size_t kLargestFile = size_t{1} << 20;

using Bytes = std::vector<uint8_t>;

Bytes FromBase32(std::string_view text) {
  Bytes bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kBase32.find(c);
    if (value == std::string_view::npos) return {};
    bits = (bits << 5) | static_cast<uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count));
  }
  return bytes;
}

std::string ToBase32(const Bytes& bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) text += kBase32[(bits >> (count - 5)) & 31];
  }
  if (count > 0) text += kBase32[(bits << (5 - count)) & 31];
  return text;
}

// CRC-16/XMODEM
uint16_t Checksum(const uint8_t* data, size_t size) {
  uint16_t crc = 0;
  for (size_t i = 0; i < size; ++i) {
    crc = static_cast<uint16_t>(crc ^ (data[i] << 8));
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
  }
  return crc;
}

std::string ToBase64Url(const uint8_t* data, size_t size) {
  std::string text = ToBase64({reinterpret_cast<const char*>(data), size});
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

Status WrongSeed(const char* why) {
  return {Code::kInvalidArgument, std::string("the NKey seed cannot be used: ") + why +
                                      " (a user's seed begins with SU and has 58 characters)"};
}

template <auto Function>
struct Free {
  template <class Type>
  void operator()(Type* object) const {
    Function(object);
  }
};

std::string_view Section(std::string_view text, std::string_view name) {
  const size_t begin = text.find("BEGIN " + std::string(name));
  const size_t line = text.find('\n', begin);
  const size_t end = text.find("---", line);
  if (begin == text.npos || line == text.npos || end == text.npos) return {};
  text = text.substr(line, end - line);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Result<Signed> SignNonce(std::string_view seed, std::string_view nonce) {
  Bytes raw = FromBase32(seed);
  if (raw.size() != 2 + kKeySize + 2) return WrongSeed("its length or its characters are wrong");
  const auto checksum = static_cast<uint16_t>(raw[raw.size() - 2] | (raw.back() << 8));
  if (Checksum(raw.data(), raw.size() - 2) != checksum) return WrongSeed("its checksum is wrong");
  const auto kind = static_cast<uint8_t>(((raw[0] & 7) << 5) | (raw[1] >> 3));
  if ((raw[0] & 0xf8) != kSeedPrefix || kind != kUserPrefix) return WrongSeed("it is no user's");

  const std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw.data() + 2, kKeySize));
  OPENSSL_cleanse(raw.data(), raw.size());
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  Bytes public_key = {kUserPrefix};
  public_key.resize(1 + kKeySize);
  size_t size = kKeySize;
  std::array<uint8_t, kSignatureSize> signature;
  size_t signature_size = signature.size();
  if (key == nullptr || context == nullptr ||
      EVP_PKEY_get_raw_public_key(key.get(), public_key.data() + 1, &size) != 1 ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &signature_size,
                     reinterpret_cast<const uint8_t*>(nonce.data()), nonce.size()) != 1) {
    return Status(Code::kInternal, "OpenSSL cannot sign with an Ed25519 key");
  }
  const uint16_t crc = Checksum(public_key.data(), public_key.size());
  public_key.push_back(static_cast<uint8_t>(crc & 0xff));
  public_key.push_back(static_cast<uint8_t>(crc >> 8));
  return Signed{ToBase32(public_key), ToBase64Url(signature.data(), signature_size)};
}

Result<Credentials> ReadCredentials(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (!text.ok()) {
    return Status(Code::kInvalidArgument,
                  "credentials = " + path + ": cannot be read: " + text.status().message());
  }
  Credentials found{std::string(Section(text.value(), "NATS USER JWT")),
                    std::string(Section(text.value(), "USER NKEY SEED"))};
  if (!found.jwt.empty() && !found.seed.empty()) return found;
  return Status(Code::kInvalidArgument,
                "credentials = " + path +
                    ": has no user JWT with an NKey seed (nsc generate creds writes such a file)");
}

}  // namespace dsmsg::nats
