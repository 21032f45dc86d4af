// SPDX-License-Identifier: Apache-2.0
// The bytes under the Redis protocol: a connected, non-blocking TCP socket, with TLS on it or not.
// Everything above asks only for Send, Receive and what to wait for.
//
// Threads: one at a time (the connection's I/O thread). Owns the socket.
#ifndef DSMSG_ADAPTORS_REDIS_TRANSPORT_H_
#define DSMSG_ADAPTORS_REDIS_TRANSPORT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/tls.h"
#include "core/net/tls_stream.h"

namespace dsmsg::redis {

class Transport {
 public:
  using Io = TransportIo;

  /// Takes a connected socket; a connection before it is closed.
  void Attach(UniqueFd fd);
  /// Everything from here on goes through TLS. See TlsStream::Start.
  Status StartTls(const TlsSettings& settings, const HostPort& peer, Answered answered,
                  Deadline deadline, int cancel_fd);

  bool open() const { return fd_.valid(); }
  bool tls() const { return tls_ != nullptr; }
  int fd() const { return fd_.get(); }
  void Close();

  /// Writes at most `size` bytes without waiting and without SIGPIPE; *done is what was taken.
  /// After kWouldBlock the next call offers the same bytes again, perhaps with more behind them.
  Io Send(const char* data, size_t size, size_t* done);
  /// Reads at most `size` bytes without waiting. kClosed: the server ended the connection.
  Io Receive(char* data, size_t size, size_t* done);

  /// Received bytes wait where poll() does not see them: read before you wait.
  bool buffered() const { return tls_ != nullptr && tls_->buffered(); }
  /// What poll() has to wait for before the next Receive or Send.
  short read_events() const;
  short write_events() const;

  /// Why the last call gave kError.
  Status error() const;

 private:
  Io Fail(int error);

  UniqueFd fd_;
  std::unique_ptr<TlsStream> tls_;  // ends before the socket
  int error_ = 0;
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_TRANSPORT_H_
