// SPDX-License-Identifier: Apache-2.0
// New settings for a running session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::HasSubstr;

std::string Opened() {
  std::lock_guard lock(FakeBroker::Get().mutex);
  return FakeBroker::Get().opened;
}

TEST_F(SessionTest, ReloadConnectsElsewhereAndKeepsTheQueue) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Received received;
  ASSERT_TRUE(session->Subscribe({"a"}, &CollectMessage, &received).ok());
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  constexpr int kMessages = 500;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  EXPECT_FALSE(session->Reload("nowhere;666", "").ok());
  EXPECT_FALSE(session->Reload("", "/no/such/file").ok());
  EXPECT_EQ(Opened(), "localhost");
  ASSERT_TRUE(session->Reload("elsewhere;2", "").ok());
  ASSERT_TRUE(WaitFor([] { return Opened() == "elsewhere"; }));
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.total() == kMessages;
  }));
  EXPECT_EQ(counts_.ok, kMessages);
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("endpoint":"elsewhere:2")"));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().incoming.push_back({"a", "after the reload"});
  }
  ASSERT_TRUE(WaitFor([&] {
    std::lock_guard lock(received.mutex);
    return received.messages.size() == 1;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, ReloadBringsBackALinkThatWaits) {
  auto session = Open("connect=lazy\nreconnect-interval=1h\nreconnect-max-interval=1h\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kAuth, "fake: wrong password"});
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Reload("", "").ok());
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"up")") != std::string::npos; }));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, ReloadDeliversWhatWaitsBehindAWrongPassword) {
  FakeBroker::Get().SetDown({Code::kAuth, "fake: wrong password"});
  auto session = Open("connect=lazy\nreconnect-interval=1h\nreconnect-max-interval=1h\n");
  ASSERT_TRUE(session);
  constexpr int kMessages = 100;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  ASSERT_TRUE(WaitFor([&] { return session->LastError() == "fake: wrong password"; }));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Reload("", "").ok());
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.total() == kMessages;
  }));
  EXPECT_EQ(counts_.ok, kMessages);
  EXPECT_TRUE(session->Disconnect().ok());
}

// The queue was completed with ERR when the link gave up; after the reload everything works as
// after connect.
TEST_F(SessionTest, ReloadRevivesALinkThatGaveUp) {
  for (const std::string options : {"reconnect=0\n", "reconnect-attempts=2\n"}) {
    FakeBroker::Get().Reset();
    counts_.ok = counts_.failed = 0;
    auto session = Open(options);
    ASSERT_TRUE(session);
    Received received;
    ASSERT_TRUE(session->Subscribe({"a"}, &CollectMessage, &received).ok());
    FakeBroker::Get().SetDown({Code::kAuth, "fake: wrong password"});
    ASSERT_TRUE(WaitFor([] {
      std::lock_guard lock(events_mutex);
      return !events.empty() && events.back().second == NVDS_MSGAPI_EVT_SERVICE_DOWN;
    }));
    ASSERT_TRUE(session->SendAsync(Request("too early"), &CountOutcome, &counts_).ok());
    ASSERT_TRUE(WaitFor([&] {
      session->DoWork();
      return counts_.total() == 1;
    }));
    EXPECT_EQ(counts_.failed, 1);

    FakeBroker::Get().SetUp();
    ASSERT_TRUE(session->Reload("elsewhere;2", "").ok());
    ASSERT_TRUE(WaitFor([] {
      std::lock_guard lock(events_mutex);
      return events.back().second == NVDS_MSGAPI_EVT_SUCCESS;
    }));
    ASSERT_TRUE(session->SendAsync(Request("in time"), &CountOutcome, &counts_).ok());
    ASSERT_TRUE(WaitFor([&] {
      session->DoWork();
      return counts_.total() == 2;
    }));
    EXPECT_EQ(counts_.ok, 1) << options;
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      FakeBroker::Get().incoming.push_back({"a", "after the reload"});
    }
    EXPECT_TRUE(WaitFor([&] {
      std::lock_guard lock(received.mutex);
      return received.messages.size() == 1;
    })) << options;
    EXPECT_TRUE(session->Disconnect().ok());
  }
}

// Consumer and producer have separate connections; the first subscribe makes the consumer's.
TEST_F(SessionTest, TheFirstSubscribeAfterAReloadGoesToTheNewBroker) {
  auto session = Open("");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->Reload("elsewhere;2", "").ok());
  ASSERT_TRUE(WaitFor([] { return Opened() == "elsewhere"; }));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().opened = "nowhere";
  }
  Received received;
  ASSERT_TRUE(session->Subscribe({"a"}, &CollectMessage, &received).ok());
  EXPECT_EQ(Opened(), "elsewhere");
  EXPECT_TRUE(session->Disconnect().ok());
}

std::string WriteOptions(const std::string& options) {
  static int number = 0;
  const std::string path =
      ::testing::TempDir() + "session_reload_" + std::to_string(++number) + ".txt";
  std::ofstream(path) << "[message-broker]\nreconnect-interval=1ms\nreconnect-max-interval=5ms\n"
                      << options;
  return path;
}

// The core also uses options of the adaptor's table.
TEST_F(SessionTest, ReloadChangesTheOptionsThatTheCoreUses) {
  static const OptionSpec options[] = {
      {"linger", "ms(0,3600000)", "1h", ""},
      {"max-message-bytes", "bytes(1,1000000)", "100", ""},
      {"topic", "template", "", ""},
      {"partition-key", "string", "", ""},
      {"queue-size", "int(1,10000000)", "1000", ""},
  };
  static DriverInfo info = FakeDriver::Info();
  info.options = options;
  auto session = Open("linger=0\nmax-message-bytes=5\n", {&info, FakeDriver::Factory().create});
  ASSERT_TRUE(session);
  const auto settled = [&](int total) {
    return WaitFor([&] {
      session->DoWork();
      return counts_.total() == total;
    });
  };
  const std::string payload = R"({"id": "cam1"})";
  ASSERT_TRUE(session->SendAsync(Request(payload), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(counts_.failed, 1) << "longer than max-message-bytes";
  EXPECT_FALSE(session->SendAsync(Request(payload, ""), &CountOutcome, &counts_).ok())
      << "no topic";

  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(session
                  ->Reload("", WriteOptions("linger=1h\nmax-message-bytes=50\ntopic=default\n"
                                            "partition-key=id\nqueue-size=7\n"))
                  .ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("queue-size keeps its value"));
  for (const char* changed : {"linger", "max-message-bytes", "topic", "partition-key"}) {
    EXPECT_THAT(log, ::testing::Not(HasSubstr(std::string(changed) + " keeps its value")));
  }
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens == 2;
  }));
  ASSERT_TRUE(session->SendAsync(Request(payload, ""), &CountOutcome, &counts_).ok());
  for (int i = 0; i < 3; ++i) session->DoWork();
  EXPECT_EQ(counts_.total(), 1) << "it lingers";
  ASSERT_TRUE(session->Reload("", WriteOptions("linger=0\nmax-message-bytes=50\n")).ok());
  ASSERT_TRUE(settled(2));
  EXPECT_EQ(counts_.ok, 1);
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    EXPECT_THAT(FakeBroker::Get().received, ::testing::ElementsAre("default|cam1|" + payload));
  }
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, ReloadChangesHowTheLinkIsTriedAgain) {
  auto session = Open("reconnect-interval=1h\nreconnect-max-interval=1h\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->Reload("", WriteOptions("")).ok());
  const auto opens = [] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens;
  };
  ASSERT_TRUE(WaitFor([&] { return opens() == 2; }));
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(WaitFor([&] { return opens() > 5; }));
  FakeBroker::Get().SetUp();
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, AChangedConfigurationFileIsUsedWhereWatched) {
  auto session = Open("config-watch=5ms\n");
  ASSERT_TRUE(session);
  const auto opens = [] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens;
  };
  const int before = opens();
  const std::string path =
      ::testing::TempDir() + "session_AChangedConfigurationFileIsUsedWhereWatched.txt";
  std::ofstream(path) << "[message-broker]\nqueue-size=many\n";  // wrong: not used
  std::this_thread::yield();
  std::ofstream(path) << "[message-broker]\nusername=somebody\n";
  ASSERT_TRUE(WaitFor([&] { return opens() > before; }));
  // A connection that a reload moved stays there when a file changes.
  ASSERT_TRUE(session->Reload("elsewhere;2", "").ok());
  ASSERT_TRUE(WaitFor([] { return Opened() == "elsewhere"; }));
  const int moved = opens();
  std::ofstream(path) << "[message-broker]\nusername=somebody-else\n";
  ASSERT_TRUE(WaitFor([&] { return opens() > moved; }));
  EXPECT_EQ(Opened(), "elsewhere");
  EXPECT_TRUE(session->Disconnect().ok());
}

// The file of connect may be gone by then.
TEST_F(SessionTest, TheFileOfAReloadIsWatchedFromThenOn) {
  auto session = Open("config-watch=5ms\n");
  ASSERT_TRUE(session);
  const auto opens = [] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens;
  };
  const std::string other = ::testing::TempDir() + "session_TheFileOfAReload_other.txt";
  std::ofstream(other) << "[message-broker]\nusername=one\n";
  int before = opens();
  ASSERT_TRUE(session->Reload("", other).ok());
  ASSERT_TRUE(WaitFor([&] { return opens() > before; }));
  before = opens();
  std::ofstream(other) << "[message-broker]\nusername=another\n";
  EXPECT_TRUE(WaitFor([&] { return opens() > before; }));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(SessionTest, AChangedSecretFileIsUsedWhereWatched) {
  const std::string secret = ::testing::TempDir() + "session_AChangedSecretFile.password";
  std::ofstream(secret) << "old";
  auto session = Open("config-watch=5ms\npassword=${file:" + secret + "}\n");
  ASSERT_TRUE(session);
  const auto opens = [] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens;
  };
  const int before = opens();
  std::ofstream(secret) << "a new one";
  EXPECT_TRUE(WaitFor([&] { return opens() > before; }));
  EXPECT_TRUE(session->Disconnect().ok());
}

}  // namespace
}  // namespace dsmsg
