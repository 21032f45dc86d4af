// SPDX-License-Identifier: Apache-2.0
// Receiving from a real Redis Cluster.
#include <gtest/gtest.h>
#include <hiredis.h>

#include <algorithm>
#include <set>
#include <string>

#include "adaptors/redis/key_slot.h"
#include "adaptors/redis/test/cluster_fixture.h"

namespace dsmsg::redis {
namespace {

std::multiset<std::string> Received(const Connection& connection) {
  std::multiset<std::string> received;
  for (const InMessage& message : connection.host.delivered) {
    received.insert(message.topic + "=" + message.payload);
  }
  return received;
}

bool Has(const Connection& connection, const std::string& message) {
  return Received(connection).contains(message);
}

void Add(RedisServer& server, const std::string& stream, const std::string& payload) {
  Client client(server.port());
  const std::string answer = client.Text({"XADD", stream, "*", "metadata", payload});
  ASSERT_NE(answer.find('-'), std::string::npos) << answer;
}

int64_t Unacknowledged(RedisServer& server, const std::string& stream) {
  Client client(server.port());
  return client.Run({"XPENDING", stream, "redis-consumer-group"})->element[0]->integer;
}

TEST(RedisClusterStreams, OfAllNodesAreReadAndAcknowledged) {
  RedisCluster cluster(3, 0);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  std::vector<std::string> topics = {"{same}.a", "{same}.b"};
  for (size_t node = 0; node < 3; ++node) {
    topics.push_back(cluster.Topic(node, 1));
    topics.push_back(cluster.Topic(node, 2));
  }
  ASSERT_TRUE(connection.Subscribe(topics).ok());
  Connection sender(cluster.Address(1));
  ASSERT_TRUE(sender.Open().ok());
  std::multiset<std::string> sent;
  for (int n = 0; n < 50; ++n) {
    for (const std::string& topic : topics) {
      ASSERT_TRUE(sender.Send(topic, std::to_string(n)).ok());
      sent.insert(topic + "=" + std::to_string(n));
    }
  }
  ASSERT_TRUE(sender.WaitCompleted(sent.size()).ok());
  connection.callbacks_return = true;
  ASSERT_TRUE(connection.WaitDelivered(sent.size()).ok());
  EXPECT_EQ(Received(connection), sent);
  for (size_t node = 0; node < 3; ++node) {
    ASSERT_TRUE(connection
                    .PumpUntil([&] {
                      return Unacknowledged(cluster.node(node), cluster.Topic(node, 1)) == 0;
                    })
                    .ok());
  }
  std::map<std::string, int> next;  // each stream in its order
  for (const InMessage& message : connection.host.delivered) {
    EXPECT_EQ(message.payload, std::to_string(next[message.topic]++));
  }
}

TEST(RedisClusterStreams, WithoutAGroupToo) {
  RedisCluster cluster(3, 0);
  const std::string a = cluster.Topic(0, 1), b = cluster.Topic(2, 1);
  Add(cluster.node(0), a, "before");
  Connection connection(cluster.Address(1), "consumergroup=\"\"");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({a, b}).ok());
  Add(cluster.node(0), a, "1");
  Add(cluster.node(2), b, "2");
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_EQ(Received(connection), (std::multiset<std::string>{a + "=1", b + "=2"}));
}

TEST(RedisClusterStreams, AMovedSlotIsFollowedAndNothingComesTwice) {
  RedisCluster cluster(3, 0);
  const std::string topic = cluster.Topic(0, 1), other = cluster.Topic(2, 1);
  const int slot = KeySlot(topic);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({topic, other}).ok());
  Add(cluster.node(0), topic, "1");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());  // and its callback does not return yet
  cluster.BeginMove(slot, 0, 1);
  cluster.MoveKey(topic, 0, 1);
  Add(cluster.node(2), other, "2");
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  cluster.EndMove(slot, 0, 1);
  Add(cluster.node(1), topic, "3");
  connection.callbacks_return = true;
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    return Unacknowledged(cluster.node(1), topic) == 0 &&
                           Unacknowledged(cluster.node(2), other) == 0;
                  })
                  .ok());
  EXPECT_EQ(Received(connection),
            (std::multiset<std::string>{topic + "=1", other + "=2", topic + "=3"}));
}

// Between MIGRATE and the end of the move: the old node has the slot, the new one the stream.
TEST(RedisClusterStreams, AStreamIsReadWhileItsSlotIsStillMoving) {
  RedisCluster cluster(3, 0);
  const std::string group = cluster.Topic(0, 1), tail = cluster.Topic(0, 2);
  Connection connection(cluster.Address(0));
  Connection other(cluster.Address(0), "consumergroup=\"\"");
  const std::vector<std::pair<Connection*, std::string>> readers = {{&connection, group},
                                                                    {&other, tail}};
  for (const auto& [reader, topic] : readers) {
    const int slot = KeySlot(topic);
    ASSERT_TRUE(reader->Open(Role::kConsumer).ok());
    ASSERT_TRUE(reader->Subscribe({topic}).ok());
    Add(cluster.node(0), topic, "1");
    ASSERT_TRUE(reader->WaitDelivered(1).ok());  // and its callback does not return yet
    cluster.BeginMove(slot, 0, 1);
    cluster.MoveKey(topic, 0, 1);
    {
      Client importing(cluster.node(1).port());
      ASSERT_EQ(importing.Text({"ASKING"}), "OK");
      ASSERT_NE(importing.Text({"XADD", topic, "*", "value", "2"}), "");
    }
    ASSERT_TRUE(reader->WaitDelivered(2).ok());
    EXPECT_TRUE(cluster.Owns(0, slot)) << "the move is not over";
    cluster.EndMove(slot, 0, 1);
    Add(cluster.node(1), topic, "3");
    reader->callbacks_return = true;
    ASSERT_TRUE(reader->WaitDelivered(3).ok());
    EXPECT_EQ(Received(*reader),
              (std::multiset<std::string>{topic + "=1", topic + "=2", topic + "=3"}));
  }
  ASSERT_TRUE(
      connection.PumpUntil([&] { return Unacknowledged(cluster.node(1), group) == 0; }).ok());
}

TEST(RedisClusterStreams, AfterAFailOverTheReplicaIsRead) {
  RedisCluster cluster(3, 1);
  const std::string topic = cluster.Topic(1, 1), other = cluster.Topic(2, 1);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({topic, other}).ok());
  Add(cluster.node(1), topic, "1");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  cluster.AwaitReplication(1);
  cluster.node(1).Kill();
  WaitFor(
      [&] {
        return cluster.Owns(4, KeySlot(topic)) && cluster.Up({0, 2, 3, 4, 5});
      },
      "the fail-over");
  Add(cluster.node(4), topic, "2");
  Add(cluster.node(2), other, "3");
  connection.callbacks_return = true;
  ASSERT_TRUE(
      connection
          .PumpUntil([&] { return Has(connection, topic + "=2") && Has(connection, other + "=3"); })
          .ok());
  ASSERT_TRUE(
      connection.PumpUntil([&] { return Unacknowledged(cluster.node(4), topic) == 0; }).ok());
  EXPECT_EQ(Received(connection),
            (std::multiset<std::string>{topic + "=1", topic + "=2", other + "=3"}));
}

TEST(RedisClusterStreams, ASubscriptionIsTakenAsAWholeOrNotAtAll) {
  RedisCluster cluster(3, 0);
  const std::string before = cluster.Topic(0, 1), after = cluster.Topic(1, 1);
  const std::string list = cluster.Topic(2, 1);
  Client(cluster.node(2).port()).Run({"RPUSH", list, "x"});
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({before}).ok());
  const Status refused = connection.Subscribe({after, list});
  EXPECT_EQ(refused.code(), Code::kRejected);
  EXPECT_NE(refused.message().find("WRONGTYPE"), std::string::npos) << refused.message();
  Add(cluster.node(1), after, "no");
  Add(cluster.node(0), before, "1");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  ASSERT_TRUE(connection.Subscribe({after}).ok());
  Add(cluster.node(0), before, "no");
  Add(cluster.node(1), after, "2");
  ASSERT_TRUE(connection.PumpUntil([&] { return Has(connection, after + "=2"); }).ok());
  EXPECT_FALSE(Has(connection, before + "=no"));
  connection.AckAll();  // of the topic that was given up, too
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    return Unacknowledged(cluster.node(0), before) == 0 &&
                           Unacknowledged(cluster.node(1), after) == 0;
                  })
                  .ok());
}

TEST(RedisClusterStreams, AReopenedLinkReadsAgainWhatWasNotAcknowledged) {
  RedisCluster cluster(3, 0);
  const std::string topic = cluster.Topic(2, 1);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({topic}).ok());
  Add(cluster.node(2), topic, "1");
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  connection.driver.Close(Millis(0), -1);
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({topic}).ok());
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_TRUE(connection.host.delivered[1].redelivered);
}

TEST(RedisClusterChannels, AreHeardOnAnyNode) {
  RedisCluster cluster(3, 0);
  Connection connection(cluster.Address(0), "command=publish");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"a", "b", "c.*"}).ok());
  Connection sender(cluster.Address(1), "command=publish");
  ASSERT_TRUE(sender.Open().ok());
  for (const char* channel : {"a", "b", "c.1", "d"}) ASSERT_TRUE(sender.Send(channel, "x").ok());
  ASSERT_TRUE(sender.WaitCompleted(4).ok());
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(Received(connection), (std::multiset<std::string>{"a=x", "b=x", "c.1=x"}));
}

TEST(RedisClusterChannels, ShardedOnesFollowTheirSlots) {
  RedisCluster cluster(3, 0);
  const std::string a = cluster.Topic(0, 1), b = cluster.Topic(1, 1);
  Connection connection(cluster.Address(2), "command=spublish");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({a, b}).ok());
  Connection sender(cluster.Address(2), "command=spublish");
  ASSERT_TRUE(sender.Open().ok());
  ASSERT_TRUE(sender.Send(a, "1").ok());
  ASSERT_TRUE(sender.Send(b, "1").ok());
  ASSERT_TRUE(sender.WaitCompleted(2).ok());
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  cluster.BeginMove(KeySlot(a), 0, 1);
  cluster.EndMove(KeySlot(a), 0, 1);
  // Repeated until the subscription has reached the other node: what is published before is lost.
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    EXPECT_TRUE(sender.Send(a, "2").ok());
                    EXPECT_TRUE(sender.WaitCompleted(sender.last_token).ok());
                    return Has(connection, a + "=2");
                  })
                  .ok());
}

TEST(RedisClusterLists, AreReadFromAllNodesAndGivenBack) {
  RedisCluster cluster(3, 0);
  const std::string a = cluster.Topic(0, 1), b = cluster.Topic(1, 1);
  Connection connection(cluster.Address(2), "command=rpush");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({a, b}).ok());
  Client(cluster.node(0).port()).Run({"RPUSH", a, "1", "2"});
  Client(cluster.node(1).port()).Run({"RPUSH", b, "1"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(Received(connection), (std::multiset<std::string>{a + "=1", a + "=2", b + "=1"}));
  // The host gives up a list of which it has an element that no callback saw.
  ASSERT_TRUE(connection.Subscribe({b}).ok());
  size_t last = 0;
  for (size_t n = 0; n < 3; ++n) {
    if (connection.host.delivered[n].payload == "2") last = n;
  }
  connection.driver.Release(connection.host.tokens[last],
                            InMessage(connection.host.delivered[last]));
  Client client(cluster.node(0).port());
  ASSERT_TRUE(connection.PumpUntil([&] { return client.Integer({"LLEN", a}) == 1; }).ok());
  EXPECT_EQ(client.Text({"LPOP", a}), "2");
}

// An empty list does not exist, so that all of a list is at the new node once it was read.
TEST(RedisClusterLists, AListIsReadWhileItsSlotIsStillMoving) {
  RedisCluster cluster(3, 0);
  const std::string topic = cluster.Topic(0, 1);
  const int slot = KeySlot(topic);
  Connection connection(cluster.Address(0), "command=rpush");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({topic}).ok());
  Client(cluster.node(0).port()).Run({"RPUSH", topic, "1"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  cluster.BeginMove(slot, 0, 1);
  {
    Client importing(cluster.node(1).port());
    ASSERT_EQ(importing.Text({"ASKING"}), "OK");
    ASSERT_EQ(importing.Integer({"RPUSH", topic, "2"}), 1);
  }
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_TRUE(cluster.Owns(0, slot)) << "the move is not over";
  cluster.EndMove(slot, 0, 1);
  Client(cluster.node(1).port()).Run({"RPUSH", topic, "3"});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(Received(connection),
            (std::multiset<std::string>{topic + "=1", topic + "=2", topic + "=3"}));
}

}  // namespace
}  // namespace dsmsg::redis
