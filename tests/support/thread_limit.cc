// SPDX-License-Identifier: Apache-2.0
#include "support/thread_limit.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <climits>

namespace dsmsg::testing {
namespace {

constexpr int kUnlimited = INT_MAX / 2;
std::atomic<int> left{kUnlimited};
std::atomic<int> refusals{0};

}  // namespace

ThreadLimit::ThreadLimit(int count) {
  refusals = 0;
  left = count;
}

ThreadLimit::~ThreadLimit() { left = kUnlimited; }

int ThreadLimit::refused() const { return refusals; }

}  // namespace dsmsg::testing

extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
    void* argument) noexcept {
  using dsmsg::testing::left;
  using Function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static std::atomic<Function> real{nullptr};
  if (real.load() == nullptr) {
    real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pthread_create"));
  }
  if (left.load() < dsmsg::testing::kUnlimited && left.fetch_sub(1) <= 0) {
    ++dsmsg::testing::refusals;
    return EAGAIN;
  }
  return real.load()(thread, attributes, start, argument);
}
