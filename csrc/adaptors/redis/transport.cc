// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/transport.h"
#include "core/net/hints.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace dsmsg::redis {

void Transport::Attach(UniqueFd fd) {
  Close();
  fd_ = std::move(fd);
}

Status Transport::StartTls(const TlsSettings& settings, const HostPort& peer, Answered answered,
                           Deadline deadline, int cancel_fd) {
  Result<std::unique_ptr<TlsStream>> stream =
      TlsStream::Start(fd_.get(), settings, peer, deadline, cancel_fd, answered);
  if (!stream.ok()) return stream.status();
  tls_ = std::move(stream.value());
  return {};
}

void Transport::Close() {
  tls_.reset();
  fd_.Reset();
}

Transport::Io Transport::Fail(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return Io::kWouldBlock;
  error_ = error;
  return Io::kError;
}

Transport::Io Transport::Send(const char* data, size_t size, size_t* done) {
  if (tls_ != nullptr) return tls_->Send(data, size, done);
  *done = 0;
  const ssize_t n = send(fd_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

Transport::Io Transport::Receive(char* data, size_t size, size_t* done) {
  if (tls_ != nullptr) return tls_->Receive(data, size, done);
  *done = 0;
  const ssize_t n = recv(fd_.get(), data, size, MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  if (n == 0) return Io::kClosed;
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

short Transport::read_events() const {
  return tls_ != nullptr ? tls_->read_events() : short{POLLIN};
}
short Transport::write_events() const {
  return tls_ != nullptr ? tls_->write_events() : short{POLLOUT};
}

Status Transport::error() const {
  if (tls_ != nullptr) return tls_->error();
  return {Code::kUnavailable, std::generic_category().message(error_)};
}

}  // namespace dsmsg::redis
