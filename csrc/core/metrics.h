// SPDX-License-Identifier: Apache-2.0
// Counters of one connection. Every function may be called from any thread and never blocks, except
// the text of the last failure, which has a short mutex of its own. Counters written by host
// threads and by the I/O thread stand in different cache lines.
#ifndef DSMSG_CORE_METRICS_H_
#define DSMSG_CORE_METRICS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/status.h"

namespace dsmsg {

/// Why the core itself ended a message with ERR.
enum class DropReason {
  kEvicted,     // the queue was full and this was the oldest unsubmitted message
  kNewest,      // overflow=drop-newest, or nothing older could go
  kSuperseded,  // overflow=latest-per-key
  kExpired,     // message-timeout or send-timeout
  kTooLarge,    // over max-message-bytes
  kGaveUp,      // reconnect=0 or reconnect-attempts used up
  kShutdown,    // left at disconnect after flush-timeout
  kCount,
};
const char* DropReasonName(DropReason reason) noexcept;

/// Log-linear histogram of microseconds: four buckets for each power of two, so within 19 percent.
class LatencyHistogram {
 public:
  void Record(std::chrono::microseconds latency) noexcept;

  struct Summary {
    uint64_t count = 0, sum = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;  // microseconds
  };
  Summary Summarize() const noexcept;

 private:
  static constexpr size_t kBuckets = 160;  // up to 2^40 us
  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::atomic<uint64_t> sum_{0}, max_{0};
};

class Metrics {
 public:
  using Counter = std::atomic<uint64_t>;
  static void Add(Counter& counter, uint64_t n = 1) noexcept {
    counter.fetch_add(n, std::memory_order_relaxed);
  }

  // Written by host threads.
  alignas(64) Counter accepted{0};
  Counter accepted_bytes{0};
  Counter refused{0};         // ERR by return value
  Counter missing_fields{0};  // a key or template field that the payload did not have

  // Written by the I/O threads.
  alignas(64) Counter submitted{0};  // given to the client library, repeats included
  Counter retried{0};
  Counter acknowledged{0};
  Counter late_completions{0};
  Counter no_receiver{0};        // taken, but nobody listened
  Counter spooled{0};            // durable in the spool
  Counter replayed{0};           // out of the spool and acknowledged by the broker
  Counter dead_lettered{0};      // refused for good and kept in dead-letter-dir or -topic
  Counter dead_letters_lost{0};  // refused for good and could not be kept there
  Counter reconnects{0};
  Counter failed_attempts{0};
  Counter received{0};

  void CountFailure(Code code) noexcept { Add(failed_[static_cast<size_t>(code)]); }
  void CountDrop(DropReason reason) noexcept { Add(dropped_[static_cast<size_t>(reason)]); }
  void RecordSuccess(std::chrono::microseconds latency) noexcept;
  /// The broker has a message; part of RecordSuccess.
  void RecordAnswer() noexcept;
  void RecordFailureReason(const Status& status) noexcept;
  std::string LastFailureReason() const;

  uint64_t failed(Code code) const noexcept {
    return failed_[static_cast<size_t>(code)].load(std::memory_order_relaxed);
  }
  uint64_t dropped(DropReason reason) const noexcept {
    return dropped_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }
  int64_t last_success_ms() const noexcept { return last_success_ms_.load(); }
  int64_t last_failure_ms() const noexcept { return last_failure_ms_.load(); }
  LatencyHistogram::Summary latency() const noexcept { return latency_.Summarize(); }

 private:
  std::array<Counter, static_cast<size_t>(Code::kInternal) + 1> failed_{};
  std::array<Counter, static_cast<size_t>(DropReason::kCount)> dropped_{};
  LatencyHistogram latency_;
  std::atomic<int64_t> last_success_ms_{0}, last_failure_ms_{0};
  mutable std::mutex mutex_;  // guards last_failure_
  std::string last_failure_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_METRICS_H_
