// SPDX-License-Identifier: Apache-2.0
// TLS on a connected socket with another owner, directly on OpenSSL: hiredis has TLS only
// since 1.0, which stable distributions lack, and only as a part of its own connections.
//
// Threads: one at a time (the connection's I/O thread), with SIGPIPE blocked. The socket outlives
// it.
#ifndef DSMSG_CORE_NET_TLS_STREAM_H_
#define DSMSG_CORE_NET_TLS_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>

#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/tls.h"

struct ssl_st;

namespace dsmsg {

/// How one read or write ended.
enum class TransportIo { kOk, kWouldBlock, kClosed, kError };

class TlsStream {
 public:
  /// Reads the certificates and makes the handshake with `peer` on `fd`, until `deadline`
  /// (kTimeout) or until cancel_fd is readable (kCancelled). kAuth: a certificate was refused.
  /// `answered`: how much the server has answered before, for the advice.
  static Result<std::unique_ptr<TlsStream>> Start(int fd, const TlsSettings& settings,
                                                  const HostPort& peer, Deadline deadline,
                                                  int cancel_fd,
                                                  Answered answered = Answered::kNever);
  /// Says goodbye if the connection still works.
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// After kWouldBlock the next call has to offer the same bytes again (more may follow them).
  /// After an error of Send, Receive still brings what came before it: the peer may have said why.
  TransportIo Send(const char* data, size_t size, size_t* done);
  TransportIo Receive(char* data, size_t size, size_t* done);

  /// Received bytes may wait inside OpenSSL, where poll() does not see them.
  bool buffered() const;
  /// What poll() has to wait for before the next Receive or Send; it may be the other direction.
  short read_events() const { return read_events_; }
  short write_events() const { return write_events_; }

  /// Why the last call gave kError.
  const Status& error() const { return error_; }

 private:
  TlsStream(std::string peer, Answered answered) : peer_(std::move(peer)), answered_(answered) {}
  Answered answered() const;
  Status Handshake(int fd, Deadline deadline, int cancel_fd);
  TransportIo Ended(int result, short* events);
  Status Failure(int ssl_error);

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  const std::string peer_;
  const Answered answered_;
  TlsVerdict verdict_;
  SslContext context_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bool open_ = false;        // the handshake is done
  bool failed_ = false;      // an error or the peer's goodbye came since
  bool unfinished_ = false;  // a write waits to be repeated
  bool more_ = false;        // the last read brought something, there may be more
  short read_events_, write_events_;
  Status error_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_TLS_STREAM_H_
