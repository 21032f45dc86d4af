// SPDX-License-Identifier: Apache-2.0
// Receiving from Pub/Sub channels and lists, against a real server.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "adaptors/redis/test/fixture.h"

namespace dsmsg::redis {
namespace {

TEST(RedisChannels, TopicsAndPatterns) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server), "command=publish");
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"news", "cam.*"}).ok());
  const std::string bytes("\0\xff", 2);
  EXPECT_EQ(client.Integer({"PUBLISH", "news", bytes}), 1);
  EXPECT_EQ(client.Integer({"PUBLISH", "cam.1", "x"}), 1);
  ASSERT_TRUE(connection.WaitDelivered(2).ok());
  EXPECT_EQ(connection.host.delivered[0].topic, "news");
  EXPECT_EQ(connection.host.delivered[0].payload, bytes);
  EXPECT_EQ(connection.host.delivered[1].topic, "cam.1");
  ASSERT_TRUE(connection.Subscribe({"other"}).ok());
  EXPECT_EQ(client.Integer({"PUBLISH", "news", "x"}), 0);
  EXPECT_EQ(client.Integer({"PUBLISH", "cam.1", "x"}), 0);
  EXPECT_EQ(client.Integer({"PUBLISH", "other", "y"}), 1);
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  EXPECT_EQ(connection.host.delivered[2].payload, "y");
}

TEST(RedisChannels, ARefusalGivesBackWhatWasGranted) {
  RedisServer server;
  Client client(server.port());
  client.Run({"ACL", "SETUSER", "limited", "on", ">limited", "resetchannels", "&ok*", "+@all"});
  Connection connection(AddressOf(server), std::string("command=publish") + kLimited);
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  EXPECT_EQ(connection.Subscribe({"ok0", "secret"}).code(), Code::kAuth);
  EXPECT_EQ(client.Integer({"PUBLISH", "ok0", "x"}), 0);
  ASSERT_TRUE(connection.Subscribe({"ok1"}).ok());
  for (const std::vector<std::string>& topics :
       {std::vector<std::string>{"ok2", "secret"}, {"aaa", "ok2"}, {"ok1", "ok2", "secret", "z"}}) {
    const Status refused = connection.Subscribe(topics);
    EXPECT_EQ(refused.code(), Code::kAuth) << refused.message();
    EXPECT_EQ(client.Integer({"PUBLISH", "ok2", "not wanted"}), 0);
    EXPECT_EQ(client.Integer({"PUBLISH", "ok1", "wanted"}), 1);
  }
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  ASSERT_TRUE(connection.Subscribe({"ok2"}).ok()) << "every answer was read";
  EXPECT_EQ(client.Integer({"PUBLISH", "ok1", "not wanted any more"}), 0);
  EXPECT_EQ(client.Integer({"PUBLISH", "ok2", "wanted"}), 1);
  ASSERT_TRUE(connection.WaitDelivered(4).ok());
  EXPECT_EQ(connection.host.delivered[3].topic, "ok2");
}

TEST(RedisChannels, AFullHostKeepsMessagesInOrder) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server), "command=publish");
  connection.host.room = 3;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"c"}).ok());
  for (int i = 0; i < 2000; ++i) client.Run({"PUBLISH", "c", std::to_string(i)});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  ASSERT_TRUE(connection.driver.Poll(Millis(5), connection.wake.fd()).ok());
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection.WaitDelivered(2000).ok());
  for (size_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
}

TEST(RedisLists, ARefusalIsReportedAndTakesNoElement) {
  RedisServer server;
  Client client(server.port());
  client.Run({"ACL", "SETUSER", "limited", "on", ">limited", "~ok*", "+@all"});
  client.Run({"RPUSH", "ok2", "stays"});
  Connection connection(AddressOf(server), std::string("command=rpush") + kLimited);
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"ok1"}).ok());
  const Status refused = connection.Subscribe({"ok2", "secret"});
  EXPECT_EQ(refused.code(), Code::kAuth);
  EXPECT_NE(refused.message().find("read the list \"secret\""), std::string::npos)
      << refused.message();
  client.Run({"RPUSH", "ok1", "1"});
  ASSERT_TRUE(connection.WaitDelivered(1).ok());
  EXPECT_EQ(client.Integer({"LLEN", "ok2"}), 1);
}

TEST(RedisLists, ReleasedElementsGoBackInTheirOrder) {
  RedisServer server;
  Client client(server.port());
  Connection connection(AddressOf(server), "command=rpush");
  connection.host.room = 3;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"l"}).ok());
  for (int i = 0; i < 8; ++i) client.Run({"RPUSH", "l", std::to_string(i)});
  ASSERT_TRUE(connection.WaitDelivered(3).ok());
  // One more is read and finds no room.
  ASSERT_TRUE(connection.PumpUntil([&] { return client.Integer({"LLEN", "l"}) == 4; }).ok());
  ASSERT_TRUE(connection.Subscribe({"other"}).ok());
  for (size_t i = 1; i < 3; ++i) {
    connection.driver.Release(connection.host.tokens[i], InMessage(connection.host.delivered[i]));
  }
  ASSERT_TRUE(connection.PumpUntil([&] { return client.Integer({"LLEN", "l"}) == 7; }).ok());
  for (int i = 1; i < 8; ++i) EXPECT_EQ(client.Text({"LPOP", "l"}), std::to_string(i));
}

TEST(RedisLists, ElementsArriveAndUndeliveredOnesArePutBack) {
  RedisServer server;
  Client client(server.port());
  for (int i = 0; i < 10; ++i) client.Run({"RPUSH", "l", std::to_string(i)});
  Connection connection(AddressOf(server), "command=rpush");
  connection.host.room = 4;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"k", "l"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(4).ok());
  // One more is read and finds no room.
  ASSERT_TRUE(connection.PumpUntil([&] { return client.Integer({"LLEN", "l"}) == 5; }).ok());
  connection.driver.Close(Millis(3000), -1);
  EXPECT_EQ(client.Integer({"LLEN", "l"}), 6);
  EXPECT_EQ(client.Text({"LINDEX", "l", "0"}), "4");
  connection.host.room = SIZE_MAX;
  ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
  ASSERT_TRUE(connection.Subscribe({"l"}).ok());
  ASSERT_TRUE(connection.WaitDelivered(10).ok());
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(connection.host.delivered[i].payload, std::to_string(i));
  }
}

}  // namespace
}  // namespace dsmsg::redis
