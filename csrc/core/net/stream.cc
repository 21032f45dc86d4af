// SPDX-License-Identifier: Apache-2.0
#include "core/net/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/net/dial.h"

namespace dsmsg {

Status Stream::Open(const HostPort& host, const TlsSettings& tls, Answered answered,
                    Deadline deadline, int cancel_fd) {
  Close();
  Result<UniqueFd> fd = DialTcp(host, deadline, cancel_fd, answered);
  if (!fd.ok()) return fd.status();
  fd_ = std::move(fd.value());
  return tls.enabled ? StartTls(host, tls, answered, deadline, cancel_fd) : Status();
}

Status Stream::StartTls(const HostPort& host, const TlsSettings& tls, Answered answered,
                        Deadline deadline, int cancel_fd) {
  auto stream = TlsStream::Start(fd_.get(), tls, host, deadline, cancel_fd, answered);
  if (!stream.ok()) return stream.status();
  tls_ = std::move(stream.value());
  return {};
}

void Stream::Close() {
  tls_.reset();  // says goodbye on the socket
  fd_.Reset();
  closed_ = false;
}

Stream::Io Stream::Fail(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return Io::kWouldBlock;
  error_ = error;
  return Io::kError;
}

Stream::Io Stream::Send(const char* data, size_t size, size_t* done) {
  if (tls_ != nullptr) {
    const Io io = tls_->Send(data, size, done);
    closed_ = io == Io::kClosed;
    return io;
  }
  *done = 0;
  const ssize_t n = send(fd_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

Stream::Io Stream::Receive(char* data, size_t size, size_t* done) {
  if (tls_ != nullptr) {
    const Io io = tls_->Receive(data, size, done);
    closed_ = io == Io::kClosed;
    return io;
  }
  *done = 0;
  const ssize_t n = recv(fd_.get(), data, size, MSG_DONTWAIT);
  if (n < 0) return Fail(errno);
  if (n == 0) {
    closed_ = true;
    return Io::kClosed;
  }
  *done = static_cast<size_t>(n);
  return Io::kOk;
}

short Stream::read_events() const { return tls_ != nullptr ? tls_->read_events() : short{POLLIN}; }
short Stream::write_events() const {
  return tls_ != nullptr ? tls_->write_events() : short{POLLOUT};
}

Status Stream::error() const {
  if (closed_) return {Code::kUnavailable, "the server closed it"};
  if (tls_ != nullptr) return tls_->error();
  return {Code::kUnavailable, std::generic_category().message(error_)};
}

}  // namespace dsmsg
