// SPDX-License-Identifier: Apache-2.0
// Only for ThreadSanitizer builds of programs that use librdkafka, which is written with the C11
// threads of <threads.h>. ThreadSanitizer (GCC 12) intercepts the POSIX functions but not these: a
// thread created by thrd_create is unknown to it and crashes in the first intercepted call, and
// locks are invisible. glibc's C11 types are its POSIX types under another name, so the calls can
// be passed on. Linked into the executable, whose symbols come before libc's; it must export them
// (ENABLE_EXPORTS) where librdkafka is loaded with dlopen.
#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <memory>

namespace {

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t));

pthread_mutex_t* Posix(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* Posix(cnd_t* condition) { return reinterpret_cast<pthread_cond_t*>(condition); }

int Result(int error) {
  switch (error) {
    case 0:
      return thrd_success;
    case EBUSY:
      return thrd_busy;
    case ENOMEM:
      return thrd_nomem;
    case ETIMEDOUT:
      return thrd_timedout;
    default:
      return thrd_error;
  }
}

struct Start {
  thrd_start_t function;
  void* argument;
};

void* Run(void* opaque) {
  const std::unique_ptr<Start> start(static_cast<Start*>(opaque));
  const auto [function, argument] = *start;
  return reinterpret_cast<void*>(static_cast<intptr_t>(function(argument)));
}

}  // namespace

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the names of the C library
#define DSMSG_EXPORT __attribute__((visibility("default")))

DSMSG_EXPORT int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  auto start = std::make_unique<Start>(Start{function, argument});
  const int error = pthread_create(thread, nullptr, Run, start.get());
  if (error == 0) (void)start.release();
  return error == EAGAIN ? thrd_nomem : Result(error);
}
DSMSG_EXPORT int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  const int error = pthread_join(thread, &value);
  if (error == 0 && result != nullptr)
    *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  return Result(error);
}
DSMSG_EXPORT int thrd_detach(thrd_t thread) { return Result(pthread_detach(thread)); }

DSMSG_EXPORT int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  const int error = pthread_mutex_init(Posix(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return Result(error);
}
DSMSG_EXPORT void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(Posix(mutex)); }
DSMSG_EXPORT int mtx_lock(mtx_t* mutex) { return Result(pthread_mutex_lock(Posix(mutex))); }
DSMSG_EXPORT int mtx_trylock(mtx_t* mutex) { return Result(pthread_mutex_trylock(Posix(mutex))); }
DSMSG_EXPORT int mtx_unlock(mtx_t* mutex) { return Result(pthread_mutex_unlock(Posix(mutex))); }
DSMSG_EXPORT int mtx_timedlock(mtx_t* mutex, const timespec* until) {
  return Result(pthread_mutex_timedlock(Posix(mutex), until));
}

DSMSG_EXPORT int cnd_init(cnd_t* condition) {
  return Result(pthread_cond_init(Posix(condition), nullptr));
}
DSMSG_EXPORT void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(Posix(condition)); }
DSMSG_EXPORT int cnd_signal(cnd_t* condition) {
  return Result(pthread_cond_signal(Posix(condition)));
}
DSMSG_EXPORT int cnd_broadcast(cnd_t* condition) {
  return Result(pthread_cond_broadcast(Posix(condition)));
}
DSMSG_EXPORT int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return Result(pthread_cond_wait(Posix(condition), Posix(mutex)));
}
DSMSG_EXPORT int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return Result(pthread_cond_timedwait(Posix(condition), Posix(mutex), until));
}
// NOLINTEND(readability-identifier-naming)
}  // extern "C"
