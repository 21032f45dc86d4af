// SPDX-License-Identifier: Apache-2.0
#include "transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace dsmsg {

Transport::Io Transport::Fail(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return Io::kWouldBlock;
  error_ = error;
  return Io::kError;
}

Transport::Io Transport::Send(const char* data, size_t size, size_t* done) {
  *done = 0;
  const ssize_t n = send(fd_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

Transport::Io Transport::Receive(char* data, size_t size, size_t* done) {
  *done = 0;
  const ssize_t n = recv(fd_.get(), data, size, MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  if (n == 0) return Io::kClosed;
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

std::string Transport::ErrorText() const { return std::generic_category().message(error_); }

}  // namespace dsmsg
