// SPDX-License-Identifier: Apache-2.0
// File descriptors, wake-ups, deadlines, name lookup and TCP dialling, all bounded and cancellable.
#ifndef DSMSG_CORE_NET_H_
#define DSMSG_CORE_NET_H_

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/conn_string.h"
#include "core/hints.h"
#include "core/status.h"

namespace dsmsg {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

/// Milliseconds until `deadline`, rounded up, never negative: for poll().
int PollTimeout(Deadline deadline);

/// Owns a descriptor. One owner at a time.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

/// A wake-up that poll() can wait for (eventfd). Signal from any thread; Drain on the waiting one.
class WakeFd {
 public:
  WakeFd();
  int fd() const { return fd_.get(); }
  void Signal() noexcept;
  void Drain() noexcept;

 private:
  UniqueFd fd_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// Looks a name up (getaddrinfo) on a detached thread that owns nothing of the connection, so that
/// a dead name server blocks nobody: returns at `deadline` (kTimeout) or when cancel_fd is readable
/// (kCancelled). `answered`: how much the server has answered before, for the advice.
Result<std::vector<Address>> Resolve(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                                     Answered answered = Answered::kNever);

/// Resolve and connect, trying each address in turn. The socket is non-blocking, close-on-exec,
/// TCP_NODELAY, keep-alive. Errors name the step ("name lookup", "connect"), the endpoint, the
/// cause and what to try.
Result<UniqueFd> DialTcp(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                         Answered answered = Answered::kNever);

/// DialTcp's words for a failed connect(), for client libraries that dial themselves. `error`: an
/// errno value; ETIMEDOUT and ECANCELED for the deadline and cancel_fd.
Status ConnectFailure(const HostPort& endpoint, int error, Answered answered = Answered::kNever);

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_H_
