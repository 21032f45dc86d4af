// SPDX-License-Identifier: Apache-2.0
// The pause before the next attempt: capped exponential growth with full jitter, so that a fleet
// that lost its broker together does not come back together. One owner at a time: not thread-safe.
// A value, deterministic for a seed.
#ifndef DSMSG_CORE_BASE_BACKOFF_H_
#define DSMSG_CORE_BASE_BACKOFF_H_

#include <cstdint>

#include "core/base/time.h"

namespace dsmsg {

class Backoff {
 public:
  /// Attempt n (from 0) pauses uniformly in [0, min(max, first * 2^n)]. Negative times count as 0;
  /// a `max` below `first` caps from the first attempt on.
  Backoff(Millis first, Millis max, uint64_t seed);

  /// The next pause, for now at most `limit`; counts one attempt.
  Millis Next(Millis limit = Millis::max());
  /// After a success: starts from `first` again (the random sequence goes on).
  void Reset();
  /// Calls of Next since the start or the last Reset; stays at INT_MAX.
  int attempts() const { return attempts_; }

 private:
  uint64_t first_ms_, max_ms_;
  uint64_t state_;  // of the generator
  uint64_t ceiling_ms_;
  int attempts_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_BACKOFF_H_
