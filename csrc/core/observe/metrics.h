// SPDX-License-Identifier: Apache-2.0
// What is counted on one connection: the books (books.h), and what is counted beside them. Every
// function may be called from any thread and never blocks, except the text of the last failure,
// which has a short mutex of its own. Counters written by host threads and by the I/O thread stand
// in different cache lines.
#ifndef DSMSG_CORE_OBSERVE_METRICS_H_
#define DSMSG_CORE_OBSERVE_METRICS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/status.h"
#include "core/observe/books.h"
#include "core/observe/ledger.h"

namespace dsmsg {

/// Two histograms of the same values: a log-linear one of microseconds (four buckets for each power
/// of two, so within 19 percent) for the percentiles since connect, and one with fixed bounds that
/// can be added up over connections and time.
class LatencyHistogram {
 public:
  /// Upper bounds of the fixed buckets; one more has no bound.
  static constexpr std::array<std::chrono::microseconds, 16> kBounds = {
      std::chrono::microseconds(1000),       std::chrono::microseconds(2500),
      std::chrono::microseconds(5000),       std::chrono::microseconds(10'000),
      std::chrono::microseconds(25'000),     std::chrono::microseconds(50'000),
      std::chrono::microseconds(100'000),    std::chrono::microseconds(250'000),
      std::chrono::microseconds(500'000),    std::chrono::microseconds(1'000'000),
      std::chrono::microseconds(2'500'000),  std::chrono::microseconds(5'000'000),
      std::chrono::microseconds(10'000'000), std::chrono::microseconds(30'000'000),
      std::chrono::microseconds(60'000'000), std::chrono::microseconds(300'000'000)};

  /// One thread at a time; read by any.
  void Record(std::chrono::microseconds latency) noexcept;

  struct Summary {
    uint64_t count = 0, sum = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;  // microseconds
    std::array<uint64_t, kBounds.size() + 1> buckets{};               // each for itself
  };
  Summary Summarize() const noexcept;

 private:
  static constexpr size_t kBuckets = 160;  // up to 2^40 us
  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::array<std::atomic<uint64_t>, kBounds.size() + 1> fixed_{};
  std::atomic<uint64_t> sum_{0}, max_{0};
};

/// All values at one moment, for reports. A value: copied freely.
struct MetricsSnapshot : Books::Totals {
  uint64_t restored = 0;  // rows that the spool held at connect: a term of the books
  // Beside the books.
  uint64_t accepted_bytes = 0, refused = 0, refused_full = 0, missing_fields = 0;
  uint64_t submitted = 0, retried = 0, late_completions = 0, no_receiver = 0;
  uint64_t reconnects = 0, failed_attempts = 0, received = 0;
  int64_t last_success_ms = 0, last_failure_ms = 0;
  std::string last_failure_reason;
  LatencyHistogram::Summary latency;
  uint64_t full_messages = 0;  // see Metrics
  bool full_of_bytes = false;

  uint64_t failed_in_all() const;
  uint64_t dropped_in_all() const;
  uint64_t dropped_for(DropReason reason) const { return dropped[static_cast<size_t>(reason)]; }
};

class Metrics {
 public:
  using Counter = std::atomic<uint64_t>;
  static void Add(Counter& counter, uint64_t n = 1) noexcept {
    counter.fetch_add(n, std::memory_order_relaxed);
  }

  // Written by host threads.
  alignas(64) Counter accepted_bytes{0};
  Counter refused{0};         // ERR by return value
  Counter refused_full{0};    // of these: overflow=reject and the queue was full
  Counter missing_fields{0};  // a key or template field that the payload did not have
  // How the queue was last found full: the messages in it, and whether it was full of bytes.
  std::atomic<uint64_t> full_messages{0};
  std::atomic<bool> full_of_bytes{false};

  // Written by the I/O threads.
  alignas(64) Counter submitted{0};  // given to the client library, repeats included
  Counter retried{0};
  Counter late_completions{0};
  Counter no_receiver{0};  // taken without a listener
  Counter reconnects{0};
  Counter failed_attempts{0};
  Counter received{0};

  Books books;
  std::shared_ptr<Ledger> ledger;  // null: none. Set before any message

  void RecordFull(uint64_t messages, bool of_bytes) noexcept {
    full_messages.store(messages, std::memory_order_relaxed);
    full_of_bytes.store(of_bytes, std::memory_order_relaxed);
  }
  /// The broker has a message. One thread at a time (under the queue's lock).
  void RecordSuccess(Place from, std::chrono::microseconds latency) noexcept;
  /// The same just now, of any number of messages.
  void RecordAnswer() noexcept;
  /// A message ends with an error: the books, the ledger and the text of the last failure.
  void RecordFailed(Place from, const Status& status, const Ledger::Carrier& message = {}) noexcept;
  void RecordDropped(Place from, DropReason reason, const Status& status,
                     const Ledger::Carrier& message = {}) noexcept;
  void RecordFailureReason(const Status& status) noexcept;
  std::string LastFailureReason() const;
  const char* LastFailureKind() const;  // KindName
  /// The same of messages alone: what became of the link says nothing of them.
  std::string LastLossReason() const;

  /// What the spool counts itself.
  struct SpoolCounts {
    uint64_t restored = 0, evicted = 0, lost = 0;
  };
  MetricsSnapshot Read(const SpoolCounts& spool) const;

 private:
  void RecordLossReason(const Status& status) noexcept;

  LatencyHistogram latency_;
  std::atomic<int64_t> last_success_ms_{0}, last_failure_ms_{0};
  mutable std::mutex mutex_;  // guards the following
  Status last_failure_;
  std::string last_loss_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_METRICS_H_
