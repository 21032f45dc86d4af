// SPDX-License-Identifier: Apache-2.0
// Logs what a connection loses: a line when losses of a kind begin, which says what limit
// was reached and which option to raise; while they go on, at most a line a minute for each kind,
// with the counts since the last one; a summary when the link is back and at disconnect. It reads
// the counters of the books, so a line that is left out loses no count.
//
// Threads: every function from any thread, without locks of the caller's. One short mutex, held
// neither while the counters are read nor while a line is written. `read` and `losses` must stay
// callable as long as this object; both are the session's.
#ifndef DSMSG_CORE_OBSERVE_LOSS_REPORT_H_
#define DSMSG_CORE_OBSERVE_LOSS_REPORT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/time.h"
#include "core/observe/metrics.h"
#include "core/options/settings.h"

namespace dsmsg {

class LossReport {
 public:
  using Reader = std::function<MetricsSnapshot()>;
  /// The sum of all losses, without a lock: whether there is something new.
  using Quick = std::function<uint64_t()>;
  /// All references outlive this object.
  LossReport(const Settings& settings, Logger& logger, Reader read, Quick losses);

  /// Logs what is due. Call it after losses and periodically; it is cheap if nothing was lost.
  void Look() {
    if (losses_() != seen_.load(std::memory_order_relaxed)) LookAt(Clock::now());
  }
  void LookAt(Clock::time_point now);

  void LinkDown(Clock::time_point now);
  /// "back after 41 s; 965 evicted, 0 failed, 1,236 waiting"; empty if the link was not down.
  std::string LinkUp(Clock::time_point now);

  /// "965 evicted, 3 failed": everything lost since connect, empty if nothing was lost.
  std::string Summary() const;
  /// The log line at disconnect, after everything has ended; empty if there is nothing to report.
  /// `left`: what a flush that was not finished left, `to_spool`: it went there.
  std::string AtDisconnect(bool flushed, size_t left, bool to_spool);

 private:
  static constexpr size_t kFailed = kDropReasonCount, kLettersLost = kFailed + 1;
  static constexpr size_t kKinds = kLettersLost + 1;
  using Counts = std::array<uint64_t, kKinds>;

  static Counts CountsOf(const MetricsSnapshot& metrics);
  static std::string Listed(const Counts& counts);
  static const char* NameOf(size_t kind);
  std::string Advice(size_t kind) const;
  std::string Beginning(DropReason reason, const MetricsSnapshot& metrics,
                        Clock::time_point now) const;
  std::string FullQueue(const MetricsSnapshot& metrics, Clock::time_point now) const;

  struct Kind {
    uint64_t told = 0;            // of its count
    Clock::time_point told_at{};  // when there was a line last
    bool ever = false;
  };

  const Settings& settings_;
  Logger& logger_;
  const Reader read_;
  const Quick losses_;
  std::atomic<uint64_t> seen_{0};       // of losses_: nothing new
  std::atomic<int64_t> not_before_{0};  // the next look, Clock's ticks
  mutable std::mutex mutex_;            // guards the following
  std::array<Kind, kKinds> kinds_;
  bool down_ = false;
  Clock::time_point down_since_{};
  Counts at_down_{};
};

/// 1234567 as "1,234,567".
std::string Grouped(uint64_t number);
/// "0.4 s", "41 s", "3 min 20 s", "2 h 5 min".
std::string DurationText(Clock::duration duration);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_LOSS_REPORT_H_
