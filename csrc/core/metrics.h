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
  Counter no_receiver{0};  // taken, but nobody listened
  Counter reconnects{0};
  Counter failed_attempts{0};
  Counter received{0};

  void CountFailure(Code code) noexcept { Add(failed_[static_cast<size_t>(code)]); }
  void CountDrop(DropReason reason) noexcept { Add(dropped_[static_cast<size_t>(reason)]); }
  void RecordSuccess(std::chrono::microseconds latency) noexcept;
  void RecordFailureReason(const Status& status) noexcept;
  std::string LastFailureReason() const;

  /// Values that live elsewhere, read at the moment of the report.
  struct Gauges {
    std::string protocol, endpoint;
    bool link_up = false;
    uint64_t queue_messages = 0, queue_bytes = 0, in_flight = 0, completions_waiting = 0,
             inbox_messages = 0;
  };
  /// The JSON text of dsmsg_stats().
  std::string ToJson(const Gauges& gauges) const;

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
