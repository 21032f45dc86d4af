// SPDX-License-Identifier: Apache-2.0
// Receiving, against a real server.
#include <algorithm>
#include <set>

#include "adaptors/nats/test/fixture.h"

namespace dsmsg::nats {
namespace {

std::multiset<std::string> Payloads(const Connection& connection) {
  std::multiset<std::string> payloads;
  for (const InMessage& message : connection.host.delivered) payloads.insert(message.payload);
  return payloads;
}

std::string Durable() { return "durable=" + NewName(); }

TEST(NatsConsumer, GetsWhatIsSentAfterSubscribeAndAcknowledges) {
  const std::string topic = NewStream(), config = Durable();
  SendNumbers(topic, 3);
  {
    Connection connection(config);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({topic}));
    connection.callbacks_return = true;
    SendNumbers(topic, 500);
    ASSERT_OK(connection.WaitDelivered(500));
    connection.AckAll();
    EXPECT_EQ(connection.host.delivered.front().topic, topic);
    EXPECT_EQ(connection.host.delivered.front().payload, "0");
    EXPECT_FALSE(connection.host.delivered.front().redelivered);
    EXPECT_GT(connection.host.delivered.front().timestamp_ms, 0);
    connection.driver.Close(Millis(5000), -1);
  }
  SendNumbers(topic, 1);
  Connection again(config);
  ASSERT_OK(again.Open(Role::kConsumer));
  ASSERT_OK(again.Subscribe({topic}));
  ASSERT_OK(again.WaitDelivered(1));
  EXPECT_FALSE(again.host.delivered.front().redelivered) << "the others were acknowledged";
}

TEST(NatsConsumer, WhatNoCallbackSawComesAgainAtOnce) {
  const std::string topic = NewStream(), config = Durable();
  Connection first(config);
  ASSERT_OK(first.Open(Role::kConsumer));
  ASSERT_OK(first.Subscribe({topic}));
  first.host.room = 2;  // the rest waits in the driver
  SendNumbers(topic, 10);
  ASSERT_OK(first.WaitDelivered(2));
  first.driver.Ack(first.host.tokens[1]);
  first.driver.Close(Millis(5000), -1);
  Connection second(config);
  ASSERT_OK(second.Open(Role::kConsumer));
  ASSERT_OK(second.Subscribe({topic}));
  ASSERT_OK(second.WaitDelivered(9));
  EXPECT_EQ(Payloads(second),
            (std::multiset<std::string>{"0", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

// A slow callback's message is not given to anybody else.
TEST(NatsConsumer, WhatIsHeldLongerThanAckWaitIsReportedAsWorkedOn) {
  const std::string topic = NewStream();
  const std::string config = Durable() + "\nack-wait=1s";
  Connection connection(config);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  SendNumbers(topic, 2);
  ASSERT_OK(connection.WaitDelivered(2));
  const Deadline later = Clock::now() + Millis(3000);
  ASSERT_OK(connection.PumpUntil([&] { return Clock::now() > later; }));
  connection.AckAll();
  SendNumbers(topic, 1);
  ASSERT_OK(connection.WaitDelivered(3));
  EXPECT_FALSE(connection.host.delivered[2].redelivered);
  EXPECT_EQ(connection.host.delivered.size(), 3U);
}

TEST(NatsConsumer, WildcardsAndReplacedSubjects) {
  const std::string name = NewName();
  NatsClient(Shared()).Request("$JS.API.STREAM.CREATE." + name,
                               R"({"name":")" + name + R"(","subjects":[")" + name + ".>\"]}");
  Connection connection(Durable());
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({name + ".a.*", name + ".b"}));
  SendNumbers(name + ".a.1", 1);
  SendNumbers(name + ".b", 1);
  ASSERT_OK(connection.WaitDelivered(2));
  connection.AckAll();
  ASSERT_OK(connection.Subscribe({name + ".b"}));
  SendNumbers(name + ".a.1", 1);
  SendNumbers(name + ".b", 2);
  ASSERT_OK(connection.WaitDelivered(4));
  EXPECT_EQ(connection.host.delivered[2].topic, name + ".b");
  EXPECT_EQ(connection.host.delivered[3].topic, name + ".b");
}

TEST(NatsConsumer, AllOrNothing) {
  const std::string good = NewStream(), nowhere = NewName();
  Connection connection(Durable());
  ASSERT_OK(connection.Open(Role::kConsumer));
  const Status status = connection.Subscribe({good, nowhere});
  EXPECT_EQ(status.code(), Code::kUnknownTopic) << status.message();
  EXPECT_EQ(connection.Subscribe({"a b"}).code(), Code::kInvalidArgument);
  ASSERT_OK(connection.Subscribe({good}));
  SendNumbers(good, 1);
  ASSERT_OK(connection.WaitDelivered(1));
}

TEST(NatsConsumer, TheSameDurableSharesAndNoneSeesEverything) {
  const std::string topic = NewStream(), config = Durable() + "\nbatch-read=1";
  Connection one(config), two(config), viewer("durable=\"\"");
  for (Connection* each : {&one, &two, &viewer}) {
    ASSERT_OK(each->Open(Role::kConsumer));
    ASSERT_OK(each->Subscribe({topic}));
    each->callbacks_return = true;
  }
  SendNumbers(topic, 40);
  ASSERT_OK(viewer.WaitDelivered(40));
  const auto all = [&] { return one.host.delivered.size() + two.host.delivered.size() >= 40; };
  while (!all()) {
    ASSERT_OK(one.driver.Poll(Millis(5), one.wake.fd()));
    ASSERT_OK(two.driver.Poll(Millis(5), two.wake.fd()));
    one.AckAll();
    two.AckAll();
  }
  std::multiset<std::string> together = Payloads(one);
  together.merge(Payloads(two));
  EXPECT_EQ(together, Payloads(viewer));
}

TEST(NatsConsumer, AWorkQueueAndDeliverAllBeginWithWhatIsThere) {
  const std::string queue = NewStream(R"(,"retention":"workqueue")"), kept = NewStream();
  SendNumbers(queue, 3);
  SendNumbers(kept, 3);
  for (const auto& [topic, config] :
       {std::pair(queue, Durable()), std::pair(kept, Durable() + "\ndeliver=all")}) {
    Connection connection(config);
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({topic}));
    ASSERT_OK(connection.WaitDelivered(3));
  }
}

// Somebody deletes the consumer: the next connection goes on where it was.
TEST(NatsConsumer, AVanishedConsumerGoesOnWhereItWas) {
  const std::string topic = NewStream(), name = NewName();
  Connection connection("durable=" + name);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  SendNumbers(topic, 3);
  ASSERT_OK(connection.WaitDelivered(3));
  connection.AckAll();
  NatsClient(Shared()).Request("$JS.API.CONSUMER.DELETE." + topic + "." + name + "-" + topic, "");
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable) << lost.message();
  connection.driver.Close(Millis(0), -1);
  SendNumbers(topic, 2);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  ASSERT_OK(connection.PumpUntil([&] {
    return std::count_if(connection.host.delivered.begin() + 3, connection.host.delivered.end(),
                         [](const InMessage& each) { return each.payload == "1"; }) > 0;
  }));
}

TEST(NatsConsumer, AConsumerThatIsThereIsUsedAsItIs) {
  const std::string topic = NewStream(), name = NewName();
  NatsClient(Shared()).Request(
      "$JS.API.CONSUMER.DURABLE.CREATE." + topic + "." + name + "-" + topic,
      R"({"stream_name":")" + topic + R"(","config":{"durable_name":")" + name + "-" + topic +
          R"(","ack_policy":"explicit","filter_subject":")" + topic +
          R"(","deliver_policy":"all","max_ack_pending":2}})");
  SendNumbers(topic, 5);
  Connection connection("durable=" + name);
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  connection.callbacks_return = true;
  ASSERT_OK(connection.WaitDelivered(5));
}

TEST(NatsConsumer, CoreNatsWithAndWithoutAGroup) {
  const std::string topic = NewName();
  Connection one("jetstream=0\nqueue-group=g"), two("jetstream=0\nqueue-group=g"),
      three("jetstream=0");
  for (Connection* each : {&one, &two, &three}) {
    ASSERT_OK(each->Open(Role::kConsumer));
    ASSERT_OK(each->Subscribe({topic + ".*"}));
  }
  SendNumbers(topic + ".x", 40, Shared(), "jetstream=0");
  ASSERT_OK(three.WaitDelivered(40));
  while (one.host.delivered.size() + two.host.delivered.size() < 40) {
    ASSERT_OK(one.driver.Poll(Millis(5), one.wake.fd()));
    ASSERT_OK(two.driver.Poll(Millis(5), two.wake.fd()));
  }
  EXPECT_EQ(one.host.delivered.size() + two.host.delivered.size(), 40U);
  EXPECT_EQ(three.host.delivered[7].topic, topic + ".x");
  // Replaced.
  ASSERT_OK(three.Subscribe({topic + ".y"}));
  SendNumbers(topic + ".x", 3, Shared(), "jetstream=0");
  SendNumbers(topic + ".y", 1, Shared(), "jetstream=0");
  ASSERT_OK(three.WaitDelivered(41));
  EXPECT_EQ(three.host.delivered[40].topic, topic + ".y");
}

TEST(NatsConsumer, AForbiddenCoreSubscriptionChangesNothing) {
  OwnServer server({R"(authorization { users: [ {user: b, password: b, )"
                    R"(permissions: {subscribe: {deny: "closed"}}} ] })"});
  const std::string config = "username=b\npassword=b\njetstream=0";
  Connection connection(config, AddressOf(*server));
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({"open"}));
  const Status status = connection.Subscribe({"other", "closed"});
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_TRUE(Has(status.message(), "closed")) << status.message();
  SendNumbers("other", 1, *server, config);
  SendNumbers("open", 1, *server, config);
  ASSERT_OK(connection.WaitDelivered(1));
  EXPECT_EQ(connection.host.delivered[0].topic, "open");
}

}  // namespace
}  // namespace dsmsg::nats
