// SPDX-License-Identifier: Apache-2.0
// NKeys: Ed25519 keys in base32 with which a client signs the server's nonce, and the credentials
// files that hold one beside a JWT.
//
// Threads: values.
#ifndef DSMSG_ADAPTORS_NATS_NKEY_H_
#define DSMSG_ADAPTORS_NATS_NKEY_H_

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::nats {

struct Signed {
  std::string public_key;  // "U..."
  std::string signature;   // base64url
};

/// Signs `nonce` with a user's seed ("SU..."). No text names any part of it.
Result<Signed> SignNonce(std::string_view seed, std::string_view nonce);

struct Credentials {
  std::string jwt, seed;  // secrets
};

/// Reads a file of `nsc generate creds`.
Result<Credentials> ReadCredentials(const std::string& path);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_NKEY_H_
