// SPDX-License-Identifier: Apache-2.0
// When each message was to be sent and when its acknowledgement came. Latency counts from the time
// at which a message was due, also when the sender was late (no coordinated omission).
//
// Threads: Begin and AwaitBelow by one thread, Done by any, the results after the run. Owns the
// Sents.
#ifndef DSMSG_BENCHMARKS_TRACKER_H_
#define DSMSG_BENCHMARKS_TRACKER_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

namespace dsmsg::bench {

using Clock = std::chrono::steady_clock;

class Tracker;

/// One message; handed to the client with it, and back with its acknowledgement.
struct Sent {
  Tracker* tracker = nullptr;
  Clock::time_point due{};
  std::atomic<int64_t> latency_ns{-1};
};

class Tracker {
 public:
  /// Without `timed` all messages share one Sent and no clock is read.
  explicit Tracker(bool timed) : timed_(timed) { shared_.tracker = this; }

  Sent* Begin(Clock::time_point due) {
    ++begun_;
    if (!timed_) return &shared_;
    Sent& sent = sents_.emplace_back();
    sent.tracker = this;
    sent.due = due;
    return &sent;
  }
  bool timed() const { return timed_; }

  static void Done(Sent* sent, bool ok) {
    Tracker& tracker = *sent->tracker;
    if (tracker.timed_ && ok) {
      const auto latency = Clock::now() - sent->due;
      sent->latency_ns.store(std::chrono::duration_cast<std::chrono::nanoseconds>(latency).count(),
                             std::memory_order_relaxed);
    }
    if (!ok) tracker.failed_.fetch_add(1, std::memory_order_relaxed);
    tracker.done_.fetch_add(1, std::memory_order_release);
    if (tracker.timed_) tracker.done_.notify_one();
  }

  /// Waits until fewer than `window` are outstanding. The thread of Begin.
  void AwaitBelow(uint64_t window) const {
    for (uint64_t done = this->done(); begun_ - done >= window; done = this->done()) {
      done_.wait(done, std::memory_order_acquire);
    }
  }

  uint64_t begun() const { return begun_; }
  uint64_t done() const { return done_.load(std::memory_order_acquire); }
  uint64_t failed() const { return failed_.load(); }
  uint64_t outstanding() const { return begun_ - done(); }

  /// Microseconds of what was acknowledged, sorted.
  std::vector<double> Latencies() const {
    std::vector<double> result;
    for (const Sent& sent : sents_) {
      if (sent.latency_ns >= 0) result.push_back(static_cast<double>(sent.latency_ns) / 1000);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  const bool timed_;
  uint64_t begun_ = 0;
  std::atomic<uint64_t> done_{0}, failed_{0};
  Sent shared_;
  std::deque<Sent> sents_;  // addresses stay
};

}  // namespace dsmsg::bench

#endif  // DSMSG_BENCHMARKS_TRACKER_H_
