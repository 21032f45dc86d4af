// SPDX-License-Identifier: Apache-2.0
#include "core/base/time.h"

#include <algorithm>
#include <limits>

namespace dsmsg {

int PollTimeout(Deadline deadline) {
  const Deadline now = Clock::now();
  if (deadline <= now) return 0;
  // Compared first: the subtraction overflows for Deadline::max() if the clock is below zero.
  const auto left = std::chrono::ceil<Millis>(deadline - now).count();
  return static_cast<int>(std::min<Millis::rep>(left, std::numeric_limits<int>::max()));
}

}  // namespace dsmsg
