// SPDX-License-Identifier: Apache-2.0
// How a connection ends: a server that dies, freezes, gives a reason, or leaves one message without
// an answer.
#include <gmock/gmock.h>

#include <tuple>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"

namespace dsmsg::mqtt {
namespace {

TEST(MqttOutage, AKilledServerEndsPollAndTheUnacknowledgedStayWithTheCore) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "acknowledged").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  server.Freeze();  // so that the next one surely is not
  ASSERT_TRUE(connection.Send("t", "unacknowledged").ok());
  server.Kill();
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable) << lost.message();
  EXPECT_NE(lost.message().find("lost the connection"), std::string::npos) << lost.message();
  connection.driver.Close(Millis(0), -1);
  EXPECT_EQ(connection.host.completed.size(), 1u);
  const Status down = connection.Open();
  EXPECT_EQ(down.code(), Code::kUnavailable);
  EXPECT_NE(down.message().find("refused"), std::string::npos) << down.message();
  server.Start();
  Client client(server.port());
  client.Subscribe("t");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "again").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_EQ(connection.host.ok, 2u);
  client.Wait(1);
  client.Publish("t", "end");
  // What the core sends again, the library must not send too.
  ASSERT_EQ(client.Wait(2).size(), 2u);
  EXPECT_EQ(client.received[0].payload, "again");
  EXPECT_EQ(client.received[1].payload, "end");
}

TEST(MqttOutage, AFrozenServerIsNoticed) {
  MosquittoServer server;
  Connection connection(server.Address(), "connect-timeout=300");
  ASSERT_TRUE(connection.Open().ok());
  server.Freeze();
  ASSERT_TRUE(connection.Send("t", "x").ok());
  const auto start = Clock::now();
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kTimeout);
  EXPECT_NE(lost.message().find("has not answered"), std::string::npos) << lost.message();
  EXPECT_LT(Clock::now() - start, Millis(8000));
  connection.driver.Close(Millis(0), -1);
  // The kernel still accepts for it; the answer to CONNECT is what is missing.
  const Status status = connection.Open(Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_NE(status.message().find("CONNECT"), std::string::npos) << status.message();
  server.Thaw();
  EXPECT_TRUE(connection.Open().ok());
}

TEST(MqttOutage, PollReturnsForAWakeUp) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  connection.wake.Signal();
  const auto start = Clock::now();
  EXPECT_TRUE(connection.driver.Poll(Millis(20'000), connection.wake.fd()).ok());
  EXPECT_LT(Clock::now() - start, Millis(10'000));
}

TEST(MqttOutage, TwoConnectionsWithOneClientId) {
  MosquittoServer server;
  Connection first(server.Address(), "client-id=same");
  ASSERT_TRUE(first.Open().ok());
  Connection second(server.Address(), "client-id=same");
  ASSERT_TRUE(second.Open().ok());
  Status lost = first.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable);
  // Mosquitto 2.0.21 says that the session was taken over. An older one gives no reason, and one
  // lost connection proves nothing: the two must take the session from each other repeatedly.
  for (int i = 0; i < 5 && lost.message().find("client-id") == std::string::npos; ++i) {
    ASSERT_TRUE(first.Open().ok());
    EXPECT_EQ(second.PumpUntil([] { return false; }).code(), Code::kUnavailable);
    ASSERT_TRUE(second.Open().ok());
    lost = first.PumpUntil([] { return false; });
  }
  EXPECT_NE(lost.message().find("client-id"), std::string::npos) << lost.message();
}

TEST(MqttOutage, TheServersReasonForTheEndIsReported) {
  const std::pair<int, const char*> cases[] = {
      {0x87, "(0x87) (check what the server lets this user do"},
      {0x89, "busy (0x89)"},
      {0x8b, "shutting down (0x8b)"},
      {0x8d, "keep-alive"},
      {0x8e, "same client-id"},
      {0x97, "(0x97) (this client has reached"},
      {0x9d, "(0x9d) (name the other server"}};
  for (const auto& [reason, expected] : cases) {
    ScriptServer server(
        [reason = reason](int, const std::string& packet) -> std::optional<std::string> {
          if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
          return std::string("\xe0\x02") + static_cast<char>(reason) + '\0';
        });
    Connection connection(server.Address());
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("t", "x").ok());
    const Status lost = connection.PumpUntil([] { return false; });
    EXPECT_EQ(lost.code(), Code::kUnavailable);
    EXPECT_THAT(lost.message(), ::testing::HasSubstr(expected));
    EXPECT_EQ(connection.host.completed.size(), 0u) << "it waits for the next connection";
  }
}

// Moquette refuses with silence, but answers all later messages.
TEST(MqttOutage, AMessageThatIsPassedOverEndsPoll) {
  ScriptServer server([](int, const std::string& packet) -> std::string {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (!ScriptServer::IsPublish(packet) || packet.find("forbidden") != packet.npos) return "";
    return ScriptServer::Puback5(packet, 0);
  });
  Connection connection(server.Address(), "connect-timeout=300");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("forbidden", "x").ok());
  Status sent;  // which may be reported as well
  Status lost = connection.PumpUntil(
      [&] {
        if (connection.host.ok == connection.last_token - 1) sent = connection.Send("allowed", "x");
        return !sent.ok();
      },
      Millis(20000));
  if (!sent.ok()) lost = sent;
  EXPECT_EQ(lost.code(), Code::kTimeout);
  EXPECT_THAT(lost.message(), ::testing::HasSubstr("a message to \"forbidden\""));
}

}  // namespace
}  // namespace dsmsg::mqtt
