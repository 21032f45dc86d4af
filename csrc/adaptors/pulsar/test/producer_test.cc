// SPDX-License-Identifier: Apache-2.0
// Sending, against a real server.
#include <algorithm>
#include <set>

#include "adaptors/pulsar/test/fixture.h"

namespace dsmsg::pulsar {
namespace {

using Read = std::vector<PulsarClient::Message>;

Message Text(std::string_view topic, std::string_view payload) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  return message;
}

Read ReadAll(const std::string& topic) { return PulsarClient(Shared()).ReadAll(topic); }

/// A namespace whose topics recognise repeated messages; returns a topic in it.
std::string DeduplicatedNamespace() {
  Admin(Shared(), {"POST", "namespaces/public/default/deduplication", "true"});
  return NewName();
}

/// Turns it off again.
struct NoDeduplication {
  NoDeduplication() = default;
  ~NoDeduplication() {
    Admin(Shared(), {"POST", "namespaces/public/default/deduplication", "false"});
  }
  NoDeduplication(const NoDeduplication&) = delete;
  NoDeduplication& operator=(const NoDeduplication&) = delete;
};

TEST(PulsarProducer, EveryByteKeyHeadersAndTimeArrive) {
  const std::string topic = NewName();
  Connection connection;
  ASSERT_OK(connection.Open());
  const std::string payload("\0\xff\r\n", 4);
  const Header headers[] = {{"source", "camera 1"}, {"empty", ""}};
  Message message = Text(topic, payload);
  message.headers = headers;
  message.key = "a key";
  message.has_key = true;
  message.timestamp_ms = 1'700'000'000'000;
  ASSERT_OK(connection.Send(message));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kOk) << connection.Text(1);
  const Read found = ReadAll(topic);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].payload, payload);
  EXPECT_EQ(found[0].key, "a key");
  EXPECT_EQ(found[0].event_time, 1'700'000'000'000U);
  EXPECT_EQ(found[0].properties,
            (std::map<std::string, std::string>{{"source", "camera 1"}, {"empty", ""}}));
}

TEST(PulsarProducer, MessagesSubmittedTogetherShareABatchInOrder) {
  const std::string topic = NewName();
  Connection connection("batch-messages=10");
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "first"));  // the producer is made with it
  ASSERT_OK(connection.WaitCompleted(1));
  for (int i = 0; i < 25; ++i) ASSERT_OK(connection.Submit(topic, std::to_string(i)));
  ASSERT_OK(connection.WaitCompleted(26));
  EXPECT_EQ(connection.host.ok, 26U);
  EXPECT_TRUE(std::is_sorted(connection.host.order.begin(), connection.host.order.end()));
  const Read found = ReadAll(topic);
  ASSERT_EQ(found.size(), 26U);
  EXPECT_EQ(found[0].batch, 1U);
  for (size_t i = 0; i < 25; ++i) {
    EXPECT_EQ(found[i + 1].payload, std::to_string(i));
    EXPECT_EQ(found[i + 1].batch, i < 20 ? 10U : 5U);
  }
}

TEST(PulsarProducer, BatchesHaveALimitOfBytesAndMayBeOff) {
  const std::string topic = NewName();
  for (const char* config : {"batch-bytes=2000", "batch-messages=1"}) {
    Connection connection(config);
    ASSERT_OK(connection.Open());
    ASSERT_OK(connection.Send(topic, "first"));
    ASSERT_OK(connection.WaitCompleted(1));
    for (int i = 0; i < 6; ++i) ASSERT_OK(connection.Submit(topic, std::string(400, 'x')));
    ASSERT_OK(connection.WaitCompleted(7));
    EXPECT_EQ(connection.host.ok, 7U);
  }
  const Read found = ReadAll(topic);
  ASSERT_EQ(found.size(), 14U);
  EXPECT_EQ(found[1].batch, 2U);
  EXPECT_EQ(found[9].batch, 1U);
}

// The largest message and one that is too large: only that one is refused.
TEST(PulsarProducer, MaxMessageSizeIsCheckedBeforeSending) {
  const std::string topic = NewName();
  Connection connection;
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "small"));
  ASSERT_OK(connection.WaitCompleted(1));
  const Status status = connection.Submit(topic, std::string(5 << 20, 'x'));
  EXPECT_EQ(status.code(), Code::kTooLarge);
  EXPECT_TRUE(Has(status.message(), "(5242880)")) << status.message();
  ASSERT_OK(connection.Send(topic, std::string(5'242'800, 'x')));
  ASSERT_OK(connection.Send(topic, "small again"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 3; }));
  const Read found = ReadAll(topic);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[1].payload.size(), 5'242'800U);
}

TEST(PulsarProducer, WhatIsNoTextIsRefusedAndTheConnectionGoesOn) {
  const std::string topic = NewName();
  Connection connection;
  ASSERT_OK(connection.Open());
  for (const char* wrong : {"a/b", "non-persistent://a/b/c", "a\nb"}) {
    EXPECT_EQ(connection.Send(wrong, "x").code(), Code::kInvalidArgument) << wrong;
  }
  Message message = Text(topic, "x");
  message.key = "\xff";
  message.has_key = true;
  EXPECT_EQ(connection.Send(message).code(), Code::kInvalidArgument);
  const Header headers[] = {{"a", "\xff"}};
  message = Text(topic, "x");
  message.headers = headers;
  EXPECT_EQ(connection.Send(message).code(), Code::kInvalidArgument);
  ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
}

TEST(PulsarProducer, AnUnknownNamespaceIsAnUnknownTopicAtOnceAndIsFoundOnceItIsThere) {
  const std::string name = NewName(), topic = "public/" + name + "/t";
  Connection connection;
  ASSERT_OK(connection.Open());
  const Status status = connection.Send(topic, "x");
  EXPECT_EQ(status.code(), Code::kUnknownTopic) << status.message();
  EXPECT_TRUE(Has(status.message(), "is the namespace there?")) << status.message();
  Admin(Shared(), {"PUT", "namespaces/public/" + name});
  ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
}

TEST(PulsarProducer, ATerminatedTopicRefusesOnlyItsMessages) {
  const std::string ended = NewName(), other = NewName();
  Connection connection;
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(ended, "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  Admin(Shared(), {"POST", "persistent/public/default/" + ended + "/terminate"});
  // The broker closes the producer; another one is refused.
  Status status = connection.Send(ended, "y");
  if (status.ok()) status = connection.WaitCompleted(2);
  if (status.retryable()) {
    connection.driver.Close(Millis(0), -1);
    ASSERT_OK(connection.Open());
    status = connection.Send(ended, "y");
  }
  EXPECT_EQ(status.ok() ? connection.Outcome(2) : status.code(), Code::kRejected)
      << status.message();
  ASSERT_OK(connection.Send(other, "z"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 2; }));
}

// Java's String.hashCode() of the key; without one, in turn.
TEST(PulsarProducer, PartitionsByKeyOrInTurn) {
  const std::string topic = NewName();
  Admin(Shared(), {"PUT", "persistent/public/default/" + topic + "/partitions", "3"});
  Connection connection;
  ASSERT_OK(connection.Open());
  const auto send = [&](const std::string& key, std::string_view payload) {
    Message message = Text(topic, payload);
    message.key = key;
    message.has_key = !key.empty();
    ASSERT_OK(connection.Send(message));
    ASSERT_OK(connection.WaitCompleted(connection.last_token));
  };
  const std::vector<std::string> keys = {"a", "b", "c", "d"};  // 97, 98, ...
  for (const std::string& key : keys) send(key, "keyed");
  for (int i = 0; i < 6; ++i) send("", "free");
  EXPECT_EQ(connection.host.ok, 10U);
  for (uint32_t index = 0; index < 3; ++index) {
    size_t turns = 0;
    std::multiset<std::string> found, expected;
    for (const auto& message : ReadAll(topic + "-partition-" + std::to_string(index))) {
      if (message.payload == "free") ++turns;
      if (message.has_key) found.insert(message.key);
    }
    for (const std::string& key : keys) {
      if (static_cast<uint32_t>(key[0]) % 3 == index) expected.insert(key);
    }
    EXPECT_EQ(turns, 2U);
    EXPECT_EQ(found, expected);
  }
}

TEST(PulsarProducer, AFullWindowReopens) {
  const std::string topic = NewName();
  Connection connection("pipeline=3");
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 200; ++i) ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.WaitCompleted(200));
  EXPECT_EQ(connection.host.ok, 200U);
  EXPECT_EQ(ReadAll(topic).size(), 200U);
}

// As after a lost link whose acknowledgements did not arrive: the batch was stored, and is sent
// again in single messages, together with new ones. The broker takes none twice and loses none.
TEST(PulsarProducer, WithDeduplicationNothingIsStoredTwice) {
  const NoDeduplication off;
  const std::string topic = DeduplicatedNamespace();
  Connection connection;
  ASSERT_OK(connection.Open());
  const std::string payload = "x";
  ASSERT_OK(connection.SubmitAs(Text(topic, payload), 1));
  ASSERT_OK(connection.WaitCompleted(1));
  for (Token token = 2; token <= 21; ++token) {
    ASSERT_OK(connection.SubmitAs(Text(topic, payload), token));
  }
  // Written, and stored some time later; the receipts are not read.
  ASSERT_OK(connection.driver.Poll(Millis(0), connection.wake.fd()));
  PulsarClient reader(Shared());
  while (reader.ReadAll(topic).size() < 21) {
  }
  connection.driver.Close(Millis(0), -1);
  connection.host.completed.clear();
  ASSERT_OK(connection.Open());
  for (Token token = 2; token <= 30; ++token) {
    Message again = Text(topic, payload);
    again.attempt = token <= 21 ? 1 : 0;
    ASSERT_OK(connection.SubmitAs(again, token));
  }
  ASSERT_OK(connection.WaitCompleted(29));
  EXPECT_EQ(connection.host.ok, 1U + 29U);
  EXPECT_EQ(ReadAll(topic).size(), 30U);
}

// The second process goes on behind the numbers of the first one.
TEST(PulsarProducer, AFixedNameGoesOnAfterARestart) {
  const NoDeduplication off;
  const std::string topic = DeduplicatedNamespace(), config = "producer-name=" + NewName();
  for (int process = 0; process < 2; ++process) SendNumbers(topic, 50, config);
  const Read found = ReadAll(topic);
  EXPECT_EQ(found.size(), 100U);
  EXPECT_EQ("producer-name=" + found.back().producer, config);
}

TEST(PulsarProducer, ANameThatIsTakenIsToldAndTheMessageWaits) {
  const std::string topic = NewName(), config = "producer-name=" + NewName();
  Connection one(config), two(config);
  ASSERT_OK(one.Open());
  ASSERT_OK(two.Open());
  ASSERT_OK(one.Send(topic, "x"));
  ASSERT_OK(one.WaitCompleted(1));
  const KeptAlive alive(one);
  const Status status = two.Send(topic, "x");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "another producer-name")) << status.message();
}

// The running producer hears nothing of it but that it is closed; a new one is told.
TEST(PulsarProducer, ABacklogQuotaIsToldAndTheMessageWaits) {
  const std::string name = NewName(), space = "public/" + name, topic = space + "/t";
  Admin(Shared(), {"PUT", "namespaces/" + space});
  Connection connection;
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, std::string(1000, 'x')));
  ASSERT_OK(connection.WaitCompleted(1));
  Admin(Shared(),
        {"PUT", "persistent/" + topic + "/subscription/slow", R"({"ledgerId":-1,"entryId":-1})"});
  Admin(Shared(), {"POST", "namespaces/" + space + "/backlogQuota",
                   R"({"limitSize":10,"limitTime":-1,"policy":"producer_exception"})"});
  Connection second;
  ASSERT_OK(second.Open());
  const Status status = second.Send(topic, "x");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "the backlog quota")) << status.message();
  Admin(Shared(), {"DELETE", "namespaces/" + space + "/backlogQuota"});
  Status again = status;
  ASSERT_OK(second.PumpUntil([&] {
    again = second.Submit(topic, "y");
    return !again.retryable();
  }));
  ASSERT_OK(again);
  ASSERT_OK(second.PumpUntil([&] { return second.host.ok == 1; }));
}

}  // namespace
}  // namespace dsmsg::pulsar
