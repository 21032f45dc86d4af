// SPDX-License-Identifier: Apache-2.0
// Name lookup and dialling, bounded and cancellable. Threads: every function from any.
#ifndef DSMSG_CORE_NET_DIAL_H_
#define DSMSG_CORE_NET_DIAL_H_

#include <sys/socket.h>

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/options/conn_string.h"

namespace dsmsg {

/// kOk: `fd` is ready for `events`; else kTimeout, kCancelled (cancel_fd is readable) or kInternal.
Code WaitFor(int fd, short events, Deadline deadline, int cancel_fd);

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// Looks a name up (getaddrinfo) on a detached thread that owns nothing of the connection, so that
/// a dead name server blocks no thread of the connection: returns at `deadline` (kTimeout) or when
/// cancel_fd is readable (kCancelled). `answered`: how much the server has answered before, for the
/// advice.
Result<std::vector<Address>> Resolve(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                                     Answered answered = Answered::kNever);

/// Resolve and connect, trying each address in turn. The socket is non-blocking, close-on-exec,
/// TCP_NODELAY, keep-alive. Errors name the step ("name lookup", "connect"), the endpoint, the
/// cause and what to try.
Result<UniqueFd> DialTcp(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                         Answered answered = Answered::kNever);

/// Connects to a Unix socket, which does not wait; a path that begins with '@' is an abstract name.
/// The socket is non-blocking, close-on-exec. Returns 0 or an errno value.
int DialUnix(const std::string& path, UniqueFd* fd);

/// Connects to a Unix socket, sends `request`, and reads until the other side closes the
/// connection. Errors say why, without the path: kUnavailable, kTimeout, kCancelled, or kTooLarge
/// for an answer of more than `most` bytes.
Result<std::string> AskUnix(const std::string& path, std::string_view request, size_t most,
                            Deadline deadline, int cancel_fd);

/// DialTcp's error text for a failed connect(), for client libraries that dial themselves. `error`:
/// an errno value; ETIMEDOUT and ECANCELED for the deadline and cancel_fd.
Status ConnectFailure(const HostPort& endpoint, int error, Answered answered = Answered::kNever);

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_DIAL_H_
