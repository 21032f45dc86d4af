// SPDX-License-Identifier: Apache-2.0
// A batch that is refused as a whole: the arithmetic, and the driver against a mock cluster.
#include "adaptors/kafka/batch_bound.h"

#include <gtest/gtest.h>

#include "adaptors/kafka/errors.h"
#include "adaptors/kafka/test/test_host.h"

namespace dsmsg::kafka {
namespace {

constexpr int16_t kProduce = 0;  // API key

/// Hands over messages of `bytes` until one has to wait or `wanted` are on their way.
size_t Fill(BatchBound& bound, Clock::time_point now, size_t wanted, size_t bytes = 1) {
  size_t taken = 0;
  for (; taken < wanted && bound.Admits(bytes, now); ++taken) bound.Took(bytes);
  return taken;
}

TEST(BatchBound, ASizeThatWasRefusedIsNotTriedAgainForAMinute) {
  BatchBound bound;
  const Clock::time_point now{};
  ASSERT_EQ(Fill(bound, now, 1000, 100), 1000u);
  bound.Ended({1000, 100'000});
  bound.Refused({1000, 100'000}, true, now);
  EXPECT_EQ(Fill(bound, now, 1000, 100), 500u);
  bound.Ended({500, 50'000});
  bound.Decided();
  EXPECT_EQ(Fill(bound, now, 1000, 100), 500u);
  bound.Ended({500, 50'000});
  EXPECT_EQ(Fill(bound, now + BatchBound::kKeepSize, 2000, 100), 1000u);
}

TEST(BatchBound, AMessageOverTheBoundGoesAlone) {
  BatchBound bound;
  const Clock::time_point now{};
  bound.Refused({10, 1000}, true, now);
  EXPECT_EQ(Fill(bound, now, 10, 600), 1u);
}

// Any message of a hundred may be the one: it ends alone, in few steps, and then there is no bound.
TEST(BatchBound, OneBadRecordIsFoundAlone) {
  const Clock::time_point now{};
  for (size_t bad = 0; bad < 100; ++bad) {
    BatchBound bound;
    size_t first = 0, batches = 0, alone = 0;
    while (first < 100) {
      const size_t count = Fill(bound, now, 100 - first);
      bound.Ended({count, count});
      ++batches;
      const bool holds = first <= bad && bad < first + count;
      if (holds && count > 1) {
        bound.Refused({count, count}, false, now);
        continue;
      }
      if (holds) ++alone;
      bound.Decided();
      first += count;
    }
    EXPECT_EQ(alone, 1u) << bad;
    EXPECT_LT(batches, 25u) << bad;
  }
}

class KafkaBatch : public testing::TestWithParam<std::pair<rd_kafka_resp_err_t, Code>> {};
INSTANTIATE_TEST_SUITE_P(
    , KafkaBatch,
    testing::Values(std::pair(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Code::kTooLarge),
                    std::pair(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Code::kRejected),
                    std::pair(RD_KAFKA_RESP_ERR_INVALID_RECORD, Code::kRejected)));

TEST_P(KafkaBatch, IsRefusedAndOnlyTheMessageThatIsAloneEnds) {
  const auto [err, code] = GetParam();
  MockCluster cluster;
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster.get(), "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  Harness harness(cluster.address(), "producer-proto-cfg=\"linger.ms=200\"\n");  // one batch
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  rd_kafka_mock_push_request_errors(cluster.get(), kProduce, 1, err);
  const std::string payload(100, 'x');
  constexpr Token kCount = 10;
  for (Token token = 1; token <= kCount; ++token) {
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("t", payload), token).ok());
  }
  harness.Start();
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == kCount; }));
  size_t again = 0;
  for (const auto& [token, status] : harness.host.completed) {
    EXPECT_TRUE(status.ok() || status.retryable()) << status.message();
    if (!status.ok()) ++again;
  }
  EXPECT_GT(again, 1u);

  rd_kafka_mock_push_request_errors(cluster.get(), kProduce, 1, err);
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("t", payload), kCount + 1).ok());
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == kCount + 1; }));
  EXPECT_EQ(harness.host.completed[kCount + 1].code(), code);
}

TEST(KafkaBatchTexts, NameTheSettings) {
  const auto has = [](const Status& status, std::string_view part) {
    return status.message().find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(BatchStatus(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "t"), "batch-bytes"));
  EXPECT_TRUE(BatchStatus(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "t").retryable());
  const Status late = MessageStatus(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "t");
  EXPECT_TRUE(has(late, "message.timestamp.after.max.ms")) << late.message();
  EXPECT_TRUE(has(late, "clock")) << late.message();
  EXPECT_FALSE(late.retryable());
}

// What is wrong with the whole topic is wrong with each of its messages.
TEST(KafkaBatchTexts, ATopicsRefusalIsEachMessages) {
  EXPECT_FALSE(MayBeAnothers(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED));
  EXPECT_FALSE(MayBeAnothers(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
  EXPECT_FALSE(MayBeAnothers(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT));
  EXPECT_FALSE(MayBeAnothers(RD_KAFKA_RESP_ERR_NO_ERROR));
  EXPECT_TRUE(MayBeAnothers(static_cast<rd_kafka_resp_err_t>(-138)));  // of librdkafka 2.5
}

}  // namespace
}  // namespace dsmsg::kafka
