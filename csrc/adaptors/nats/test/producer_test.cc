// SPDX-License-Identifier: Apache-2.0
// Sending, against a real server.
#include <algorithm>

#include "adaptors/nats/test/fixture.h"

namespace dsmsg::nats {
namespace {

Message Text(std::string_view topic, std::string_view payload) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  return message;
}

/// The only message of a stream.
NatsClient::Message Only(const std::string& stream) {
  NatsClient client(Shared());
  const std::string inbox = NewName();
  client.Request("$JS.API.CONSUMER.CREATE." + stream, R"({"stream_name":")" + stream +
                                                          R"(","config":{"deliver_subject":")" +
                                                          inbox + R"(","ack_policy":"none"}})");
  client.Subscribe(inbox);
  return client.Next();
}

TEST(NatsProducer, EveryByteKeyAndHeadersArrive) {
  const std::string topic = NewStream();
  Connection connection;
  ASSERT_OK(connection.Open());
  const std::string payload("\0\xff\r\nMSG x 1 2\r\n", 16);
  const Header headers[] = {{"source", "camera 1"}, {"empty", ""}};
  Message message = Text(topic, payload);
  message.headers = headers;
  message.key = "a key";
  message.has_key = true;
  ASSERT_OK(connection.Send(message));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.host.ok, 1U);
  const NatsClient::Message found = Only(topic);
  EXPECT_EQ(found.payload, payload);
  EXPECT_TRUE(Has(found.headers, "source: camera 1\r\nempty: \r\nkey: a key\r\nNats-Msg-Id: "))
      << found.headers;
}

TEST(NatsProducer, TheMessageIdIsTheSameOnEveryTry) {
  const std::string topic = NewStream();
  Connection connection;
  ASSERT_OK(connection.Open());
  const Message message = Text(topic, "once");
  for (uint32_t attempt = 0; attempt < 2; ++attempt) {
    Message again = message;
    again.attempt = attempt;
    ASSERT_OK(connection.SubmitAs(again, 77));
    ASSERT_OK(connection.WaitCompleted(1));
    EXPECT_TRUE(connection.host.completed.at(77).ok());
    connection.host.completed.clear();
    connection.driver.Close(Millis(0), -1);  // the second try comes on another connection
    ASSERT_OK(connection.Open());
  }
  EXPECT_EQ(MessagesIn(topic), 1U);
  // Another connection's token 77 is another message.
  Connection other;
  ASSERT_OK(other.Open());
  ASSERT_OK(other.SubmitAs(message, 77));
  ASSERT_OK(other.WaitCompleted(1));
  EXPECT_EQ(MessagesIn(topic), 2U);
}

TEST(NatsProducer, TheUsersOwnMessageIdCountsInAnySpelling) {
  const std::string topic = NewStream();
  Connection connection;
  ASSERT_OK(connection.Open());
  const Header headers[] = {{"nats-msg-id", "mine"}};
  Message message = Text(topic, "x");
  message.headers = headers;
  ASSERT_OK(connection.Send(message));
  ASSERT_OK(connection.Send(message));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.host.ok, 2U);
  EXPECT_EQ(MessagesIn(topic), 1U);
}

TEST(NatsProducer, NoStreamIsAnUnknownTopicAtOnceAndAPlainSubscriberMakesNone) {
  Connection connection("ack-timeout=200ms");
  ASSERT_OK(connection.Open());
  const std::string unknown = NewName(), plain = NewName();
  NatsClient subscriber(Shared());
  subscriber.Subscribe(plain);
  subscriber.Request("$JS.API.INFO", "");  // so the server has the subscription
  ASSERT_OK(connection.Send(unknown, "x"));
  ASSERT_OK(connection.Send(plain, "x"));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.Outcome(1), Code::kUnknownTopic) << connection.Text(1);
  EXPECT_EQ(connection.Outcome(2), Code::kUnknownTopic) << connection.Text(2);
  EXPECT_TRUE(Has(connection.Text(2), "only plain subscribers")) << connection.Text(2);
  // Nothing is remembered: a stream that is made later is found.
  NatsClient(Shared()).Request("$JS.API.STREAM.CREATE." + unknown,
                               R"({"name":")" + unknown + R"(","subjects":[")" + unknown + "\"]}");
  ASSERT_OK(connection.Send(unknown, "y"));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.Outcome(3), Code::kOk);
}

TEST(NatsProducer, MaxPayloadOfTheServerIsKnownBeforeSending) {
  const std::string topic = NewStream();
  Connection connection;
  ASSERT_OK(connection.Open());
  EXPECT_EQ(connection.Send(topic, std::string(1 << 20, 'x')).code(), Code::kTooLarge);
  ASSERT_OK(connection.Send(topic, std::string((1 << 20) - 200, 'x')));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.host.ok, 1U);
}

// With "discard old", the server would acknowledge it and keep nothing.
TEST(NatsProducer, AMessageLargerThanItsStreamIsRefused) {
  const std::string topic = NewStream(R"(,"max_bytes":10000)");
  SendNumbers(topic, 5);
  Connection connection;
  ASSERT_OK(connection.Open());
  const Status status = connection.Send(topic, std::string(20'000, 'x'));
  EXPECT_EQ(status.code(), Code::kTooLarge);
  EXPECT_TRUE(Has(status.message(), "max_bytes 10000")) << status.message();
  EXPECT_EQ(MessagesIn(topic), 5U);
}

TEST(NatsProducer, LimitsOfTheStream) {
  const std::string small = NewStream(R"(,"max_msg_size":10)"),
                    silent = NewStream(R"(,"no_ack":true)"),
                    full = NewStream(R"(,"max_msgs":2,"discard":"new")");
  Connection connection;
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(small, std::string(100, 'x')));
  for (int i = 0; i < 3; ++i) ASSERT_OK(connection.Send(full, "x"));
  ASSERT_OK(connection.WaitCompleted(4));
  EXPECT_EQ(connection.Outcome(1), Code::kTooLarge) << connection.Text(1);
  EXPECT_EQ(connection.Outcome(3), Code::kOk);
  EXPECT_EQ(connection.Outcome(4), Code::kUnavailable) << connection.Text(4);
  EXPECT_TRUE(Has(connection.Text(4), "full and discards new")) << connection.Text(4);
  const Status status = connection.Send(silent, "x");
  EXPECT_EQ(status.code(), Code::kRejected);
  EXPECT_TRUE(Has(status.message(), "no_ack")) << status.message();
}

// The limit of the server holds for every stream: messages wait.
TEST(NatsProducer, AFullServerIsBackPressure) {
  OwnServer server({"jetstream { store_dir: \"{dir}/data\", max_file: 20000 }"});
  const std::string topic = NewStream(*server);
  Connection connection("", AddressOf(*server));
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 30; ++i) ASSERT_OK(connection.Send(topic, std::string(1000, 'x')));
  ASSERT_OK(connection.WaitCompleted(30));
  EXPECT_GT(connection.host.ok, 5U);
  EXPECT_EQ(connection.Outcome(30), Code::kUnavailable) << connection.Text(30);
}

TEST(NatsProducer, TheExpectedStreamIsChecked) {
  const std::string topic = NewStream(), other = NewStream();
  Connection connection("stream=" + other);
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.Send(other, "x"));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.Outcome(1), Code::kRejected) << connection.Text(1);
  EXPECT_EQ(connection.Outcome(2), Code::kOk);
}

TEST(NatsProducer, WrongSubjectsAndHeadersAreRefusedAndTheConnectionGoesOn) {
  const std::string topic = NewStream();
  Connection connection;
  ASSERT_OK(connection.Open());
  for (const char* wrong : {"a b", "a..b", "a.*", "a\r\nPUB b 0\r\n"}) {
    EXPECT_EQ(connection.Send(wrong, "x").code(), Code::kInvalidArgument) << wrong;
  }
  const Header headers[] = {{"a", "1\r\nNats-Rollup: all"}};
  Message message = Text(topic, "x");
  message.headers = headers;
  EXPECT_EQ(connection.Send(message).code(), Code::kInvalidArgument);
  ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
}

constexpr char kUsers[] =
    R"(authorization { users: [ {user: a, password: a}, )"
    R"({user: b, password: b, permissions: {publish: {deny: "closed"}}}, )"
    R"({user: c, password: c, permissions: {publish: {deny: "$JS.API.>"}}} ] })";

TEST(NatsProducer, PermissionsAreToldForTheMessage) {
  for (const char* config : {"username=b\npassword=b", "username=b\npassword=b\njetstream=0"}) {
    OwnServer server({kUsers});
    Connection connection(config, AddressOf(*server));
    ASSERT_OK(connection.Open());
    ASSERT_OK(connection.Send("open", "x"));
    ASSERT_OK(connection.Send("closed", "x"));
    ASSERT_OK(connection.Send("open", "x"));
    ASSERT_OK(connection.WaitCompleted(3));
    EXPECT_EQ(connection.Outcome(2), Code::kAuth) << config;
    EXPECT_TRUE(Has(connection.Text(2), "Permissions Violation")) << connection.Text(2);
    EXPECT_NE(connection.Outcome(1), Code::kAuth);
    EXPECT_NE(connection.Outcome(3), Code::kAuth);
  }
}

// Without the right to ask, the answer to the message decides, after two tries.
TEST(NatsProducer, WithoutRightsToTheApi) {
  OwnServer server({kUsers});
  Connection connection("username=c\npassword=c", AddressOf(*server));
  ASSERT_OK(connection.Open());
  for (const uint32_t attempt : {0U, 1U, 2U}) {
    Message message = Text("nowhere", "x");
    message.attempt = attempt;
    ASSERT_OK(connection.Send(message));
    ASSERT_OK(connection.WaitCompleted(attempt + 1));
  }
  EXPECT_EQ(connection.Outcome(1), Code::kUnavailable);
  EXPECT_EQ(connection.Outcome(2), Code::kUnavailable);
  EXPECT_EQ(connection.Outcome(3), Code::kUnknownTopic);
}

// One of two servers: JetStream has no majority, so no stream has a leader and no server can list
// the streams. Whether this user may ask makes no difference.
TEST(NatsProducer, InAClusterAStreamMayBeWithoutALeader) {
  OwnServer server(
      {kUsers, "cluster { name: two, listen: 127.0.0.1:-1, routes: [ nats://127.0.0.1:1 ] }"});
  for (const char* user : {"username=a\npassword=a", "username=c\npassword=c"}) {
    Connection connection(user, AddressOf(*server));
    ASSERT_OK(connection.Open());
    for (const uint32_t attempt : {0U, 1U, 2U}) {
      Message message = Text("events", "x");
      message.attempt = attempt;
      ASSERT_OK(connection.Send(message));
      ASSERT_OK(connection.WaitCompleted(attempt + 1));
      EXPECT_EQ(connection.Outcome(attempt + 1), Code::kUnavailable)
          << user << ": " << connection.Text(attempt + 1);
    }
  }
}

TEST(NatsProducer, CoreNatsIsOkOnceTheServerHasProcessedIt) {
  const std::string topic = NewName();
  NatsClient subscriber(Shared());
  subscriber.Subscribe(topic);
  subscriber.Request("$JS.API.INFO", "");
  Connection connection("jetstream=0");
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 3000; ++i) ASSERT_OK(connection.Send(topic, std::to_string(i)));
  ASSERT_OK(connection.WaitCompleted(3000));
  EXPECT_EQ(connection.host.ok, 3000U);
  EXPECT_TRUE(std::is_sorted(connection.host.order.begin(), connection.host.order.end()));
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(subscriber.Next().payload, std::to_string(i));
}

TEST(NatsProducer, AFullWindowReopens) {
  const std::string topic = NewStream();
  Connection connection("pipeline=3");
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 500; ++i) ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.WaitCompleted(500));
  EXPECT_EQ(connection.host.ok, 500U);
  EXPECT_EQ(MessagesIn(topic), 500U);
}

}  // namespace
}  // namespace dsmsg::nats
