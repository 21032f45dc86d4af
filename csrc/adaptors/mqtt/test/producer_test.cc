// SPDX-License-Identifier: Apache-2.0
// Publishing: what arrives, how each message completes, how many are in flight, outages.
#include <protozero/pbf_reader.hpp>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"

namespace dsmsg::mqtt {
namespace {

using Pair = std::pair<std::string, std::string>;

class MqttQos : public ::testing::TestWithParam<std::tuple<int, const char*>> {
 protected:
  int qos() const { return std::get<0>(GetParam()); }
  std::string config() const {
    return "qos=" + std::to_string(qos()) + "\nprotocol=" + std::get<1>(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(, MqttQos,
                         ::testing::Combine(::testing::Values(0, 1, 2),
                                            ::testing::Values("5", "3.1.1")));

TEST_P(MqttQos, ArrivesInOrderAndCompletesOnce) {
  MosquittoServer server;
  Client client(server.port());
  client.Subscribe("t/#", 1);
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(connection.Send("t/a", std::to_string(i)).ok());
  ASSERT_TRUE(connection.WaitCompleted(500).ok());
  EXPECT_EQ(connection.host.ok, 500u);
  EXPECT_EQ(connection.host.twice, 0u);
  const auto& found = client.Wait(500);
  ASSERT_EQ(found.size(), 500u);
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].payload, std::to_string(i));
    ASSERT_EQ(found[i].topic, "t/a");
    ASSERT_FALSE(found[i].retain);
  }
}

TEST_P(MqttQos, BinaryAndLargePayloads) {
  MosquittoServer server;
  Client client(server.port());
  client.Subscribe("t");
  Connection connection(server.Address(), config());
  ASSERT_TRUE(connection.Open().ok());
  std::string bytes("\0\xff\r\n%s\0", 7);
  ASSERT_TRUE(connection.Send("t", bytes).ok());
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(connection.Send("t", std::string(3'000'000, static_cast<char>('a' + i))).ok());
    ASSERT_TRUE(connection.WaitCompleted(static_cast<size_t>(i) + 2).ok());
    client.Wait(static_cast<size_t>(i) + 2);  // the server drops what its client does not read
  }
  EXPECT_EQ(connection.host.ok, 9u);
  const auto& found = client.Wait(9);
  ASSERT_EQ(found.size(), 9u);
  EXPECT_EQ(found[0].payload, bytes);
  EXPECT_EQ(found[0].qos, qos());
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(found[i + 1].payload == std::string(3'000'000, static_cast<char>('a' + i)));
  }
}

TEST(MqttProducer, AMessageWithoutASubscriberIsOk) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("nobody/listens", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(connection.host.ok, 1u);
}

TEST(MqttProducer, RetainedMessagesAreThereForNewcomers) {
  MosquittoServer server;
  Connection connection(server.Address(), "retain=1");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("state", "first").ok());
  ASSERT_TRUE(connection.Send("state", "last").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  Client client(server.port());
  client.Subscribe("state");
  ASSERT_EQ(client.Wait(1).size(), 1u);
  EXPECT_EQ(client.received[0].payload, "last");
  EXPECT_TRUE(client.received[0].retain);
}

TEST(MqttProducer, UserPropertiesAndHeaders) {
  MosquittoServer server;
  Client client(server.port());
  client.Subscribe("t");
  Connection connection(server.Address(),
                        "user-properties=site=lab 1;line=2\nheaders=h=${sensor.id}");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "without").ok());
  const Header headers[] = {{"h", "cam \xc3\xa9"}, {"empty", ""}};
  Message message;
  message.topic = "t";
  message.payload = "with";
  message.headers = headers;
  ASSERT_TRUE(connection.Send(message).ok());
  const std::string nul("a\0b", 3);
  const Header bad[] = {{"h", nul}};
  message.headers = bad;
  EXPECT_EQ(connection.Send(message).code(), Code::kRejected);
  const Header worse[] = {{"h", "\xff"}};
  message.headers = worse;
  EXPECT_EQ(connection.Send(message).code(), Code::kRejected);
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  const auto& found = client.Wait(2);
  ASSERT_EQ(found.size(), 2u);
  const std::vector<Pair> constant = {{"site", "lab 1"}, {"line", "2"}};
  EXPECT_EQ(found[0].user_properties, constant);
  std::vector<Pair> all = constant;
  all.insert(all.end(), {{"h", "cam \xc3\xa9"}, {"empty", ""}});
  EXPECT_EQ(found[1].user_properties, all);
}

TEST(MqttProducer, TheSensorEnvelopeIsWhatIsSent) {
  const Environment extraction("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION", "1");
  const Environment fallback("DEEPSTREAM_SENSOR_ID", "none");
  MosquittoServer server;
  Client client(server.port());
  client.Subscribe("t");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", R"({"sensorId":"cam"})").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  ASSERT_EQ(client.Wait(1).size(), 1u);
  protozero::pbf_reader reader(client.received[0].payload);
  ASSERT_TRUE(reader.next(1));
  EXPECT_EQ(reader.get_string(), R"({"sensorId":"cam"})");
  ASSERT_TRUE(reader.next(2));
  EXPECT_EQ(reader.get_string(), "cam");
}

TEST(MqttProducer, TheLastWillComesWhenTheConnectionIsLostAndOnlyThen) {
  MosquittoServer server;
  Client client(server.port());
  client.Subscribe("will");
  const std::string config = "will-topic=will\nwill-payload=gone\nwill-qos=2\nwill-retain=1";
  Connection orderly(server.Address(), config);
  ASSERT_TRUE(orderly.Open().ok());
  orderly.driver.Close(Millis(500), -1);
  Connection lost(server.Address(), config);
  ASSERT_TRUE(lost.Open().ok());
  client.Publish("will", "between");
  lost.driver.Close(Millis(0), -1);
  const auto& found = client.Wait(2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].payload, "between");
  EXPECT_EQ(found[1].payload, "gone");
  EXPECT_EQ(found[1].qos, 2);
}

size_t SubmittedUntilFull(Connection& connection) {
  Message message;
  message.topic = "t";
  message.payload = "x";
  size_t count = 0;
  while (connection.driver.Submit(message, 1'000'000 + count).ok()) ++count;
  return count;
}

TEST(MqttWindow, IsTheSmallerOfOursAndTheServers) {
  MosquittoServer server;  // announces 20
  MosquittoServer wide("max_inflight_messages 0");
  const std::tuple<MosquittoServer*, const char*, size_t> cases[] = {
      {&server, "", 20},
      {&server, "max-inflight=7", 7},
      {&server, "protocol=3.1.1\nmax-inflight=100", 100},
      {&server, "protocol=3.1.1\nqos=2", 20},
      {&server, "qos=0\nmax-inflight=100", 100},
      {&wide, "", 1000}};
  for (const auto& [which, config, expected] : cases) {
    SCOPED_TRACE(config);
    Connection connection(which->Address(), config);
    ASSERT_TRUE(connection.Open().ok());
    which->Freeze();
    // A QoS 0 message is done once the socket has taken it.
    if (std::string_view(config).starts_with("qos=0")) {
      EXPECT_TRUE(connection.Send("t", "x").ok());
      EXPECT_EQ(connection.host.ok, 1u);
    } else {
      EXPECT_EQ(SubmittedUntilFull(connection), expected);
    }
    which->Thaw();
    if (!std::string_view(config).starts_with("qos=0")) {
      EXPECT_TRUE(connection.WaitCompleted(expected).ok());
      EXPECT_EQ(connection.host.ok, expected);
    }
  }
}

// More than there are message ids.
TEST(MqttWindow, MessageIdsMayStartAgain) {
  MosquittoServer server("max_inflight_messages 0");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  const std::string text = "x";
  Message message;
  message.topic = "t";
  message.payload = text;
  for (int i = 0; i < 70'000; ++i) ASSERT_TRUE(connection.Send(message).ok());
  ASSERT_TRUE(connection.WaitCompleted(70'000).ok());
  EXPECT_EQ(connection.host.ok, 70'000u);
  EXPECT_EQ(connection.host.twice, 0u);
}

TEST(MqttWindow, ManyLargeMessagesAreNotAllCopied) {
  MosquittoServer server("max_inflight_messages 0");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  server.Freeze();
  const std::string large(4 << 20, 'x');
  Message message;
  message.topic = "t";
  message.payload = large;
  Token token = 1;
  while (connection.driver.Submit(message, token).ok()) ++token;
  EXPECT_LE(token, 6u);
  server.Thaw();
  EXPECT_TRUE(connection.WaitCompleted(token - 1).ok());
}

TEST(MqttRefusals, TopicsThatCannotBePublishedTo) {
  MosquittoServer server;
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  for (const std::string topic : {"a/#", "+", "\xff", "x"}) {
    const Status status = connection.Send(topic, "x");
    EXPECT_EQ(status.code(), topic == "x" ? Code::kOk : Code::kUnknownTopic) << topic;
  }
  EXPECT_EQ(connection.Send(std::string(70'000, 'x'), "x").code(), Code::kUnknownTopic);
  EXPECT_FALSE(connection.Send("", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(connection.host.ok, 1u);
}

TEST(MqttRefusals, TheServersAccessList) {
  for (const char* qos : {"1", "2"}) {
    const TemporaryFolder folder;
    MosquittoServer server("acl_file " + folder.Write("acl",
                                                      "topic deny forbidden\n"
                                                      "pattern readwrite #\n"));
    Connection connection(server.Address(), std::string("qos=") + qos);
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("forbidden", "x").ok());
    ASSERT_TRUE(connection.Send("allowed", "x").ok());
    ASSERT_TRUE(connection.WaitCompleted(2).ok()) << qos;
    EXPECT_EQ(connection.host.completed[1].code(), Code::kAuth) << qos;
    EXPECT_NE(connection.host.completed[1].message().find("\"forbidden\""), std::string::npos);
    EXPECT_TRUE(connection.host.completed[2].ok()) << qos;
  }
}

TEST(MqttRefusals, LargerThanTheServerTakes) {
  MosquittoServer server("max_packet_size 2000");
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  const Status status = connection.Send("t", std::string(3000, 'x'));
  EXPECT_EQ(status.code(), Code::kTooLarge) << status.message();
  ASSERT_TRUE(connection.Send("t", std::string(1000, 'x')).ok());
  EXPECT_TRUE(connection.WaitCompleted(1).ok());
}

// The reasons that it may contain (MQTT 5, 3.4.2.1).
TEST(MqttRefusals, ReasonsOfAnAcknowledgement) {
  const std::pair<int, Code> cases[] = {
      {0x00, Code::kOk},          {0x10, Code::kOk},          {0x80, Code::kRejected},
      {0x83, Code::kRejected},    {0x87, Code::kAuth},        {0x90, Code::kUnknownTopic},
      {0x91, Code::kUnavailable}, {0x97, Code::kUnavailable}, {0x99, Code::kRejected}};
  size_t next = 0;
  ScriptServer server([&](int, const std::string& packet) -> std::optional<std::string> {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    if (!ScriptServer::IsPublish(packet)) return "";
    return ScriptServer::Puback5(packet, cases[next++].first);
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  for (size_t i = 0; i < std::size(cases); ++i) ASSERT_TRUE(connection.Send("t/x", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(std::size(cases)).ok());
  for (size_t i = 0; i < std::size(cases); ++i) {
    const Status& status = connection.host.completed[i + 1];
    EXPECT_EQ(status.code(), cases[i].second) << cases[i].first << ": " << status.message();
    if (!status.ok()) {
      EXPECT_NE(status.message().find("t/x"), std::string::npos) << status.message();
      EXPECT_NE(status.message().find("(0x"), std::string::npos) << status.message();
    }
  }
}

TEST(MqttRefusals, TheServersTextIsShown) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
    std::string answer = ScriptServer::Puback5(packet, 0x87);
    answer[1] += 6;
    return answer + std::string("\x05\x1f\0\x02no", 6);
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t/x", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  const std::string& told = connection.host.completed[1].message();
  EXPECT_NE(told.find("(0x87) (it says: no)"), std::string::npos) << told;
}

// libmosquitto hands them over (2.0.11) or ends the connection (2.0.21).
TEST(MqttRefusals, ReasonsThatNoAcknowledgementMayHave) {
  for (const auto& [reason, code] :
       {std::pair(0x89, Code::kUnavailable), std::pair(0x95, Code::kTooLarge)}) {
    ScriptServer server([&](int, const std::string& packet) -> std::optional<std::string> {
      if (ScriptServer::IsConnect(packet)) return ScriptServer::Connack5(0);
      return ScriptServer::IsPublish(packet) ? ScriptServer::Puback5(packet, reason) : "";
    });
    Connection connection(server.Address());
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("t/x", "x").ok());
    const Status lost = connection.WaitCompleted(1);
    const Status told = lost.ok() ? connection.host.completed[1] : lost;
    EXPECT_EQ(told.code(), lost.ok() ? code : Code::kUnavailable) << told.message();
  }
}

}  // namespace
}  // namespace dsmsg::mqtt
