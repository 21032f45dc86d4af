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

/// `name`: up to 15 characters, shown by ps -L and in debuggers.
inline std::thread StartThread(const char* name, std::function<void()> body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited by the new thread
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_THREAD_H_
