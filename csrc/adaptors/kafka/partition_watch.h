// SPDX-License-Identifier: Apache-2.0
// Keeps librdkafka from waiting busily. An idempotent producer has at most five messages of a
// partition under way before it sends the next batch, and while more of them are due, it asks
// without a pause whether it may (seen with 2.0.2 and 2.16.0): a core is busy until the broker
// answers, for ever if it hangs. A partition that is paused is not asked, and what was sent is
// answered all the same. So a partition that waits for too long is paused and goes on with the
// answer. It also goes on now and then without one, because librdkafka may have to send again.
//
// A request is for one partition, and a broker gets a few at a time, so partitions take turns:
// where there are many, none has to have an answer as soon as the only one has.
//
// Threads: the I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_PARTITION_WATCH_H_
#define DSMSG_ADAPTORS_KAFKA_PARTITION_WATCH_H_

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/base/time.h"

namespace dsmsg::kafka {

class PartitionWatch {
 public:
  static constexpr Millis kPatience{50}, kTurn{4}, kFirstPause{100}, kLongestPause{1000};

  /// What is on its way to the partitions of one topic. Has to be forgotten before it ends.
  class Topic {
   public:
    explicit Topic(const char* name) : name_(name) {}

   private:
    friend class PartitionWatch;
    struct Partition {
      size_t unanswered = 0;
      Deadline since{};  // of the last answer, or when it became worth watching
      bool watched = false, paused = false;
      Millis pause = kFirstPause;
      Deadline again{};  // while paused
      const char* topic = nullptr;
      int32_t number = 0;
    };
    Partition& At(int32_t number);
    const char* const name_;
    std::deque<Partition> partitions_;
  };

  explicit PartitionWatch(rd_kafka_t* rk) : rk_(rk) {}

  void Took(Topic& topic, int32_t partition, size_t messages, Deadline now);
  /// Messages ended, by a broker's answer or otherwise.
  void Ended(Topic& topic, int32_t partition, size_t messages, Deadline now);
  void Forget(const Topic& topic);
  /// Pauses and resumes; call it before a wait. Returns how long that may last, at most `budget`.
  Millis Tick(Deadline now, Millis budget);
  /// A partition waits longer than the longest pause. True once each time.
  bool TakeSuspicion() { return std::exchange(suspicion_, false); }

 private:
  using Partitions = std::vector<Topic::Partition*>;
  /// How long a partition may wait for an answer.
  Millis Patience() const { return kPatience + kTurn * static_cast<int>(watched_.size()); }
  void Tell(const Partitions& partitions, bool pause);

  rd_kafka_t* const rk_;
  Partitions watched_;
  Deadline due_ = Deadline::max();
  bool suspicion_ = false;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_PARTITION_WATCH_H_
