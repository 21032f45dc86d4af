// SPDX-License-Identifier: Apache-2.0
// Rule 19: a subscription is replaced as a whole or not at all, from any thread or callback,
// whatever the broker does meanwhile.
#include <map>
#include <mutex>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

/// A callback's context. It outlives the connection: the fixture's TearDown ends that.
class Receiver {
 public:
  static void OnMessage(NvDsMsgApiErrorType, void* msg, int len, char* topic, void* user) {
    auto& self = *static_cast<Receiver*>(user);
    ++self.began;
    if (self.on_message) self.on_message();
    std::lock_guard lock(self.mutex_);
    self.messages_[topic].emplace_back(static_cast<const char*>(msg), static_cast<size_t>(len));
  }
  size_t Count(const std::string& topic) {
    std::lock_guard lock(mutex_);
    return messages_[topic].size();
  }
  bool Has(const std::string& topic, const std::string& payload) {
    std::lock_guard lock(mutex_);
    const std::vector<std::string>& found = messages_[topic];
    return std::find(found.begin(), found.end(), payload) != found.end();
  }

  std::function<void()> on_message;
  std::atomic<int> began{0};

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> messages_;
};

class Subscriptions : public Conformance {
 protected:
  static NvDsMsgApiErrorType Subscribe(const Link& link, const std::vector<std::string>& topics,
                                       Receiver& receiver) {
    return link.Subscribe(topics, &Receiver::OnMessage, &receiver);
  }
  static Lines With(Lines lines, const Lines& more) {
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
  }
};

CONFORMANCE_SUITE_OF(Rule19_Refused, Subscriptions);
CONFORMANCE_SUITE_OF(Rule19_TimedOut, Subscriptions);
CONFORMANCE_SUITE_OF(Rule19_Replaced, Subscriptions);

TEST_P(Rule19_Refused, WhatWasInForceStays) {
  Server& server = quirks().restricted();
  const std::string topic = NewTopic(server), other = NewTopic(server);
  const std::string forbidden = quirks().ForbiddenTopic(server, NewName());
  const Lines config = With(quirks().ConsumerConfig(NewName()), quirks().RestrictedConfig());
  Receiver first, second, third;
  const Link link = Connect(server, config);
  EXPECT_EQ(Subscribe(link, {forbidden}, third), NVDS_MSGAPI_ERR) << "nothing is subscribed yet";
  ASSERT_EQ(Subscribe(link, {topic}, first), NVDS_MSGAPI_OK) << adaptor().LastError();
  const Link producer = Connect(server);
  ASSERT_EQ(producer.Send(topic, "before"), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] { return first.Has(topic, "before"); }));
  EXPECT_EQ(Subscribe(link, {other, forbidden}, second), NVDS_MSGAPI_ERR) << "in part";
  EXPECT_TRUE(Contains(adaptor().LastError(), forbidden)) << adaptor().LastError();
  EXPECT_EQ(Subscribe(link, {forbidden}, third), NVDS_MSGAPI_ERR) << "altogether";
  ASSERT_EQ(producer.Send(other, "not delivered"), NVDS_MSGAPI_OK);
  ASSERT_EQ(producer.Send(topic, "after"), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return first.Has(topic, "after"); }));
  EXPECT_EQ(first.Count(other), 0u);
  EXPECT_EQ(second.began + third.began, 0);
  // Allowed topics can be subscribed to afterwards.
  ASSERT_EQ(Subscribe(link, {other}, second), NVDS_MSGAPI_OK) << adaptor().LastError();
  ASSERT_EQ(producer.Send(other, "at last"), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return second.Has(other, "at last"); }));
  EXPECT_EQ(second.Count(topic), 0u);
  Close(producer);
  Close(link);
}

TEST_P(Rule19_TimedOut, ItIsWithdrawn) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server), late = NewTopic(server);
  Receiver first, second;
  const Lines quick = QuickReconnect({"connect-timeout=2s"});
  const Link link = Connect(server, With(quirks().ConsumerConfig(NewName()), quick));
  ASSERT_EQ(Subscribe(link, {topic}, first), NVDS_MSGAPI_OK);
  const Link producer = Connect(server, QuickReconnect());
  ASSERT_EQ(producer.Send(topic, "before"), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] { return first.Has(topic, "before"); }));
  server.Pause();
  NvDsMsgApiErrorType answer = NVDS_MSGAPI_OK;
  EXPECT_LT(Timed([&] { answer = Subscribe(link, {late}, second); }), 2s + Bound(2s));
  EXPECT_EQ(answer, NVDS_MSGAPI_ERR);
  server.Resume();
  ASSERT_TRUE(WaitLink(producer, true));
  ASSERT_EQ(producer.Send(late, "too late"), NVDS_MSGAPI_OK);
  // A subscription that is made again may have missed the first of them.
  EXPECT_TRUE(WaitFor(
      [&] {
        EXPECT_EQ(producer.Send(topic, "after"), NVDS_MSGAPI_OK);
        return first.Has(topic, "after");
      },
      kPatience));
  EXPECT_EQ(second.began, 0);
  EXPECT_EQ(first.Count(late), 0u);
  Close(producer);
  Close(link);
}

TEST_P(Rule19_Replaced, DuringARunningCallback) {
  Server& server = quirks().shared();
  const std::string old = NewTopic(server), both = NewTopic(server);
  Receiver first, second;
  std::atomic<bool> go{false};
  first.on_message = [&] { WaitFor([&] { return go.load(); }); };
  const Link link = Connect(server, quirks().ConsumerConfig(NewName()));
  ASSERT_EQ(Subscribe(link, {old, both}, first), NVDS_MSGAPI_OK);
  const Link producer = Connect(server);
  ASSERT_EQ(producer.Send(old, "seen"), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] { return first.began == 1; }));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(producer.Send(old, "not seen"), NVDS_MSGAPI_OK);
    ASSERT_EQ(producer.Send(both, std::to_string(i)), NVDS_MSGAPI_OK);
  }
  // The callback may need a lock that the caller holds: it is not waited for without bound.
  EXPECT_LT(Timed([&] { EXPECT_EQ(Subscribe(link, {both}, second), NVDS_MSGAPI_OK); }),
            5s + Bound(2s));
  EXPECT_EQ(second.began, 0) << "callbacks run one at a time";
  go = true;
  EXPECT_TRUE(WaitFor([&] { return second.Has(both, "19"); }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(second.Has(both, std::to_string(i))) << i;
  Close(producer);
  Close(link);
  EXPECT_EQ(first.began, 1);
  EXPECT_EQ(first.Count(old), 1u);
  EXPECT_EQ(second.Count(old), 0u);
}

TEST_P(Rule19_Replaced, FromInsideCallbacks) {
  Server& server = quirks().shared();
  const std::string one = NewTopic(server), two = NewTopic(server), three = NewTopic(server);
  Receiver first, second, third;
  const Lines config = quirks().ConsumerConfig(NewName());
  const Link link = Connect(server, config);
  const std::string file = WriteConfig(config), where = Connection(server);
  std::atomic<int> subscribed{-1}, reloaded{-1}, from_send{-1};
  first.on_message = [&] {
    if (subscribed < 0) subscribed = Subscribe(link, {two}, second);
  };
  second.on_message = [&] {
    if (reloaded < 0) reloaded = link.Reload(where, file);
  };
  ASSERT_EQ(Subscribe(link, {one}, first), NVDS_MSGAPI_OK);
  const Link producer = Connect(server);
  ASSERT_EQ(producer.Send(one, "1"), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] { return subscribed >= 0; }));
  EXPECT_EQ(subscribed, NVDS_MSGAPI_OK);
  ASSERT_EQ(producer.Send(two, "2"), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] { return reloaded >= 0; }));
  EXPECT_EQ(reloaded, NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitLink(link, true));
  struct Sent {
    const Link& link;
    const std::string& topic;
    Receiver& receiver;
    std::atomic<int>& answer;
  } sent{link, three, third, from_send};
  const auto on_sent = [](void* user, NvDsMsgApiErrorType) {
    auto& self = *static_cast<Sent*>(user);
    self.answer = Subscribe(self.link, {self.topic}, self.receiver);
  };
  std::string topic = one;
  ASSERT_EQ(link.SendAsync(topic.data(), "x", on_sent, &sent), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor(
      [&] {
        link.DoWork();
        return from_send >= 0;
      },
      kPatience));
  EXPECT_EQ(from_send, NVDS_MSGAPI_OK);
  ASSERT_EQ(producer.Send(three, "3"), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return third.Has(three, "3"); }));
  Close(producer);
  Close(link);
}

TEST_P(Rule19_Replaced, TheFirstOneAfterAReload) {
  Server &before = quirks().shared(), &after = quirks().faulty();
  const std::string topic = NewName();
  quirks().CreateTopic(before, topic, 1);
  const Link link = Connect(before, quirks().ConsumerConfig(NewName()));
  quirks().CreateTopic(after, topic, 1);
  const std::string file = WriteConfig(quirks().ConsumerConfig(NewName()));
  ASSERT_EQ(link.Reload(Connection(after), file), NVDS_MSGAPI_OK);
  Receiver receiver;
  EXPECT_TRUE(WaitFor([&] { return Subscribe(link, {topic}, receiver) == NVDS_MSGAPI_OK; }));
  const Link old = Connect(before), current = Connect(after);
  ASSERT_EQ(old.Send(topic, "at the old broker"), NVDS_MSGAPI_OK);
  ASSERT_EQ(current.Send(topic, "at the new broker"), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return receiver.Has(topic, "at the new broker"); }));
  EXPECT_FALSE(receiver.Has(topic, "at the old broker"));
  Close(old);
  Close(current);
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
