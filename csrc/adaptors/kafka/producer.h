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
#include "adaptors/kafka/burst_gate.h"
#include "adaptors/kafka/connection.h"
#include "adaptors/kafka/loss_watch.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

class KafkaProducer {
 public:
  /// By topic: how many bytes may be in flight together, if more than that ended a connection.
  using SizeBounds = std::unordered_map<std::string, size_t>;
  /// Both outlive the producer; `bounds` outlives later producers too.
  KafkaProducer(rd_kafka_t* rk, DriverHost& host, LossWatch& losses, SizeBounds& bounds);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  Status Submit(const Message& message, Token token);
  /// Called before the I/O thread waits. Returns how long it may wait: less than `budget` if
  /// messages wait for the gate. Blocks for at most a tenth of a second, and only if brokers are
  /// silent.
  Millis EndBurst(Millis budget);

  /// Messages handed over but not yet reported.
  size_t outstanding() const { return outstanding_; }
  /// Some of them get no answer while others do. True once each time this happens.
  bool TakeSuspicion() { return std::exchange(suspicion_, false); }

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
    rd_kafka_topic_t* handle = nullptr;
    bool known = false;                              // a broker has accepted a message for it
    std::optional<Clock::time_point> unknown_since;  // as the broker said it
    Clock::time_point ask_again{};
    BatchBound bound;
  };
  TopicEntry* Topic(std::string_view name);
  TopicEntry* Known(std::string_view name);
  Status Undelivered(std::string_view topic, rd_kafka_resp_err_t err);
  std::optional<Status> OutcomeOf(const rd_kafka_message_t& report, bool alone);
  void DropTopics(bool all);

  rd_kafka_t* const rk_;
  DriverHost& host_;
  LossWatch& losses_;
  SizeBounds& bounds_;
  const bool idempotent_;
  const Millis topic_patience_;  // how long creating a topic may take
  BurstGate gate_;
  size_t outstanding_ = 0;
  bool suspicion_ = false;
  // librdkafka finds a topic by walking a list under a lock, which is expensive with one topic per
  // camera.
  std::unordered_map<std::string, TopicEntry, Hash, std::equal_to<>> topics_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_PRODUCER_H_
