// SPDX-License-Identifier: Apache-2.0
#include "core/metrics.h"

#include <bit>

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

const char* DropReasonName(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::kEvicted:
      return "evicted";
    case DropReason::kNewest:
      return "newest";
    case DropReason::kSuperseded:
      return "superseded";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kTooLarge:
      return "too_large";
    case DropReason::kGaveUp:
      return "gave_up";
    case DropReason::kShutdown:
      return "shutdown";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

void LatencyHistogram::Record(std::chrono::microseconds latency) noexcept {
  const uint64_t value = latency.count() > 0 ? static_cast<uint64_t>(latency.count()) : 0;
  const size_t bucket = BucketOf(value);
  counts_[bucket < kBuckets ? bucket : kBuckets - 1].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  uint64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

LatencyHistogram::Summary LatencyHistogram::Summarize() const noexcept {
  std::array<uint64_t, kBuckets> counts;
  Summary summary;
  for (size_t i = 0; i < kBuckets; ++i) {
    counts[i] = counts_[i].load(std::memory_order_relaxed);
    summary.count += counts[i];
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

void Metrics::RecordSuccess(std::chrono::microseconds latency) noexcept {
  Add(acknowledged);
  latency_.Record(latency);
  RecordAnswer();
}

void Metrics::RecordAnswer() noexcept {
  last_success_ms_.store(NowMillis(), std::memory_order_relaxed);
}

void Metrics::RecordFailureReason(const Status& status) noexcept {
  last_failure_ms_.store(NowMillis(), std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  last_failure_ = status.message().empty() ? CodeName(status.code()) : status.message();
}

std::string Metrics::LastFailureReason() const {
  std::lock_guard lock(mutex_);
  return last_failure_;
}

}  // namespace dsmsg
