// SPDX-License-Identifier: Apache-2.0
// What a queue of messages may hold, and what happens when it is full. A value.
#ifndef DSMSG_CORE_OPTIONS_QUEUE_LIMITS_H_
#define DSMSG_CORE_OPTIONS_QUEUE_LIMITS_H_

#include <cstddef>

#include "core/base/time.h"

namespace dsmsg {

enum class Overflow { kBlock, kDropOldest, kDropNewest, kLatestPerKey, kReject };

struct QueueLimits {
  size_t messages = 100000;
  size_t bytes = size_t{256} << 20;
  Overflow overflow = Overflow::kBlock;
  Millis overflow_timeout{5000};
  Millis message_timeout{0};  // 0: never
  int poison_attempts = 3;    // 0: any number
  int memory_high_water = 0;  // percent of the machine's memory; 0: none
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_QUEUE_LIMITS_H_
