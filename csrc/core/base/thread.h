// SPDX-License-Identifier: Apache-2.0
// Starts threads that receive none of the host's signals. SIGPIPE stays blocked in them: a
// broken connection must not end the process, and the host's handling of it is not ours to change.
// No exception leaves such a thread, since that would end the process.
#ifndef DSMSG_CORE_BASE_THREAD_H_
#define DSMSG_CORE_BASE_THREAD_H_

#include <pthread.h>

#include <csignal>
#include <functional>
#include <string>
#include <system_error>
#include <thread>

namespace dsmsg {

/// All signals are blocked on this thread while it lives; threads started meanwhile, by a client
/// library too, inherit that.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// The system has no thread left; what() says which limit to raise.
class NoThreadError : public std::system_error {
 public:
  NoThreadError(std::error_code code, const char* name);
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// `name`: up to 15 characters, shown by ps -L and in debuggers. Throws NoThreadError. An exception
/// that leaves `body` ends the thread and is logged; a body that must clean up catches it itself
/// (Contained in guard.h).
std::thread StartThread(const char* name, std::function<void()> body);

/// Logs that `subject` ("a send callback") threw; a line a minute for each.
void LogException(const std::string& subject, const char* what);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_THREAD_H_
