// SPDX-License-Identifier: Apache-2.0
// Shared access signatures: what a hub takes for a password. Threads: pure functions, any thread.
#ifndef DSMSG_ADAPTORS_AZURE_TOKEN_H_
#define DSMSG_ADAPTORS_AZURE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adaptors/azure/identity.h"

namespace dsmsg::azure {

/// What is signed: the encoded resource, a line feed and the end of validity in Unix seconds.
std::string TextToSign(const Identity& identity, int64_t expires);
/// HMAC-SHA-256, in base64.
std::string Signature(std::string_view key, std::string_view text);
std::string Token(const Identity& identity, std::string_view signature, int64_t expires);
/// The end of validity of a token that was made elsewhere.
std::optional<int64_t> ExpiryOf(std::string_view token);

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_TOKEN_H_
