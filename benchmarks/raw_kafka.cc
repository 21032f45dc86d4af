// SPDX-License-Identifier: Apache-2.0
// librdkafka with the properties that the adaptor sets by default (acks=all and idempotence with 5
// requests in flight, lz4, linger.ms 5, batch.size 1000000), payloads not copied, delivery reports
// taken by the thread that produces.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

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
        {"message.max.bytes", "10000000"},
        {"queue.buffering.max.messages", "100000"}};
    char reason[512] = "";
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason);
      }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, &OnDelivery);
    kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (kafka_ == nullptr) throw std::runtime_error(reason);
    rd_kafka_topic_t* topic = Topic(kTopic);
    // The adaptor is connected when its clock begins, too.
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(kafka_, 0, topic, &metadata, 30'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("cannot reach Kafka at " + brokers);
    }
    rd_kafka_metadata_destroy(metadata);
  }
  ~KafkaClient() override {
    for (const auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka_);
  }

  void Submit(const Letter& letter, Sent* sent) override {
    rd_kafka_topic_t* topic = letter.topic == last_name_ ? last_ : Topic(letter.topic);
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0,
                            const_cast<char*>(letter.payload.data()), letter.payload.size(),
                            letter.key.data(), letter.key.size(), sent) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(kafka_, 10);
    }
  }

  void Poll(std::chrono::microseconds wait) override {
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(wait);
    if (rd_kafka_poll(kafka_, static_cast<int>(whole.count())) > 0 || whole.count() > 0) return;
    // It knows milliseconds only.
    if (wait.count() > 0) std::this_thread::sleep_for(wait);
    rd_kafka_poll(kafka_, 0);
  }

 private:
  rd_kafka_topic_t* Topic(const std::string& name) {
    rd_kafka_topic_t*& topic = topics_[name];
    if (topic == nullptr) topic = rd_kafka_topic_new(kafka_, name.c_str(), nullptr);
    last_name_ = name;
    return last_ = topic;
  }

  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    Tracker::Done(static_cast<Sent*>(message->_private),
                  message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  rd_kafka_t* kafka_ = nullptr;
  std::map<std::string, rd_kafka_topic_t*> topics_;
  std::string last_name_;
  rd_kafka_topic_t* last_ = nullptr;
};

class KafkaTarget : public BrokerTarget {
 public:
  KafkaTarget() : BrokerTarget("kafka") {}
  std::string name() const override { return "kafka"; }
  std::string adaptor() const override { return "kafka"; }
  std::string client() const override {
    return std::string("librdkafka ") + rd_kafka_version_str();
  }
  std::string terms() const override {
    return "acks=all, idempotent, lz4, linger 5 ms, keyed by the payload's sensor, window 50000; "
           "tuned: the server has more threads and larger socket buffers";
  }
  uint64_t window() const override { return 50'000; }
  std::vector<std::string> config() const override { return {}; }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<KafkaClient>(host() + ":" + std::to_string(port()));
  }

 protected:
  std::string ServerArgs(const Setup& setup, uint16_t proxy) const override {
    std::string args =
        R"({"properties":{"num.partitions":")" + std::to_string(setup.partitions) + "\"";
    // Clients connect to what the broker advertises.
    if (proxy != 0) {
      args += R"(,"advertised.listeners":"PLAINTEXT://127.0.0.1:)" + std::to_string(proxy) + "\"";
    }
    if (setup.tuned) {
      args += R"(,"num.network.threads":"4","num.io.threads":"8",)"
              R"("socket.send.buffer.bytes":"1048576","socket.receive.buffer.bytes":"1048576")";
    }
    return args + "}}";
  }
};

DSMSG_TARGET(KafkaTarget);

}  // namespace
}  // namespace dsmsg::bench
