// SPDX-License-Identifier: Apache-2.0
// A process that cannot start more threads: pthread_create of the test program takes the place of
// the C library's and answers EAGAIN. RLIMIT_NPROC would do that, but not for root, as which CI
// runs.
#ifndef DSMSG_TESTS_SUPPORT_THREAD_LIMIT_H_
#define DSMSG_TESTS_SUPPORT_THREAD_LIMIT_H_

namespace dsmsg::testing {

/// While it lives, `count` more threads can run at the same time, whoever starts them. One at a
/// time; any thread.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;
  /// How many were refused.
  int refused() const;
};

}  // namespace dsmsg::testing

#endif  // DSMSG_TESTS_SUPPORT_THREAD_LIMIT_H_
