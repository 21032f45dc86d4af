// SPDX-License-Identifier: Apache-2.0
// Detects that a server that owes an answer is silent. A slow network is not silence: bytes that
// the server's machine acknowledges count, like received ones.
//
// Threads: one at a time (the connection's I/O thread).
#ifndef DSMSG_CORE_NET_SILENCE_H_
#define DSMSG_CORE_NET_SILENCE_H_

#include <cstdint>
#include <string>

#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg {

class SilenceWatch {
 public:
  explicit SilenceWatch(Millis limit) : limit_(limit) {}

  /// A new connection.
  void Reset();
  /// Something came.
  void Heard() { heard_ = Clock::now(); }
  /// An answer is expected that was not before.
  void BeginExpecting() { expecting_since_ = Clock::now(); }
  /// When something came last, or the connection began.
  Deadline heard() const { return heard_; }

  /// How long the TCP socket `fd` has shown no sign of life while an answer was due. Call it only
  /// while one is.
  Clock::duration Look(int fd);
  /// kTimeout when that is more than the limit and `grace`: "<name> has not answered for ... ms".
  Status Check(int fd, const std::string& name, Millis grace = Millis(0));

 private:
  const Millis limit_;
  Deadline heard_{}, expecting_since_{}, moved_{};
  uint64_t acked_bytes_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_SILENCE_H_
