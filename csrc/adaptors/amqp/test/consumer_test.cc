// SPDX-License-Identifier: Apache-2.0
// Receiving, against a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "adaptors/amqp/test/fixture.h"
#include "core/base/time.h"

namespace dsmsg::amqp {
namespace {

using ::testing::HasSubstr;

TEST(AmqpConsumer, PrivateQueueReceivesWhatIsSentAfterSubscribe) {
  const std::string one = NewName(), two = NewName();
  Connection connection;
  ASSERT_OK(connection.Open(Role::kConsumer));
  AmqpClient client(Rabbit());
  client.Publish(one, "too early");
  ASSERT_OK(connection.Subscribe({one, two}));
  const std::string binary("\0\xff\xce\0", 4), large(1'000'000, '\x7f');
  client.Publish(one, binary);
  client.Publish(two, large);
  client.Publish(NewName(), "somebody else's");
  client.Publish(one, "");
  ASSERT_OK(connection.WaitDelivered(3));
  EXPECT_EQ(connection.host.delivered[0].topic, one);
  EXPECT_EQ(connection.host.delivered[0].payload, binary);
  EXPECT_EQ(connection.host.delivered[1].topic, two);
  EXPECT_TRUE(connection.host.delivered[1].payload == large);
  EXPECT_EQ(connection.host.delivered[2].payload, "");
}

TEST(AmqpConsumer, TopicsMayBePatterns) {
  const std::string prefix = NewName();
  Connection connection;
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({prefix + ".*.end"}));
  AmqpClient client(Rabbit());
  client.Publish(prefix + ".x.other", "no");
  client.Publish(prefix + ".x.end", "yes");
  ASSERT_OK(connection.WaitDelivered(1));
  EXPECT_EQ(connection.host.delivered[0].topic, prefix + ".x.end");
}

TEST(AmqpConsumer, NamedQueueKeepsWhatWasNotAcknowledged) {
  const std::string topic = NewName(), queue = NewName();
  {
    Connection connection("queue=" + queue);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({topic}));
    AmqpClient client(Rabbit());
    for (int i = 0; i < 5; ++i) client.Publish(topic, std::to_string(i));
    ASSERT_OK(connection.WaitDelivered(5));
    for (size_t i = 0; i < 2; ++i) connection.driver.Ack(connection.host.tokens[i]);
    connection.driver.Close(Millis(1000), -1);
    client.Publish(topic, "meanwhile");
  }
  Connection again("queue=" + queue);
  ASSERT_OK(again.Open(Role::kConsumer));
  ASSERT_OK(again.Subscribe({topic}));
  ASSERT_OK(again.WaitDelivered(4));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again.host.delivered[i].payload, std::to_string(i + 2));
  }
  EXPECT_EQ(again.host.delivered[3].payload, "meanwhile");
  again.AckAll();
  again.driver.Close(Millis(1000), -1);
  EXPECT_EQ(AmqpClient(Rabbit()).Count(queue), 0u) << "acknowledgements get out before the end";
}

TEST(AmqpConsumer, AtMostPrefetchAheadOfTheAcknowledgements) {
  const std::string topic = NewName();
  Connection connection("prefetch=10");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  AmqpClient client(Rabbit());
  for (int i = 0; i < 100; ++i) client.Publish(topic, std::to_string(i));
  ASSERT_OK(connection.WaitDelivered(10));
  const Deadline soon = Clock::now() + Millis(300);
  ASSERT_OK(connection.PumpUntil([&] { return Clock::now() > soon; }));
  EXPECT_EQ(connection.host.delivered.size(), 10u);
  ASSERT_OK(connection.PumpUntil([&] {
    connection.AckAll();
    return connection.host.delivered.size() >= 100;
  }));
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
}

// No room in the core for longer than three heartbeats: nothing is lost, the connection stays.
TEST(AmqpConsumer, WaitsForRoomWhileHeartbeatsGoOn) {
  const std::string topic = NewName();
  Connection connection("amqp-heartbeat=1\nprefetch=20");
  connection.host.room = 3;
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  AmqpClient client(Rabbit());
  for (int i = 0; i < 20; ++i) client.Publish(topic, std::to_string(i));
  const Deadline until = Clock::now() + Millis(3500);
  ASSERT_OK(connection.PumpUntil([&] { return Clock::now() > until; }));
  EXPECT_EQ(connection.host.delivered.size(), 3u);
  connection.host.room = SIZE_MAX;
  ASSERT_OK(connection.WaitDelivered(20));
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
}

TEST(AmqpConsumer, ASecondSubscribeReplacesTheBindings) {
  const std::string before = NewName(), both = NewName(), after = NewName(), queue = NewName();
  for (const std::string config : {"", "queue="}) {
    Connection connection(config.empty() ? config : config + queue);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({before, both}));
    ASSERT_OK(connection.Subscribe({both, after}));
    AmqpClient client(Rabbit());
    client.Publish(before, "not wanted");
    client.Publish(both, "1");
    client.Publish(after, "2");
    ASSERT_OK(connection.WaitDelivered(2));
    EXPECT_EQ(connection.host.delivered[0].topic, both);
    EXPECT_EQ(connection.host.delivered[1].topic, after);
  }
}

TEST(AmqpConsumer, DeliversWhatCameWhileItSubscribed) {
  const std::string topic = NewName(), queue = NewName();
  AmqpClient client(Rabbit());
  client.Declare(queue);
  client.Bind(queue, topic);
  for (int i = 0; i < 50; ++i) client.Publish(topic, std::to_string(i));
  client.Count(queue);
  Connection connection("queue=" + queue);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  std::vector<std::string> more = {topic};  // many round trips, while messages arrive
  for (int i = 0; i < 20; ++i) more.push_back(NewName());
  ASSERT_OK(connection.Subscribe(more));
  ASSERT_OK(connection.PumpUntil([&] {
    connection.AckAll();
    return connection.host.delivered.size() >= 50;
  }));
  for (size_t i = 0; i < 50; ++i)
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
}

// Messages of the previous topics that wait in the queue, the driver or the core are not lost, and
// messages that a refused topic got meanwhile are not delivered.
TEST(AmqpConsumer, ARefusalLeavesEverythingAsItWas) {
  Rabbit().Ctl(R"(["set_topic_permissions","guest","amq.topic",".*","^(?!forbidden).*"])");
  for (const bool named : {false, true}) {
    const std::string topic = NewName(), other = NewName();
    Connection connection("prefetch=10" + (named ? "\nqueue=" + NewName() : ""));
    ASSERT_OK(connection.Open(Role::kConsumer));
    EXPECT_EQ(connection.Subscribe({"forbidden"}).code(), Code::kAuth) << "the first one";
    ASSERT_OK(connection.Subscribe({topic}));
    AmqpClient client(Rabbit());
    for (int i = 0; i < 30; ++i) client.Publish(topic, std::to_string(i));
    ASSERT_OK(connection.WaitDelivered(10));
    const Status refused = connection.Subscribe({other, "forbidden"});
    EXPECT_EQ(refused.code(), Code::kAuth);
    EXPECT_THAT(refused.message(), HasSubstr("forbidden"));
    client.Publish(other, "not wanted");
    client.Publish(topic, "30");
    ASSERT_OK(connection.PumpUntil([&] {
      connection.AckAll();
      return connection.host.delivered.size() >= 31;
    }));
    for (size_t i = 0; i < 31; ++i) {
      EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i)) << "once, in order";
      EXPECT_EQ(connection.host.delivered[i].topic, topic);
    }
  }
  Rabbit().Ctl(R"(["clear_topic_permissions","guest"])");
}

// Messages of unsubscribed topics stay in a named queue as long as they do not hold up the others.
TEST(AmqpConsumer, MessagesOfTopicsThatWereGivenUpAreNotDelivered) {
  const std::string old = NewName(), wanted = NewName(), queue = NewName();
  {
    Connection connection("prefetch=10\nqueue=" + queue);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({old, wanted}));
    AmqpClient client(Rabbit());
    for (int i = 0; i < 4; ++i) client.Publish(old, "old");
    for (int i = 0; i < 20; ++i) client.Publish(wanted, std::to_string(i));
    ASSERT_OK(connection.WaitDelivered(10));
    ASSERT_OK(connection.Subscribe({wanted}));
    std::vector<AckToken> tokens = connection.host.tokens;
    for (size_t i = 0; i < 4; ++i) {  // as the core does with messages that no callback will see
      connection.driver.Release(tokens[i], {old, "old"});
    }
    ASSERT_OK(connection.PumpUntil([&] {
      for (size_t i = 4; i < connection.host.tokens.size(); ++i) {
        connection.driver.Ack(connection.host.tokens[i]);
      }
      return connection.host.delivered.size() >= 24;
    }));
    for (size_t i = 4; i < 24; ++i) EXPECT_EQ(connection.host.delivered[i].topic, wanted);
    connection.driver.Close(Millis(1000), -1);
    EXPECT_EQ(client.Count(queue), 4u) << "unacknowledged";
  }
}

TEST(AmqpConsumer, MissingExchangeIsAnErrorThatNamesIt) {
  const std::string exchange = NewName();
  Connection connection("exchange=" + exchange);
  ASSERT_OK(connection.Open(Role::kConsumer));
  const Status status = connection.Subscribe({"k"});
  EXPECT_EQ(status.code(), Code::kUnknownTopic);
  EXPECT_THAT(status.message(), HasSubstr(exchange));
  EXPECT_THAT(status.message(), HasSubstr("404"));
  // Created meanwhile: the same connection can subscribe.
  Connection maker("exchange=" + exchange + "\nexchange-type=topic");
  ASSERT_OK(maker.Open());
  ASSERT_OK(connection.Subscribe({"k"}));
  AmqpClient(Rabbit()).Publish("k", "x", exchange);
  ASSERT_OK(connection.WaitDelivered(1));
}

TEST(AmqpConsumer, WithoutPermissionItSaysSo) {
  Rabbit().Ctl(R"(["set_permissions","guest","^$",".*",".*"])");
  Connection connection("queue=" + NewName());
  ASSERT_OK(connection.Open(Role::kConsumer));
  const Status status = connection.Subscribe({"k"});
  Rabbit().Ctl(R"(["set_permissions","guest",".*",".*",".*"])");
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_THAT(status.message(), HasSubstr("403 ACCESS_REFUSED"));
  EXPECT_THAT(status.message(), HasSubstr("permission"));
}

amqp_table_entry_t Argument(const char* name, const char* value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}

amqp_table_entry_t Argument(const char* name, int64_t value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_I64;
  entry.value.value.i64 = value;
  return entry;
}

// Whatever its properties are, and without the permission to create one.
TEST(AmqpConsumer, AQueueThatExistsIsReadAsItIs) {
  AmqpClient client(Rabbit());
  amqp_table_entry_t quorum[] = {Argument("x-queue-type", "quorum")};
  amqp_table_entry_t limits[] = {Argument("x-message-ttl", 3'600'000),
                                 Argument("x-max-length", 1000)};
  const std::string names[] = {NewName(), NewName(), NewName()};
  client.Declare(names[0], {1, quorum});
  client.Declare(names[1], {2, limits});
  client.Declare(names[2], amqp_empty_table, /*durable=*/false);
  Rabbit().Ctl(R"(["set_permissions","guest","^$",".*",".*"])");
  for (const std::string& name : names) {
    for (const std::string more : {"", "\nchannel-max=1"}) {
      Connection connection("queue=" + name + more);
      Status status = connection.Open(Role::kConsumer);
      if (status.ok()) status = connection.Subscribe({name});
      client.Publish(name, "x");
      if (status.ok()) status = connection.WaitDelivered(1);
      EXPECT_TRUE(status.ok()) << status.message();
      connection.AckAll();
      connection.driver.Close(Millis(1000), -1);
    }
  }
  Rabbit().Ctl(R"(["set_permissions","guest",".*",".*",".*"])");
}

TEST(AmqpConsumer, AMissingQueueIsCreatedAsConfigured) {
  AmqpClient client(Rabbit());
  for (const std::string more : {"", "\nchannel-max=1"}) {
    const std::string name = NewName();
    Connection connection("queue=" + name + "\nqueue-type=quorum\nqueue-arguments=" +
                          "x-max-length=1000;x-overflow=reject-publish;" +
                          "x-single-active-consumer=true" + more);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({name}));
    client.Publish(name, "x");
    ASSERT_OK(connection.WaitDelivered(1));
    amqp_table_entry_t active{};
    active.key = amqp_cstring_bytes("x-single-active-consumer");
    active.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    active.value.value.boolean = 1;
    amqp_table_entry_t same[] = {Argument("x-queue-type", "quorum"), Argument("x-max-length", 1000),
                                 Argument("x-overflow", "reject-publish"), active};
    client.Declare(name, {4, same});  // throws if anything differs
  }
}

TEST(AmqpConsumer, AStreamIsReadFromNowOn) {
  const std::string name = NewName();
  Connection connection("queue=" + name + "\nqueue-type=stream");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({name}));
  AmqpClient client(Rabbit());
  for (int i = 0; i < 200; ++i) client.Publish(name, std::to_string(i));
  ASSERT_OK(connection.PumpUntil([&] {
    connection.AckAll();
    return connection.host.delivered.size() >= 200;
  }));
  EXPECT_EQ(connection.host.delivered[199].payload, "199");
}

TEST(AmqpConsumer, TheDefaultExchangeCannotBeSubscribed) {
  Connection connection("exchange=\"\"");
  ASSERT_OK(connection.Open(Role::kConsumer));
  EXPECT_EQ(connection.Subscribe({"k"}).code(), Code::kNotSupported);
}

TEST(AmqpConsumer, ADeletedQueueEndsTheLinkAndIsCreatedAgain) {
  const std::string topic = NewName(), queue = NewName();
  Connection connection("queue=" + queue);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  AmqpClient client(Rabbit());
  client.Delete(queue);
  const Status status = connection.PumpUntil([] { return false; });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(queue));
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  client.Publish(topic, "x");
  ASSERT_OK(connection.WaitDelivered(1));
}

// Acknowledgements of an earlier connection name other messages.
TEST(AmqpConsumer, LateAcknowledgementsAreIgnored) {
  const std::string topic = NewName(), queue = NewName();
  Connection connection("queue=" + queue);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  AmqpClient client(Rabbit());
  for (int i = 0; i < 3; ++i) client.Publish(topic, std::to_string(i));
  ASSERT_OK(connection.WaitDelivered(3));
  const std::vector<AckToken> late = connection.host.tokens;
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  ASSERT_OK(connection.WaitDelivered(6));
  for (const AckToken token : late) connection.driver.Ack(token);
  connection.driver.Close(Millis(1000), -1);
  EXPECT_EQ(client.Count(queue), 3u);
}

}  // namespace
}  // namespace dsmsg::amqp
