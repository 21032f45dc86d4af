// SPDX-License-Identifier: Apache-2.0
// Chooses partitions as librdkafka itself would, and tells which one a message got. librdkafka says
// that only when a message has ended.
//
// Threads: Configure and NewTopicConf before messages are produced; the rest from any thread.
// librdkafka calls it while a message is produced, or later, on a thread of its own, if the topic
// was not known by then. It has to live as long as the instance.
#ifndef DSMSG_ADAPTORS_KAFKA_PARTITIONER_H_
#define DSMSG_ADAPTORS_KAFKA_PARTITIONER_H_

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/base/time.h"

namespace dsmsg::kafka {

class Partitioner {
 public:
  /// Takes over from the `partitioner` and `sticky.partitioning.linger.ms` of this configuration.
  void Configure(rd_kafka_conf_t* conf);
  bool configured() const { return base_ != nullptr; }
  /// For rd_kafka_topic_new, which takes it. Null: librdkafka's default.
  rd_kafka_topic_conf_t* NewTopicConf(rd_kafka_t* rk);

  static constexpr int32_t kNotYet = -1;
  /// While it lives: what this thread produces. One at a time in a thread.
  class Choice {
   public:
    Choice() { choice_ = this; }
    ~Choice() { choice_ = nullptr; }
    Choice(const Choice&) = delete;
    Choice& operator=(const Choice&) = delete;
    /// kNotYet: no partition yet, see TakeLate.
    int32_t partition() const { return partition_; }

   private:
    friend class Partitioner;
    int32_t partition_ = kNotYet;
  };

  /// Messages by topic and partition that got it on another thread than the one that produced them.
  using Late = std::map<std::pair<std::string, int32_t>, size_t>;
  /// Since the last call.
  Late TakeLate();

 private:
  using Function = int32_t (*)(const rd_kafka_topic_t*, const void*, size_t, int32_t, void*, void*);
  static int32_t OnMessage(const rd_kafka_topic_t* topic, const void* key, size_t key_size,
                           int32_t partitions, void* self, void* message);
  int32_t Sticky(const rd_kafka_topic_t* topic, int32_t partitions);

  static thread_local Choice* choice_;

  Function base_ = nullptr;
  Millis sticky_{0};  // messages without a key stay together for that long; 0: never
  bool empty_key_is_none_ = false;
  std::atomic<bool> any_late_{false};
  std::mutex mutex_;  // guards the following
  Late late_;
  struct Stuck {
    int32_t partition = 0;
    Deadline until{};
  };
  std::unordered_map<const rd_kafka_topic_t*, Stuck> stuck_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_PARTITIONER_H_
