// SPDX-License-Identifier: Apache-2.0
// The bytes under AMQP: a connected, non-blocking socket, in clear or with TLS.
//
// Threads: one at a time (the connection's I/O thread), with SIGPIPE blocked. Owns the socket.
#ifndef DSMSG_ADAPTORS_AMQP_SOCKET_H_
#define DSMSG_ADAPTORS_AMQP_SOCKET_H_

#include <cstddef>
#include <memory>
#include <string>

#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/tls.h"
#include "core/net/tls_stream.h"

namespace dsmsg::amqp {

class AmqpSocket {
 public:
  /// Dials, and makes the TLS handshake where it is on.
  Status Open(const HostPort& host, const TlsSettings& tls, Answered answered, Deadline deadline,
              int cancel_fd);
  bool open() const { return fd_.valid(); }
  void Close();

  /// *done: what was taken or came; 0: nothing now. An error: the connection is lost, and why.
  Status Send(const char* data, size_t size, size_t* done);
  Status Receive(char* data, size_t size, size_t* done);

  int fd() const { return fd_.get(); }
  /// For poll(), before the next Receive or Send.
  short read_events() const;
  short write_events() const;
  /// There is something to receive that poll() does not see.
  bool buffered() const { return tls_ != nullptr && tls_->buffered(); }
  /// Bytes sent that the peer's kernel has not acknowledged.
  size_t unacknowledged() const;

 private:
  UniqueFd fd_;
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_SOCKET_H_
