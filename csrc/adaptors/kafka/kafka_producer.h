// SPDX-License-Identifier: Apache-2.0
// The producing half of the driver: hands messages to librdkafka without copying them and turns
// delivery reports into completions. I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_KAFKA_PRODUCER_H_
#define DSMSG_ADAPTORS_KAFKA_KAFKA_PRODUCER_H_

#include <string>
#include <string_view>
#include <unordered_map>

#include "adaptors/kafka/kafka_client.h"
#include "core/driver.h"

namespace dsmsg::kafka {

class Producer {
 public:
  Producer(rd_kafka_t* rk, DriverHost& host) : rk_(rk), host_(host) {}
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  Status Submit(const Message& message, Token token);

  /// A RD_KAFKA_EVENT_DR. Returns whether a broker answered for at least one message.
  bool OnDelivery(rd_kafka_event_t* event);
  /// Takes back what was not acknowledged; those messages are never completed here.
  void Purge();

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  rd_kafka_topic_t* Topic(const Message& message);
  void DropTopics();

  rd_kafka_t* const rk_;
  DriverHost& host_;
  // librdkafka finds a topic by walking a list under a lock; with a topic for each camera that is
  // what costs.
  std::unordered_map<std::string, rd_kafka_topic_t*, Hash, std::equal_to<>> topics_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_KAFKA_PRODUCER_H_
