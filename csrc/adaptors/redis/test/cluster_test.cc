// SPDX-License-Identifier: Apache-2.0
// Sending to a real Redis Cluster.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <thread>

#include "adaptors/redis/cluster_map.h"
#include "adaptors/redis/key_slot.h"
#include "adaptors/redis/test/cluster_fixture.h"

namespace dsmsg::redis {
namespace {

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int n = 0; n < count; ++n) numbers.push_back(std::to_string(n));
  return numbers;
}

/// The payloads of a stream, in its order.
std::vector<std::string> Payloads(const RedisServer& server, const std::string& topic) {
  Client client(server.port());
  std::vector<std::string> payloads;
  for (const Entry& entry : Entries(client, topic)) payloads.push_back(entry[0].second);
  return payloads;
}

/// Every message the first time it stands there: a message may be sent twice, but not overtake.
std::vector<std::string> WithoutRepeats(const std::vector<std::string>& payloads) {
  std::vector<std::string> once;
  for (const std::string& payload : payloads) {
    if (std::find(once.begin(), once.end(), payload) == once.end()) once.push_back(payload);
  }
  return once;
}

size_t Acknowledged(const Connection& connection) {
  return static_cast<size_t>(std::count_if(connection.host.completed.begin(),
                                           connection.host.completed.end(),
                                           [](const auto& each) { return each.second.ok(); }));
}

TEST(KeySlot, IsThatOfTheServer) {
  RedisServer server(
      {"--cluster-enabled", "yes", "--cluster-port", std::to_string(testing::FreePort())});
  Client client(server.port());
  for (const std::string& key :
       {std::string("detections"), std::string("{cam}.a"), std::string("a{}b"), std::string("{}"),
        std::string("x{y"), std::string("x}y{z}"), std::string("{a}{b}"), std::string("{{a}}"),
        std::string("\0\xff\x80", 3), std::string("a{b\nc}d"), std::string(1000, 'k')}) {
    EXPECT_EQ(KeySlot(key), client.Integer({"CLUSTER", "KEYSLOT", key})) << key;
  }
  EXPECT_EQ(KeySlot("{cam}.a"), KeySlot("{cam}.b"));
}

TEST(Redirects, AreRead) {
  const HostPort asked{"node-1", 7000};
  const auto moved = ReadRedirect("MOVED 3999 127.0.0.1:6381", asked);
  ASSERT_TRUE(moved.has_value());
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->node.ToString(), "127.0.0.1:6381");
  EXPECT_EQ(ReadRedirect("ASK 1 ::1:6381", asked)->node.host, "::1");
  EXPECT_TRUE(ReadRedirect("ASK 1 ::1:6381", asked)->ask);
  EXPECT_EQ(ReadRedirect("MOVED 1 :6381", asked)->node.ToString(), "node-1:6381");
  for (const char* other : {"ERR no", "MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1",
                            "MOVED 1 a:x", "MOVED 1 a:70000", "ASKED 1 a:1"}) {
    EXPECT_FALSE(ReadRedirect(other, asked).has_value()) << other;
  }
}

TEST(ClusterMap, IsReadFromAnyFormOfTheAnswer) {
  ReplyReader reader;
  const std::string wire =
      "*4\r\n"
      "*4\r\n:0\r\n:100\r\n*3\r\n$2\r\nh1\r\n:1\r\n$1\r\na\r\n*3\r\n$2\r\nh2\r\n:2\r\n$1\r\nb\r\n"
      "*3\r\n:101\r\n:101\r\n*4\r\n$-1\r\n:3\r\n$1\r\nc\r\n*0\r\n"
      "*3\r\n:102\r\n:102\r\n*4\r\n$1\r\n?\r\n:4\r\n$1\r\nd\r\n*2\r\n$2\r\nip\r\n$2\r\nh4\r\n"
      "*3\r\n:16383\r\n:16384\r\n*3\r\n$2\r\nh5\r\n:5\r\n$1\r\ne\r\n";  // no such slot
  reader.Feed(wire.data(), wire.size());
  ASSERT_EQ(reader.Get(), ReplyReader::Result::kReply);
  const ClusterMap map = ClusterMap::Read(reader.reply(), {"asked", 9});
  EXPECT_EQ(map.OwnerOf(100)->ToString(), "h1:1");
  EXPECT_EQ(map.OwnerOf(101)->ToString(), "asked:3");
  EXPECT_EQ(map.OwnerOf(102)->ToString(), "h4:4");
  EXPECT_EQ(map.OwnerOf(103), nullptr);
  EXPECT_EQ(map.OwnerOf(16383), nullptr);
  EXPECT_EQ(map.masters().size(), 3u);
  ASSERT_EQ(map.replicas().size(), 1u);
  EXPECT_EQ(map.replicas()[0].ToString(), "h2:2");
}

TEST(ClusterMap, ASingleNodeIsTheOneThatWasAsked) {
  ReplyReader reader;
  const std::string wire = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\nh1\r\n:1\r\n";
  reader.Feed(wire.data(), wire.size());
  ASSERT_EQ(reader.Get(), ReplyReader::Result::kReply);
  EXPECT_EQ(ClusterMap::Read(reader.reply(), {"asked", 9}).OwnerOf(5)->ToString(), "asked:9");
}

TEST(RedisCluster, MessagesReachTheMastersOfTheirSlotsInOrder) {
  RedisCluster cluster(3, 1);
  Connection connection(cluster.Address(4));  // a replica knows the masters, too
  ASSERT_TRUE(connection.Open().ok());
  std::vector<std::string> topics;
  for (size_t node = 0; node < 3; ++node) {
    for (int n = 0; n < 40; ++n) topics.push_back(cluster.Topic(node, n));
  }
  for (const std::string& number : Numbers(50)) {
    for (const std::string& topic : topics) ASSERT_TRUE(connection.Send(topic, number).ok());
  }
  ASSERT_TRUE(connection.WaitCompleted(topics.size() * 50).ok());
  EXPECT_EQ(Acknowledged(connection), topics.size() * 50);
  for (size_t i = 0; i < topics.size(); ++i) {
    EXPECT_EQ(Payloads(cluster.node(i / 40), topics[i]), Numbers(50)) << topics[i];
  }
  for (size_t replica = 3; replica < 6; ++replica) {  // our own client is the only one
    Client client(cluster.node(replica).port());
    const std::string clients = client.Text({"CLIENT", "LIST", "TYPE", "normal"});
    EXPECT_EQ(std::count(clients.begin(), clients.end(), '\n'), 1) << clients;
  }
}

// Before, while and after the key moves, and again on its way back.
TEST(RedisCluster, AMovingSlotLosesAndReordersNothing) {
  RedisCluster cluster(3, 0);
  Connection connection(cluster.Seeds());
  ASSERT_TRUE(connection.Open().ok());
  const std::string topic = "{moves}.a", other = "{moves}.b", fresh = "{moves}.c";
  const int slot = KeySlot(topic);
  size_t from = 0;
  while (!cluster.Owns(from, slot)) ++from;
  const size_t to = (from + 1) % 3;
  int sent = 0;
  const auto send = [&](int count) {  // and leaves much of it on its way
    for (int n = 0; n < count; ++n, ++sent) {
      for (const std::string& each : {topic, other}) {
        ASSERT_TRUE(connection.Send(each, std::to_string(sent)).ok());
      }
      if (n % 100 != 0) continue;
      ASSERT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
    }
  };
  send(1000);
  cluster.BeginMove(slot, from, to);
  send(1000);
  cluster.MoveKey(topic, from, to);  // ASK for this one, none for the other
  send(1000);
  ASSERT_TRUE(connection.Send(fresh, "new").ok());  // ASK: it exists nowhere
  ASSERT_TRUE(connection.WaitCompleted(static_cast<size_t>(sent) * 2 + 1).ok());
  send(1000);
  cluster.MoveKey(other, from, to);
  send(1000);
  cluster.EndMove(slot, from, to);  // MOVED
  send(1000);
  ASSERT_TRUE(connection.WaitCompleted(static_cast<size_t>(sent) * 2 + 1).ok());
  EXPECT_EQ(Acknowledged(connection), static_cast<size_t>(sent) * 2 + 1);
  EXPECT_EQ(Payloads(cluster.node(to), topic), Numbers(sent));
  EXPECT_EQ(Payloads(cluster.node(to), other), Numbers(sent));
  EXPECT_EQ(Payloads(cluster.node(to), fresh), std::vector<std::string>{"new"});
  EXPECT_EQ(connection.host.twice, 0u);
}

// What the master had is replicated first: a fail-over loses acknowledged messages otherwise.
TEST(RedisCluster, AKilledMastersMessagesWaitForItsReplicaAndTheOthersGoOn) {
  RedisCluster cluster(3, 1, {"--cluster-require-full-coverage", "no"});
  Connection connection(cluster.Address(0), "connect-timeout=2000ms");
  ASSERT_TRUE(connection.Open().ok());
  const std::string victim = cluster.Topic(1, 1), other = cluster.Topic(2, 1);
  for (const std::string& number : Numbers(500)) {
    ASSERT_TRUE(connection.Send(victim, number).ok());
  }
  ASSERT_TRUE(connection.WaitCompleted(500).ok());
  cluster.AwaitReplication(1);
  cluster.node(1).Kill();
  std::vector<std::string> others;
  for (int n = 500; n < 1000; ++n) {
    ASSERT_TRUE(connection.Send(victim, std::to_string(n)).ok());
    ASSERT_TRUE(connection.Send(other, std::to_string(n)).ok());
    others.push_back(std::to_string(n));
  }
  ASSERT_TRUE(connection.WaitCompleted(1000).ok());
  EXPECT_EQ(Payloads(cluster.node(2), other), others);
  ASSERT_TRUE(connection.WaitCompleted(1500).ok());
  EXPECT_EQ(Acknowledged(connection), 1500u);
  EXPECT_EQ(WithoutRepeats(Payloads(cluster.node(4), victim)), Numbers(1000));
}

// It keeps its connections and answers nothing: silence tells.
TEST(RedisCluster, AFrozenMastersMessagesGoToItsReplica) {
  RedisCluster cluster(3, 1);
  Connection connection(cluster.Address(0), "connect-timeout=1000ms");
  ASSERT_TRUE(connection.Open().ok());
  const std::string topic = cluster.Topic(1, 1);
  for (const std::string& number : Numbers(100)) {
    ASSERT_TRUE(connection.Send(topic, number).ok());
  }
  ASSERT_TRUE(connection.WaitCompleted(100).ok());
  cluster.AwaitReplication(1);
  cluster.node(1).Freeze();
  for (int n = 100; n < 3000; ++n) {
    ASSERT_TRUE(connection.Send(topic, std::to_string(n)).ok());
  }
  ASSERT_TRUE(connection.WaitCompleted(3000).ok());
  EXPECT_EQ(Acknowledged(connection), 3000u);
  EXPECT_EQ(Payloads(cluster.node(4), topic), Numbers(3000));
  cluster.node(1).Thaw();
}

TEST(RedisCluster, ClusterDownWaits) {
  RedisCluster cluster(3, 0);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open().ok());
  const std::string topic = cluster.Topic(0, 1);
  cluster.node(1).Kill();
  WaitFor([&] { return !cluster.Up({0}) && !cluster.Up({2}); }, "CLUSTERDOWN");
  for (const std::string& number : Numbers(300)) {
    ASSERT_TRUE(connection.Send(topic, number).ok());
  }
  // They have been offered and refused more than once.
  Client client(cluster.node(0).port());
  ASSERT_TRUE(connection
                  .PumpUntil([&] {
                    const std::string text = client.Text({"INFO", "errorstats"});
                    const size_t at = text.find("errorstat_CLUSTERDOWN:count=");
                    return at != std::string::npos && std::stoi(text.substr(at + 28)) > 600;
                  })
                  .ok());
  EXPECT_EQ(connection.host.completed.size(), 0u);
  cluster.node(1).Restart();
  ASSERT_TRUE(connection.WaitCompleted(300).ok());
  EXPECT_EQ(Acknowledged(connection), 300u);
  EXPECT_EQ(Payloads(cluster.node(0), topic), Numbers(300));
}

TEST(RedisCluster, ARefusedTopicHoldsNothingUp) {
  RedisCluster cluster(3, 0);
  const std::string list = cluster.Topic(0, 1), stream = cluster.Topic(0, 2);
  Client(cluster.node(0).port()).Run({"RPUSH", list, "x"});
  Connection connection(cluster.Address(1));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send(stream, "0").ok());
  ASSERT_TRUE(connection.Send(list, "no").ok());
  ASSERT_TRUE(connection.Send(stream, "1").ok());
  ASSERT_TRUE(connection.WaitCompleted(3).ok());
  EXPECT_EQ(connection.Outcome(2), Code::kRejected);
  EXPECT_NE(connection.Text(2).find("WRONGTYPE"), std::string::npos) << connection.Text(2);
  EXPECT_NE(connection.Text(2).find(cluster.Address(0)), std::string::npos) << connection.Text(2);
  EXPECT_EQ(Payloads(cluster.node(0), stream), Numbers(2));
}

TEST(RedisCluster, UsersAndPasswords) {
  RedisCluster cluster(3, 0);
  for (size_t n = 0; n < 3; ++n) {
    Client client(cluster.node(n).port());
    client.Run({"ACL", "SETUSER", "limited", "on", ">limited", "~allowed*", "+xadd", "+ping",
                "+cluster|slots", "+asking"});
    client.Run({"ACL", "SETUSER", "blind", "on", ">blind", "~*", "+xadd", "+ping"});
    client.Run({"ACL", "SETUSER", "default", "off"});
  }
  Connection wrong(cluster.Seeds(), "username=limited\npassword=wrong");
  const Status refused = wrong.Open();
  EXPECT_EQ(refused.code(), Code::kAuth) << refused.message();
  EXPECT_NE(refused.message().find("WRONGPASS"), std::string::npos) << refused.message();
  EXPECT_EQ(refused.message().find("wrong\""), std::string::npos) << refused.message();

  Connection limited(cluster.Seeds(), "username=limited\npassword=limited");
  ASSERT_TRUE(limited.Open().ok());
  for (int n = 0; n < 20; ++n) {
    ASSERT_TRUE(limited.Send("allowed-" + std::to_string(n), "x").ok());
    ASSERT_TRUE(limited.Send("secret-" + std::to_string(n), "x").ok());
  }
  ASSERT_TRUE(limited.WaitCompleted(40).ok());
  EXPECT_EQ(Acknowledged(limited), 20u);
  EXPECT_EQ(limited.Outcome(2), Code::kAuth);

  Connection blind(cluster.Seeds(), "cluster=1\nusername=blind\npassword=blind");
  const Status forbidden = blind.Open();
  EXPECT_EQ(forbidden.code(), Code::kAuth);
  EXPECT_NE(forbidden.message().find("+cluster|slots"), std::string::npos) << forbidden.message();
}

TEST(RedisCluster, ADeadSeedIsPassedOver) {
  RedisCluster cluster(3, 0);
  const std::string dead = "127.0.0.1:" + std::to_string(testing::FreePort());
  Connection connection(dead + "," + cluster.Address(2));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send(cluster.Topic(0, 1), "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(Acknowledged(connection), 1u);
}

// Once it knows the others, the adaptor does not need the server that the settings name.
TEST(RedisCluster, TheSeedMayDieLater) {
  RedisCluster cluster(3, 1);
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open().ok());
  connection.driver.Close(Millis(0), -1);
  cluster.AwaitReplication(0);
  cluster.node(0).Kill();
  WaitFor([&] { return cluster.Owns(3, 0) && cluster.Up({1, 2, 3, 4, 5}); }, "the fail-over");
  const Status status = connection.Open();
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_TRUE(connection.Send(cluster.Topic(0, 1), "x").ok());
  ASSERT_TRUE(connection.WaitCompleted(1).ok());
  EXPECT_EQ(Payloads(cluster.node(3), cluster.Topic(0, 1)), std::vector<std::string>{"x"});
}

TEST(RedisCluster, AddressesThatLeadNowhereAreNamed) {
  // The servers do not listen there; among themselves they use their real addresses.
  RedisCluster cluster(3, 0,
                       {"--cluster-announce-hostname", "127.99.99.99",
                        "--cluster-preferred-endpoint-type", "hostname"});
  const std::string nowhere = "127.99.99.99:" + std::to_string(cluster.node(1).port());
  Connection connection(cluster.Address(0));
  const Status status = connection.Open();
  EXPECT_TRUE(status.retryable());
  for (const std::string& part :
       {nowhere, cluster.Address(0), std::string("cluster-announce-ip")}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  Connection reader(cluster.Address(0));
  ASSERT_TRUE(reader.Open(Role::kConsumer).ok());
  const Status unread = reader.Subscribe({cluster.Topic(1, 1)}, Millis(2000));
  EXPECT_TRUE(unread.retryable());
  for (const std::string& part : {nowhere, std::string("cluster-announce-ip")}) {
    EXPECT_NE(unread.message().find(part), std::string::npos) << unread.message();
  }
}

TEST(RedisCluster, TheOptionDecides) {
  RedisServer alone;
  Connection must(AddressOf(alone), "cluster=1");
  const Status refused = must.Open();
  EXPECT_EQ(refused.code(), Code::kRejected);
  EXPECT_NE(refused.message().find("cluster-enabled yes"), std::string::npos) << refused.message();

  RedisCluster cluster(3, 0);
  Connection never(cluster.Address(0), "cluster=0");
  ASSERT_TRUE(never.Open().ok());
  ASSERT_TRUE(never.Send(cluster.Topic(1, 1), "x").ok());
  ASSERT_TRUE(never.WaitCompleted(1).ok());
  EXPECT_EQ(never.Outcome(1), Code::kRejected);
  EXPECT_NE(never.Text(1).find("cluster=1"), std::string::npos) << never.Text(1);

  Connection database(cluster.Address(0), "database=3");
  const Status wrong = database.Open();
  EXPECT_NE(wrong.message().find("only database 0"), std::string::npos) << wrong.message();
  EXPECT_EQ(Connection("localhost:1", "cluster=1\ndatabase=3").configured.code(),
            Code::kInvalidArgument);
  EXPECT_EQ(Connection("localhost:1", "cluster=1\nsentinel-master=m").configured.code(),
            Code::kInvalidArgument);

  RedisServer fresh(
      {"--cluster-enabled", "yes", "--cluster-port", std::to_string(testing::FreePort())});
  Connection unmade(AddressOf(fresh));
  const Status empty = unmade.Open();
  EXPECT_TRUE(empty.retryable());
  EXPECT_NE(empty.message().find("--cluster create"), std::string::npos) << empty.message();
}

TEST(RedisCluster, ListsAndChannelsAreSentToo) {
  RedisCluster cluster(3, 0);
  const std::string list = cluster.Topic(1, 1);
  Connection lists(cluster.Address(0), "command=rpush");
  ASSERT_TRUE(lists.Open().ok());
  ASSERT_TRUE(lists.Send(list, "x").ok());
  ASSERT_TRUE(lists.WaitCompleted(1).ok());
  EXPECT_EQ(Client(cluster.node(1).port()).Text({"LPOP", list}), "x");
}

// A message that its node answers by ending the connection is the core's to judge.
TEST(RedisCluster, AnEndOverAMessageEndsTheLink) {
  RedisCluster cluster(3, 0, {"--client-query-buffer-limit", "1mb"});
  Connection connection(cluster.Address(0));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send(cluster.Topic(1, 1), std::string(size_t{8} << 20, 'x')).ok());
  const Status lost = connection.PumpUntil([] { return false; });
  EXPECT_EQ(lost.code(), Code::kUnavailable) << lost.message();
  EXPECT_NE(lost.message().find("client-query-buffer-limit"), std::string::npos) << lost.message();
}

}  // namespace
}  // namespace dsmsg::redis
