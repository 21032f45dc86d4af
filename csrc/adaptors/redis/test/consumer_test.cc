// SPDX-License-Identifier: Apache-2.0
// Receiving from streams, against a real server.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "adaptors/redis/test/fixture.h"

namespace dsmsg::redis {
namespace {

std::vector<std::string> Payloads(const testing::RecordingHost& host) {
  std::vector<std::string> payloads;
  for (const InMessage& message : host.delivered) payloads.push_back(message.payload);
  return payloads;
}

/// Entries delivered to the group and not acknowledged.
int64_t PendingEntries(Client& client, const std::string& stream) {
  return client.Integer({"EVAL", "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "1", stream,
                         "redis-consumer-group"});
}

TEST(RedisStreams, WhatIsSentAfterSubscribeArrivesFromAllTopics) {
  RedisServer server;
  Client client(server.port());
  client.Run({"XADD", "a", "*", "metadata", "before"});
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b", "a"}).ok());
  const std::string bytes("\0\xff\r\n", 4);
  client.Run({"XADD", "a", "*", "x", "1", "metadata", bytes});
  client.Run({"XADD", "b", "*", "first", "1", "value", "deepstream 9", "third", "2"});
  client.Run({"XADD", "b", "*", "other", "first field", "b", "2"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  std::vector<std::string> payloads = Payloads(connection.host);
  std::sort(payloads.begin(), payloads.end());
  EXPECT_EQ(payloads, (std::vector<std::string>{bytes, "deepstream 9", "first field"}));
  for (const InMessage& message : connection.host.delivered) {
    EXPECT_EQ(message.topic, message.payload == bytes ? "a" : "b");
  }
}

// Reading a stream without a group takes no entry away from its groups and leaves nothing behind.
TEST(RedisStreams, WithoutAGroupEverySubscriberGetsAll) {
  RedisServer server;
  Client client(server.port());
  client.Run({"XADD", "a", "*", "metadata", "before"});
  Connection group(AddressOf(server));
  Connection first(AddressOf(server), "consumergroup=\"\"\nbatch-read=2\n");
  Connection second(AddressOf(server), "consumergroup=\"\"\n");
  for (Connection* connection : {&group, &first, &second}) {
    ASSERT_TRUE(connection->Open(Role::kConsumer).ok());
    ASSERT_TRUE(connection->Subscribe({"a", "b"}).ok());
  }
  std::vector<std::string> sent;
  for (int i = 0; i < 5; ++i) {
    sent.push_back(std::to_string(i));
    client.Run({"XADD", i % 2 == 0 ? "a" : "b", "*", "metadata", sent.back()});
  }
  for (Connection* connection : {&group, &first, &second}) {
    ASSERT_TRUE(connection->WaitDelivered(sent.size()).ok());
    std::vector<std::string> payloads = Payloads(connection->host);
    std::sort(payloads.begin(), payloads.end());
    EXPECT_EQ(payloads, sent);
  }
  EXPECT_EQ(client.Integer({"EVAL", "return #redis.call('XINFO', 'GROUPS', KEYS[1])", "1", "a"}),
            1);
  // After a lost link it continues where it was.
  first.driver.Close(Millis(100), -1);
  client.Run({"XADD", "a", "*", "metadata", "while away"});
  ASSERT_TRUE(first.Open(Role::kConsumer).ok());
  ASSERT_TRUE(first.Subscribe({"a", "b"}).ok());
  ASSERT_TRUE(first.WaitDelivered(sent.size() + 1).ok());
  EXPECT_EQ(first.host.delivered.back().payload, "while away");
  // A key that is not a stream is refused, and the previous subscription stays.
  client.Run({"SET", "text", "x"});
  EXPECT_EQ(first.Subscribe({"text"}).code(), Code::kRejected);
}

TEST(RedisStreams, AcknowledgementsGoOutWithinASecond) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  for (int i = 0; i < 250; ++i) client.Run({"XADD", "a", "*", "metadata", std::to_string(i)});
  ASSERT_TRUE(connection.WaitDelivered(250).ok());
  EXPECT_EQ(PendingEntries(client, "a"), 250);
  // By now the server blocks the read that follows the last reply.
  ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
  connection.AckAll();
  const auto start = Clock::now();
  ASSERT_TRUE(connection.PumpUntil([&] { return PendingEntries(client, "a") == 0; }).ok());
  EXPECT_LT(Clock::now() - start, Millis(10'000)) << "not only with the next message";
}

TEST(RedisStreams, CloseFlushesAcknowledgements) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  for (const char* stream : {"a", "b", "a"}) client.Run({"XADD", stream, "*", "metadata", "x"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  connection.AckAll();
  const auto start = Clock::now();
  connection.driver.Close(Millis(20'000), -1);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  EXPECT_EQ(PendingEntries(client, "a"), 0);
  EXPECT_EQ(PendingEntries(client, "b"), 0);
}

TEST(RedisStreams, CloseOfAnIdleConsumerIsImmediate) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
  const auto start = Clock::now();
  connection.driver.Close(Millis(20'000), -1);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
}

TEST(RedisStreams, UnacknowledgedEntriesComeAgainAfterReconnect) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server), "batch-read=7");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  for (int i = 0; i < 40; ++i) {
    client.Run({"XADD", i % 2 == 0 ? "a" : "b", "*", "metadata", std::to_string(i)});
  }
  ASSERT_TRUE(connection.WaitDelivered(40).ok());
  for (size_t i = 0; i < 10; ++i) connection.driver.Ack(connection.host.tokens[i]);
  std::vector<std::string> expected = Payloads(connection.host);
  expected.erase(expected.begin(), expected.begin() + 10);
  connection.driver.Close(Millis(2000), -1);
  connection.host.delivered.clear();
  connection.host.tokens.clear();
  client.Run({"XADD", "a", "*", "metadata", "while away"});
  expected.push_back("while away");

  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(31).ok());
  std::vector<std::string> payloads = Payloads(connection.host);
  std::sort(payloads.begin(), payloads.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(payloads, expected);
  connection.AckAll();
  ASSERT_TRUE(
      connection
          .PumpUntil([&] { return PendingEntries(client, "a") + PendingEntries(client, "b") == 0; })
          .ok());
  EXPECT_EQ(connection.host.delivered.size(), 31u);
}

TEST(RedisStreams, AFullHostStopsReadingAndLosesNothing) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server), "batch-read=10");
  connection.host.room = 5;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  for (int i = 0; i < 100; ++i) client.Run({"XADD", "a", "*", "metadata", std::to_string(i)});
  ASSERT_TRUE(connection.WaitDelivered(5).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(connection.driver.Poll(Millis(5), connection.wake.fd()).ok());
  }
  EXPECT_LE(PendingEntries(client, "a"), 20);  // read on demand, not all of it
  // Acknowledgements go out although nothing is read.
  connection.AckAll();
  ASSERT_TRUE(connection.PumpUntil([&] { return PendingEntries(client, "a") <= 15; }).ok());
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection.WaitDelivered(100).ok());
  const std::vector<std::string> payloads = Payloads(connection.host);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(payloads[i], std::to_string(i));
}

TEST(RedisStreams, ANewSubscriptionReplacesTheOldOneAtOnce) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  client.Run({"XADD", "b", "*", "metadata", "held by the host"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  // A busy machine may be slow once, but not five times: the read that is held back takes a second.
  Millis quickest = Millis::max();
  for (int attempt = 0; attempt < 5 && quickest >= Millis(500); ++attempt) {
    ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
    const auto start = Clock::now();
    ASSERT_TRUE(connection.Subscribe({"b", "c"}).ok());
    quickest = std::min(quickest, std::chrono::duration_cast<Millis>(Clock::now() - start));
  }
  EXPECT_LT(quickest, Millis(500));
  client.Run({"XADD", "a", "*", "metadata", "not wanted"});
  client.Run({"XADD", "c", "*", "metadata", "wanted c"});
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  client.Run({"XADD", "b", "*", "metadata", "wanted b"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  // What the host still holds is not given to it a second time, and its name stays good.
  EXPECT_EQ(Payloads(connection.host),
            (std::vector<std::string>{"held by the host", "wanted c", "wanted b"}));
  connection.AckAll();
  ASSERT_TRUE(connection.PumpUntil([&] { return PendingEntries(client, "b") == 0; }).ok());
}

TEST(RedisStreams, ADeletedStreamIsJoinedAgain) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  client.Run({"XADD", "a", "*", "metadata", "1"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  connection.AckAll();
  ASSERT_TRUE(connection.driver.Poll(Millis(100), connection.wake.fd()).ok());
  client.Run({"DEL", "a"});
  client.Run({"XADD", "a", "1-1", "metadata", "2"});
  client.Run({"XADD", "b", "*", "metadata", "3"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  client.Run({"FLUSHALL"});
  client.Run({"XADD", "b", "1-1", "metadata", "4"});
  ASSERT_TRUE(connection.WaitDelivered(4).ok());
  std::vector<std::string> payloads = Payloads(connection.host);
  std::sort(payloads.begin(), payloads.end());
  EXPECT_EQ(payloads, (std::vector<std::string>{"1", "2", "3", "4"}));
}

TEST(RedisStreams, ARestartedServerWithoutItsDataLosesNothingNew) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  server.Restart();
  Client(server.port()).Run({"XADD", "a", "*", "metadata", "before we are back"});
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable) << lost.message();
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  EXPECT_EQ(Payloads(connection.host), (std::vector<std::string>{"before we are back"}));
}

TEST(RedisStreams, AnEntryTrimmedBeforeItsAcknowledgementIsForgotten) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  client.Run({"XADD", "a", "*", "metadata", "1"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  connection.driver.Close(Millis(0), -1);
  client.Run({"XTRIM", "a", "MAXLEN", "0"});
  client.Run({"XADD", "a", "*", "metadata", "2"});
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  connection.AckAll();
  ASSERT_TRUE(connection.PumpUntil([&] { return PendingEntries(client, "a") == 0; }).ok());
  EXPECT_EQ(Payloads(connection.host), (std::vector<std::string>{"1", "2"}));
}

TEST(RedisStreams, AKeyOfAnotherTypeRefusesTheSubscription) {
  RedisServer server;
  Client(server.port()).Run({"SET", "plain", "x"});
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  const Status status = connection.Subscribe({"plain"});
  EXPECT_EQ(status.code(), Code::kRejected);
  EXPECT_NE(status.message().find("\"plain\""), std::string::npos) << status.message();
}

TEST(RedisStreams, AFrozenServerIsNoticedWhileReading) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
  server.Freeze();
  EXPECT_EQ(connection.PumpUntil([] { return false; }).code(), Code::kTimeout);
  const auto start = Clock::now();
  connection.driver.Close(Millis(200), -1);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
}

TEST(RedisStreams, ARefusalLeavesEverythingAsItWas) {
  RedisServer server;
  Client client(server.port());
  client.Run({"ACL", "SETUSER", "limited", "on", ">limited", "~ok*", "+@all"});
  Connection connection(AddressOf(server), std::string("batch-read=2") + kLimited);
  connection.host.room = 2;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  EXPECT_EQ(connection.Subscribe({"secret"}).code(), Code::kAuth);
  ASSERT_TRUE(connection.Subscribe({"ok1"}).ok());
  for (int i = 0; i < 10; ++i) client.Run({"XADD", "ok1", "*", "metadata", std::to_string(i)});
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_EQ(connection.Subscribe({"ok2", "secret"}).code(), Code::kAuth);
  client.Run({"XADD", "ok2", "*", "metadata", "not wanted"});
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection.WaitDelivered(10).ok());
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i)) << "once, in order";
  }
}

// Entries that no callback will see stay with this consumer, and come with the next subscription.
TEST(RedisStreams, AReleasedEntryIsReadAgainWhenItsStreamIsWantedAgain) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b"}).ok());
  client.Run({"XADD", "a", "*", "metadata", "1"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  ASSERT_TRUE(connection.Subscribe({"b"}).ok());
  connection.driver.Release(connection.host.tokens[0], InMessage(connection.host.delivered[0]));
  client.Run({"XADD", "b", "*", "metadata", "2"});
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  connection.driver.Ack(connection.host.tokens[1]);
  ASSERT_TRUE(connection.PumpUntil([&] { return PendingEntries(client, "b") == 0; }).ok());
  EXPECT_EQ(PendingEntries(client, "a"), 1);
  ASSERT_TRUE(connection.Subscribe({"a"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(connection.host.delivered[2].payload, "1");
}

}  // namespace
}  // namespace dsmsg::redis
