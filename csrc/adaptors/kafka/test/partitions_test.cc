// SPDX-License-Identifier: Apache-2.0
// Which partition a message goes to, and that partitions do not wait for one another.
#include <gtest/gtest.h>
#include <pthread.h>

#include <ctime>
#include <map>
#include <string>
#include <thread>

#include "adaptors/kafka/partition_watch.h"
#include "adaptors/kafka/partitioner.h"
#include "adaptors/kafka/test/test_host.h"

namespace dsmsg::kafka {
namespace {

constexpr int kSlow = 1, kOther = 2;  // brokers; each leads the partition with the number before

std::string KeyFor(int32_t partition, int32_t partitions) {
  for (int i = 0;; ++i) {
    std::string key = "key" + std::to_string(i);
    if (rd_kafka_msg_partitioner_consistent(nullptr, key.data(), key.size(), partitions, nullptr,
                                            nullptr) == partition) {
      return key;
    }
  }
}

/// A topic with a partition at each of two brokers, and a producer that has sent to both.
class KafkaPartitions : public testing::Test {
 protected:
  void SetUp() override {
    rd_kafka_mock_topic_create(cluster_.get(), "t", 2, 1);
    rd_kafka_mock_partition_set_leader(cluster_.get(), "t", 0, kSlow);
    rd_kafka_mock_partition_set_leader(cluster_.get(), "t", 1, kOther);
    ASSERT_TRUE(harness_.Open(Role::kProducer).ok());
    harness_.Start();
    Send(slow_key_, 1);
    ASSERT_TRUE(WaitFor(last_));
    Send(other_key_, 1);
    ASSERT_TRUE(WaitFor(last_));
  }
  void Send(const std::string& key, int messages) {
    Message message = MakeMessage("t", "x");
    message.key = key;
    message.has_key = true;
    for (int i = 0; i < messages; ++i) {
      ASSERT_TRUE(harness_.SubmitWhenRoom(message, ++last_).ok());
    }
  }
  bool WaitFor(Token token) {
    return harness_.host.Wait([&] { return harness_.host.completed.contains(token); });
  }
  bool Ended(Token token) {
    const std::lock_guard lock(harness_.host.mutex);
    return harness_.host.completed.contains(token);
  }
  void Answer(int broker, int after_ms) {
    rd_kafka_mock_broker_set_rtt(cluster_.get(), broker, after_ms);
  }

  MockCluster cluster_{2};
  Harness harness_{cluster_.address(), "linger=0\n"};
  const std::string slow_key_ = KeyFor(0, 2), other_key_ = KeyFor(1, 2);
  Token last_ = 0;
};

TEST_F(KafkaPartitions, TheOthersDoNotWaitForASlowBroker) {
  constexpr int kRounds = 100, kAnswerAfterMs = 12'000;
  Answer(kSlow, kAnswerAfterMs);
  Send(slow_key_, 20);
  const Token slow = last_;
  int rounds = 0;
  while (rounds < kRounds && !Ended(slow)) {
    Send(other_key_, 20);
    ASSERT_TRUE(WaitFor(last_));
    ++rounds;
  }
  EXPECT_EQ(rounds, kRounds) << "round trips to one broker during one to the other";
}

TEST_F(KafkaPartitions, APausedPartitionGoesOnWithTheAnswer) {
  constexpr int kRounds = 5, kAnswerAfterMs = 2 * PartitionWatch::kPatience.count();
  Answer(kSlow, kAnswerAfterMs);
  for (int round = 0; round < kRounds; ++round) {
    Send(slow_key_, 20);  // some behind those that are under way
    std::this_thread::sleep_for(Millis(kAnswerAfterMs / 4));
  }
  ASSERT_TRUE(harness_.host.Wait([&] { return harness_.host.completed.size() == last_; }));
  for (const auto& [token, status] : harness_.host.completed) EXPECT_TRUE(status.ok()) << token;
}

// Nothing but librdkafka knows that it has to send again.
TEST_F(KafkaPartitions, APausedPartitionIsTriedAgain) {
  constexpr int kLong = 60'000;
  Answer(kSlow, kLong);
  Send(slow_key_, 20);
  const Token before = last_;
  Send(slow_key_, 20);
  Send(other_key_, 1);
  ASSERT_TRUE(WaitFor(last_));
  rd_kafka_mock_broker_set_down(cluster_.get(), kSlow);
  Answer(kSlow, 0);
  rd_kafka_mock_broker_set_up(cluster_.get(), kSlow);
  ASSERT_TRUE(WaitFor(before));
  ASSERT_TRUE(harness_.host.Wait([&] { return harness_.host.completed.size() == last_; }));
}

TEST(KafkaPartitionWatch, ManyPartitionsTakeTurns) {
  constexpr Millis kLong{60'000}, kAfter = 2 * PartitionWatch::kPatience;
  const auto next_look = [&](int partitions) {
    rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_PRODUCER, nullptr, nullptr, 0);
    PartitionWatch watch(rk);
    PartitionWatch::Topic topic("t");
    const Deadline begin = Clock::now();
    for (int i = 0; i < partitions; ++i) watch.Took(topic, i, 10, begin);
    const Millis next = watch.Tick(begin + kAfter, kLong);
    watch.Forget(topic);
    rd_kafka_destroy(rk);
    return next;
  };
  EXPECT_EQ(next_look(1), PartitionWatch::kFirstPause) << "it is not paused";
  constexpr int kMany = 500;
  EXPECT_EQ(next_look(kMany), PartitionWatch::kPatience + kMany * PartitionWatch::kTurn - kAfter)
      << "they are paused";
}

Millis ProcessCpu() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return Millis(used.tv_sec * 1000 + used.tv_nsec / 1'000'000);
}

TEST_F(KafkaPartitions, WaitingForAnAnswerUsesNoCpu) {
  constexpr int kLong = 60'000;
  Answer(kSlow, kLong);
  for (int i = 0; i < 3; ++i) {
    Send(slow_key_, 20);
    Send(other_key_, 1);
    ASSERT_TRUE(WaitFor(last_));
  }
  constexpr Millis kLook{500}, kLittle{50};
  const Deadline deadline = Clock::now() + Millis(30'000);
  Millis used = kLook;
  while (used >= kLittle && Clock::now() < deadline) {
    const Millis before = ProcessCpu();
    std::this_thread::sleep_for(kLook);
    used = ProcessCpu() - before;
  }
  EXPECT_LT(used, kLittle);
}

/// The partitions that a producer of its own chooses, by key.
std::map<std::string, int32_t> Chosen(MockCluster& cluster, const std::string& partitioner,
                                      bool ours) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster.get()),
                    nullptr, 0);
  rd_kafka_conf_set(conf, "partitioner", partitioner.c_str(), nullptr, 0);
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
  Partitioner own;
  if (ours) own.Configure(conf);
  EXPECT_EQ(own.configured(), ours);
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(rk, "many", own.NewTopicConf(rk));
  constexpr size_t kKeys = 50;
  for (size_t i = 0; i < kKeys; ++i) {
    const std::string key = "camera-" + std::to_string(i);
    rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>("x"), 1,
                     key.data(), key.size(), nullptr);
  }
  std::map<std::string, int32_t> chosen;
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(rk);
  while (chosen.size() < kKeys) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 1000);
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
      chosen[std::string(static_cast<const char*>(message->key), message->key_len)] =
          message->partition;
    }
    rd_kafka_event_destroy(event);
  }
  if (ours) {  // none was known when it was produced
    size_t late = 0;
    for (const auto& [where, messages] : own.TakeLate()) late += messages;
    EXPECT_EQ(late, kKeys);
    EXPECT_TRUE(own.TakeLate().empty());
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(rk);
  return chosen;
}

class KafkaPartitioner : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(, KafkaPartitioner,
                         testing::Values("consistent", "consistent_random", "murmur2",
                                         "murmur2_random", "fnv1a", "fnv1a_random"));

TEST_P(KafkaPartitioner, ChoosesAsTheLibraryDoes) {
  MockCluster cluster;
  rd_kafka_mock_topic_create(cluster.get(), "many", 7, 1);
  EXPECT_EQ(Chosen(cluster, GetParam(), true), Chosen(cluster, GetParam(), false));
}

}  // namespace
}  // namespace dsmsg::kafka
