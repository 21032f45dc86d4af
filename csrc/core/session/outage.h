// SPDX-License-Identifier: Apache-2.0
// When a link that is down is tried again. A value and a function of it, without a clock.
#ifndef DSMSG_CORE_SESSION_OUTAGE_H_
#define DSMSG_CORE_SESSION_OUTAGE_H_

#include "core/base/backoff.h"
#include "core/base/time.h"

namespace dsmsg {

struct Outage {
  Clock::time_point since;         // the loss of the link
  Clock::time_point attempted_at;  // the begin of the last attempt
};

/// The time of the next attempt, with the next pause of `backoff`. A server that was merely
/// restarted is found again within 5 s: in the first minute no pause is over 4 s, and the duration
/// of an attempt that waited for an answer counts as a part of it.
Deadline NextAttempt(const Outage& outage, Clock::time_point now, Backoff* backoff);

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_OUTAGE_H_
