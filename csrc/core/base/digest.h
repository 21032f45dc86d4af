// SPDX-License-Identifier: Apache-2.0
// Digests, as raw bytes. Pure functions: any thread.
#ifndef DSMSG_CORE_BASE_DIGEST_H_
#define DSMSG_CORE_BASE_DIGEST_H_

#include <string>
#include <string_view>

namespace dsmsg {

std::string Sha256(std::string_view bytes);
std::string HmacSha256(std::string_view key, std::string_view bytes);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_DIGEST_H_
