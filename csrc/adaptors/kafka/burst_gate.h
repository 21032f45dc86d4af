// SPDX-License-Identifier: Apache-2.0
// Decides when an idempotent producer may be given more. librdkafka (2.0.2) asks to be woken
// at once for messages that are due, and then finds that their partition already has five messages
// without an answer: it busy-loops until the response arrives, i.e. for ever if the broker hangs.
// So the driver hands over one burst, which makes at most one request per partition, and the next
// one once it is answered; messages that wait meanwhile make the next burst larger.
//
// A topic's first burst must be answered to the last message: a broker that has just become a
// partition's leader may refuse one request and accept the next, because it has no sequence number
// to compare it with.
//
// Threads: the I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_BURST_GATE_H_
#define DSMSG_ADAPTORS_KAFKA_BURST_GATE_H_

#include <algorithm>
#include <cstddef>

#include "core/base/time.h"

namespace dsmsg::kafka {

class BurstGate {
 public:
  struct Limits {
    bool enabled = false;
    size_t messages = 0, bytes = 0;  // of one batch
  };
  /// How long a burst may stay unanswered before we ask whether the brokers answer at all; doubles
  /// each time, up to the second value.
  static constexpr Millis kPatience{200}, kMaxPatience{2000};

  explicit BurstGate(const Limits& limits) : limits_(limits) {}

  /// Whether a message of `bytes` may be handed over now.
  bool Admits(size_t bytes, Clock::time_point now) {
    if (!limits_.enabled || (unsettled_ && now < vouched_ + kPatience)) return true;
    if (!open_) {
      if (outstanding_ >= (fresh_ ? 1 : kFree)) {
        refused_ = true;
        return false;
      }
      Begin(now);
    }
    if (messages_ == 0) return true;  // too large for a batch: sent as its own request
    return messages_ < limits_.messages && bytes_ + bytes <= limits_.bytes;
  }
  /// The message was handed over. `known`: its topic has accepted messages before. A message that
  /// waits for its topic to appear has no partition yet and must not hold up the others for longer
  /// than kPatience.
  void Took(size_t bytes, bool known) {
    ++outstanding_;
    ++messages_;
    bytes_ += bytes;
    if (!known) fresh_ = true;
  }
  /// One message ended, by a broker's answer or otherwise.
  void Ended() {
    if (--outstanding_ == 0) fresh_ = unsettled_ = false;
  }
  /// A broker has accepted messages.
  void Answered(Clock::time_point now) { vouched_ = now; }
  /// Messages handed over from now on form the next burst.
  void EndBurst() {
    if (messages_ > 0) open_ = false;
  }

  /// If messages wait for an unanswered burst: when to ask whether the brokers answer other
  /// requests. If they do, the burst's partitions have no leader or refuse for a while: call
  /// LetOthersPass. If not: call Postpone.
  Clock::time_point QuestionDue() const {
    return refused_ && !open_ ? begin_ + patience_ : Clock::time_point::max();
  }
  void LetOthersPass(Clock::time_point now) {
    unsettled_ = fresh_;
    vouched_ = now;
    Begin(now);
  }
  void Postpone(Clock::time_point now) {
    begin_ = now;
    patience_ = std::min(2 * patience_, kMaxPatience);
  }
  /// Some unanswered messages went to a topic that has not accepted messages before.
  bool fresh() const { return fresh_; }

 private:
  void Begin(Clock::time_point now) {
    open_ = true;
    refused_ = false;
    messages_ = bytes_ = 0;
    begin_ = now;
    patience_ = kPatience;
  }

  static constexpr size_t kFree = 5;  // librdkafka's limit, in messages of one partition

  const Limits limits_;
  size_t outstanding_ = 0, messages_ = 0, bytes_ = 0;
  bool open_ = true, refused_ = false;
  // unsettled_: and everything passes while brokers answer.
  bool fresh_ = false, unsettled_ = false;
  Clock::time_point begin_{}, vouched_{};  // vouched_: when a broker answered last
  Millis patience_ = kPatience;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_BURST_GATE_H_
