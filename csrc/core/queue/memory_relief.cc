// SPDX-License-Identifier: Apache-2.0
#include "core/queue/memory_relief.h"

#include <malloc.h>

namespace dsmsg {

void MemoryRelief::LookAt(Clock::time_point now, SendQueue::FinishedList* finished) {
  int64_t due = not_before_.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() < due) return;
  if (!not_before_.compare_exchange_strong(due, (now + kPause).time_since_epoch().count())) return;
  if (gauge_.Percent() <= percent_ || !queue_.Relieve(finished)) return;
#if defined(__GLIBC__)
  // Without this, glibc gives back only what is at the end of its heap, and the newest messages are
  // there.
  malloc_trim(0);
#endif
}

}  // namespace dsmsg
