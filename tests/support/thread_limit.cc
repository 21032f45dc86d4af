// SPDX-License-Identifier: Apache-2.0
#include "support/thread_limit.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <memory>

namespace dsmsg::testing {
namespace {

constexpr int kUnlimited = INT_MAX / 2;
std::atomic<int> left{kUnlimited};
std::atomic<int> limits{0};  // made so far
std::atomic<int> refusals{0};

struct Body {
  void* (*start)(void*);
  void* argument;
  int limit;
};

void* RunLimited(void* argument) {
  // Also when the thread is cancelled.
  const struct GiveBack {
    int limit;
    ~GiveBack() {
      if (limit == limits.load()) ++left;
    }
  } give_back{static_cast<Body*>(argument)->limit};
  const std::unique_ptr<Body> body(static_cast<Body*>(argument));
  return body->start(body->argument);
}

}  // namespace

ThreadLimit::ThreadLimit(int count) {
  refusals = 0;
  ++limits;
  left = count;
}

ThreadLimit::~ThreadLimit() {
  ++limits;
  left = kUnlimited;
}

int ThreadLimit::refused() const { return refusals; }

}  // namespace dsmsg::testing

extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
    void* argument) noexcept {
  using namespace dsmsg::testing;
  using Function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static std::atomic<Function> real{nullptr};
  if (real.load() == nullptr) {
    real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pthread_create"));
  }
  if (left.load() == kUnlimited) return real.load()(thread, attributes, start, argument);
  if (left.fetch_sub(1) <= 0) {
    ++left;
    ++refusals;
    return EAGAIN;
  }
  auto body = std::make_unique<Body>(Body{start, argument, limits.load()});
  const int error = real.load()(thread, attributes, RunLimited, body.get());
  if (error == 0) (void)body.release();  // NOLINT(bugprone-unused-return-value): the thread's
  return error;
}
