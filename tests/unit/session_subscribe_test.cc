// SPDX-License-Identifier: Apache-2.0
// A subscription is replaced as a whole or not at all, from any thread or callback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <thread>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Topics = std::vector<std::string>;

/// A callback's context: collects, and runs what the test put into it.
struct Listener {
  std::function<void(const std::string& topic)> on_message;
  std::mutex mutex;
  Topics got;  // "topic|payload"
  std::atomic<int> began{0}, ended{0};

  static void OnMessage(NvDsMsgApiErrorType, void* message, int size, char* topic, void* user_ptr) {
    auto* self = static_cast<Listener*>(user_ptr);
    ++self->began;
    if (self->on_message) self->on_message(topic);
    {
      std::lock_guard lock(self->mutex);
      self->got.push_back(std::string(topic) + "|" +
                          std::string(static_cast<char*>(message), static_cast<size_t>(size)));
    }
    ++self->ended;
  }
  Topics Got() {
    std::lock_guard lock(mutex);
    return got;
  }
};

class SubscribeTest : public SessionTest {
 protected:
  static Status Subscribe(Session& session, Topics topics, Listener& listener) {
    return session.Subscribe(std::move(topics), &Listener::OnMessage, &listener);
  }
  static void Publish(const std::string& topic, const std::string& payload) {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().incoming.push_back({topic, payload});
  }
  static Topics Subscribed() {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().topics;
  }
  using Answer = std::function<Status(std::span<const std::string>, Deadline)>;
  static void AnswerWith(Answer answer) {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().subscribe_answer = std::move(answer);
  }
  static bool Has(std::span<const std::string> topics, const std::string& topic) {
    return std::count(topics.begin(), topics.end(), topic) > 0;
  }
  static void Refuse(const std::string& topic) {
    AnswerWith([topic](std::span<const std::string> topics, Deadline) {
      return Has(topics, topic) ? Status(Code::kAuth, "fake: " + topic + " is forbidden")
                                : Status();
    });
  }
  static bool Settles(Listener& listener, size_t count) {
    return WaitFor([&] { return listener.Got().size() >= count; });
  }
};

TEST_F(SubscribeTest, ARefusalKeepsTopicsCallbackAndContext) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Listener first, second;
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  Refuse("secret");
  const Status status = Subscribe(*session, {"a", "secret"}, second);
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_THAT(status.message(), HasSubstr("secret is forbidden"));
  EXPECT_THAT(Subscribed(), ElementsAre("a"));
  Publish("a", "1");
  ASSERT_TRUE(Settles(first, 1));
  // The same topics are subscribed to after an outage.
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(WaitFor([] { return Subscribed().empty(); }));
  FakeBroker::Get().SetUp();
  Publish("a", "2");
  ASSERT_TRUE(Settles(first, 2));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(first.Got(), ElementsAre("a|1", "a|2"));
  EXPECT_EQ(second.began, 0);
}

/// A driver without the functions that receive.
class SendOnlyDriver final : public Driver {
 public:
  static const DriverInfo& Info() { return *FakeDriver::SharedFactory().info; }
  explicit SendOnlyDriver(DriverHost& host) : host_(host) {}
  Status Configure(const Endpoints&, const Config&) override { return {}; }
  Status Open(Role, Deadline, int) override { return {}; }
  Status Submit(const Message&, Token token) override {
    host_.Complete(token, {});
    return {};
  }
  Status Poll(Millis budget, int wake_fd) override {
    pollfd wake = {wake_fd, POLLIN, 0};
    poll(&wake, 1, static_cast<int>(budget.count()));
    return {};
  }
  void Close(Millis, int) noexcept override {}

 private:
  DriverHost& host_;
};

TEST_F(SubscribeTest, ADriverThatOnlySendsSaysSoAndGoesOnSending) {
  const DriverFactory factory = {
      &SendOnlyDriver::Info(), [](DriverHost& host) {
        return std::unique_ptr<Driver>(std::make_unique<SendOnlyDriver>(host));
      }};
  auto session = Open("", factory);
  ASSERT_TRUE(session);
  Listener listener;
  for (int i = 0; i < 2; ++i) {
    const Status status = Subscribe(*session, {"a"}, listener);
    EXPECT_EQ(status.code(), Code::kNotSupported);
    EXPECT_THAT(status.message(), HasSubstr("this adaptor only sends"));
    EXPECT_TRUE(session->Send(Request("x")).ok());
  }
  EXPECT_TRUE(Subscribe(*session, {}, listener).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(listener.began, 0);
}

TEST_F(SubscribeTest, WhatArrivesDuringTheAttemptGoesToTheCallbackInForce) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Listener first, second;
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  std::atomic<bool> go{false};
  first.on_message = [&](const std::string&) { WaitFor([&] { return go.load(); }); };
  for (const char* payload : {"1", "2", "3"}) Publish("a", payload);
  ASSERT_TRUE(WaitFor([&] { return first.began == 1; }));
  AnswerWith([&](std::span<const std::string> topics, Deadline) {
    if (!Has(topics, "secret")) return Status();
    go = true;
    WaitFor([&] { return first.ended == 3; });  // all of them while the broker has not answered
    return Status(Code::kAuth, "fake: forbidden");
  });
  EXPECT_FALSE(Subscribe(*session, {"a", "secret"}, second).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(first.Got(), ElementsAre("a|1", "a|2", "a|3"));
  EXPECT_EQ(second.began, 0);
}

// The driver returns later than the host waits, and with success.
TEST_F(SubscribeTest, ATimedOutAttemptIsWithdrawn) {
  for (const Topics& before : {Topics{}, Topics{"a"}}) {
    FakeBroker::Get().Reset();
    auto session = Open("connect-timeout=1s\n");
    ASSERT_TRUE(session);
    Listener first, second;
    if (!before.empty()) {
      ASSERT_TRUE(Subscribe(*session, before, first).ok());
    }
    std::atomic<bool> go{false};
    AnswerWith([&](std::span<const std::string> topics, Deadline) {
      if (Has(topics, "late")) WaitFor([&] { return go.load(); });
      return Status();
    });
    const Status status = Subscribe(*session, {"late"}, second);
    EXPECT_EQ(status.code(), Code::kTimeout);
    int calls = 0;
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      calls = FakeBroker::Get().subscribes;
    }
    go = true;
    ASSERT_TRUE(WaitFor([&] {
      std::lock_guard lock(FakeBroker::Get().mutex);
      return FakeBroker::Get().subscribes > calls && !FakeBroker::Get().in_subscribe &&
             FakeBroker::Get().topics == before;
    }));
    Publish("late", "x");
    Publish("a", "y");
    if (!before.empty()) {
      ASSERT_TRUE(Settles(first, 1));
    }
    EXPECT_TRUE(session->Disconnect().ok());
    EXPECT_EQ(second.began, 0);
    EXPECT_EQ(first.Got(), before.empty() ? Topics{} : Topics{"a|y"});
  }
}

TEST_F(SubscribeTest, ATimeoutOfTheDriverIsReportedWithItsText) {
  auto session = Open("connect-timeout=2s\n");
  ASSERT_TRUE(session);
  Listener first, second;
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  AnswerWith([&](std::span<const std::string> topics, Deadline deadline) {
    if (!Has(topics, "b")) return Status();
    std::this_thread::sleep_until(deadline);
    return Status(Code::kTimeout, "fake: no answer");
  });
  const Status status = Subscribe(*session, {"b"}, second);
  EXPECT_EQ(status.message(), "fake: no answer");
  EXPECT_THAT(Subscribed(), ElementsAre("a"));
  EXPECT_TRUE(session->Disconnect().ok());
}

// Messages that wait in the inbox: those of a kept topic go to the new callback; those of a dropped
// topic are neither delivered nor acknowledged.
TEST_F(SubscribeTest, NoMessageOfTheOldTopicsReachesTheNewCallback) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Listener first, second;
  std::atomic<bool> go{false};
  first.on_message = [&](const std::string&) { WaitFor([&] { return go.load(); }); };
  ASSERT_TRUE(Subscribe(*session, {"old", "both"}, first).ok());
  Publish("old", "1");
  Publish("old", "2");
  Publish("both", "3");
  Publish("old", "4");
  Publish("both", "5");
  ASSERT_TRUE(WaitFor([&] {
    return first.began == 1 && session->StatsJson().find(R"("received":5)") != std::string::npos;
  }));
  // The old callback still runs: subscribe must not wait for ever.
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(Subscribe(*session, {"both", "new"}, second).ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("a call of the previous one is still running"));
  EXPECT_EQ(first.ended, 0);
  EXPECT_EQ(second.began, 0) << "callbacks run one at a time";
  go = true;
  ASSERT_TRUE(Settles(second, 2));
  Publish("new", "6");
  ASSERT_TRUE(Settles(second, 3));
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().acked.size() == 4;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(first.Got(), ElementsAre("old|1"));
  EXPECT_THAT(second.Got(), ElementsAre("both|3", "both|5", "new|6"));
  std::lock_guard lock(FakeBroker::Get().mutex);
  EXPECT_THAT(FakeBroker::Get().released, ElementsAre("2|old|2", "4|old|4"));
  EXPECT_THAT(FakeBroker::Get().acked, ElementsAre(1u, 3u, 5u, 6u));
}

TEST_F(SubscribeTest, FromInsideItsOwnCallback) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Listener first, second, third;
  Status inside, reloaded;
  first.on_message = [&](const std::string&) { inside = Subscribe(*session, {"b"}, second); };
  second.on_message = [&](const std::string&) { reloaded = session->Reload("", ""); };
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  Publish("a", "1");
  ASSERT_TRUE(WaitFor([&] { return first.ended == 1; }));
  EXPECT_TRUE(inside.ok()) << inside.message();
  EXPECT_THAT(Subscribed(), ElementsAre("b"));
  Publish("b", "2");
  ASSERT_TRUE(Settles(second, 1));
  EXPECT_TRUE(reloaded.ok()) << reloaded.message();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(first.Got(), ElementsAre("a|1"));
}

// Subscribe holds no lock that a callback may need, and a host may hold a lock that its callback
// needs.
TEST_F(SubscribeTest, ACallbackThatNeedsWhatTheCallerHolds) {
  auto session = Open("");
  ASSERT_TRUE(session);
  std::mutex host_lock;
  Listener first, second, third;
  std::atomic<bool> in_callback{false};
  Status inside, reloaded;
  first.on_message = [&](const std::string&) {
    in_callback = true;
    std::lock_guard lock(host_lock);
    inside = Subscribe(*session, {"c"}, third);
    reloaded = session->Reload("", "");
  };
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  {
    std::unique_lock lock(host_lock);
    Publish("a", "1");
    ASSERT_TRUE(WaitFor([&] { return in_callback.load(); }));
    EXPECT_TRUE(Subscribe(*session, {"b"}, second).ok());
  }
  ASSERT_TRUE(WaitFor([&] { return first.ended == 1; }));
  EXPECT_TRUE(inside.ok()) << inside.message();
  EXPECT_TRUE(reloaded.ok()) << reloaded.message();
  Publish("c", "2");
  ASSERT_TRUE(Settles(third, 1));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(second.began, 0);
}

TEST_F(SubscribeTest, FromInsideSendAndConnectCallbacks) {
  auto session = Open("connect=lazy\n");
  ASSERT_TRUE(session);
  static Session* target;
  static Listener* heard;
  static std::atomic<int> answers;
  Listener listener;
  target = session.get();
  heard = &listener;
  answers = 0;
  session->SetLinkCallback(
      [](void*, DsmsgLinkState state, const char*) {
        if (state == DSMSG_LINK_UP && Subscribe(*target, {"a"}, *heard).ok()) ++answers;
      },
      nullptr);
  ASSERT_TRUE(WaitFor([] { return answers == 1; }));
  const auto sent = [](void*, NvDsMsgApiErrorType) {
    if (Subscribe(*target, {"b"}, *heard).ok()) ++answers;
  };
  ASSERT_TRUE(session->SendAsync(Request("x"), sent, nullptr).ok());
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return answers == 2;
  }));
  EXPECT_THAT(Subscribed(), ElementsAre("b"));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SubscribeTest, EachCallWaitsForItsTurnAtMostUntilItsOwnDeadline) {
  auto session = Open("connect-timeout=1s\n");
  ASSERT_TRUE(session);
  Listener slow, other;
  std::atomic<bool> go{false};
  AnswerWith([&](std::span<const std::string> topics, Deadline) {
    if (Has(topics, "slow")) WaitFor([&] { return go.load(); });
    return Status();
  });
  std::thread first([&] { EXPECT_FALSE(Subscribe(*session, {"slow"}, slow).ok()); });
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().in_subscribe.load(); }));
  EXPECT_EQ(Subscribe(*session, {"x"}, other).code(), Code::kTimeout);
  first.join();
  go = true;
  ASSERT_TRUE(WaitFor([&] { return Subscribe(*session, {"y"}, other).ok(); }));
  EXPECT_THAT(Subscribed(), ElementsAre("y"));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SubscribeTest, ALinkThatIsLostMeanwhileIsReopenedForIt) {
  auto session = Open("", FakeDriver::SharedFactory());
  ASSERT_TRUE(session);
  Listener first, second;
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  std::atomic<int> lost{0};
  AnswerWith([&](std::span<const std::string> topics, Deadline) {
    if (!Has(topics, "b") || ++lost > 1) return Status();
    FakeBroker::Get().SetDown({});  // cut, and back at once
    return Status(Code::kUnavailable, "fake: cut");
  });
  EXPECT_TRUE(Subscribe(*session, {"b"}, second).ok());
  EXPECT_EQ(lost, 2);
  EXPECT_THAT(Subscribed(), ElementsAre("b"));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SubscribeTest, ARenewalThatIsNotAnsweredIsTriedAgain) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Listener listener;
  ASSERT_TRUE(Subscribe(*session, {"a"}, listener).ok());
  std::atomic<int> renewals{0};
  AnswerWith([&](std::span<const std::string>, Deadline) {
    return ++renewals == 1 ? Status(Code::kTimeout, "fake: no answer") : Status();
  });
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(WaitFor([] { return Subscribed().empty(); }));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return Subscribed() == Topics{"a"}; }));
  EXPECT_EQ(renewals, 2);
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SubscribeTest, WhatCannotBeRestoredIsMadeByReopeningTheLink) {
  auto session = Open("connect-timeout=1s\n");
  ASSERT_TRUE(session);
  Listener first, second;
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  std::atomic<bool> go{false};
  std::atomic<int> restores{0};
  AnswerWith([&](std::span<const std::string> topics, Deadline) {
    if (Has(topics, "late")) WaitFor([&] { return go.load(); });
    const bool refused = Has(topics, "a") && ++restores == 1;
    return refused ? Status(Code::kRejected, "fake: not now") : Status();
  });
  EXPECT_EQ(Subscribe(*session, {"late"}, second).code(), Code::kTimeout);
  go = true;
  ASSERT_TRUE(WaitFor([&] { return restores == 2; }));
  Publish("a", "1");
  ASSERT_TRUE(Settles(first, 1));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(second.began, 0);
}

TEST_F(SubscribeTest, LazilyItIsMadeWhenTheBrokerIsUp) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  auto session = Open("connect=lazy\n");
  ASSERT_TRUE(session);
  Listener first, second;
  EXPECT_TRUE(Subscribe(*session, {"a"}, first).ok());
  EXPECT_TRUE(Subscribe(*session, {"b"}, second).ok());
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return Subscribed() == Topics{"b"}; }));
  Publish("a", "1");
  Publish("b", "2");
  ASSERT_TRUE(Settles(second, 1));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(first.began, 0);
  EXPECT_THAT(second.Got(), ElementsAre("b|2"));
}

TEST_F(SubscribeTest, DisconnectEndsAWaitAndSaysThatACallbackRuns) {
  auto session = Open("connect-timeout=1h\nflush-timeout=0\n");
  ASSERT_TRUE(session);
  Listener first, second;
  std::atomic<bool> go{false}, asked{false};
  Status inside;
  first.on_message = [&](const std::string&) {
    asked = true;
    inside = Subscribe(*session, {"b"}, second);
    WaitFor([&] { return go.load(); });
  };
  ASSERT_TRUE(Subscribe(*session, {"a"}, first).ok());
  AnswerWith([&](std::span<const std::string>, Deadline) {
    return Status(Code::kUnavailable, "fake: the link is about to go");
  });
  Publish("a", "1");
  ASSERT_TRUE(WaitFor([&] { return asked.load(); }));
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("a call of the subscribe callback is still running"));
  EXPECT_EQ(first.ended, 0);
  go = true;
  ASSERT_TRUE(WaitFor([&] { return first.ended == 1; }));
  EXPECT_EQ(inside.code(), Code::kCancelled);
  std::lock_guard lock(FakeBroker::Get().mutex);
  EXPECT_THAT(FakeBroker::Get().acked, IsEmpty());
}

// Every callback sees only messages of its own topics, in whatever order they are replaced.
TEST_F(SubscribeTest, ManyThreadsReplaceEachOther) {
  auto session = Open("connect-timeout=20s\n");
  ASSERT_TRUE(session);
  constexpr size_t kThreads = 4;
  constexpr int kEach = 50;
  std::array<Listener, kThreads> listeners;
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  for (size_t i = 0; i < kThreads; ++i) {
    listeners[i].on_message = [&wrong, own = "t" + std::to_string(i)](const std::string& topic) {
      if (topic != own && topic != "common") ++wrong;
    };
  }
  AnswerWith([](std::span<const std::string> topics, Deadline) {
    return Has(topics, "forbidden") ? Status(Code::kAuth, "fake: no") : Status();
  });
  std::thread publisher([&] {
    for (int i = 0; !stop; ++i) {
      size_t waiting = 0;
      {
        std::lock_guard lock(FakeBroker::Get().mutex);
        waiting = FakeBroker::Get().incoming.size();
      }
      if (waiting < 100) {
        Publish("t" + std::to_string(i % static_cast<int>(kThreads)), "x");
        Publish("common", "x");
      }
      std::this_thread::yield();
    }
  });
  std::thread reloader([&] {
    while (!stop) {
      EXPECT_TRUE(session->Reload("", "").ok());
      std::this_thread::sleep_for(Millis(5));
    }
  });
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kEach; ++n) {
        Topics topics = {"t" + std::to_string(i), "common"};
        const bool refused = n % 5 == 4;
        if (refused) topics.push_back("forbidden");
        EXPECT_EQ(Subscribe(*session, topics, listeners[i]).ok(), !refused);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  publisher.join();
  reloader.join();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace dsmsg
