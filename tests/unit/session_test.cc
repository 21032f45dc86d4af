// SPDX-License-Identifier: Apache-2.0
#include "core/session/session.h"
#include "core/options/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(SessionTest, CallbacksRunInDoWorkOnly) {
  auto session = Open("");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->Flush(Millis(10000)));
  EXPECT_EQ(counts_.total(), 0);
  session->DoWork();
  EXPECT_EQ(counts_.ok, 1);
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.total(), 1);
}

TEST_F(SessionTest, StrictFailsWithTheReasonAndLazyWaits) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: connection refused"});
  EXPECT_FALSE(Open(""));
  EXPECT_THAT(connect_error_.message(), HasSubstr("connection refused"));
  auto session = Open("connect=lazy\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Flush(Millis(10000)));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 1);
}

TEST_F(SessionTest, TheReasonForAMissingLinkIsReportedOnce) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: connection refused"});
  ::testing::internal::CaptureStderr();
  auto session = Open("connect=lazy\n");
  ASSERT_TRUE(session);
  EXPECT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 3;
  }));
  const std::string log = ::testing::internal::GetCapturedStderr();
  const size_t first = log.find("connection refused");
  EXPECT_NE(first, log.npos) << log;
  EXPECT_EQ(log.find("connection refused", first + 1), log.npos) << log;
  FakeBroker::Get().SetUp();
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, WaitModeSucceedsWhenTheBrokerComes) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: connection refused"});
  std::thread starter([] {
    WaitFor([] {
      std::lock_guard lock(FakeBroker::Get().mutex);
      return FakeBroker::Get().opens > 3;
    });
    FakeBroker::Get().SetUp();
  });
  auto session = Open("connect=wait\n");
  starter.join();
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, NothingIsLostWhenTheLinkIsCut) {
  auto session = Open("");
  ASSERT_TRUE(session);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) session->DoWork();
  });
  constexpr int kMessages = 5000;
  for (int i = 0; i < kMessages; ++i) {
    if (i % 1000 == 500) FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
    if (i % 1000 == 900) FakeBroker::Get().SetUp();
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  ASSERT_TRUE(session->Flush(Millis(20000)));
  stop = true;
  worker.join();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, kMessages);
  EXPECT_EQ(counts_.total(), kMessages);
  std::vector<std::string> expected;
  for (int i = 0; i < kMessages; ++i) expected.push_back("t||" + std::to_string(i));
  std::lock_guard lock(FakeBroker::Get().mutex);
  EXPECT_EQ(FakeBroker::Get().received, expected)
      << "the fake broker sees each message once, in order";
}

TEST_F(SessionTest, RetryableAnswersAreSentAgain) {
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kRetryOnce);
  auto session = Open("");
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->Send(Request("x")).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(FakeBroker::Get().received, ElementsAre("t||x"));
}

TEST_F(SessionTest, UnknownTopicReachesTheCallback) {
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);
  auto session = Open("");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.unknown_topic, 1);
}

TEST_F(SessionTest, SynchronousSendTimesOutAndTheRestIsReportedAtDisconnect) {
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  auto session = Open("send-timeout=30ms\nflush-timeout=50ms\n");
  ASSERT_TRUE(session);
  const Status late = session->Send(Request("x"));
  EXPECT_EQ(late.code(), Code::kTimeout);
  EXPECT_EQ(late.message(), "not acknowledged within send-timeout");
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(session->SendAsync(Request("y"), &CountOutcome, &counts_).ok());
  const auto start = Clock::now();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  EXPECT_EQ(counts_.failed, 10);
}

TEST_F(SessionTest, ASendThatTimesOutInAnOutageSaysWhyTheLinkIsDown) {
  auto session = Open("send-timeout=20ms\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  EXPECT_TRUE(WaitFor([&] {
    return session->Send(Request("x")).message() ==
           "not acknowledged within send-timeout, the link is down: fake: away";
  }));
  FakeBroker::Get().SetUp();
}

TEST_F(SessionTest, MessageTimeoutEndsMessagesWhileTheBrokerIsAway) {
  auto session = Open("message-timeout=40ms\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  EXPECT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.failed == 1;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.total(), 1);
}

TEST_F(SessionTest, GivesUpIfConfiguredAndSendsGetErr) {
  auto session = Open("reconnect=0\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(events_mutex);
    return !events.empty();
  }));
  {
    std::lock_guard lock(events_mutex);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].first, &handle_);
    EXPECT_EQ(events[0].second, NVDS_MSGAPI_EVT_SERVICE_DOWN);
  }
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  EXPECT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.failed == 1;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, PermanentRefusalIsReportedOnceAndSuccessFollows) {
  auto session = Open("");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kAuth, "fake: wrong password"});
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(events_mutex);
    return !events.empty();
  }));
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(events_mutex);
    return events.size() == 2;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 1);
  std::lock_guard lock(events_mutex);
  EXPECT_EQ(events[0].second, NVDS_MSGAPI_EVT_SERVICE_DOWN);
  EXPECT_EQ(events[1].second, NVDS_MSGAPI_EVT_SUCCESS);
}

TEST_F(SessionTest, TransientOutagesTellTheHostNothing) {
  auto session = Open("");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 5;
  }));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Flush(Millis(10000)));
  EXPECT_TRUE(session->Disconnect().ok());
  std::lock_guard lock(events_mutex);
  EXPECT_TRUE(events.empty());
}

TEST_F(SessionTest, SubscribeDeliversInOrderAndAcknowledgesAfterTheCallback) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Received received;
  ASSERT_TRUE(session->Subscribe({"a", "b"}, &CollectMessage, &received).ok());
  constexpr size_t kMessages = 3000;  // more than the inbox holds
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    EXPECT_THAT(FakeBroker::Get().topics, ElementsAre("a", "b"));
    for (size_t i = 0; i < kMessages; ++i)
      FakeBroker::Get().incoming.push_back({"a", std::to_string(i)});
  }
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().acked.size() == kMessages;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  ASSERT_EQ(received.messages.size(), kMessages);
  for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(received.messages[i], "a|" + std::to_string(i));
}

TEST_F(SessionTest, OneConnectionSendsAndReceivesAndBothSurviveACut) {
  auto session = Open("", FakeDriver::SharedFactory());
  ASSERT_TRUE(session);
  Received received;
  ASSERT_TRUE(session->Subscribe({"a"}, &CollectMessage, &received).ok());
  constexpr int kRounds = 5, kMessages = 400;
  for (int round = 0; round < kRounds; ++round) {
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      for (int i = 0; i < kMessages; ++i) FakeBroker::Get().incoming.push_back({"a", "in"});
    }
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(session->SendAsync(Request("out"), &CountOutcome, &counts_).ok());
    }
    const auto opens = [] {
      std::lock_guard lock(FakeBroker::Get().mutex);
      return FakeBroker::Get().opens;
    };
    const int before = opens();
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
    ASSERT_TRUE(WaitFor([&] { return opens() > before; }));  // noticed, and tried in vain
    FakeBroker::Get().SetUp();
  }
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    std::lock_guard lock(received.mutex);
    return counts_.total() == kRounds * kMessages &&
           received.messages.size() == size_t{kRounds * kMessages};
  }));
  EXPECT_EQ(counts_.ok, kRounds * kMessages);
  EXPECT_TRUE(session->Disconnect().ok());
}

// What a library has acknowledged when it was read, nobody would bring again.
TEST_F(SessionTest, WhatWasAcknowledgedEarlyIsHandedOverBeforeDisconnectReturns) {
  static DriverInfo info = *FakeDriver::SharedFactory().info;
  info.acknowledges_early = [](const Config&) { return true; };
  auto session = Open("", {&info, FakeDriver::SharedFactory().create});
  ASSERT_TRUE(session);
  struct Slow {
    std::atomic<int> started{0}, done{0};
    std::atomic<bool> go{false};
  } slow;
  const auto wait = [](NvDsMsgApiErrorType, void*, int, char*, void* user_ptr) {
    auto* state = static_cast<Slow*>(user_ptr);
    ++state->started;
    WaitFor([state] { return state->go.load(); });
    ++state->done;
  };
  ASSERT_TRUE(session->Subscribe({"a"}, wait, &slow).ok());
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    for (int i = 0; i < 500; ++i) FakeBroker::Get().incoming.push_back({"a", "x"});
  }
  ASSERT_TRUE(WaitFor([&] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().incoming.empty() && slow.started == 1;
  }));
  slow.go = true;
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(slow.done, 500);
}

TEST_F(SessionTest, DisconnectFromInsideACallbackIsRefused) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Received received;
  received.session = session.get();
  ASSERT_TRUE(session->Subscribe({"a"}, &CollectMessage, &received).ok());
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().incoming.push_back({"a", "x"});
  }
  ASSERT_TRUE(WaitFor([&] {
    std::lock_guard lock(received.mutex);
    return !received.messages.empty();
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_FALSE(received.disconnect_status.ok());
}

TEST_F(SessionTest, ManyThreadsShareOneSession) {
  auto session = Open("queue-size=64\n");
  ASSERT_TRUE(session);
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) session->DoWork();
    });
  }
  std::vector<std::thread> senders;
  std::atomic<int> synchronous_ok{0};
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(session->SendAsync(Request("m"), &CountOutcome, &counts_).ok());
        if (i % 50 == t && session->Send(Request("s")).ok()) ++synchronous_ok;
        if (i % 100 == 0) {
          EXPECT_THAT(session->StatsJson(), HasSubstr("\"protocol\":\"FAKE\""));
        }
      }
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_TRUE(session->Flush(Millis(20000)));
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, kThreads * kEach);
  EXPECT_EQ(synchronous_ok, kThreads * kEach / 50);
}

TEST_F(SessionTest, KeyHeadersAndTopicComeFromTemplates) {
  auto session = Open("topic-template=events/${sensor.id}/${topic}\nkey=${place}-${sensor.id}\n");
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->Send(Request(R"({"place":"p","sensor":{"id":"cam1"}})", "x")).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(FakeBroker::Get().received,
              ElementsAre(R"(events/cam1/x|p-cam1|{"place":"p","sensor":{"id":"cam1"}})"));
}

TEST_F(SessionTest, TooLargeIsAcceptedAndCompletedWithErrAndNoTopicIsRefused) {
  auto session = Open("max-message-bytes=10\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->SendAsync(Request("12345678901"), &CountOutcome, &counts_).ok());
  EXPECT_EQ(session->SendAsync(Request("x", ""), &CountOutcome, &counts_).code(),
            Code::kInvalidArgument);
  // Host A passes the last field of the connection string, here the port.
  for (const char* port : {"1", "1 "}) {
    EXPECT_EQ(session->SendAsync(Request("x", port), &CountOutcome, &counts_).code(),
              Code::kInvalidArgument);
  }
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.failed, 1);
  EXPECT_EQ(counts_.total(), 1);
}

// An adaptor's own options may say more about the common ones.
TEST_F(SessionTest, AnAdaptorAdjustsWhatTheCoreTook) {
  static DriverInfo info = FakeDriver::Info();
  info.adjust = [](Settings* settings) {
    settings->topic_optional = true;
    settings->send_timeout = Millis(4321);
    return Status();
  };
  const Result<Settings> settings = Settings::Load(info, "host;1", "");
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->send_timeout, Millis(4321));
  const Result<MessageBuilder> builder = MessageBuilder::Create(settings.value());
  ASSERT_TRUE(builder.ok());
  Metrics metrics;
  Logger logger("FAKE");
  Outgoing outgoing;
  EXPECT_TRUE(builder->Build(Request("x", ""), metrics, logger, &outgoing).ok());
  EXPECT_EQ(outgoing.message.topic, "");
  info.adjust = [](Settings*) { return Status(Code::kInvalidArgument, "no"); };
  EXPECT_EQ(Settings::Load(info, "host;1", "").status().message(), "no");
}

TEST_F(SessionTest, IdleDoWorkWaitsInsteadOfSpinning) {
  auto session = Open("work-wait=50ms\n");
  ASSERT_TRUE(session);
  const auto start = Clock::now();
  session->DoWork();
  EXPECT_GE(Clock::now() - start, Millis(49));
  EXPECT_TRUE(session->Disconnect().ok());
}

}  // namespace
}  // namespace dsmsg
