// SPDX-License-Identifier: Apache-2.0
// The bytes under a protocol: a connected, non-blocking TCP socket, with TLS on it or not. What is
// above asks only for Send, Receive and what to wait for.
//
// Threads: one at a time (the connection's I/O thread). Owns the socket.
#ifndef DSMSG_CORE_NET_STREAM_H_
#define DSMSG_CORE_NET_STREAM_H_

#include <cstddef>
#include <memory>

#include "core/base/fd.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/tls.h"
#include "core/net/tls_stream.h"

namespace dsmsg {

class Stream {
 public:
  using Io = TransportIo;

  /// Dials, and performs the TLS handshake if TLS is on. Closes an earlier connection first. Errors
  /// as those of DialTcp and TlsStream::Start.
  Status Open(const HostPort& host, const TlsSettings& tls, Answered answered, Deadline deadline,
              int cancel_fd);
  /// Begins TLS on a connection that was opened without, for protocols that start in clear text.
  Status StartTls(const HostPort& host, const TlsSettings& tls, Answered answered,
                  Deadline deadline, int cancel_fd);
  bool open() const { return fd_.valid(); }
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

  /// Why the last call gave kError or kClosed.
  Status error() const;

 private:
  Io Fail(int error);

  UniqueFd fd_;
  std::unique_ptr<TlsStream> tls_;  // ends before the socket
  bool closed_ = false;
  int error_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_STREAM_H_
