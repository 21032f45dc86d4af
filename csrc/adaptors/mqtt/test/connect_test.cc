// SPDX-License-Identifier: Apache-2.0
// Connecting: versions, logins, several servers, other kinds of servers, keep-alive, signals.
#include <signal.h>

#include <thread>
#include <vector>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"
#include "server.h"

namespace dsmsg::mqtt {
namespace {

TEST(MqttVersion, A311ServerSaysSoOnceAndIsRemembered) {
  for (const bool old_form : {false, true}) {
    ScriptServer server(
        [&](int connection, const std::string& packet) -> std::optional<std::string> {
          if (!ScriptServer::IsConnect(packet)) return "";
          if (connection > 1) return ScriptServer::Connack311(0);
          return old_form ? ScriptServer::Connack311(1) : ScriptServer::Connack5(0x84);
        });
    Connection connection(server.Address());
    const Status status = connection.Open();
    ASSERT_TRUE(status.ok()) << status.message();
    connection.driver.Close(Millis(0), -1);
    ASSERT_TRUE(connection.Open().ok());
    EXPECT_EQ(server.versions(), (std::vector<int>{5, 4, 4})) << old_form;
  }
}

TEST(MqttVersion, AServerThatJustClosesIsAskedAgainNextTime) {
  ScriptServer server([](int, const std::string& packet) -> std::optional<std::string> {
    if (packet[8] == 5) return std::nullopt;
    return ScriptServer::Connack311(0);
  });
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open().ok());
  EXPECT_EQ(server.versions(), (std::vector<int>{5, 4, 5, 4}));
}

// amqtt waits for bytes that it believes belong to the packet.
TEST(MqttVersion, ASilentServerIsAskedInTheOlderOneAndRemembered) {
  ScriptServer server([](int, const std::string& packet) {
    return ScriptServer::IsConnect(packet) && packet[8] == 4 ? ScriptServer::Connack311(0) : "";
  });
  Connection connection(server.Address());
  const Status status = connection.Open(Millis(4000));
  ASSERT_TRUE(status.ok()) << status.message();
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open(Millis(4000)).ok());
  EXPECT_EQ(server.versions(), (std::vector<int>{5, 4, 4}));
}

TEST(MqttVersion, AServerOfVersion5ThatIsSlowOrFrozenStaysOne) {
  ScriptServer server([&server](int connection, const std::string& packet) -> std::string {
    if (!ScriptServer::IsConnect(packet)) return "";
    if (connection == 2) server.Say(1, ScriptServer::Connack5(0));  // at last
    if (connection == 2) return ScriptServer::Connack311(0);
    return connection == 3 ? ScriptServer::Connack5(0) : "";
  });
  Connection connection(server.Address());
  const Status status = connection.Open(Millis(4000));
  ASSERT_TRUE(status.ok()) << status.message();
  connection.driver.Close(Millis(0), -1);
  EXPECT_EQ(connection.Open(Millis(200)).code(), Code::kTimeout);
  EXPECT_EQ(server.versions(), (std::vector<int>{5, 4, 5, 5}));
}

TEST(MqttVersion, TheOlderOneOnRequest) {
  MosquittoServer server;
  Connection connection(server.Address(), "protocol=3.1.1");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(connection.host.ok, 1u);
}

// A real server that speaks 3.1.1 only (RabbitMQ 3.10), or 5 with QoS 1 at most (4.0).
TEST(MqttVersion, RabbitMq) {
  conformance::Server server("rabbitmq", R"({"plugins":["rabbitmq_mqtt"]})");
  server.EnsureUp();
  const std::string address = "127.0.0.1;" + std::to_string(server.extra_port("mqtt"));
  for (const char* qos : {"0", "1"}) {
    Connection connection(address, std::string("username=guest\npassword=guest\nqos=") + qos);
    const Status status = connection.Open();
    ASSERT_TRUE(status.ok()) << status.message();
    const Status subscribed = connection.Subscribe({"cameras/+/events"});
    ASSERT_TRUE(subscribed.ok()) << subscribed.message();
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(connection.Send("cameras/1/events", std::to_string(i)).ok());
    }
    const Status sent = connection.WaitCompleted(200);
    ASSERT_TRUE(sent.ok()) << qos << ": " << sent.message();
    EXPECT_EQ(connection.host.ok, 200u);
    ASSERT_TRUE(connection.WaitDelivered(200).ok());
    EXPECT_EQ(connection.host.delivered[199].payload, "199");
    connection.driver.Close(Millis(500), -1);
  }
  Connection twice(address, "username=guest\npassword=guest\nqos=2");
  ASSERT_TRUE(twice.Open().ok());
  ASSERT_TRUE(twice.Send("t", "x").ok());
  if (const Status lost = twice.WaitCompleted(1); !lost.ok()) {
    EXPECT_NE(lost.message().find("qos=2"), std::string::npos) << lost.message();
  }
  const Status wrong = Connection(address, "username=guest\npassword=wrong-secret").Open();
  EXPECT_EQ(wrong.code(), Code::kAuth) << wrong.message();
  EXPECT_NE(wrong.message().find("PASSWORD_MQTT"), std::string::npos) << wrong.message();
}

TEST(MqttConnack, Refusals) {
  const std::tuple<const char*, int, Code> cases[] = {
      {"5", 0x86, Code::kAuth},        {"5", 0x87, Code::kAuth},
      {"5", 0x8a, Code::kAuth},        {"5", 0x85, Code::kRejected},
      {"5", 0x88, Code::kUnavailable}, {"5", 0x89, Code::kUnavailable},
      {"5", 0x97, Code::kUnavailable}, {"5", 0x9d, Code::kUnavailable},
      {"5", 0x9a, Code::kRejected},    {"3.1.1", 1, Code::kNotSupported},
      {"3.1.1", 2, Code::kRejected},   {"3.1.1", 3, Code::kUnavailable},
      {"3.1.1", 4, Code::kAuth},       {"3.1.1", 5, Code::kAuth}};
  for (const auto& [protocol, code, expected] : cases) {
    const bool version5 = std::string_view(protocol) == "5";
    ScriptServer server([&, answer = code](int, const std::string&) -> std::optional<std::string> {
      return version5 ? ScriptServer::Connack5(answer) : ScriptServer::Connack311(answer);
    });
    const Status status = Connection(server.Address(), std::string("protocol=") + protocol).Open();
    EXPECT_EQ(status.code(), expected) << protocol << " " << code << ": " << status.message();
    EXPECT_NE(status.message().find("127.0.0.1:"), std::string::npos) << status.message();
    EXPECT_EQ(server.versions().size(), 1u);
  }
}

TEST(MqttConnack, TheServersTextIsShown) {
  // A reason string, and the server to use instead.
  const std::string words(
      "\x1f\0\x04"
      "full\x1c\0\x07"
      "other:1",
      17);
  ScriptServer server([&](int, const std::string&) -> std::optional<std::string> {
    return ScriptServer::Connack5(0x9c, words);
  });
  const Status status = Connection(server.Address()).Open();
  EXPECT_NE(status.message().find("(0x9c) (it says: full) (it names another server: "
                                  "other:1)"),
            std::string::npos)
      << status.message();
}

TEST(MqttConnack, EmptyTextsAreLeftOut) {
  const std::string words("\x1f\0\0\x1c\0\0", 6);
  ScriptServer server([&](int, const std::string&) -> std::optional<std::string> {
    return ScriptServer::Connack5(0x9c, words);
  });
  const Status status = Connection(server.Address()).Open();
  EXPECT_NE(status.message().find("(0x9c)"), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find("(it says"), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find("it names"), std::string::npos) << status.message();
}

TEST(MqttConnack, TheServersLimits) {
  // Receive Maximum 3, Maximum QoS 1, Retain Available 0.
  const std::string limits("\x21\0\x03\x24\x01\x25\0", 7);
  ScriptServer server([&](int, const std::string& packet) -> std::optional<std::string> {
    return ScriptServer::IsConnect(packet) ? ScriptServer::Connack5(0, limits) : "";
  });
  const Status retain = Connection(server.Address(), "retain=1").Open();
  EXPECT_EQ(retain.code(), Code::kNotSupported);
  EXPECT_NE(retain.message().find("retain"), std::string::npos) << retain.message();
  Connection connection(server.Address(), "qos=2");
  ASSERT_TRUE(connection.Open().ok());
  Message message;
  message.topic = "t";
  message.payload = "x";
  Token token = 1;
  while (connection.driver.Submit(message, token).ok()) ++token;
  EXPECT_EQ(token, 4u) << "three messages, of QoS 1";
}

TEST(MqttLogin, WrongAndMissingPasswordsArePermanentAndNeverShown) {
  const TemporaryFolder folder;
  const std::string file = folder.File("passwords");
  ASSERT_EQ(std::system(("mosquitto_passwd -c -b " + file + " camera right-secret").c_str()), 0);
  MosquittoServer server("allow_anonymous false\npassword_file " + file);
  for (const std::string protocol : {"protocol=5\n", "protocol=3.1.1\n"}) {
    const Status missing = Connection(server.Address(), protocol).Open();
    EXPECT_EQ(missing.code(), Code::kAuth) << missing.message();
    EXPECT_NE(missing.message().find("PASSWORD_MQTT"), std::string::npos) << missing.message();
    const Status wrong =
        Connection(server.Address(), protocol + "username=camera\npassword=wrong-secret").Open();
    EXPECT_EQ(wrong.code(), Code::kAuth) << wrong.message();
    EXPECT_EQ(wrong.message().find("secret"), std::string::npos) << wrong.message();
    const Status right =
        Connection(server.Address(), protocol + "username=camera\npassword=right-secret").Open();
    EXPECT_TRUE(right.ok()) << right.message();
  }
  const std::string at = "@127.0.0.1:" + std::to_string(server.port());
  EXPECT_TRUE(Connection("mqtt://camera:right-secret" + at).Open().ok());
  EXPECT_FALSE(Connection("mqtt://camera:wrong-secret" + at).Open().ok());
  const Environment user("USER_MQTT", "camera"), password("PASSWORD_MQTT", "right-secret");
  EXPECT_TRUE(Connection(server.Address(), "password=wrong-secret").Open().ok());
  EXPECT_TRUE(Connection("mqtt://camera:wrong-secret" + at).Open().ok());
}

TEST(MqttServers, TheFirstReachableOneOfSeveralIsUsed) {
  MosquittoServer alive;
  const std::string dead = "127.0.0.1:" + std::to_string(FreePort());
  Connection connection(dead + ",127.0.0.1:" + std::to_string(alive.port()));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  alive.Kill();
  connection.driver.Close(Millis(0), -1);
  const Status status = connection.Open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.message().find("none of 2 servers"), std::string::npos) << status.message();
}

TEST(MqttServers, AFrozenOneLeavesTimeForTheNext) {
  MosquittoServer frozen, alive;
  frozen.Freeze();
  Connection connection("127.0.0.1:" + std::to_string(frozen.port()) +
                        ",127.0.0.1:" + std::to_string(alive.port()));
  EXPECT_TRUE(connection.Open(Millis(1000)).ok());
  frozen.Thaw();
}

TEST(MqttServers, UnknownHostAndClosedPortNameTheStep) {
  const Status name = Connection("no-such-host.invalid;1883").Open(Millis(3000));
  EXPECT_NE(name.message().find("no-such-host.invalid"), std::string::npos) << name.message();
  EXPECT_NE(name.message().find("name lookup"), std::string::npos) << name.message();
  const Status port = Connection("127.0.0.1;" + std::to_string(FreePort())).Open();
  EXPECT_EQ(port.code(), Code::kUnavailable);
  EXPECT_NE(port.message().find("connection refused"), std::string::npos) << port.message();
}

TEST(MqttServers, OpenIsCancelledAtOnce) {
  MosquittoServer server;
  Connection connection(server.Address());
  server.Freeze();
  connection.cancel.Signal();
  const auto start = Clock::now();
  EXPECT_EQ(connection.Open().code(), Code::kCancelled);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  server.Thaw();
}

TEST(MqttServers, AnotherProtocolIsNamed) {
  ScriptServer server([](int, const std::string&) -> std::optional<std::string> {
    return "HTTP/1.1 400 Bad Request\r\n\r\n";
  });
  const Status status = Connection(server.Address()).Open(Millis(2000));
  EXPECT_TRUE(status.retryable());
  EXPECT_NE(status.message().find("MQTT server"), std::string::npos) << status.message();
}

// Mosquitto ends a connection after one and a half times keep-alive.
TEST(MqttKeepAlive, AnIdleConnectionStays) {
  MosquittoServer server;
  Connection connection(server.Address(), "keep-alive=5");
  ASSERT_TRUE(connection.Open().ok());
  const Status status = connection.PumpUntil([] { return false; }, Millis(9000));
  EXPECT_NE(status.message().find("the test waited"), std::string::npos) << status.message();
  ASSERT_TRUE(connection.Send("t", "x").ok());
  EXPECT_TRUE(connection.WaitCompleted(1).ok());
}

TEST(MqttSignals, SigpipeIsLeftToTheHost) {
  MosquittoServer server;
  struct sigaction before {
  }, after{};
  sigaction(SIGPIPE, nullptr, &before);
  before.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &before, nullptr);
  Connection connection(server.Address());
  ASSERT_TRUE(connection.Open().ok());
  sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_DFL);
}

// Many handles that reconnect at the same time, as after a restart of their server.
TEST(MqttSignals, ManyConnectionsLeaveTheHostsHandler) {
  struct sigaction before {
  }, after{}, handler{};
  handler.sa_handler = [](int) {};
  sigaction(SIGPIPE, &handler, &before);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      MqttSettings settings;
      settings.client_id = "x";
      for (int j = 0; j < 1000; ++j) EXPECT_TRUE(MakeMosquitto(settings, {}, true, nullptr).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  sigaction(SIGPIPE, &before, &after);
  EXPECT_EQ(after.sa_handler, handler.sa_handler);
}

}  // namespace
}  // namespace dsmsg::mqtt
