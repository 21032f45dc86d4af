// SPDX-License-Identifier: Apache-2.0
// What Redis's error replies mean. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_REDIS_ERRORS_H_
#define DSMSG_ADAPTORS_REDIS_ERRORS_H_

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::redis {

/// The code of an error reply such as "WRONGTYPE Operation against a key ...":
///   kUnavailable  may be over soon: send it again (OOM, LOADING, READONLY, ...)
///   kAuth         this user lacks a permission, or is not logged in
///   kTooLarge     larger than the server accepts
///   kRejected     everything else
Code ErrorReplyCode(std::string_view reply);

/// The connection is not, or no longer, logged in: nothing will work on it.
bool IsLoginLost(std::string_view reply);

/// The first word of an error reply, for counting and rate limits.
std::string_view ErrorReplyName(std::string_view reply);

/// What the user can do about an error reply, as " (...)", or "".
std::string_view ErrorReplyAdvice(std::string_view reply);

/// MOVED or ASK: another node of the cluster has the key.
bool IsRedirect(std::string_view reply);

/// What to add where a node of a cluster cannot be reached at the address that `node` gives.
std::string AnnouncedBy(const std::string& node, const Status& failure);

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_ERRORS_H_
