// SPDX-License-Identifier: Apache-2.0
// Sending, against a real server.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "adaptors/redis/test/fixture.h"

namespace dsmsg::redis {
namespace {

TEST(RedisProducer, EveryByteArrivesAndOkFollowsTheEntryId) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  std::string payload("\0\xff\r\n%s $5 *\0", 12);
  ASSERT_TRUE(connection.Send("a topic %d\r\n", payload).ok());
  ASSERT_TRUE(connection.Send("a topic %d\r\n", "").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_EQ(connection.host.ok, 2u);
  Client client(server.port());
  EXPECT_EQ(Entries(client, "a topic %d\r\n"),
            (std::vector<Entry>{{{"metadata", payload}}, {{"metadata", ""}}}));
}

TEST(RedisProducer, KeyHeadersAndFieldsBecomeFields) {
  RedisServer server;
  Connection connection(AddressOf(server), "payloadkey=p\nfields=camera=${sensor.id};site=lab 1");
  ASSERT_TRUE(connection.Open().ok());
  const Header headers[] = {{"h 1", "v 1"}, {"h2", ""}};
  Message message;
  message.topic = "t";
  message.payload = R"({"sensor":{"id":"cam 7"}})";
  message.key = "the key";
  message.has_key = true;
  message.headers = headers;
  ASSERT_TRUE(connection.Send(message).ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  Client client(server.port());
  EXPECT_EQ(Entries(client, "t"), (std::vector<Entry>{{{"p", std::string(message.payload)},
                                                       {"key", "the key"},
                                                       {"h 1", "v 1"},
                                                       {"h2", ""},
                                                       {"camera", "cam 7"},
                                                       {"site", "lab 1"}}}));
}

TEST(RedisProducer, SetMakesAKeyThatExpires) {
  RedisServer server;
  Client client(server.port());
  const std::string picture("\0\xff\xd8", 3);
  {
    Connection connection(AddressOf(server), "command=set\nexpire=1h");
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("a key", picture).ok());
    ASSERT_TRUE(connection.WaitCompleted(1).ok());
  }
  EXPECT_EQ(client.Text({"GET", "a key"}), picture);
  EXPECT_GT(client.Integer({"PTTL", "a key"}), 0);
  EXPECT_LE(client.Integer({"PTTL", "a key"}), 3'600'000);
  Connection connection(AddressOf(server), "command=set");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("a key", "2").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(client.Text({"GET", "a key"}), "2");
  EXPECT_EQ(client.Integer({"PTTL", "a key"}), -1);
}

TEST(RedisProducer, SensorIdLayoutOfDeepStream9) {
  const Environment extraction("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION", "1");
  const Environment fallback("DEEPSTREAM_SENSOR_ID", "default-sensor");
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  const std::string full = R"({"sensor":{"id":"cam1"}})", minimal = R"({"sensorId":"cam2"})";
  ASSERT_TRUE(connection.Send("t", full).ok());
  ASSERT_TRUE(connection.Send("t", minimal).ok());
  const Header headers[] = {{"a", "say \"hi\"\n"}, {"b", "c"}};
  Message message;
  message.topic = "t";
  message.payload = "text";
  message.headers = headers;
  ASSERT_TRUE(connection.Send(message).ok());
  ASSERT_TRUE(connection.WaitCompleted(3).ok());
  Client client(server.port());
  EXPECT_EQ(Entries(client, "t"),
            (std::vector<Entry>{{{"key", "cam1"}, {"value", full}, {"headers", "{}"}},
                                {{"key", "cam2"}, {"value", minimal}, {"headers", "{}"}},
                                {{"key", "default-sensor"},
                                 {"value", "text"},
                                 {"headers", "{\"a\":\"say \\\"hi\\\"\\n\",\"b\":\"c\"}"}}}));
}

TEST(RedisProducer, TheFilesSensorIdTakesPrecedenceOverTheEnvironments) {
  const Environment fallback("DEEPSTREAM_SENSOR_ID", "environment");
  RedisServer server;
  Client client(server.port());
  {
    Connection plain(AddressOf(server), "sensorid=gate 1");
    ASSERT_TRUE(plain.Open().ok());
    ASSERT_TRUE(plain.Send("plain", "text").ok());
    ASSERT_TRUE(plain.WaitCompleted(1).ok());
    EXPECT_EQ(Entries(client, "plain"), (std::vector<Entry>{{{"metadata", "text"}}}));
  }
  const Environment extraction("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION", "1");
  Connection connection(AddressOf(server), "sensorid=gate 1");
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "text").ok());
  ASSERT_TRUE(connection.Send("t", R"({"sensorId":"cam2"})").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  const std::vector<Entry> entries = Entries(client, "t");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0][0].second, "gate 1");
  EXPECT_EQ(entries[1][0].second, "cam2");
}

TEST(RedisProducer, TheWindowIsBoundedAndOrderIsKept) {
  RedisServer server;
  Connection connection(AddressOf(server), "pipeline=100\nstreamsize=0");
  ASSERT_TRUE(connection.Open().ok());
  Message message;
  message.topic = "t";
  message.payload = "x";
  Token token = 1'000'000;
  while (connection.driver.Submit(message, token).ok()) ++token;
  EXPECT_EQ(token - 1'000'000, 100u);
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(connection.Send("n", std::to_string(i)).ok());
  ASSERT_TRUE(connection.WaitCompleted(5100).ok());
  EXPECT_EQ(connection.host.ok, 5100u);
  EXPECT_EQ(connection.host.twice, 0u);
  Client client(server.port());
  const std::vector<Entry> entries = Entries(client, "n");
  ASSERT_EQ(entries.size(), 5000u);
  for (size_t i = 0; i < entries.size(); ++i) ASSERT_EQ(entries[i][0].second, std::to_string(i));
}

TEST(RedisProducer, LargePayloadsPassThroughPartialWrites) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(connection.Send("big", std::string(3'000'000, static_cast<char>('a' + i))).ok());
  }
  ASSERT_TRUE(connection.WaitCompleted(12).ok());
  EXPECT_EQ(connection.host.ok, 12u);
  Client client(server.port());
  const std::vector<Entry> entries = Entries(client, "big");
  ASSERT_EQ(entries.size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(entries[i][0].second, std::string(3'000'000, static_cast<char>('a' + i)));
  }
}

TEST(RedisProducer, StreamsAreTrimmedBySizeAndByAge) {
  RedisServer server({"--stream-node-max-entries", "10"});
  Client client(server.port());
  Connection by_size(AddressOf(server), "streamsize=50");
  ASSERT_TRUE(by_size.Open().ok());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(by_size.Send("size", "x").ok());
  ASSERT_TRUE(by_size.WaitCompleted(1000).ok());
  const int64_t length = client.Integer({"XLEN", "size"});
  EXPECT_GE(length, 50);
  EXPECT_LE(length, 60);

  for (int i = 0; i < 100; ++i) client.Run({"XADD", "age", "1000-" + std::to_string(i), "f", "v"});
  Connection by_age(AddressOf(server), "stream-max-age=1m");
  ASSERT_TRUE(by_age.Open().ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(by_age.Send("age", "new").ok());
  ASSERT_TRUE(by_age.WaitCompleted(20).ok());
  EXPECT_EQ(client.Integer({"XLEN", "age"}), 20);
}

TEST(RedisProducer, PublishAndRpushAreOkWhenTheServerTookThem) {
  RedisServer server;
  Client client(server.port());
  Connection publisher(AddressOf(server), "command=publish");
  ASSERT_TRUE(publisher.Open().ok());
  ASSERT_TRUE(publisher.Send("channel", "nobody listens").ok());
  ASSERT_TRUE(publisher.WaitCompleted(1).ok());
  EXPECT_EQ(publisher.host.ok, 1u);
  Connection pusher(AddressOf(server), "command=rpush");
  ASSERT_TRUE(pusher.Open().ok());
  ASSERT_TRUE(pusher.Send("list", std::string("a\0b", 3)).ok());
  ASSERT_TRUE(pusher.WaitCompleted(1).ok());
  EXPECT_EQ(client.Text({"LPOP", "list"}), std::string("a\0b", 3));
}

TEST(RedisProducer, TheDatabaseIsSelected) {
  RedisServer server;
  Client client(server.port());
  for (const auto& [address, config] :
       {std::pair<std::string, std::string>{AddressOf(server), "database=3"},
        {"redis://127.0.0.1:" + std::to_string(server.port()) + "/3", ""}}) {
    Connection connection(address, config);
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("t", "x").ok());
    ASSERT_TRUE(connection.WaitCompleted(1).ok());
  }
  EXPECT_EQ(client.Integer({"EXISTS", "t"}), 0);
  client.Run({"SELECT", "3"});
  EXPECT_EQ(client.Integer({"XLEN", "t"}), 2);
  Connection wrong(AddressOf(server), "database=99");
  const Status status = wrong.Open();
  EXPECT_TRUE(status.permanent());
  EXPECT_NE(status.message().find("select the database"), std::string::npos) << status.message();
}

TEST(RedisProducer, ErrorRepliesAreNotSuccess) {
  RedisServer server;
  Client client(server.port());
  client.Run({"SET", "plain", "x"});
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("plain", "x").ok());
  ASSERT_TRUE(connection.Send("stream", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_EQ(connection.host.completed[1].code(), Code::kRejected);
  EXPECT_NE(connection.host.completed[1].message().find("WRONGTYPE"), std::string::npos);
  EXPECT_NE(connection.host.completed[1].message().find("\"plain\""), std::string::npos);
  EXPECT_TRUE(connection.host.completed[2].ok());
}

TEST(RedisProducer, FullMemoryIsTransient) {
  RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_TRUE(connection.host.completed[1].retryable());
  Client(server.port()).Run({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_TRUE(connection.host.completed[2].ok());
}

TEST(RedisProducer, AReplicaIsTransientAndTheNextServerIsTried) {
  RedisServer master, replica;
  const std::string master_port = std::to_string(master.port());
  Client(replica.port()).Run({"REPLICAOF", "127.0.0.1", master_port});
  Connection connection("127.0.0.1:" + std::to_string(replica.port()) +
                        ",127.0.0.1:" + master_port);
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable);
  EXPECT_NE(lost.message().find("READONLY"), std::string::npos) << lost.message();
  ASSERT_EQ(connection.host.completed.size(), 1u);
  EXPECT_TRUE(connection.host.completed[1].retryable());
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_TRUE(connection.host.completed[2].ok());
}

TEST(RedisProducer, TheFirstReachableServerOfSeveralIsUsed) {
  RedisServer dead, alive;
  dead.Kill();
  Connection connection("127.0.0.1:" + std::to_string(dead.port()) +
                        ",127.0.0.1:" + std::to_string(alive.port()));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  alive.Kill();
  connection.driver.Close(Millis(0), -1);
  const Status status = connection.Open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.message().find("none of 2 servers"), std::string::npos) << status.message();
}

TEST(RedisLogin, WrongAndMissingPasswordsArePermanentAndNeverShown) {
  RedisServer server({"--requirepass", "right-secret"});
  const Status missing = Connection(AddressOf(server)).Open();
  EXPECT_EQ(missing.code(), Code::kAuth);
  EXPECT_NE(missing.message().find("PASSWORD_REDIS"), std::string::npos) << missing.message();
  const Status wrong = Connection(AddressOf(server), "password=wrong-secret").Open();
  EXPECT_EQ(wrong.code(), Code::kAuth);
  EXPECT_EQ(wrong.message().find("wrong-secret"), std::string::npos) << wrong.message();
  EXPECT_TRUE(Connection(AddressOf(server), "password=right-secret").Open().ok());
  const std::string port = std::to_string(server.port());
  EXPECT_TRUE(Connection("redis://:right-secret@127.0.0.1:" + port).Open().ok());
  const Environment password("PASSWORD_REDIS", "right-secret");
  EXPECT_TRUE(Connection(AddressOf(server), "password=wrong-secret").Open().ok());
  EXPECT_TRUE(Connection("redis://:wrong-secret@127.0.0.1:" + port).Open().ok());
}

TEST(RedisLogin, AclUsers) {
  RedisServer server;
  Client(server.port())
      .Run({"ACL", "SETUSER", "camera", "on", ">secret", "~allowed", "+xadd", "+auth"});
  EXPECT_EQ(Connection(AddressOf(server), "username=camera\npassword=no").Open().code(),
            Code::kAuth);
  // This user may not use PING, and is logged in all the same.
  Connection connection(AddressOf(server), "username=camera\npassword=secret");
  const Status opened = connection.Open();
  ASSERT_TRUE(opened.ok()) << opened.message();
  ASSERT_TRUE(connection.Send("allowed", "x").ok());
  ASSERT_TRUE(connection.Send("forbidden", "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_TRUE(connection.host.completed[1].ok());
  EXPECT_EQ(connection.host.completed[2].code(), Code::kAuth);
}

TEST(RedisLogin, AnUnneededPasswordIsNotAnError) {
  RedisServer server;
  EXPECT_TRUE(Connection(AddressOf(server), "password=unneeded").Open().ok());
}

TEST(RedisOutage, AKilledServerEndsPollAndTheUnansweredStayWithTheCore) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "answered").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  server.Freeze();  // so that the next ones are surely unanswered
  ASSERT_TRUE(connection.Send("t", "unanswered").ok());
  ASSERT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
  server.Kill();
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable) << lost.message();
  EXPECT_NE(lost.message().find("lost the connection"), std::string::npos) << lost.message();
  connection.driver.Close(Millis(0), -1);
  EXPECT_EQ(connection.host.completed.size(), 1u);
  const Status down = connection.Open();
  EXPECT_EQ(down.code(), Code::kUnavailable);
  server.Restart();
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", "again").ok());
  ASSERT_TRUE(connection.WaitCompleted(2).ok());
  EXPECT_EQ(connection.host.ok, 2u);
}

TEST(RedisOutage, AFrozenServerIsNoticed) {
  RedisServer server;
  Connection connection(AddressOf(server), "connect-timeout=300");
  ASSERT_TRUE(connection.Open().ok());
  server.Freeze();
  ASSERT_TRUE(connection.Send("t", "x").ok());
  const auto start = Clock::now();
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kTimeout);
  EXPECT_NE(lost.message().find("has not answered"), std::string::npos) << lost.message();
  EXPECT_LT(Clock::now() - start, Millis(8000));
  connection.driver.Close(Millis(0), -1);
  // The kernel still accepts for it; the answer to PING is what is missing.
  const Status status = connection.Open(Role::kProducer, Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_NE(status.message().find("PING"), std::string::npos) << status.message();
  server.Thaw();
  EXPECT_TRUE(connection.Open().ok());
}

TEST(RedisOutage, OpenIsCancelledAtOnce) {
  RedisServer server;
  Connection connection(AddressOf(server));
  server.Freeze();
  connection.cancel.Signal();
  const auto start = Clock::now();
  EXPECT_EQ(connection.Open().code(), Code::kCancelled);
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  server.Thaw();
}

TEST(RedisOutage, PollReturnsForAWakeUp) {
  RedisServer server;
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  connection.wake.Signal();
  const auto start = Clock::now();
  EXPECT_TRUE(connection.driver.Poll(Millis(20'000), connection.wake.fd()).ok());
  EXPECT_LT(Clock::now() - start, Millis(10'000));
}

TEST(RedisOutage, AnotherProtocolIsNamed) {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(listen(listener.get(), 5), 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::thread server([&] {
    UniqueFd client(accept(listener.get(), nullptr, nullptr));
    const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_GT(send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL), 0);
    char byte;
    EXPECT_GE(recv(client.get(), &byte, 1, 0), 0);
  });
  Connection connection("127.0.0.1;" + std::to_string(ntohs(address.sin_port)));
  const Status status = connection.Open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.message().find("does not speak the Redis protocol"), std::string::npos)
      << status.message();
  server.join();
}

}  // namespace
}  // namespace dsmsg::redis
