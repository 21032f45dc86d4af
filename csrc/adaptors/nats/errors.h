// SPDX-License-Identifier: Apache-2.0
// What the server's errors mean for the message or the connection. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_NATS_ERRORS_H_
#define DSMSG_ADAPTORS_NATS_ERRORS_H_

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::nats {

/// "-ERR 'Permissions Violation for Publish to "a.b"'": a.b. The connection goes on. Empty: it is
/// another error.
std::string_view ForbiddenPublish(std::string_view error);
std::string_view ForbiddenSubscription(std::string_view error);

/// Any other -ERR. The server closes the connection after it. kAuth: over the login.
Status ConnectionError(const std::string& server, std::string_view error);

/// An error in the answer of JetStream: its text and numbers, with advice.
Status JetStreamError(int code, int number, std::string_view description);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_ERRORS_H_
