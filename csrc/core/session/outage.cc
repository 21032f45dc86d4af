// SPDX-License-Identifier: Apache-2.0
#include "core/session/outage.h"

#include <algorithm>

namespace dsmsg {
namespace {

constexpr Millis kYoung{60000}, kYoungMax{4000};

}  // namespace

Deadline NextAttempt(const Outage& outage, Clock::time_point now, Backoff* backoff) {
  if (now - outage.since >= kYoung) return now + backoff->Next();
  return std::max(outage.attempted_at, outage.since) + backoff->Next(kYoungMax);
}

}  // namespace dsmsg
