// SPDX-License-Identifier: Apache-2.0
// librdkafka with the properties that the adaptor sets by default (acks=all and idempotence with 5
// requests in flight, lz4, linger.ms 5, batch.size 1000000), payloads not copied, delivery reports
// taken by the thread that produces.
#include <librdkafka/rdkafka.h>

#include <stdexcept>

#include "target.h"

namespace dsmsg::bench {
namespace {

class KafkaClient : public RawClient {
 public:
  explicit KafkaClient(const std::string& brokers) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::pair<const char*, const char*> settings[] = {
        {"bootstrap.servers", brokers.c_str()},
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"max.in.flight.requests.per.connection", "5"},
        {"compression.codec", "lz4"},
        {"linger.ms", "5"},
        {"batch.size", "1000000"},
        {"queue.buffering.max.messages", "100000"}};
    char reason[512] = "";
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason);
      }
    }
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(conf, &OnDelivery);
    kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (kafka_ == nullptr) throw std::runtime_error(reason);
    topic_ = rd_kafka_topic_new(kafka_, kTopic, nullptr);
    // The adaptor is connected when its clock begins, too.
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(kafka_, 0, topic_, &metadata, 30'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("cannot reach Kafka at " + brokers);
    }
    rd_kafka_metadata_destroy(metadata);
  }
  ~KafkaClient() override {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(kafka_);
  }

  void Send(size_t count, const Payloads& payloads) override {
    done_ = failed_ = 0;
    // What the adaptor finds in the payloads.
    for (size_t i = keys_.size(); i < payloads.size(); ++i) keys_.push_back(Camera(i));
    for (size_t i = 0; i < count; ++i) {
      Produce(payloads[i % payloads.size()], keys_[i % keys_.size()]);
      if (i % 256 == 0) rd_kafka_poll(kafka_, 0);
    }
    while (done_ < count) rd_kafka_poll(kafka_, 100);
    if (failed_ > 0) throw std::runtime_error("messages were not delivered");
  }

 private:
  void Produce(const std::string& payload, const std::string& key) {
    while (rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, 0, const_cast<char*>(payload.data()),
                            payload.size(), key.data(), key.size(), nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(kafka_, 10);
    }
  }

  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
    auto* client = static_cast<KafkaClient*>(self);
    ++client->done_;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++client->failed_;
  }

  rd_kafka_t* kafka_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  std::vector<std::string> keys_;
  size_t done_ = 0, failed_ = 0;
};

class KafkaTarget : public BrokerTarget {
 public:
  KafkaTarget() : BrokerTarget("kafka", R"({"properties":{"num.partitions":"1"}})") {}
  std::string name() const override { return "kafka"; }
  std::string adaptor() const override { return "kafka"; }
  std::string client() const override {
    return std::string("librdkafka ") + rd_kafka_version_str();
  }
  std::string terms() const override {
    return "acks=all, idempotent, lz4, linger 5 ms, one partition, keyed";
  }
  std::vector<std::string> config() const override { return {}; }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<KafkaClient>(host() + ":" + std::to_string(port()));
  }
};

DSMSG_TARGET(KafkaTarget);

}  // namespace
}  // namespace dsmsg::bench
