// SPDX-License-Identifier: Apache-2.0
// The client library with real adaptors and real servers, whose content is read back without code
// of dsmsg.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "address.h"
#include "harness.h"
#include "quirks.h"

namespace dsmsg::client_test {
namespace {

using conformance::AllQuirks;
using conformance::Outage;
using conformance::Quirks;
using conformance::Server;
using std::chrono::milliseconds;

std::string NewTopic(Quirks& quirks, Server& server) {
  static std::atomic<int> counter{0};
  const std::string topic = "client-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
  quirks.CreateTopic(server, topic, 2);
  return topic;
}

std::string Config(const Quirks& quirks) {
  std::string text = "[message-broker]\nshare-connection=1\n";
  for (const std::string& line : quirks.BaseConfig({"share-connection=1"})) text += line + "\n";
  return text;
}

NvMsgBrokerClientHandle Open(const Quirks& quirks, const Server& server, ConfigFile& config) {
  std::string library = std::string(DSMSG_LIB_DIR) + "/" + quirks.library();
  std::string conn_str = dsmsg::conformance::Translated(
      quirks.library(), server.host() + ";" + std::to_string(server.port()));
  return nv_msgbroker_connect(conn_str.data(), library.data(), &OnConnectEvent, config.path());
}

void ExpectArrived(Quirks& quirks, Server& server, const std::string& topic, int users, int each) {
  std::multiset<std::string> arrived;
  for (const auto& message : quirks.ReadAll(server, topic)) arrived.insert(message.payload);
  for (int user = 0; user < users; ++user) {
    for (int n = 0; n < each; ++n) {
      const std::string payload = std::to_string(user) + "/" + std::to_string(n);
      EXPECT_GE(arrived.count(payload), 1U) << payload << " was called back OK and is not there";
    }
  }
  if (quirks.duplicates_possible()) return;
  EXPECT_EQ(arrived.size(), static_cast<size_t>(users) * static_cast<size_t>(each));
}

class Servers : public ::testing::TestWithParam<Quirks*> {
 protected:
  void TearDown() override {
    const std::vector<std::string> log = TakeLog();
    if (!HasFailure()) return;
    for (const std::string& line : log) std::printf("%s\n", line.c_str());
  }
};

TEST_P(Servers, NothingIsLostWhenTheServerIsKilledAndStartedAgain) {
  Quirks& quirks = *GetParam();
  Server& server = quirks.faulty();
  const std::string topic = NewTopic(quirks, server);
  ConfigFile config(Config(quirks));
  constexpr int kUsers = 3, kEach = 400;
  NvMsgBrokerClientHandle handles[kUsers];
  for (auto& handle : handles) {
    handle = Open(quirks, server, config);
    ASSERT_NE(handle, nullptr);
  }
  Sends sends;
  std::atomic<int> refused{0};
  Outage outage(server, milliseconds(1500));
  std::vector<std::thread> threads;
  for (int user = 0; user < kUsers; ++user) {
    threads.emplace_back([&, user] {
      for (int n = 0; n < kEach; ++n) {
        const std::string payload = std::to_string(user) + "/" + std::to_string(n);
        if (sends.Send(handles[user], payload, topic.c_str()) != NV_MSGBROKER_API_OK) ++refused;
        usleep(2000);  // the stream must be longer than what a socket takes at once
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  outage.Join();
  EXPECT_TRUE(sends.WaitAll());
  for (const auto handle : handles) {
    EXPECT_TRUE(WaitForEvents(handle, {NV_MSGBROKER_API_RECONNECTING, NV_MSGBROKER_API_OK}))
        << EventsOf(handle).size();
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  }
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(sends.ok(), kUsers * kEach);
  ExpectArrived(quirks, server, topic, kUsers, kEach);
}

struct Received {
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<std::string> payloads;
};

void Receive(NvMsgBrokerErrorType, void* message, int length, char*, void* user_ptr) {
  auto* received = static_cast<Received*>(user_ptr);
  const std::lock_guard lock(received->mutex);
  received->payloads.emplace(static_cast<char*>(message), static_cast<size_t>(length));
  received->changed.notify_all();
}

TEST_P(Servers, WhatWasSentIsReceived) {
  Quirks& quirks = *GetParam();
  Server& server = quirks.shared();
  std::string topic = NewTopic(quirks, server);
  std::string text = Config(quirks);
  for (const std::string& line : quirks.ConsumerConfig(topic)) text += line + "\n";
  ConfigFile config(text);
  const auto handle = Open(quirks, server, config);
  ASSERT_NE(handle, nullptr);
  Received received;
  char* topics[] = {topic.data()};
  EXPECT_EQ(nv_msgbroker_subscribe(handle, topics, 1, &Receive, &received), NV_MSGBROKER_API_OK);
  Sends sends;
  const std::string binary("\0{\"sensor\": 1}\xff", 15);
  EXPECT_EQ(sends.Send(handle, binary, topic.c_str()), NV_MSGBROKER_API_OK);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.ok(), 1);
  {
    std::unique_lock lock(received.mutex);
    EXPECT_TRUE(received.changed.wait_for(lock, kPatience,
                                          [&] { return received.payloads.count(binary) == 1; }));
  }
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
}

using SharedConnection = Servers;

bool Wait(Received& received, const std::string& payload) {
  std::unique_lock lock(received.mutex);
  return received.changed.wait_for(lock, kPatience,
                                   [&] { return received.payloads.count(payload) > 0; });
}

NvMsgBrokerErrorType Subscribe(NvMsgBrokerClientHandle handle, std::vector<std::string> topics,
                               Received& received) {
  std::vector<char*> pointers;
  for (std::string& topic : topics) pointers.push_back(topic.data());
  return nv_msgbroker_subscribe(handle, pointers.data(), static_cast<int>(pointers.size()),
                                &Receive, &received);
}

TEST_P(SharedConnection, ATopicRefusedToOneClientLeavesTheOthersTheirs) {
  Quirks& quirks = *GetParam();
  Server& server = quirks.restricted();
  const std::string topic = NewTopic(quirks, server), other = NewTopic(quirks, server);
  const std::string forbidden = quirks.ForbiddenTopic(server, topic);
  std::string text = Config(quirks);
  for (const std::string& line : quirks.ConsumerConfig(topic)) text += line + "\n";
  for (const std::string& line : quirks.RestrictedConfig()) text += line + "\n";
  text += "connect-timeout=30s\n";  // for a busy machine
  ConfigFile config(text);
  const auto one = Open(quirks, server, config), two = Open(quirks, server, config);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  Received first, second;
  Sends sends;
  const auto send = [&](const std::string& name, const std::string& payload) {
    EXPECT_EQ(sends.Send(one, payload, name.c_str()), NV_MSGBROKER_API_OK);
    EXPECT_TRUE(sends.WaitAll());
  };
  ASSERT_EQ(Subscribe(one, {topic}, first), NV_MSGBROKER_API_OK);
  send(topic, "before");
  EXPECT_TRUE(Wait(first, "before"));
  EXPECT_EQ(Subscribe(two, {other, forbidden}, second), NV_MSGBROKER_API_ERR);
  send(topic, "after");
  EXPECT_TRUE(Wait(first, "after")) << "the first client receives no more";
  EXPECT_EQ(Subscribe(two, {other}, second), NV_MSGBROKER_API_OK);
  send(other, "of the second");
  EXPECT_TRUE(Wait(second, "of the second"));
  send(topic, "of the first");
  EXPECT_TRUE(Wait(first, "of the first"));
  EXPECT_EQ(first.payloads.count("of the second") + second.payloads.count("of the first"), 0u);
  EXPECT_EQ(nv_msgbroker_disconnect(two), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(one), NV_MSGBROKER_API_OK);
}

std::vector<Quirks*> Those(bool (*wanted)(const Quirks&)) {
  std::vector<Quirks*> all = AllQuirks();
  std::erase_if(all, [wanted](const Quirks* quirks) { return !wanted(*quirks); });
  return all;
}

std::string NameOf(const ::testing::TestParamInfo<Quirks*>& test) { return test.param->protocol(); }

// The library retries in two ways, and these adaptors show both.
INSTANTIATE_TEST_SUITE_P(Real, Servers, ::testing::ValuesIn(Those([](const Quirks& quirks) {
                           return quirks.protocol() == "KAFKA" || quirks.protocol() == "REDIS";
                         })),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Real, SharedConnection,
                         ::testing::ValuesIn(Those([](const Quirks& quirks) {
                           return quirks.refuses_topics();
                         })),
                         NameOf);

TEST(Together, AllAdaptorsInOneProcessFromManyThreads) {
  constexpr int kUsers = 3, kEach = 200;
  std::vector<std::unique_ptr<Sends>> all;
  std::vector<std::unique_ptr<ConfigFile>> configs;
  std::vector<std::thread> threads;
  std::vector<std::string> topics;
  std::atomic<int> wrong{0};
  for (Quirks* quirks : AllQuirks()) {
    Server& server = quirks->shared();
    topics.push_back(NewTopic(*quirks, server));
    Sends& sends = *all.emplace_back(std::make_unique<Sends>());
    ConfigFile& config = *configs.emplace_back(std::make_unique<ConfigFile>(Config(*quirks)));
    for (int user = 0; user < kUsers; ++user) {
      threads.emplace_back([&, quirks, user, topic = topics.back()] {
        const auto handle = Open(*quirks, server, config);
        for (int n = 0; n < kEach; ++n) {
          const std::string payload = std::to_string(user) + "/" + std::to_string(n);
          if (sends.Send(handle, payload, topic.c_str()) != NV_MSGBROKER_API_OK) ++wrong;
        }
        if (nv_msgbroker_disconnect(handle) != NV_MSGBROKER_API_OK) ++wrong;
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->ok(), kUsers * kEach) << AllQuirks()[i]->protocol();
    ExpectArrived(*AllQuirks()[i], AllQuirks()[i]->shared(), topics[i], kUsers, kEach);
  }
}

}  // namespace
}  // namespace dsmsg::client_test

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGPIPE, SIG_DFL);  // as hosts leave it; the parent may have ignored it
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  dsmsg::conformance::CloseServers();
  return result;
}
