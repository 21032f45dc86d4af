// SPDX-License-Identifier: Apache-2.0
// The clock that every bound is measured by. Pure functions: any thread.
#ifndef DSMSG_CORE_BASE_TIME_H_
#define DSMSG_CORE_BASE_TIME_H_

#include <chrono>

namespace dsmsg {

using Millis = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

/// Milliseconds until `deadline`, rounded up, never negative: for poll().
int PollTimeout(Deadline deadline);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_TIME_H_
