// SPDX-License-Identifier: Apache-2.0
#include "core/base/log_write.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>

namespace dsmsg {
namespace {

using Clock = std::chrono::steady_clock;

bool SigpipeIsPending() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

sigset_t SigpipeAlone() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

// Called after poll reported room. Another writer may have used it, so the write does not block
// where the kernel supports that. (O_NONBLOCK would also affect the host and every process that
// shares its stderr.)
ssize_t WriteNow(int fd, mode_t type, std::string_view text) {
  if (S_ISSOCK(type)) return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (S_ISFIFO(type)) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    const ssize_t written = ::pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
    if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)) return written;
  }
  return ::write(fd, text.data(), text.size());
}

}  // namespace

SigpipeHeld::SigpipeHeld() : was_pending_(SigpipeIsPending()) {
  const sigset_t pipe = SigpipeAlone();
  pthread_sigmask(SIG_BLOCK, &pipe, &before_);
}

SigpipeHeld::~SigpipeHeld() {
  const int saved_errno = errno;
  if (!was_pending_ && SigpipeIsPending()) {
    const sigset_t pipe = SigpipeAlone();
    const timespec at_once{};
    while (sigtimedwait(&pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = saved_errno;
}

bool WriteWithin(int fd, std::string_view line, std::chrono::milliseconds patience) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return true;
  const auto deadline = Clock::now() + patience;
  while (!line.empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waiting{fd, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return false;
    const ssize_t written = WriteNow(fd, facts.st_mode, line);
    if (written >= 0) {
      line.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      if (Clock::now() >= deadline) return false;
      ::poll(nullptr, 0, 1);
    } else if (errno != EINTR) {
      return true;
    }
  }
  return true;
}

}  // namespace dsmsg
