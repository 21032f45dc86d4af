// SPDX-License-Identifier: Apache-2.0
#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kTopicPatience{20};

class KafkaConsumer : public Consumer {
 public:
  KafkaConsumer(rd_kafka_t* kafka, std::string topic) : kafka_(kafka), topic_(std::move(topic)) {}
  ~KafkaConsumer() override {
    rd_kafka_consumer_close(kafka_);
    rd_kafka_destroy(kafka_);
  }

  /// Asking for a topic's metadata makes it. Assigning needs no consumer group, so reading begins
  /// at once.
  Status Assign() {
    const int partitions = WaitForPartitions();
    if (partitions == 0)
      return Status(Code::kTimeout, "the demo's consumer finds no topic " + topic_ + " in Kafka");
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; ++i) {
      rd_kafka_topic_partition_list_add(list, topic_.c_str(), i)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    }
    const rd_kafka_resp_err_t error = rd_kafka_assign(kafka_, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Status(Code::kInternal,
                    std::string("the demo's consumer cannot read: ") + rd_kafka_err2str(error));
    }
    return {};
  }

  Status Poll(milliseconds budget, const OnMessage& on_message) override {
    const auto deadline = steady_clock::now() + budget;
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
      if (left.count() <= 0) return {};
      rd_kafka_message_t* message = rd_kafka_consumer_poll(kafka_, static_cast<int>(left.count()));
      if (message == nullptr) return {};
      // librdkafka itself logs and retries such errors (a broker that is restarting).
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        on_message({static_cast<const char*>(message->payload), message->len});
      }
      rd_kafka_message_destroy(message);
    }
  }

 private:
  int WaitForPartitions() {
    rd_kafka_topic_t* topic = rd_kafka_topic_new(kafka_, topic_.c_str(), nullptr);
    int partitions = 0;
    const auto deadline = steady_clock::now() + kTopicPatience;
    while (partitions == 0 && steady_clock::now() < deadline) {
      const rd_kafka_metadata_t* metadata = nullptr;
      if (rd_kafka_metadata(kafka_, 0, topic, &metadata, 1000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        continue;
      if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        partitions = metadata->topics[0].partition_cnt;
      }
      rd_kafka_metadata_destroy(metadata);
      // It is being created. The answer comes at once, so wait a little before asking again.
      if (partitions == 0) rd_kafka_poll(kafka_, 100);
    }
    rd_kafka_topic_destroy(topic);
    return partitions;
  }

  rd_kafka_t* const kafka_;
  const std::string topic_;
};

/// Reads the topic from its beginning; makes it if there is none.
dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& topic) {
  const std::string address = target.address();
  std::array<char, 512> error = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::array<std::pair<const char*, const char*>, 6> settings = {
      {{"bootstrap.servers", address.c_str()},
       {"group.id", "dsmsg-demo"},
       {"enable.auto.commit", "false"},
       {"allow.auto.create.topics", "true"},
       {"fetch.wait.max.ms", "10"},
       {"log_level", "0"}}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return Status(Code::kInternal, error.data());
    }
  }
  rd_kafka_t* kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.data(), error.size());
  if (kafka == nullptr) {
    rd_kafka_conf_destroy(conf);
    return Status(Code::kInternal, std::string("cannot make a Kafka consumer: ") + error.data());
  }
  auto consumer = std::make_unique<KafkaConsumer>(kafka, topic);
  Status status = consumer->Assign();
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

// One partition, as the embedded one has.
[[maybe_unused]] const bool registered =
    RegisterConsumer("kafka", &Open,
                     {.kind = "kafka",
                      .title = "a real Apache Kafka",
                      .start = R"({"cmd":"start","args":{"properties":{"num.partitions":"1"}}})",
                      .goes_on = true});

}  // namespace
}  // namespace dsmsg_demo
