// SPDX-License-Identifier: Apache-2.0
// Starts threads that no signal of the host's is delivered to. SIGPIPE stays blocked in them: a
// broken connection must not end the process, and the host's handling of it is not ours to change.
#ifndef DSMSG_CORE_THREAD_H_
#define DSMSG_CORE_THREAD_H_

#include <pthread.h>

#include <csignal>
#include <functional>
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

/// `name`: up to 15 characters, shown by ps -L and in debuggers. Throws std::system_error when the
/// system has no thread left.
inline std::thread StartThread(const char* name, std::function<void()> body) {
  const SignalsBlocked blocked;
  std::thread thread(std::move(body));
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_THREAD_H_
