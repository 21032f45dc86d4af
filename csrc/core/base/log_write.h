// SPDX-License-Identifier: Apache-2.0
// Writing to a descriptor that is the host's (stderr), on whatever thread has something to say: a
// reader that is gone must not end the process, and one that does not read must not stop a thread
// that has heartbeats to send.
//
// Threads: any.
#ifndef DSMSG_CORE_BASE_LOG_WRITE_H_
#define DSMSG_CORE_BASE_LOG_WRITE_H_

#include <chrono>
#include <csignal>
#include <string_view>

namespace dsmsg {

/// While it lives, no SIGPIPE is delivered to this thread; a pending one is discarded at the end.
class SigpipeHeld {
 public:
  SigpipeHeld();
  ~SigpipeHeld();
  SigpipeHeld(const SigpipeHeld&) = delete;
  SigpipeHeld& operator=(const SigpipeHeld&) = delete;

 private:
  sigset_t before_;
  bool was_pending_;
};

/// Writes a line of at most 4096 bytes (PIPE_BUF: in one piece). False: there was no room for it
/// for `patience`. A closed descriptor, or a pipe without a reader, counts as taking everything.
/// With SigpipeHeld.
bool WriteWithin(int fd, std::string_view line, std::chrono::milliseconds patience);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LOG_WRITE_H_
