// SPDX-License-Identifier: Apache-2.0
// A callback that is slower than the incoming messages: sends on the same connection continue,
// memory stays bounded, and a message is acknowledged when the inbox has taken it.
#include <algorithm>
#include <mutex>
#include <set>
#include <string>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"

namespace dsmsg::mqtt {
namespace {

class MqttSlowCallback : public ::testing::TestWithParam<const char*> {
 protected:
  std::string config() const { return std::string("protocol=") + GetParam() + "\n"; }
};
INSTANTIATE_TEST_SUITE_P(, MqttSlowCallback, ::testing::Values("5", "3.1.1"));

TEST_P(MqttSlowCallback, DoesNotDelaySends) {
  MosquittoServer server("max_queued_messages 100000");
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 3;
  Client client(server.port());
  for (int i = 0; i < 1500; ++i) client.Publish("t", std::to_string(i));
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(connection.Send("out", "x").ok()) << "no room any more after " << i;
  }
  ASSERT_TRUE(connection.WaitCompleted(3000).ok()) << connection.host.completed.size();
  EXPECT_EQ(connection.host.ok, 3000u);
  EXPECT_EQ(connection.host.delivered.size(), 3u);
  connection.host.room = 1500;
  ASSERT_TRUE(connection.WaitDelivered(1500).ok()) << connection.host.delivered.size();
  for (size_t i = 0; i < 1500; ++i) {
    ASSERT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
}

// No acknowledgement can hold QoS 0 back: messages without room are dropped, not kept.
TEST_P(MqttSlowCallback, AFloodOfQos0IsBounded) {
  MosquittoServer server("max_queued_messages 100000");
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 0;
  Client client(server.port());
  for (int i = 0; i < 5000; ++i) client.Publish("t", std::to_string(i), 0);
  client.Publish("t", "end", 1);  // all before it are with the server
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(connection.Send("out", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1000).ok()) << connection.host.completed.size();
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    const auto& all = connection.host.delivered;
                    return !all.empty() && all.back().payload == "end";
                  })
                  .ok());
  EXPECT_EQ(connection.host.delivered[999].payload, "999");
  EXPECT_LT(connection.host.delivered.size(), 5000u) << "all were kept";
}

/// A server with five messages for its subscriber, which records the acknowledgements. It answers a
/// message to "answers", and that answer comes after everything sent before.
class FiveMessages {
 public:
  std::string Address() const { return server_.Address(); }
  std::vector<int> acknowledged() {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }

 private:
  std::optional<std::string> Answer(const std::string& packet) {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (ScriptServer::IsPublish(packet)) return ScriptServer::Puback5(packet, 0);
    if (ScriptServer::IsPuback(packet)) {
      const std::lock_guard lock(mutex_);
      acknowledged_.push_back(packet[3]);
      return "";
    }
    if (!ScriptServer::IsSubscribe(packet)) return "";
    std::string answer = ScriptServer::Suback5(packet, {1});
    for (int id = 1; id <= 5; ++id) answer += ScriptServer::Publish5("t", id, "x");
    return answer;
  }

  std::mutex mutex_;  // guards the next
  std::vector<int> acknowledged_;
  ScriptServer server_{[this](int, const std::string& packet) { return Answer(packet); }};
};

/// Waits until the server has seen what was sent so far.
void Sync(Connection& connection) {
  const size_t before = connection.host.completed.size();
  ASSERT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(before + 1).ok());
}

TEST(MqttAcknowledgement, WaitsForRoom) {
  FiveMessages server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  connection.host.room = 2;
  connection.callbacks_return = false;
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  Sync(connection);
  EXPECT_EQ(server.acknowledged(), (std::vector<int>{1, 2}));
  connection.host.room = 5;
  ASSERT_TRUE(connection.WaitDelivered(5).ok());
  Sync(connection);
  EXPECT_EQ(server.acknowledged(), (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(MqttAcknowledgement, InAKeptSessionWaitsForTheCallback) {
  FiveMessages server;
  Connection connection(server.Address(), "client-id=mine\nclean-session=0");
  ASSERT_TRUE(connection.Open().ok());
  connection.callbacks_return = false;
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(5).ok());
  Sync(connection);
  EXPECT_TRUE(server.acknowledged().empty());
  // Out of order, by a host that acknowledges by itself: PUBACKs keep the order (MQTT-4.6.0-2).
  connection.driver.Ack(connection.host.tokens[2]);
  Sync(connection);
  EXPECT_TRUE(server.acknowledged().empty());
  connection.AckAll();
  Sync(connection);
  EXPECT_EQ(server.acknowledged(), (std::vector<int>{1, 2, 3, 4, 5}));
}

// An acknowledgement must not get into the middle of a packet that is being sent.
TEST(MqttAcknowledgement, BetweenPacketsOnly) {
  MosquittoServer server("max_inflight_messages 0");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 0;
  Client client(server.port());
  for (int i = 0; i < 100; ++i) client.Publish("t", std::to_string(i));
  ASSERT_TRUE(connection.Send("out", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());  // all hundred are here
  server.Freeze();
  const std::string large(8 << 20, 'x');
  ASSERT_TRUE(connection.Send("out", large).ok());
  ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
  connection.host.room = 100;
  ASSERT_TRUE(connection.WaitDelivered(100).ok());
  server.Thaw();
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_EQ(connection.host.ok, 2u);
}

// A killed process has not returned from its callbacks: the next process gets the messages.
TEST(MqttAcknowledgement, WhatNoCallbackHasSeenComesAgain) {
  MosquittoServer server;
  const std::string session = "client-id=mine\nclean-session=0";
  Client client(server.port());
  {
    Connection connection(server.Address(), session);
    ASSERT_TRUE(connection.Open().ok());
    connection.callbacks_return = false;
    ASSERT_TRUE(connection.Subscribe({"t"}).ok());
    for (int i = 0; i < 5; ++i) client.Publish("t", std::to_string(i));
    ASSERT_TRUE(connection.WaitDelivered(5).ok());
  }
  Connection connection(server.Address(), session);
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(5).ok());
  EXPECT_EQ(connection.host.delivered[0].payload, "0");
  EXPECT_EQ(connection.host.delivered[4].payload, "4");
}

// Mosquitto (2.0.11) sends more than the window to a resumed session.
TEST(MqttAcknowledgement, AllThatWaitsInAResumedSessionComes) {
  constexpr size_t kMessages = 3000;
  MosquittoServer server("max_queued_messages 0\n");
  const std::string session = "client-id=mine\nclean-session=0";
  {
    Connection connection(server.Address(), session);
    ASSERT_TRUE(connection.Open().ok());
    connection.callbacks_return = false;
    ASSERT_TRUE(connection.Subscribe({"t"}).ok());
    Client client(server.port());
    for (size_t i = 0; i < kMessages; ++i) client.Publish("t", std::to_string(i));
    ASSERT_TRUE(connection.WaitDelivered(1000).ok());
  }
  Connection connection(server.Address(), session);
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("out", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());  // what comes unasked is here
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(kMessages).ok());
  std::set<std::string> seen;
  for (const InMessage& message : connection.host.delivered) seen.insert(message.payload);
  EXPECT_EQ(seen.size(), kMessages);
}

// The server sends again what waited for room when the link was lost: it comes once.
TEST(MqttAcknowledgement, WhatWaitsDoesNotComeTwiceAfterALostLink) {
  MosquittoServer server;
  Connection connection(server.Address(), "client-id=mine\nclean-session=0");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 0;
  Client client(server.port());
  for (int i = 0; i < 5; ++i) client.Publish("t", std::to_string(i));
  ASSERT_TRUE(connection.Send("out", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());  // the five are here
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open().ok());
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  client.Publish("t", "end");
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    const auto& all = connection.host.delivered;
                    return !all.empty() && all.back().payload == "end";
                  })
                  .ok());
  std::vector<std::string> payloads;
  for (const InMessage& message : connection.host.delivered) payloads.push_back(message.payload);
  EXPECT_EQ(payloads, (std::vector<std::string>{"0", "1", "2", "3", "4", "end"}));
}

}  // namespace
}  // namespace dsmsg::mqtt
