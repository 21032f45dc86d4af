// SPDX-License-Identifier: Apache-2.0
// The producing half of the driver: hands messages to librdkafka without copying them and turns
// delivery reports into completions. I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_PRODUCER_H_
#define DSMSG_ADAPTORS_KAFKA_PRODUCER_H_

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "adaptors/kafka/batch_bound.h"
#include "adaptors/kafka/connection.h"
#include "adaptors/kafka/loss_watch.h"
#include "adaptors/kafka/partition_watch.h"
#include "adaptors/kafka/partitioner.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

class KafkaProducer {
 public:
  /// What is known of messages that connections end over.
  struct Bounds {
    std::unordered_map<std::string, size_t> bytes;  // by topic: so many may be in flight together
    Clock::time_point careful_until{};  // few may be in flight: all of them will be suspects
  };
  /// All outlive the producer; `bounds` outlives later producers too.
  KafkaProducer(KafkaConnection& connection, DriverHost& host, LossWatch& losses, Bounds& bounds);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  Status Submit(const Message& message, Token token);
  /// Before the I/O thread waits, and when it has read reports. Returns how long it may wait, at
  /// most `budget`.
  Millis Tick(Millis budget);

  /// Messages handed over but not yet reported.
  size_t outstanding() const { return outstanding_; }
  /// Some of them get no answer while others do. True once each time this happens.
  bool TakeSuspicion() { return partitions_.TakeSuspicion(); }

  /// A RD_KAFKA_EVENT_DR. Returns whether a broker answered for at least one message.
  bool OnDelivery(rd_kafka_event_t* event);
  /// Connections end over messages of that topic: the next producer sends half as many at once.
  void TooMuchOf(const std::string& topic);
  /// Takes back what was not acknowledged; those messages are never completed here.
  void Purge();

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct TopicEntry {
    explicit TopicEntry(rd_kafka_topic_t* topic)
        : handle(topic), load(rd_kafka_topic_name(topic)) {}
    rd_kafka_topic_t* const handle;
    PartitionWatch::Topic load;
    bool known = false;        // a broker has accepted a message for it
    uint64_t first_round = 0;  // while it is not known: when the last one was handed over alone
    Clock::time_point first_at{};
    std::optional<Clock::time_point> unknown_since;  // as the broker said it
    Clock::time_point ask_again{};
    BatchBound bound;
  };
  void NoteLate();
  bool MustWaitForFirst(TopicEntry& topic);
  rd_kafka_error_t* Produce(const Message& message, Token token, TopicEntry& topic);
  TopicEntry* Topic(std::string_view name);
  TopicEntry* Known(std::string_view name);
  Status Undelivered(std::string_view topic, rd_kafka_resp_err_t err);
  std::optional<Status> OutcomeOf(const rd_kafka_message_t& report, bool alone);
  void DropTopics(bool all);

  rd_kafka_t* const rk_;
  DriverHost& host_;
  LossWatch& losses_;
  Bounds& bounds_;
  const bool idempotent_;
  const Millis longest_answer_;  // to a question about a topic
  const Millis topic_patience_;  // how long creating a topic may take
  Partitioner& partitioner_;
  PartitionWatch partitions_;
  size_t outstanding_ = 0;
  Clock::time_point now_ = Clock::now();  // read once for many messages
  uint64_t round_ = 1;                    // of messages that are handed over together
  // librdkafka finds a topic by walking a list under a lock, which is expensive with one topic per
  // camera.
  std::unordered_map<std::string, TopicEntry, Hash, std::equal_to<>> topics_;
  std::pair<std::string_view, TopicEntry*> last_topic_;  // the one that was found last
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_PRODUCER_H_
