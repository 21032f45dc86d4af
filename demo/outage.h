// SPDX-License-Identifier: Apache-2.0
// The point of the demo: in the middle of the run the broker is killed, and comes back.
#ifndef DSMSG_DEMO_OUTAGE_H_
#define DSMSG_DEMO_OUTAGE_H_

#include <chrono>
#include <mutex>
#include <thread>

#include "target.h"

namespace dsmsg_demo {

/// Any thread. Ends before its target.
class Outage {
 public:
  enum class Phase { kNone, kBefore, kDown, kOver };
  struct State {
    Phase phase = Phase::kNone;
    double killed_s = 0, back_s = 0;  // since the begin of the run
    dsmsg::Status status;             // of the kill or the return
  };

  /// `frames`: of the run; 0: unknown. Without `wanted`, or with a target that cannot fail, nothing
  /// happens.
  Outage(Target& target, unsigned frames, bool wanted);
  ~Outage();
  Outage(const Outage&) = delete;
  Outage& operator=(const Outage&) = delete;

  /// The streaming thread has seen so many frames; the one that meets the outage waits for the
  /// kill.
  void OnFrame(unsigned seen);
  /// Brings the broker back if the time is up, or at once.
  void Update(bool now);
  State state() const;

 private:
  using Clock = std::chrono::steady_clock;
  double Seconds() const;
  void BringBack();  // with the mutex

  Target& target_;
  const unsigned kill_at_, back_at_;  // frames
  const Clock::time_point begin_ = Clock::now();
  mutable std::mutex mutex_;  // guards all below
  State state_;
  Clock::time_point killed_at_;
  std::thread returning_;
};

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_OUTAGE_H_
