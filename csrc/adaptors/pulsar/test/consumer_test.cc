// SPDX-License-Identifier: Apache-2.0
// Receiving, against a real server.
#include <algorithm>
#include <set>

#include "adaptors/pulsar/test/fixture.h"

namespace dsmsg::pulsar {
namespace {

std::multiset<std::string> Payloads(const Connection& connection) {
  std::multiset<std::string> payloads;
  for (const InMessage& message : connection.host.delivered) payloads.insert(message.payload);
  return payloads;
}

std::string Subscription() { return "subscription=" + NewName(); }

TEST(PulsarConsumer, GetsWhatIsSentAfterSubscribeAndAcknowledges) {
  const std::string topic = NewName(), config = Subscription();
  SendNumbers(topic, 3);
  {
    Connection connection(config + "\nreceiver-queue=50");
    ASSERT_OK(connection.Open(Role::kConsumer));
    ASSERT_OK(connection.Subscribe({topic}));
    connection.callbacks_return = true;
    SendNumbers(topic, 500);  // in batches
    ASSERT_OK(connection.WaitDelivered(500));
    connection.AckAll();
    for (size_t i = 0; i < 500; ++i) {
      EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
    }
    EXPECT_EQ(connection.host.delivered.front().topic, topic);
    EXPECT_FALSE(connection.host.delivered.front().redelivered);
    EXPECT_GT(connection.host.delivered.front().timestamp_ms, 0);
    connection.driver.Close(Millis(5000), -1);
  }
  SendNumbers(topic, 1);
  Connection again(config);
  ASSERT_OK(again.Open(Role::kConsumer));
  ASSERT_OK(again.Subscribe({topic}));
  ASSERT_OK(again.WaitDelivered(1));
  EXPECT_EQ(Payloads(again), std::multiset<std::string>{"0"}) << "the others were acknowledged";
}

TEST(PulsarConsumer, AnEarliestSubscriptionBeginsWithWhatIsThere) {
  const std::string topic = NewName();
  SendNumbers(topic, 20);
  Connection connection(Subscription() + "\ninitial-position=earliest");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  ASSERT_OK(connection.WaitDelivered(20));
}

// A batch is acknowledged as a whole: of one whose messages were not all acknowledged, all come
// again.
TEST(PulsarConsumer, WhatNoCallbackSawComesAgain) {
  const std::string topic = NewName(), config = Subscription();
  Connection first(config);
  ASSERT_OK(first.Open(Role::kConsumer));
  ASSERT_OK(first.Subscribe({topic}));
  first.host.room = 2;  // the rest waits in the driver
  SendNumbers(topic, 10, "batch-messages=1");
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

TEST(PulsarConsumer, AllTopicsOrNone) {
  const std::string good = NewName();
  Connection connection(Subscription());
  ASSERT_OK(connection.Open(Role::kConsumer));
  const Status status = connection.Subscribe({good, "public/" + NewName() + "/t"});
  EXPECT_EQ(status.code(), Code::kUnknownTopic) << status.message();
  EXPECT_EQ(connection.Subscribe({"a/b"}).code(), Code::kInvalidArgument);
  ASSERT_OK(connection.Subscribe({good}));
  SendNumbers(good, 1);
  ASSERT_OK(connection.WaitDelivered(1));
}

TEST(PulsarConsumer, ReplacedTopics) {
  const std::string old_topic = NewName(), kept = NewName(), added = NewName();
  Connection connection(Subscription());
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({old_topic, kept}));
  SendNumbers(old_topic, 1);
  SendNumbers(kept, 1);
  ASSERT_OK(connection.WaitDelivered(2));
  connection.AckAll();
  ASSERT_OK(connection.Subscribe({kept, added}));
  SendNumbers(old_topic, 1);
  SendNumbers(kept, 1);
  SendNumbers(added, 1);
  ASSERT_OK(connection.WaitDelivered(4));
  for (size_t i = 2; i < 4; ++i) EXPECT_NE(connection.host.delivered[i].topic, old_topic);
  ASSERT_OK(connection.Subscribe({}));
}

TEST(PulsarConsumer, SharedExclusiveAndNoSubscription) {
  const std::string topic = NewName(), shared = Subscription();
  Connection one(shared + "\nreceiver-queue=1"), two(shared + "\nreceiver-queue=1"),
      viewer("subscription=\"\"");
  for (Connection* each : {&one, &two, &viewer}) {
    ASSERT_OK(each->Open(Role::kConsumer));
    ASSERT_OK(each->Subscribe({topic}));
    each->callbacks_return = true;
  }
  SendNumbers(topic, 40, "batch-messages=1");
  ASSERT_OK(viewer.WaitDelivered(40));
  while (one.host.delivered.size() + two.host.delivered.size() < 40) {
    ASSERT_OK(one.driver.Poll(Millis(5), one.wake.fd()));
    ASSERT_OK(two.driver.Poll(Millis(5), two.wake.fd()));
    one.AckAll();
    two.AckAll();
  }
  EXPECT_GT(one.host.delivered.size(), 0U);
  EXPECT_GT(two.host.delivered.size(), 0U);

  const std::string alone = Subscription() + "\nsubscription-type=exclusive";
  Connection owner(alone), late(alone);
  ASSERT_OK(owner.Open(Role::kConsumer));
  ASSERT_OK(owner.Subscribe({topic}));
  ASSERT_OK(late.Open(Role::kConsumer));
  const KeptAlive alive(owner);
  const Status busy = late.Subscribe({topic});
  EXPECT_EQ(busy.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(busy.message(), "subscription-type=shared")) << busy.message();
}

// The broker chooses which of the two.
TEST(PulsarConsumer, FailoverGivesOneAllOfThem) {
  const std::string topic = NewName();
  const std::string turns = Subscription() + "\nsubscription-type=failover";
  Connection one(turns + "\nconsumer-name=a"), two(turns + "\nconsumer-name=b");
  for (Connection* each : {&one, &two}) {
    ASSERT_OK(each->Open(Role::kConsumer));
    ASSERT_OK(each->Subscribe({topic}));
  }
  SendNumbers(topic, 5, "batch-messages=1");
  while (one.host.delivered.size() + two.host.delivered.size() < 5) {
    ASSERT_OK(one.driver.Poll(Millis(5), one.wake.fd()));
    ASSERT_OK(two.driver.Poll(Millis(5), two.wake.fd()));
  }
  const bool first = !one.host.delivered.empty();
  Connection &active = first ? one : two, &standby = first ? two : one;
  EXPECT_EQ(active.host.delivered.size(), 5U);
  active.AckAll();
  active.driver.Close(Millis(5000), -1);
  SendNumbers(topic, 2);
  ASSERT_OK(standby.WaitDelivered(2));
  EXPECT_EQ(standby.host.delivered.size(), 2U);
}

TEST(PulsarConsumer, PartitionsOfATopic) {
  const std::string topic = NewName();
  Admin(Shared(), {"PUT", "persistent/public/default/" + topic + "/partitions", "2"});
  Connection connection(Subscription());
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  SendNumbers(topic, 20, "batch-messages=1");
  ASSERT_OK(connection.WaitDelivered(20));
  std::set<int32_t> partitions;
  for (const InMessage& message : connection.host.delivered) {
    EXPECT_EQ(message.topic, topic);
    partitions.insert(message.partition);
  }
  EXPECT_EQ(partitions, (std::set<int32_t>{0, 1}));
}

// Without a subscription that the broker keeps, it is the driver that knows where to go on.
TEST(PulsarConsumer, AViewerGoesOnWhereItWas) {
  const std::string topic = NewName();
  Connection connection("subscription=\"\"");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  SendNumbers(topic, 3, "batch-messages=1");
  ASSERT_OK(connection.WaitDelivered(3));
  connection.driver.Close(Millis(0), -1);
  SendNumbers(topic, 2, "batch-messages=1");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  ASSERT_OK(connection.WaitDelivered(5));
  EXPECT_EQ(Payloads(connection), (std::multiset<std::string>{"0", "0", "1", "1", "2"}));
}

}  // namespace
}  // namespace dsmsg::pulsar
