// SPDX-License-Identifier: Apache-2.0
// Shared access signatures, what a hub takes for a password, and the workload API of the IoT Edge
// runtime (HTTP over a Unix socket), which keeps the keys of its modules and signs with them.
//
// Threads: any; each question to the runtime makes a connection of its own.
#ifndef DSMSG_ADAPTORS_AZURE_TOKEN_H_
#define DSMSG_ADAPTORS_AZURE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adaptors/azure/identity.h"
#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg::azure {

/// A token that is valid until `expires`, in Unix seconds, signed with the identity's key or by
/// its runtime.
Result<std::string> MakeToken(const Identity& identity, int64_t expires, Deadline deadline,
                              int cancel_fd);

/// The end of validity of a token that was made elsewhere.
std::optional<int64_t> ExpiryOf(std::string_view token);

/// The certificates (PEM) by which the gateway of the identity's runtime is trusted.
Result<std::string> TrustBundle(const Identity& identity, Deadline deadline, int cancel_fd);

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_TOKEN_H_
