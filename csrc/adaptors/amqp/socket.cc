// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/socket.h"
#include "core/net/dial.h"
#include "core/net/hints.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace dsmsg::amqp {
namespace {

Status Failed(const std::string& why) { return {Code::kUnavailable, why}; }

bool Later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Status AmqpSocket::Open(const HostPort& host, const TlsSettings& tls, Answered answered,
                        Deadline deadline, int cancel_fd) {
  Close();
  Result<UniqueFd> fd = DialTcp(host, deadline, cancel_fd, answered);
  if (!fd.ok()) return fd.status();
  fd_ = std::move(fd.value());
  if (!tls.enabled) return {};
  auto stream = TlsStream::Start(fd_.get(), tls, host, deadline, cancel_fd, answered);
  if (!stream.ok()) return stream.status();
  tls_ = std::move(stream.value());
  return {};
}

void AmqpSocket::Close() {
  tls_.reset();  // says goodbye on the socket
  fd_.Reset();
}

Status AmqpSocket::Send(const char* data, size_t size, size_t* done) {
  *done = 0;
  if (tls_ != nullptr) {
    const TransportIo io = tls_->Send(data, size, done);
    return io == TransportIo::kError    ? tls_->error()
           : io == TransportIo::kClosed ? Failed("the broker closed it")
                                        : Status();
  }
  const ssize_t n = send(fd_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) *done = static_cast<size_t>(n);
  return n >= 0 || Later(errno) ? Status() : Failed(std::generic_category().message(errno));
}

Status AmqpSocket::Receive(char* data, size_t size, size_t* done) {
  *done = 0;
  if (tls_ != nullptr) {
    const TransportIo io = tls_->Receive(data, size, done);
    return io == TransportIo::kError    ? tls_->error()
           : io == TransportIo::kClosed ? Failed("the broker closed it")
                                        : Status();
  }
  const ssize_t n = recv(fd_.get(), data, size, MSG_DONTWAIT);
  if (n == 0) return Failed("the broker closed it");
  if (n > 0) *done = static_cast<size_t>(n);
  return n > 0 || Later(errno) ? Status() : Failed(std::generic_category().message(errno));
}

short AmqpSocket::read_events() const {
  return tls_ != nullptr ? tls_->read_events() : short{POLLIN};
}

short AmqpSocket::write_events() const {
  return tls_ != nullptr ? tls_->write_events() : short{POLLOUT};
}

size_t AmqpSocket::unacknowledged() const {
  int bytes = 0;
  return ioctl(fd_.get(), SIOCOUTQ, &bytes) == 0 ? static_cast<size_t>(bytes) : 0;
}

}  // namespace dsmsg::amqp
