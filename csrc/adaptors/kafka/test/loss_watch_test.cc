// SPDX-License-Identifier: Apache-2.0
// A broker that answers a request by ending the connection.
#include "adaptors/kafka/loss_watch.h"

#include <gtest/gtest.h>

#include <vector>

#include "adaptors/kafka/test/test_host.h"

namespace dsmsg::kafka {
namespace {

/// The next `times` produce requests end the connection.
void EndConnections(MockCluster& cluster, size_t times) {
  constexpr int16_t kProduce = 0;
  const std::vector<rd_kafka_resp_err_t> errors(times, RD_KAFKA_RESP_ERR__TRANSPORT);
  rd_kafka_mock_push_request_errors_array(cluster.get(), kProduce, errors.size(), errors.data());
}

TEST(KafkaLoss, TheCoreLearnsThatConnectionsEndOverMessages) {
  MockCluster cluster;
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster.get(), "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  EndConnections(cluster, 100);
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("t", "x"), 1).ok());
  harness.Start();
  harness.Join();  // until Poll gives an error
  EXPECT_EQ(harness.host.blamed, 1);
  EXPECT_EQ(harness.poll_status.code(), Code::kUnavailable);
  const std::string& text = harness.poll_status.message();
  EXPECT_NE(text.find("topic 't'"), std::string::npos) << text;
  EXPECT_NE(text.find("socket.request.max.bytes"), std::string::npos) << text;
  EXPECT_TRUE(harness.host.completed.empty());
}

// A restart, or chance.
TEST(KafkaLoss, OneEndOfAConnectionBlamesNoMessage) {
  MockCluster cluster;
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster.get(), "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  for (Token token = 1; token <= 5; ++token) {
    EndConnections(cluster, 1);
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("t", "x"), token).ok());
    ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == token; }));
    EXPECT_TRUE(harness.host.completed[token].ok());
  }
  harness.Stop();
  EXPECT_EQ(harness.host.blamed, 0);
}

// Two of a partition's requests may be under way. Counted as two ends, a cut cable would make a new
// producer, which sends again what the broker has.
TEST(KafkaLoss, OneEndCountsOnceForAPartition) {
  const std::string lost =
      ": MessageSet with 1 message(s) (MsgId 1, BaseSeq 0) encountered error: Local: Broker "
      "transport failure (actions Retry,MsgPossiblyPersisted)";
  const auto request = [&lost](const char* partition) {
    return "[thrd:h:1/1]: h:1/1: " + std::string(partition) + lost;
  };
  using Partitions = std::vector<std::string>;
  const pthread_t broker = 1, another = 2;
  LossLines lines;
  EXPECT_FALSE(lines.Take().ended);
  lines.AddEnd();
  for (const char* partition : {"t [0]", "t [0]", "t [1]"}) {
    EXPECT_TRUE(lines.Add(request(partition), broker));
  }
  const LossLines::Losses first = lines.Take();
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.partitions, (Partitions{"t [0]", "t [1]"}));
  lines.AddConnect(another);
  EXPECT_TRUE(lines.Add(request("t [0]"), broker));
  EXPECT_EQ(lines.Take().partitions, Partitions());
  lines.AddConnect(broker);
  EXPECT_TRUE(lines.Add(request("t [0]"), broker));
  EXPECT_EQ(lines.Take().partitions, Partitions{"t [0]"});
}

TEST(KafkaLoss, ThePartitionIsReadFromTheLibrarysLines) {
  const std::string line =
      "[thrd:h:1/1]: h:1/1: t [3]: MessageSet with 2 message(s) (MsgId 1, BaseSeq 0) encountered "
      "error: Local: Broker transport failure (actions Retry,MsgPossiblyPersisted)";
  EXPECT_EQ(LossIn(line), "t [3]");
  EXPECT_EQ(LossIn("[thrd:h:1/1]: h:1/1: t [3]: MessageSet with 2 message(s) delivered"), "");
  EXPECT_EQ(LossIn("[thrd:h:1/1]: h:1/1: t [3]: MessageSet with 2 message(s) encountered error: "
                   "Broker: Not leader for partition"),
            "");
  EXPECT_EQ(LossIn(""), "");
}

}  // namespace
}  // namespace dsmsg::kafka
