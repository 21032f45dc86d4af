// SPDX-License-Identifier: Apache-2.0
// Apache Kafka. Topics are made and read back with librdkafka directly.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>

#include "quirks.h"

namespace dsmsg::conformance {
namespace {

constexpr int kTimeoutMs = 20'000;
using Clock = std::chrono::steady_clock;

[[noreturn]] void Fail(const std::string& what, const std::string& why) {
  throw std::runtime_error("kafka: " + what + ": " + why);
}

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freer<T, Free>>;
using Client = Owned<rd_kafka_t, rd_kafka_destroy>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using Partitions = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;

Client NewClient(Server& server, rd_kafka_type_t type) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::string brokers = server.address();
  const std::pair<const char*, const char*> settings[] = {
      {"bootstrap.servers", brokers.c_str()}, {"group.id", "conformance-reader"},
      {"enable.auto.commit", "false"},        {"auto.offset.reset", "earliest"},
      {"enable.partition.eof", "true"},       {"fetch.wait.max.ms", "20"},
      {"fetch.message.max.bytes", "4000000"}, {"log_level", "2"},
      {"allow.auto.create.topics", "false"}};
  char reason[256] = "";
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
      Fail(name, reason);
    }
  }
  Client client(rd_kafka_new(type, conf, reason, sizeof reason));
  if (!client) Fail("rd_kafka_new", reason);
  return client;
}

/// Partitions of a topic as the broker knows it now; 0: none.
int CountPartitions(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const struct rd_kafka_metadata* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, kTimeoutMs);
  int count = 0;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      count = metadata->topics[0].partition_cnt;
      for (int i = 0; i < count; ++i) {
        if (metadata->topics[0].partitions[i].leader < 0) count = 0;
      }
    }
    rd_kafka_metadata_destroy(metadata);
  }
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Fail("metadata of " + topic, rd_kafka_err2str(error));
  return count;
}

using Settings = std::map<std::string, std::string>;

void MakeTopic(Server& server, const std::string& topic, int partitions, const Settings& settings) {
  const Client client = NewClient(server, RD_KAFKA_PRODUCER);
  char reason[256] = "";
  rd_kafka_NewTopic_t* wanted =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, reason, sizeof reason);
  if (wanted == nullptr) Fail("topic " + topic, reason);
  for (const auto& [name, value] : settings) {
    rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str());
  }
  const Queue queue(rd_kafka_queue_new(client.get()));
  rd_kafka_CreateTopics(client.get(), &wanted, 1, nullptr, queue.get());
  rd_kafka_NewTopic_destroy(wanted);
  const Event event(rd_kafka_queue_poll(queue.get(), kTimeoutMs));
  if (!event) Fail("creating the topic " + topic, "no answer");
  size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(event.get());
  const auto* topics = result ? rd_kafka_CreateTopics_result_topics(result, &count) : nullptr;
  if (count != 1) Fail("creating the topic " + topic, rd_kafka_event_error_string(event.get()));
  if (rd_kafka_topic_result_error(topics[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Fail("creating the topic " + topic, rd_kafka_topic_result_error_string(topics[0]));
  }
  const auto deadline = Clock::now() + std::chrono::milliseconds(kTimeoutMs);
  while (CountPartitions(client.get(), topic) != partitions) {  // the controller knows it first
    if (Clock::now() > deadline) Fail("topic " + topic, "was created but does not turn up");
  }
}

std::vector<Received> ReadTopic(Server& server, const std::string& topic) {
  const Client consumer = NewClient(server, RD_KAFKA_CONSUMER);
  rd_kafka_poll_set_consumer(consumer.get());
  int open = CountPartitions(consumer.get(), topic);
  const Partitions partitions(rd_kafka_topic_partition_list_new(open));
  for (int i = 0; i < open; ++i) {
    rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), i)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer.get(), partitions.get());
  std::vector<Received> found;
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  while (open > 0) {
    if (Clock::now() > deadline) Fail("reading " + topic, "not at the end after 60 s");
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer.get(), 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      --open;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      Received& received = found.emplace_back();
      received.payload.assign(static_cast<const char*>(message->payload), message->len);
      received.has_key = message->key != nullptr;
      if (received.has_key) {
        received.key.assign(static_cast<const char*>(message->key), message->key_len);
      }
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(consumer.get());
  return found;
}

class KafkaQuirks : public Quirks {
 public:
  std::string protocol() const override { return "KAFKA"; }
  std::string library() const override { return "libnvds_kafka_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {
        {"Section4_RefusedForATime",
         "a single node has none: min.insync.replicas is capped at its one replica"},
        {"Rule07_Credentials",
         "logins belong to listeners, fixed while a broker runs: tests/python/test_security.py"},
        {"Section5_PasswordFromEnvironment",
         "logins belong to listeners, fixed while a broker runs: tests/python/test_security.py"},
        {"Section5_SensorIdExtraction", "defined for Redis and MQTT only"}};
  }

  std::string server_kind() const override { return "kafka"; }
  // What is acknowledged survives SIGKILL: it stands in the kernel's page cache. Without automatic
  // creation a topic is unknown until a test makes it.
  std::string server_args() const override {
    return R"({"properties":{"auto.create.topics.enable":"false"}})";
  }
  void CreateTopic(Server& server, const std::string& topic, int partitions) override {
    MakeTopic(server, topic, partitions, {});
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    return ReadTopic(server, topic);
  }

  Lines LowLatencyConfig() const override { return {"linger=0"}; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"consumer-group-id=group-" + unique, "offset-reset=earliest"};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    const ClosedPort closed;
    const std::string dead = "127.0.0.1:" + std::to_string(closed.port());
    return {{"Url", "kafka://" + server.address(), {}},
            {"SeveralHosts", dead + "," + server.address(), {}},
            {"UrlSeveralHosts", "kafka://" + dead + "," + server.address(), {}}};
  }
  EqualSettings SignatureForms() const override {
    return {"kafka.example;9092", "kafka://kafka.example:9092", "kafka.example;9093"};
  }

  bool duplicates_possible() const override { return false; }  // the producer is idempotent
  bool has_keys() const override { return true; }
  bool has_unknown_topic() const override { return true; }
  size_t largest_payload() const override { return 1'000'000; }  // the broker's own limit is near

  std::vector<Refusal> RefusedForGood() const override {
    return {{"TooLargeForTheTopic",
             [](Server& server, const std::string& topic) {
               MakeTopic(server, topic, 1, {{"max.message.bytes", "10"}});
             },
             [](Server&, const std::string&) {}}};
  }

  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Config", plain, {"username=someone", "password=" + secret}, {}},
            {"Environment", plain, {}, {{"USER_KAFKA", "someone"}, {"PASSWORD_KAFKA", secret}}},
            {"ProtoCfg",
             plain,
             {"proto-cfg=\"sasl.username=someone;sasl.password=" + secret + "\""},
             {}},
            {"ProtoCfgRefused", plain, {"proto-cfg=\"ssl.key.pem=" + secret + "\""}, {}},
            {"Url", "kafka://someone:" + secret + "@" + server.address(), {}, {}},
            {"BadPort", "kafka://someone:" + secret + "@127.0.0.1:notaport", {}, {}}};
  }
};

DSMSG_QUIRKS(KafkaQuirks);

}  // namespace
}  // namespace dsmsg::conformance
