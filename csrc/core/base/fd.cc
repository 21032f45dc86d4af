// SPDX-License-Identifier: Apache-2.0
#include "core/base/fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include "core/base/limits.h"

namespace dsmsg {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::Reset() {
  if (fd_ < 0) return;
  const int saved_errno = errno;
  ::close(std::exchange(fd_, -1));  // Linux closes it even on EINTR
  errno = saved_errno;
}

WakeFd::WakeFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!fd_.valid()) {
    const int error = errno;
    throw std::system_error(error, std::generic_category(),
                            "cannot make a wake-up descriptor" + std::string(LimitAdvice(error)));
  }
}

void WakeFd::Signal() noexcept {
  const int saved_errno = errno;
  const uint64_t one = 1;
  // Fails only if the counter is full, and then it is already readable.
  while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = saved_errno;
}

void WakeFd::Drain() noexcept {
  const int saved_errno = errno;
  uint64_t count = 0;
  while (::read(fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
  }
  errno = saved_errno;
}

}  // namespace dsmsg
