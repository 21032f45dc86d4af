// SPDX-License-Identifier: Apache-2.0
// memory-high-water: while the machine's memory is short, a queue gives up its oldest messages, an
// eighth of its bytes at a time. Any thread; one of them looks, every kPause, and the others pass.
#ifndef DSMSG_CORE_QUEUE_MEMORY_RELIEF_H_
#define DSMSG_CORE_QUEUE_MEMORY_RELIEF_H_

#include <atomic>
#include <utility>

#include "core/base/memory_gauge.h"
#include "core/base/time.h"
#include "core/queue/send_queue.h"

namespace dsmsg {

class MemoryRelief {
 public:
  static constexpr Millis kPause{100};

  /// `percent`: 0 never looks. The queue outlives this.
  MemoryRelief(int percent, SendQueue& queue, MemoryGauge gauge = MemoryGauge())
      : percent_(percent), queue_(queue), gauge_(std::move(gauge)) {}

  void Look(SendQueue::FinishedList* finished) {
    if (percent_ > 0) LookAt(Clock::now(), finished);
  }
  void LookAt(Clock::time_point now, SendQueue::FinishedList* finished);

 private:
  const int percent_;
  SendQueue& queue_;
  const MemoryGauge gauge_;
  std::atomic<int64_t> not_before_{0};  // Clock's ticks
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_MEMORY_RELIEF_H_
