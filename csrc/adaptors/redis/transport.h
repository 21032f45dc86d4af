// SPDX-License-Identifier: Apache-2.0
// The bytes under the Redis protocol: a connected, non-blocking TCP socket. Everything above asks
// only for Send, Receive and what to wait for, so that TLS can take this place without a change
// elsewhere.
//
// Threads: one at a time (the connection's I/O thread). Owns the socket.
#ifndef DSMSG_ADAPTORS_REDIS_TRANSPORT_H_
#define DSMSG_ADAPTORS_REDIS_TRANSPORT_H_

#include <cstddef>
#include <string>

#include "core/net.h"

namespace dsmsg {

class Transport {
 public:
  enum class Io { kOk, kWouldBlock, kClosed, kError };

  Transport() = default;
  explicit Transport(UniqueFd fd) : fd_(std::move(fd)) {}

  bool open() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }

  /// Writes at most `size` bytes without waiting and without SIGPIPE; *done is what was taken.
  Io Send(const char* data, size_t size, size_t* done);
  /// Reads at most `size` bytes without waiting. kClosed: the server ended the connection.
  Io Receive(char* data, size_t size, size_t* done);

  /// Why the last call gave kError.
  std::string ErrorText() const;

 private:
  Io Fail(int error);

  UniqueFd fd_;
  int error_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_REDIS_TRANSPORT_H_
