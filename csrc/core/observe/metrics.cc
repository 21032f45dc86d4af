// SPDX-License-Identifier: Apache-2.0
#include "core/observe/metrics.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "core/observe/error_kind.h"

namespace dsmsg {
namespace {

int64_t NowMillis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Values below 4 have a bucket each; above, the two bits after the leading one choose among four.
size_t BucketOf(uint64_t value) {
  if (value < 4) return static_cast<size_t>(value);
  const auto exponent = static_cast<size_t>(std::bit_width(value)) - 1;
  const auto quarter = static_cast<size_t>((value >> (exponent - 2)) & 3);
  return (exponent - 1) * 4 + quarter;
}

uint64_t UpperEdgeOf(size_t bucket) {
  if (bucket < 4) return bucket;
  const size_t exponent = bucket / 4 + 1;
  const uint64_t quarter = bucket % 4;
  return ((4 + quarter + 1) << (exponent - 2)) - 1;
}

}  // namespace

void LatencyHistogram::Record(std::chrono::microseconds latency) noexcept {
  const uint64_t value = latency.count() > 0 ? static_cast<uint64_t>(latency.count()) : 0;
  const size_t bucket = BucketOf(value);
  const auto add = [](std::atomic<uint64_t>& counter, uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  };
  add(counts_[bucket < kBuckets ? bucket : kBuckets - 1], 1);
  const auto* const bound = std::lower_bound(kBounds.begin(), kBounds.end(), latency);
  add(fixed_[static_cast<size_t>(bound - kBounds.begin())], 1);
  add(sum_, value);
  if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
}

LatencyHistogram::Summary LatencyHistogram::Summarize() const noexcept {
  std::array<uint64_t, kBuckets> counts;
  Summary summary;
  for (size_t i = 0; i < kBuckets; ++i) {
    counts[i] = counts_[i].load(std::memory_order_relaxed);
    summary.count += counts[i];
  }
  for (size_t i = 0; i < fixed_.size(); ++i) {
    summary.buckets[i] = fixed_[i].load(std::memory_order_relaxed);
  }
  summary.sum = sum_.load(std::memory_order_relaxed);
  summary.max = max_.load(std::memory_order_relaxed);
  const auto percentile = [&](uint64_t percent) -> uint64_t {
    const uint64_t rank = (summary.count * percent + 99) / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts[i];
      if (seen >= rank && seen > 0) return std::min(UpperEdgeOf(i), summary.max);
    }
    return summary.max;
  };
  if (summary.count > 0) {
    summary.p50 = percentile(50);
    summary.p90 = percentile(90);
    summary.p99 = percentile(99);
  }
  return summary;
}

uint64_t MetricsSnapshot::failed_in_all() const {
  return std::accumulate(failed.begin(), failed.end(), uint64_t{0});
}

uint64_t MetricsSnapshot::dropped_in_all() const {
  return std::accumulate(dropped.begin(), dropped.end(), uint64_t{0});
}

void Metrics::RecordSuccess(Place from, std::chrono::microseconds latency) noexcept {
  books.Delivered(from);
  if (from == Place::kQueue) latency_.Record(latency);
}

void Metrics::RecordAnswer() noexcept {
  last_success_ms_.store(NowMillis(), std::memory_order_relaxed);
}

void Metrics::RecordFailed(Place from, const Status& status,
                           const Ledger::Carrier& message) noexcept {
  RecordLossReason(status);  // first, so that whoever sees the count finds the reason
  if (ledger != nullptr && from != Place::kLetter) ledger->Refused(message, status);
  books.Failed(from, status.code());
}

void Metrics::RecordDropped(Place from, DropReason reason, const Status& status,
                            const Ledger::Carrier& message) noexcept {
  RecordLossReason(status);
  if (ledger != nullptr && from != Place::kLetter) ledger->Dropped(message, reason);
  books.Dropped(from, reason);
}

void Metrics::RecordLossReason(const Status& status) noexcept {
  RecordFailureReason(status);
  std::lock_guard lock(mutex_);
  last_loss_ = status.message();
}

void Metrics::RecordFailureReason(const Status& status) noexcept {
  last_failure_ms_.store(NowMillis(), std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  last_failure_ = status;
}

std::string Metrics::LastFailureReason() const {
  std::lock_guard lock(mutex_);
  return last_failure_.ok() ? std::string() : last_failure_.message();
}

const char* Metrics::LastFailureKind() const {
  std::lock_guard lock(mutex_);
  return KindName(last_failure_);
}

std::string Metrics::LastLossReason() const {
  std::lock_guard lock(mutex_);
  return last_loss_;
}

MetricsSnapshot Metrics::Read(const SpoolCounts& spool) const {
  MetricsSnapshot all;
  const auto get = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  static_cast<Books::Totals&>(all) = books.Read(spool.restored, spool.evicted + spool.lost);
  all.restored = spool.restored;
  all.dropped[static_cast<size_t>(DropReason::kSpoolEvicted)] = spool.evicted;
  all.dropped[static_cast<size_t>(DropReason::kSpoolLost)] = spool.lost;
  all.accepted_bytes = get(accepted_bytes);
  all.full_messages = get(full_messages);
  all.full_of_bytes = full_of_bytes.load(std::memory_order_relaxed);
  all.refused = get(refused);
  all.refused_full = get(refused_full);
  all.missing_fields = get(missing_fields);
  all.submitted = get(submitted);
  all.retried = get(retried);
  all.late_completions = get(late_completions);
  all.no_receiver = get(no_receiver);
  all.reconnects = get(reconnects);
  all.failed_attempts = get(failed_attempts);
  all.received = get(received);
  all.last_success_ms = last_success_ms_.load(std::memory_order_relaxed);
  all.last_failure_ms = last_failure_ms_.load(std::memory_order_relaxed);
  all.last_failure_reason = LastFailureReason();
  all.latency = latency_.Summarize();
  return all;
}

}  // namespace dsmsg
