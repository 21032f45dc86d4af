// SPDX-License-Identifier: Apache-2.0
// A Kafka client on librdkafka for tests: it makes topics and reads them, independently of the
// adaptor. It reads all or throws: partitions without a leader, an answer that does not come or
// offsets without messages are never taken for an empty topic.
//
// Threads: one at a time; only while the server is up. std::runtime_error: it could not be done.
#ifndef DSMSG_CONFORMANCE_KAFKA_CLIENT_H_
#define DSMSG_CONFORMANCE_KAFKA_CLIENT_H_

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ledger.h"

namespace dsmsg::conformance {

class KafkaClient {
 public:
  using Settings = std::map<std::string, std::string>;
  using Millis = std::chrono::milliseconds;

  /// `brokers`: host:port. `patience`: after which a request that always fails is given up, and for
  /// which the next message is waited.
  explicit KafkaClient(std::string brokers, Millis patience = std::chrono::seconds(60))
      : brokers_(std::move(brokers)), patience_(patience), client_(NewClient()) {
    rd_kafka_poll_set_consumer(client_.get());
  }
  ~KafkaClient() { rd_kafka_consumer_close(client_.get()); }
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  /// Returns when each partition has a leader that knows it is one: a leader that does not know
  /// refuses a first message and may take the next.
  void MakeTopic(const std::string& topic, int partitions, const Settings& settings = {}) const {
    // Asked for first: an answer to the first request may be lost when they come meanwhile.
    Persist("asking for the brokers", [&](bool) { return Brokers(); });
    Persist("creating the topic " + topic,
            [&](bool again) { return Create(topic, partitions, settings, again); });
    // The controller knows it first.
    Persist("finding the topic " + topic, [&](bool) { return Lead(topic, &partitions); });
    for (int32_t i = 0; i < partitions; ++i) (void)Offsets("asking the leaders", topic, i);
  }

  /// All that the topic holds now, partition by partition in the broker's order. It must not be
  /// compacted or written to in transactions: offsets count messages.
  std::vector<Received> ReadAll(const std::string& topic) const {
    int partitions = 0;
    const std::string what = "reading " + topic;
    Persist(what, [&](bool) { return Lead(topic, &partitions); });
    const Partitions places(rd_kafka_topic_partition_list_new(partitions));
    std::vector<int64_t> left;  // messages, by partition
    for (int32_t i = 0; i < partitions; ++i) {
      const auto [low, high] = Offsets(what, topic, i);
      rd_kafka_topic_partition_list_add(places.get(), topic.c_str(), i)->offset = low;
      left.push_back(high - low);
    }
    rd_kafka_assign(client_.get(), places.get());
    std::vector<Received> found = Consume(what, &left);
    rd_kafka_assign(client_.get(), nullptr);
    return found;
  }

 private:
  template <class T, void (*Free)(T*)>
  struct Freer {
    void operator()(T* object) const { Free(object); }
  };
  template <class T, void (*Free)(T*)>
  using Owned = std::unique_ptr<T, Freer<T, Free>>;
  using Client = Owned<rd_kafka_t, rd_kafka_destroy>;
  using Topic = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
  using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
  using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
  using Message = Owned<rd_kafka_message_t, rd_kafka_message_destroy>;
  using Partitions = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
  using Clock = std::chrono::steady_clock;

  static constexpr int kAnswerMs = 10'000;

  /// How an attempt ended: "": success.
  struct Outcome {
    std::string problem;
    bool for_good = false;
  };

  [[noreturn]] static void Fail(const std::string& what, const std::string& why) {
    throw std::runtime_error("kafka: " + what + ": " + why);
  }

  static Outcome Error(rd_kafka_resp_err_t error) {
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return {rd_kafka_err2str(error), false};
  }

  Client NewClient() const {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::pair<const char*, const char*> settings[] = {
        {"bootstrap.servers", brokers_.c_str()}, {"group.id", "conformance-reader"},
        {"enable.auto.commit", "false"},         {"fetch.wait.max.ms", "20"},
        {"fetch.message.max.bytes", "4000000"},  {"log_level", "2"},
        {"allow.auto.create.topics", "false"}};
    char reason[256] = "";
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        Fail(name, reason);
      }
    }
    Client client(rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason));
    if (!client) Fail("rd_kafka_new", reason);
    return client;
  }

  /// Attempts something until it succeeds; throws if it never will, or did not within the patience.
  /// `attempt` gets whether there was an earlier attempt, whose answer may be lost.
  void Persist(const std::string& what, const std::function<Outcome(bool)>& attempt) const {
    const auto deadline = Clock::now() + patience_;
    for (bool again = false;; again = true) {
      const Outcome outcome = attempt(again);
      if (outcome.problem.empty()) return;
      if (outcome.for_good || Clock::now() > deadline) Fail(what, outcome.problem);
      std::this_thread::sleep_for(Millis(20));  // between two attempts
    }
  }

  /// The first and the next offset of a partition.
  std::pair<int64_t, int64_t> Offsets(const std::string& what, const std::string& topic,
                                      int32_t partition) const {
    int64_t low = 0, high = 0;
    Persist(what + ": the offsets of " + topic, [&](bool) {
      return Error(rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &low,
                                                    &high, kAnswerMs));
    });
    return {low, high};
  }

  Outcome Brokers() const {
    const struct rd_kafka_metadata* metadata = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 0, nullptr, &metadata, kAnswerMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Error(error);
    const int count = metadata->broker_cnt;
    rd_kafka_metadata_destroy(metadata);
    return {count > 0 ? "" : "no broker is known"};
  }

  Outcome Create(const std::string& topic, int partitions, const Settings& settings,
                 bool again) const {
    char reason[256] = "";
    rd_kafka_NewTopic_t* wanted =
        rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, reason, sizeof reason);
    if (wanted == nullptr) return {reason, true};
    for (const auto& [name, value] : settings) {
      rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str());
    }
    const Queue queue(rd_kafka_queue_new(client_.get()));
    rd_kafka_CreateTopics(client_.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_NewTopic_destroy(wanted);
    const Event event(rd_kafka_queue_poll(queue.get(), kAnswerMs));
    if (!event) return {"no answer"};
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return {rd_kafka_event_error_string(event.get())};
    }
    size_t count = 0;
    const auto* result = rd_kafka_event_CreateTopics_result(event.get());
    const auto* topics = result ? rd_kafka_CreateTopics_result_topics(result, &count) : nullptr;
    if (count != 1) return {"an answer of another kind"};
    const auto error = rd_kafka_topic_result_error(topics[0]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS && again) return {};
    const char* text = rd_kafka_topic_result_error_string(topics[0]);
    return {text != nullptr ? text : rd_kafka_err2str(error), RefusedForGood(error)};
  }

  static bool RefusedForGood(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ||
           error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION ||
           error == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS ||
           error == RD_KAFKA_RESP_ERR_INVALID_CONFIG ||
           error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
  }

  /// Does each partition have a leader? `*partitions`: how many there must be; 0: any, and gets
  /// their number.
  Outcome Lead(const std::string& topic, int* partitions) const {
    const Topic handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
    const struct rd_kafka_metadata* metadata = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 0, handle.get(), &metadata, kAnswerMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Error(error);
    Outcome outcome = metadata->topic_cnt == 1 ? Lead(metadata->topics[0], partitions)
                                               : Outcome{"the metadata do not name it"};
    rd_kafka_metadata_destroy(metadata);
    return outcome;
  }

  static Outcome Lead(const rd_kafka_metadata_topic& topic, int* partitions) {
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) return Error(topic.err);
    const int count = topic.partition_cnt;
    if (count < 1 || (*partitions != 0 && *partitions != count)) {
      return {std::to_string(count) + " partitions are known"};
    }
    for (int i = 0; i < count; ++i) {
      if (topic.partitions[i].leader < 0) {
        return {"partition " + std::to_string(topic.partitions[i].id) + " has no leader"};
      }
    }
    *partitions = count;
    return {};
  }

  std::vector<Received> Consume(const std::string& what, std::vector<int64_t>* left) const {
    int64_t missing = 0;
    for (const int64_t count : *left) missing += count;
    std::vector<Received> found;
    std::string last_error = "nothing came";
    auto deadline = Clock::now() + patience_;
    while (missing > 0) {
      if (Clock::now() > deadline) {
        Fail(what, std::to_string(missing) + " messages are missing by the offsets, " +
                       std::to_string(found.size()) + " were read: " + last_error);
      }
      const Message message(rd_kafka_consumer_poll(client_.get(), 100));
      if (!message) continue;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        last_error = rd_kafka_message_errstr(message.get());
        continue;
      }
      --missing;
      --left->at(static_cast<size_t>(message->partition));
      Received& received = found.emplace_back();
      received.payload.assign(static_cast<const char*>(message->payload), message->len);
      received.has_key = message->key != nullptr;
      if (received.has_key) {
        received.key.assign(static_cast<const char*>(message->key), message->key_len);
      }
      deadline = Clock::now() + patience_;
    }
    for (const int64_t count : *left) {
      if (count != 0) Fail(what, "the offsets do not count messages");
    }
    return found;
  }

  const std::string brokers_;
  const Millis patience_;
  const Client client_;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_KAFKA_CLIENT_H_
