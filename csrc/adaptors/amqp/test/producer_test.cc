// SPDX-License-Identifier: Apache-2.0
// Sending, against a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "adaptors/amqp/test/fixture.h"
#include "core/base/time.h"

namespace dsmsg::amqp {
namespace {

using ::testing::HasSubstr;

TEST(AmqpProducer, EveryByteArrivesWithItsProperties) {
  const std::string topic = NewTopic();
  Connection connection;
  ASSERT_OK(connection.Open());
  const std::string binary("\0\xff\r\n%s\xce\0", 8), json = "{\"a\":1}";
  const Header headers[] = {{"camera", "7"}, {"empty", ""}};
  Message message;
  message.topic = topic;
  message.payload = binary;
  message.key = "the key";
  message.has_key = true;
  message.headers = headers;
  message.timestamp_ms = 1'700'000'000'999;
  ASSERT_OK(connection.Send(message));
  ASSERT_OK(connection.Send(topic, json));
  ASSERT_OK(connection.Send(topic, ""));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.host.ok, 3u);
  const std::vector<AmqpMessage> found = AmqpClient(Rabbit()).ReadAll(topic);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].payload, binary);
  EXPECT_EQ(found[0].routing_key, topic);
  EXPECT_EQ(found[0].content_type, "application/octet-stream");
  EXPECT_EQ(found[0].delivery_mode, 2);
  EXPECT_EQ(found[0].timestamp, 1'700'000'000u);
  EXPECT_EQ(found[0].headers, (std::map<std::string, std::string>{
                                  {"camera", "7"}, {"empty", ""}, {"key", "the key"}}));
  EXPECT_EQ(found[1].payload, json);
  EXPECT_EQ(found[1].content_type, "application/json");
  EXPECT_TRUE(found[1].headers.empty());
  EXPECT_EQ(found[2].payload, "");
  EXPECT_NE(found[0].message_id, found[1].message_id);
  EXPECT_FALSE(found[0].message_id.empty());
}

TEST(AmqpProducer, ContentTypeAndPersistenceAreOptions) {
  const std::string topic = NewTopic();
  Connection connection("content-type=text/x-test\npersistent=0");
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "[1]"));
  ASSERT_OK(connection.WaitCompleted(1));
  const std::vector<AmqpMessage> found = AmqpClient(Rabbit()).ReadAll(topic);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].content_type, "text/x-test");
  EXPECT_EQ(found[0].delivery_mode, 1);
}

TEST(AmqpProducer, LargerThanAFrame) {
  const std::string topic = NewTopic();
  for (const std::string frame : {"4096", "131072"}) {
    Connection connection("amqp-framesize=" + frame);
    ASSERT_OK(connection.Open());
    for (const size_t size : {4087u, 4088u, 4089u, 131064u, 131065u, 1'000'000u, 8'000'000u}) {
      std::string payload(size, '\0');
      for (size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 + size);
      ASSERT_OK(connection.Send(topic, payload));
    }
    ASSERT_OK(connection.WaitCompleted(7));
    EXPECT_EQ(connection.host.ok, 7u);
    AmqpClient client(Rabbit());
    const std::vector<AmqpMessage> found = client.ReadAll(topic);
    ASSERT_EQ(found.size(), 7u);
    for (size_t i = 0; i < 7; ++i) EXPECT_TRUE(found[i].payload == *connection.kept[2 * i + 1]);
    client.Delete(topic);
    client.MakeTopic(topic);
  }
}

TEST(AmqpProducer, TheWindowIsBoundedAndOrderIsKept) {
  const std::string topic = NewTopic();
  Connection connection("confirm-window=100");
  ASSERT_OK(connection.Open());
  Message message;
  message.topic = topic;
  message.payload = "x";
  Token token = 1'000'000;
  while (connection.driver.Submit(message, token).ok()) ++token;
  EXPECT_EQ(token - 1'000'000, 100u);
  for (int i = 0; i < 5000; ++i) ASSERT_OK(connection.Send(topic, std::to_string(i)));
  ASSERT_OK(connection.WaitCompleted(5100));
  EXPECT_EQ(connection.host.ok, 5100u);
  EXPECT_EQ(connection.host.twice, 0u);
  const std::vector<AmqpMessage> found = AmqpClient(Rabbit()).ReadAll(topic);
  ASSERT_EQ(found.size(), 5100u);
  std::set<std::string> ids;
  for (size_t i = 0; i < found.size(); ++i) {
    ids.insert(found[i].message_id);
    ASSERT_EQ(found[i].payload, i < 100 ? "x" : std::to_string(i - 100));
  }
  EXPECT_EQ(ids.size(), 5100u);
}

TEST(AmqpProducer, ReturnedMessagesAreUnknownTopic) {
  const std::string good = NewTopic(), bad = NewName();
  Connection connection;
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 200; ++i) ASSERT_OK(connection.Send(i % 3 == 0 ? bad : good, "same payload"));
  ASSERT_OK(connection.WaitCompleted(200));
  for (Token token = 1; token <= 200; ++token) {
    const bool routed = (token - 1) % 3 != 0;
    ASSERT_EQ(connection.Outcome(token), routed ? Code::kOk : Code::kUnknownTopic) << token;
  }
  EXPECT_THAT(connection.Text(1), HasSubstr(bad));
  EXPECT_THAT(connection.Text(1), HasSubstr("312 NO_ROUTE"));
  EXPECT_EQ(AmqpClient(Rabbit()).Count(good), 133u);
}

TEST(AmqpProducer, WithoutMandatoryTheBrokerDropsThem) {
  Connection connection("mandatory=0");
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(NewName(), "nobody"));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
}

TEST(AmqpProducer, MissingExchangeIsUnknownTopicAndTheConnectionGoesOn) {
  const std::string exchange = NewName();
  Connection connection("exchange=" + exchange);
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 20; ++i) ASSERT_OK(connection.Send("k", "x"));
  ASSERT_OK(connection.WaitCompleted(20));
  for (Token token = 1; token <= 20; ++token) {
    EXPECT_EQ(connection.Outcome(token), Code::kUnknownTopic);
  }
  EXPECT_THAT(connection.Text(1), HasSubstr("404 NOT_FOUND"));
  EXPECT_THAT(connection.Text(1), HasSubstr(exchange));
  // Made now, by another connection: the same one works.
  Connection maker("exchange=" + exchange + "\nexchange-type=fanout");
  ASSERT_OK(maker.Open());
  const std::string queue = NewName();
  AmqpClient client(Rabbit());
  client.Declare(queue);
  client.Bind(queue, "", exchange);
  ASSERT_OK(connection.Send("k", "x"));
  ASSERT_OK(connection.WaitCompleted(21));
  EXPECT_EQ(connection.Outcome(21), Code::kOk);
}

// The broker closes the channel for one message and says not which; only that one may be refused.
TEST(AmqpProducer, OneBadMessageAmongGoodOnes) {
  const std::string topic = NewTopic(), forbidden = NewName();
  Rabbit().Ctl(R"(["set_topic_permissions","guest","amq.topic","^(?!)" + forbidden +
               R"().*$",".*"])");
  Connection connection;
  ASSERT_OK(connection.Open());
  for (int i = 1; i <= 100; ++i) {
    ASSERT_OK(
        connection.Send(i == 40 || i == 41 || i == 90 ? forbidden : topic, std::to_string(i)));
  }
  ASSERT_OK(connection.WaitCompleted(100));
  Rabbit().Ctl(R"(["clear_topic_permissions","guest"])");
  for (Token token = 1; token <= 100; ++token) {
    const bool refused = token == 40 || token == 41 || token == 90;
    ASSERT_EQ(connection.Outcome(token), refused ? Code::kRejected : Code::kOk)
        << token << ": " << connection.Text(token);
  }
  EXPECT_EQ(connection.host.twice, 0u);
  EXPECT_THAT(connection.Text(40), HasSubstr("403 ACCESS_REFUSED"));
  EXPECT_THAT(connection.Text(40), HasSubstr(forbidden));
  std::set<std::string> seen;
  std::map<std::string, std::string> ids;  // a message sent twice keeps its name
  for (const AmqpMessage& message : AmqpClient(Rabbit()).ReadAll(topic)) {
    seen.insert(message.payload);
    const std::string& id = ids.emplace(message.payload, message.message_id).first->second;
    EXPECT_EQ(message.message_id, id);
  }
  EXPECT_EQ(seen.size(), 97u);
}

TEST(AmqpProducer, TooLargeForTheBrokerIsRefusedAlone) {
  const std::string topic = NewTopic();
  Connection connection;
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "before"));
  ASSERT_OK(connection.Send(topic, std::string(20'000'001, 'x')));
  ASSERT_OK(connection.Send(topic, "after"));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
  EXPECT_EQ(connection.Outcome(2), Code::kTooLarge) << connection.Text(2);
  EXPECT_EQ(connection.Outcome(3), Code::kOk);
  EXPECT_THAT(connection.Text(2), HasSubstr("max_message_size"));
}

TEST(AmqpProducer, WhatAmqpCannotCarryIsRefusedHere) {
  Connection connection;
  ASSERT_OK(connection.Open());
  EXPECT_EQ(connection.Send(std::string(256, 't'), "x").code(), Code::kRejected);
  const std::string name(256, 'n'), value(200'000, 'v'), topic = NewTopic();
  const Header long_name[] = {{name, "v"}}, long_value[] = {{"n", value}};
  Message message;
  message.topic = topic;
  message.headers = long_name;
  EXPECT_EQ(connection.Send(message).code(), Code::kRejected);
  message.headers = long_value;
  EXPECT_EQ(connection.Send(message).code(), Code::kTooLarge);
  ASSERT_OK(connection.Send(std::string(topic), "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
}

// A full queue that rejects: basic.nack.
TEST(AmqpProducer, NackIsRetriedByTheCore) {
  const std::string topic = NewName();
  amqp_table_entry_t entries[2] = {};
  entries[0].key = amqp_cstring_bytes("x-max-length");
  entries[0].value.kind = AMQP_FIELD_KIND_I32;
  entries[0].value.value.i32 = 1;
  entries[1].key = amqp_cstring_bytes("x-overflow");
  entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[1].value.value.bytes = amqp_cstring_bytes("reject-publish");
  AmqpClient client(Rabbit());
  client.Declare(topic, {2, entries});
  client.Bind(topic, topic);
  Connection connection;
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 3; ++i) ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.host.ok, 1u);
  EXPECT_EQ(connection.Outcome(3), Code::kUnavailable);
  EXPECT_TRUE(connection.host.completed.at(3).retryable());
  EXPECT_THAT(connection.Text(3), HasSubstr("nack"));
}

/// The memory alarm; off again at the end of the test, however it ends.
class Alarm {
 public:
  ~Alarm() { End(); }
  void Begin() {
    on_ = true;
    Rabbit().Ctl(R"(["set_vm_memory_high_watermark","absolute","1"])");
  }
  void End() {
    if (on_) Rabbit().Ctl(R"(["set_vm_memory_high_watermark","0.4"])");
    on_ = false;
  }

 private:
  bool on_ = false;
};

TEST(AmqpProducer, MemoryAlarmIsBackPressure) {
  const std::string topic = NewTopic();
  Connection connection("amqp-heartbeat=3\nconnect-timeout=1s");
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "0"));
  ASSERT_OK(connection.WaitCompleted(1));
  Alarm alarm;
  ASSERT_OK(connection.PumpWhile([&] { alarm.Begin(); }));
  ASSERT_OK(connection.Send(topic, "1"));
  // RabbitMQ announces it and then takes nothing, for longer than the silence limit.
  Message message;
  message.topic = topic;
  message.payload = "2";
  Token token = 2;
  ASSERT_OK(connection.PumpUntil([&] {
    const Status status = connection.driver.Submit(message, token + 1);
    if (status.ok()) ++token;
    return status.code() == Code::kWouldBlock;
  }));
  const Deadline until = Clock::now() + Millis(9000);
  ASSERT_OK(connection.PumpUntil([&] { return Clock::now() > until; }));
  EXPECT_EQ(connection.driver.Submit(message, 1'000'000).code(), Code::kWouldBlock);
  EXPECT_EQ(connection.host.completed.size(), 1u);
  ASSERT_OK(connection.PumpWhile([&] { alarm.End(); }));
  ASSERT_OK(connection.WaitCompleted(token));
  EXPECT_EQ(connection.host.ok, token);
  EXPECT_EQ(AmqpClient(Rabbit()).Count(topic), token);
}

// A slow queue, as on a slow disk, is not an outage: that would send the message twice.
TEST(AmqpProducer, SlowConfirmsAreNotSilence) {
  const std::string topic = NewTopic();
  Connection connection("connect-timeout=1s");
  ASSERT_OK(connection.Open());
  const auto queue_process = [&](const std::string& call) {
    Rabbit().Ctl(R"(["eval","{ok,Q}=rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>,queue,<<\")" +
                 topic + R"(\">>)),sys:)" + call + R"((amqqueue:get_pid(Q))."])");
  };
  queue_process("suspend");
  ASSERT_OK(connection.Send(topic, "x"));
  const Deadline until = Clock::now() + Millis(8000);
  const Status waited = connection.PumpUntil([&] { return Clock::now() > until; });
  EXPECT_TRUE(connection.host.completed.empty());
  queue_process("resume");
  ASSERT_OK(waited);
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.host.ok, 1u);
  EXPECT_EQ(AmqpClient(Rabbit()).Count(topic), 1u);
}

TEST(AmqpProducer, WithoutConfirmsOkMeansWritten) {
  const std::string topic = NewTopic();
  Connection connection("confirm=0");
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 100; ++i) ASSERT_OK(connection.Send(topic, std::string(30'000, 'x')));
  ASSERT_OK(connection.WaitCompleted(100));
  EXPECT_EQ(connection.host.ok, 100u);
  connection.driver.Close(Millis(1000), -1);
  EXPECT_EQ(AmqpClient(Rabbit()).Count(topic), 100u);
}

TEST(AmqpProducer, TheDefaultExchangeSendsToAQueue) {
  const std::string queue = NewName();
  AmqpClient(Rabbit()).Declare(queue);
  Connection connection("exchange=\"\"");
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(queue, "x"));
  ASSERT_OK(connection.Send(NewName(), "x"));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
  EXPECT_EQ(connection.Outcome(2), Code::kUnknownTopic);
}

// Everything is bounded when the broker stops reading: Submit and Poll, and the outage is noticed.
TEST(AmqpProducer, AFrozenBrokerDoesNotBlockTheCaller) {
  const std::string topic = NewTopic();
  Connection connection("connect-timeout=1s");
  ASSERT_OK(connection.Open());
  Server& server = Rabbit();
  server.Pause();
  const std::string payload(1'000'000, 'x');
  Message message;
  message.topic = topic;
  message.payload = payload;
  const Deadline begin = Clock::now();
  Millis longest{0};
  Token token = 0;
  Status status;
  while (status.ok() && Clock::now() - begin < Millis(20000)) {
    const Deadline call = Clock::now();
    if (connection.driver.Submit(message, token + 1).ok()) ++token;
    status = connection.driver.Poll(Millis(100), connection.wake.fd());
    longest = std::max(longest, std::chrono::duration_cast<Millis>(Clock::now() - call));
  }
  server.Resume();
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_LT(Clock::now() - begin, Millis(19000));
  EXPECT_LT(longest, Millis(8000));
  EXPECT_LT(token, 100u) << "what a broker that does not read makes us hold is bounded";
  EXPECT_TRUE(connection.host.completed.empty());
}

}  // namespace
}  // namespace dsmsg::amqp
