// SPDX-License-Identifier: Apache-2.0
// How much of one topic may be in flight at a time. A broker accepts or refuses a batch as a whole:
// for its size, or for one record in it. That says nothing about the others, so the messages of a
// refused batch are sent again in batches half as large, down to a single message.
//
// A refused size would be refused again, so half of it stays the bound until a larger batch is
// tried after a minute. A problem with one record ends with that record: with every decided batch
// the bound doubles again.
//
// Threads: the I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_BATCH_BOUND_H_
#define DSMSG_ADAPTORS_KAFKA_BATCH_BOUND_H_

#include <algorithm>
#include <cstddef>
#include <limits>

#include "core/base/time.h"

namespace dsmsg::kafka {

class BatchBound {
 public:
  struct Amount {
    size_t messages = 0, bytes = 0;
  };
  static constexpr Millis kKeepSize{60'000};

  /// Whether one more message of `bytes` may be sent. A single one always may.
  bool Admits(size_t bytes, Clock::time_point now) {
    if (most_.bytes != kNone && now >= larger_at_) {
      most_.bytes = Twice(most_.bytes);
      larger_at_ = now + kKeepSize;
    }
    if (under_way_.messages == 0) return true;
    return under_way_.messages < most_.messages && under_way_.bytes + bytes <= most_.bytes;
  }
  void Took(size_t bytes) {
    ++under_way_.messages;
    under_way_.bytes += bytes;
  }
  /// Messages in flight ended, by a broker's answer or otherwise.
  void Ended(const Amount& batch) {
    under_way_.messages -= batch.messages;
    under_way_.bytes -= batch.bytes;
  }
  /// A batch was decided: it was accepted, or it was a single message and is refused for good.
  void Decided() {
    if (most_.messages != kNone) most_.messages = Twice(most_.messages);
  }
  /// Several messages were refused together, `for_size` or because of one of them.
  void Refused(const Amount& batch, bool for_size, Clock::time_point now) {
    if (for_size) {
      most_.bytes = std::min(most_.bytes, batch.bytes / 2);
      larger_at_ = now + kKeepSize;
    } else {
      most_.messages = std::min(most_.messages, batch.messages / 2);
    }
  }
  const Amount& under_way() const { return under_way_; }

 private:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  /// More than any batch holds: there is no bound any more.
  static constexpr size_t kAny = size_t{1} << 31;
  static size_t Twice(size_t bound) { return bound >= kAny ? kNone : 2 * bound; }

  Amount under_way_, most_{kNone, kNone};
  Clock::time_point larger_at_{};
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_BATCH_BOUND_H_
