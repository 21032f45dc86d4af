// SPDX-License-Identifier: Apache-2.0
// The conformance suite's own reader: it must not take what it cannot read for an empty topic.
#include "conformance/kafka_client.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka_mock.h>

#include "adaptors/kafka/test/test_host.h"

namespace dsmsg::kafka {
namespace {

using conformance::KafkaClient;
using std::chrono::milliseconds;

constexpr char kTopic[] = "books";
constexpr int kMessages = 10;

class KafkaClientTest : public ::testing::Test {
 protected:
  KafkaClientTest() { rd_kafka_mock_topic_create(cluster_.get(), kTopic, 2, 1); }

  std::string Address() const {
    return cluster_.address().host + ":" + std::to_string(cluster_.address().port);
  }

  void Fill() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char reason[256] = "";
    rd_kafka_conf_set(conf, "bootstrap.servers", Address().c_str(), reason, sizeof reason);
    rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    ASSERT_NE(producer, nullptr) << reason;
    for (int i = 0; i < kMessages; ++i) {
      const std::string payload = std::to_string(i);
      rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(kTopic), RD_KAFKA_V_PARTITION(i % 2),
                        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                        RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                        RD_KAFKA_V_END);
    }
    EXPECT_EQ(rd_kafka_flush(producer, 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(producer);
  }

  /// What reading says when it must not succeed.
  std::string Refusal(const std::string& topic = kTopic) {
    try {
      const size_t found = KafkaClient(Address(), milliseconds(300)).ReadAll(topic).size();
      return "it read " + std::to_string(found) + " messages";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  MockCluster cluster_;
};

TEST_F(KafkaClientTest, ReadsEverything) {
  EXPECT_TRUE(KafkaClient(Address()).ReadAll(kTopic).empty());
  Fill();
  const KafkaClient client(Address());
  EXPECT_EQ(client.ReadAll(kTopic).size(), size_t{kMessages});
  EXPECT_EQ(client.ReadAll(kTopic).size(), size_t{kMessages}) << "again";
}

TEST_F(KafkaClientTest, APartitionWithoutALeaderIsNotAnEmptyOne) {
  Fill();
  rd_kafka_mock_partition_set_leader(cluster_.get(), kTopic, 1, -1);
  EXPECT_EQ(Refusal(), "kafka: reading books: partition 1 has no leader");
  rd_kafka_mock_partition_set_leader(cluster_.get(), kTopic, 1, 1);
  EXPECT_EQ(KafkaClient(Address()).ReadAll(kTopic).size(), size_t{kMessages});
}

TEST_F(KafkaClientTest, ATopicThatIsNotKnownIsNotAnEmptyOne) {
  rd_kafka_mock_topic_set_error(cluster_.get(), kTopic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  EXPECT_NE(Refusal().find("Unknown topic or partition"), std::string::npos) << Refusal();
}

TEST_F(KafkaClientTest, MessagesThatDoNotComeAreMissed) {
  Fill();
  constexpr int16_t kFetch = 1;
  constexpr size_t kMany = 1000;
  const std::vector<rd_kafka_resp_err_t> errors(kMany, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  rd_kafka_mock_push_request_errors_array(cluster_.get(), kFetch, errors.size(), errors.data());
  EXPECT_NE(Refusal().find("10 messages are missing by the offsets, 0 were read"),
            std::string::npos)
      << Refusal();
}

TEST_F(KafkaClientTest, AnAnswerThatSaysNothingOfTheTopicIsAskedForAgain) {
  constexpr int16_t kListOffsets = 2;
  Fill();
  rd_kafka_mock_push_request_errors(cluster_.get(), kListOffsets, 2,
                                    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                                    RD_KAFKA_RESP_ERR__TRANSPORT);
  EXPECT_EQ(KafkaClient(Address()).ReadAll(kTopic).size(), size_t{kMessages});
}

}  // namespace
}  // namespace dsmsg::kafka
