// SPDX-License-Identifier: Apache-2.0
// Subscribing and receiving.
#include <algorithm>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"

namespace dsmsg::mqtt {
namespace {

std::vector<std::string> Payloads(const Connection& connection) {
  std::vector<std::string> payloads;
  for (const InMessage& message : connection.host.delivered) payloads.push_back(message.payload);
  return payloads;
}

class MqttSubscribe : public ::testing::TestWithParam<const char*> {
 protected:
  std::string config() const { return std::string("protocol=") + GetParam() + "\n"; }
};
INSTANTIATE_TEST_SUITE_P(, MqttSubscribe, ::testing::Values("5", "3.1.1"));

TEST_P(MqttSubscribe, WildcardsAndSeveralTopics) {
  MosquittoServer server;
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  const Status status = connection.Subscribe({"cameras/+/events", "logs/#", "plain"});
  ASSERT_TRUE(status.ok()) << status.message();
  Client client(server.port());
  for (const char* topic : {"cameras/1/events", "cameras/1/other", "cameras/1/2/events", "logs",
                            "logs/a/b", "plain", "plain/more", "end", "logs/end"}) {
    client.Publish(topic, topic);
  }
  ASSERT_TRUE(connection.WaitDelivered(5).ok());
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"cameras/1/events", "logs", "logs/a/b",
                                                            "plain", "logs/end"}));
  for (const InMessage& message : connection.host.delivered) {
    EXPECT_EQ(message.topic, message.payload);
  }
}

TEST_P(MqttSubscribe, BinaryAndLargeMessages) {
  MosquittoServer server;
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  const std::string bytes("\0\xff\n", 3), large(5'000'000, 'l');
  Client client(server.port());
  client.Publish("t", bytes);
  client.Publish("t", "");
  client.Publish("t", large);
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(connection.host.delivered[0].payload, bytes);
  EXPECT_EQ(connection.host.delivered[1].payload, "");
  EXPECT_TRUE(connection.host.delivered[2].payload == large);
}

TEST_P(MqttSubscribe, ASecondCallReplacesTheTopics) {
  MosquittoServer server;
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"before", "both"}).ok());
  ASSERT_TRUE(connection.Subscribe({"both", "after"}).ok());
  Client client(server.port());
  for (const char* topic : {"before", "both", "after"}) client.Publish(topic, topic);
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"both", "after"}));
}

TEST_P(MqttSubscribe, AgainAfterARestartOfTheServer) {
  MosquittoServer server;
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  server.Kill();
  EXPECT_FALSE(connection.PumpUntil([] { return false; }).ok());
  connection.driver.Close(Millis(0), -1);
  server.Start();
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());  // as the core does after every Open
  Client(server.port()).Publish("t", "after");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"after"}));
}

// The test that BeginConnect refers to: CONNECT contains the session's expiry.
TEST_P(MqttSubscribe, SessionsOutliveTheConnection) {
  MosquittoServer server;
  const std::string session = config() + "client-id=mine\nclean-session=0";
  {
    Connection connection(server.Address(), session);
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Subscribe({"wanted", "given/up"}).ok());
    connection.driver.Close(Millis(500), -1);
  }
  Client client(server.port());
  for (int i = 0; i < 100; ++i) client.Publish("wanted", std::to_string(i));
  client.Publish("given/up", "x");
  Connection connection(server.Address(), session);
  ASSERT_TRUE(connection.Open().ok());
  // They come before subscribe was called, together with acknowledgements of sent messages.
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(connection.host.delivered.size(), 0u);
  ASSERT_TRUE(connection.Subscribe({"wanted"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(100).ok());
  client.Publish("given/up", "x");
  client.Publish("wanted", "last");
  ASSERT_TRUE(connection.WaitDelivered(101).ok());
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
  EXPECT_EQ(connection.host.delivered[100].payload, "last");
}

TEST(MqttConsumer, ACleanSessionForgets) {
  MosquittoServer server;
  {
    Connection connection(server.Address(), "client-id=mine");
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Subscribe({"t"}).ok());
    connection.driver.Close(Millis(500), -1);
  }
  Client client(server.port());
  client.Publish("t", "lost");
  Connection connection(server.Address(), "client-id=mine");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  client.Publish("t", "seen");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"seen"}));
}

TEST(MqttConsumer, RetainedMessagesComeOnce) {
  MosquittoServer server;
  Client client(server.port());
  client.Publish("state", "kept", 1, true);
  Connection connection(server.Address(), "client-id=mine\nclean-session=0");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Subscribe({"state", "t"}).ok());
    client.Publish("t", "end");
    ASSERT_TRUE(connection.WaitDelivered(static_cast<size_t>(2 + i)).ok());
    connection.driver.Close(Millis(500), -1);
  }
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"kept", "end", "end"}));
}

// What the core has no room for stays in the driver, the socket and the server, in order.
TEST(MqttConsumer, AFullInboxLosesNothing) {
  MosquittoServer server("max_queued_messages 100000");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 3;
  Client client(server.port());
  for (int i = 0; i < 2000; ++i) client.Publish("t", std::to_string(i));
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(connection.driver.Poll(Millis(10), connection.wake.fd()).ok());
  }
  EXPECT_EQ(connection.host.delivered.size(), 3u);
  for (size_t room = 500; room <= 2000; room += 500) {
    connection.host.room = room;
    ASSERT_TRUE(connection.WaitDelivered(room).ok());
  }
  for (size_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
}

// What was read is acknowledged: it must survive the end of the connection.
TEST(MqttConsumer, WhatWasReadIsKeptOverALostConnection) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 0;
  Client client(server.port());
  client.Publish("t", "read");
  ASSERT_TRUE(connection.driver.Poll(Millis(2000), connection.wake.fd()).ok());
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"t"}).ok());
  connection.host.room = 10;
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  EXPECT_EQ(Payloads(connection), (std::vector<std::string>{"read"}));
}

TEST(MqttConsumer, ARefusedSubscriptionNamesTopicAndReason) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (!ScriptServer::IsSubscribe(packet)) return "";
    return ScriptServer::Suback5(packet, {1, 0x87, 0x80, 0x80, 0x80});
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  const Status status = connection.Subscribe({"a", "b", "c", "d", "e"});
  EXPECT_EQ(status.code(), Code::kRejected) << status.message();
  EXPECT_TRUE(status.permanent());
  for (const char* part : {"\"b\": ", "(0x87)", "\"c\": ", "(0x80)", "and 1 more"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part << ": " << status.message();
  }
  EXPECT_EQ(status.message().find("\"a\""), std::string::npos) << status.message();
  // The link still works.
  EXPECT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
}

TEST(MqttConsumer, APacketIdentifierInUseIsNotARefusal) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (!ScriptServer::IsSubscribe(packet)) return "";
    return ScriptServer::Suback5(packet, {packet[3] < 3 ? 0x91 : 1});
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  const Status status = connection.Subscribe({"t"});
  EXPECT_TRUE(status.ok()) << status.message();
}

// The server grants "good" and refuses "bad"; it sends a message of each topic as soon as that is
// requested.
TEST(MqttConsumer, ARefusalKeepsThePreviousTopics) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    const auto publish = [](const std::string& topic) {
      std::string bytes = "\x30";
      bytes += static_cast<char>(2 + topic.size() + 1 + 1);
      bytes += '\0';
      bytes += static_cast<char>(topic.size());
      return bytes + topic + '\0' + "x";
    };
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (!ScriptServer::IsSubscribe(packet)) return "";
    if (packet.find("before") != std::string::npos) return ScriptServer::Suback5(packet, {1});
    return publish("good") + publish("before") + ScriptServer::Suback5(packet, {0x87, 1}) +
           publish("good") + publish("before");
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"before"}).ok());
  EXPECT_TRUE(connection.Subscribe({"bad", "good"}).permanent());
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  for (const InMessage& message : connection.host.delivered) EXPECT_EQ(message.topic, "before");
}

TEST(MqttConsumer, ASilentServerIsBounded) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    return ScriptServer::IsConnect(packet) ? ScriptServer::Connack5(0) : "";
  });
  Connection connection(server.Address(), "connect-timeout=300");
  ASSERT_TRUE(connection.Open().ok());
  const auto start = Clock::now();
  EXPECT_EQ(connection.Subscribe({"t"}, Millis(300)).code(), Code::kTimeout);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  EXPECT_EQ(connection.driver.Poll(Millis(0), connection.wake.fd()).code(), Code::kTimeout);
}

TEST(MqttConsumer, BadFiltersAreNamedAndTheLinkStays) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  for (const std::string filter : {"a/#/b", "a+", "#a", "\xff"}) {
    const Status status = connection.Subscribe({"good", filter});
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << filter;
    EXPECT_NE(status.message().find("\"" + filter + "\""), std::string::npos) << status.message();
  }
  EXPECT_TRUE(connection.Subscribe({"good"}).ok());
}

TEST(MqttConsumer, SendsGoOnWhileItReceives) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Subscribe({"loop"}).ok());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(connection.Send("loop", std::to_string(i)).ok());
  ASSERT_TRUE(connection.WaitCompleted(1000).ok());
  ASSERT_TRUE(connection.WaitDelivered(1000).ok());
  EXPECT_EQ(connection.host.ok, 1000u);
  EXPECT_EQ(connection.host.delivered[999].payload, "999");
}

}  // namespace
}  // namespace dsmsg::mqtt
