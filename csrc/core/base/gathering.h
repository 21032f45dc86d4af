// SPDX-License-Identifier: Apache-2.0
// For a thread that consumes what other threads produce. When items arrive singly and thousands of
// times a second, each wake-up costs more than the work and takes the core from a
// thread that has more to do. Such a thread sleeps a moment longer, so that one wake-up serves
// many.
//
// Threads: those that hold the lock given to Rest.
#ifndef DSMSG_CORE_BASE_GATHERING_H_
#define DSMSG_CORE_BASE_GATHERING_H_

#include <chrono>
#include <mutex>
#include <thread>

#include "core/base/time.h"

namespace dsmsg {

class Gathering {
 public:
  /// Call it after a wait. Where waits end thousands of times a second, leaves the lock for 0.1 ms.
  /// `count()`: what is there; if the moment brings nothing more (whoever brings it may wait for
  /// the work itself), the next thousand waits are not extended.
  template <class Count>
  void Rest(std::unique_lock<std::mutex>* lock, Count count) {
    if (futile_ > 0) {
      --futile_;
    } else if (Clock::now() - woken_ < kOften) {
      const auto before = count();
      lock->unlock();
      std::this_thread::sleep_for(kMoment);
      lock->lock();
      if (count() == before) futile_ = kFutile;
    }
    woken_ = Clock::now();
  }

 private:
  static constexpr std::chrono::microseconds kOften{200}, kMoment{100};
  static constexpr int kFutile = 1000;

  Clock::time_point woken_;  // when a wait last ended
  int futile_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_GATHERING_H_
