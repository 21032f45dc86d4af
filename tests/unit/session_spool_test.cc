// SPDX-License-Identifier: Apache-2.0
// The spool between session and broker.
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
using ::testing::Not;

// Options of a spool in `folder`.
std::string SpoolIn(const std::string& folder, const std::string& more = "") {
  return "spool-dir=" + folder + "\n" + more;
}

// The payloads that the broker got, duplicates left out, in the order of their first arrival.
std::vector<std::string> Payloads() {
  std::lock_guard lock(FakeBroker::Get().mutex);
  std::vector<std::string> payloads;
  for (const std::string& line : FakeBroker::Get().received) {
    const std::string payload = line.substr(line.rfind('|') + 1);
    if (std::find(payloads.begin(), payloads.end(), payload) == payloads.end()) {
      payloads.push_back(payload);
    }
  }
  return payloads;
}

TEST_F(SessionTest, AnOutageGoesToTheSpoolAndBackInOrder) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "queue-size=10\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
  constexpr int kMessages = 2000;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  // On disk is as good as delivered, and told so while the broker is away.
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.ok == kMessages;
  }));
  EXPECT_EQ(Payloads().size(), 0u);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= kMessages; }));
  ASSERT_TRUE(WaitFor(
      [&] { return session->StatsJson().find(R"("spool_backlog":0)") != std::string::npos; }));
  // Live again.
  ASSERT_TRUE(session->SendAsync(Request("live"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->Flush(Millis(20000)));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, kMessages + 1);
  const std::vector<std::string> payloads = Payloads();
  ASSERT_EQ(payloads.size(), size_t{kMessages + 1});
  for (int i = 0; i < kMessages; ++i)
    ASSERT_EQ(payloads[static_cast<size_t>(i)], std::to_string(i));
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, WhatIsLeftAtDisconnectWaitsInTheSpoolForTheNextConnection) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "flush-timeout=1ms\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);  // up, but nothing is acknowledged
  constexpr int kMessages = 300;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, kMessages);
  EXPECT_EQ(counts_.failed, 0);
  session.reset();
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  session = Open(SpoolIn(folder));
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == size_t{kMessages}; }));
  EXPECT_TRUE(session->Disconnect().ok());
  const std::vector<std::string> payloads = Payloads();
  for (int i = 0; i < kMessages; ++i)
    ASSERT_EQ(payloads[static_cast<size_t>(i)], std::to_string(i));
  std::filesystem::remove_all(folder);
}

// The queue was full, so the later ones are on disk already when the queue goes there.
TEST_F(SessionTest, WhatIsLeftAtDisconnectComesBeforeWhatAFullQueueSentToTheSpool) {
  const std::string folder = NewFolder();
  const std::string options =
      SpoolIn(folder, "queue-size=100\nflush-timeout=1ms\noverflow=spool\n");
  constexpr int kMessages = 300;
  {
    auto session = Open(options);
    ASSERT_TRUE(session);
    FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
    }
    EXPECT_TRUE(session->Disconnect().ok());
    EXPECT_EQ(counts_.ok, kMessages);
  }
  EXPECT_LT(Payloads().size(), size_t{kMessages});
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().received.clear();
  }
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  auto session = Open(options);
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= kMessages; }));
  std::vector<std::string> expected;
  for (int i = 0; i < kMessages; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(Payloads(), expected);
  EXPECT_TRUE(session->Disconnect().ok());
  std::filesystem::remove_all(folder);
}

// More than may wait for the disk at a time (32 MiB).
TEST_F(SessionTest, WhatIsLeftAtDisconnectGoesToTheSpoolHoweverMuchItIs) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "flush-timeout=20s\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  const std::string payload(1'000'000, 'x');
  constexpr int kMessages = 80;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(payload), &CountOutcome, &counts_).ok());
  }
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});  // which ends the flush early
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, kMessages);
  EXPECT_EQ(counts_.failed, 0);
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, SpoolModeAlwaysAndASynchronousSendThatIsOnDisk) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "spool-mode=always\nconnect=lazy\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  EXPECT_TRUE(session->Send(Request("on disk")).ok());
  FakeBroker::Get().SetUp();
  EXPECT_TRUE(session->Send(Request("too")).ok());
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == 2; }));
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("replayed":2)") != std::string::npos; }));
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("spooled":2)"));
  EXPECT_THAT(session->StatsJson(), Not(HasSubstr(R"("last_success_ms":0)")));
  EXPECT_TRUE(session->Disconnect().ok());
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, KeysWithABacklogQueueBehindItAndOthersGoLive) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "spool-replay-rate=200\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
  const auto send = [&](const std::string& key, const std::string& payload) {
    SendRequest request = Request(payload);
    request.key = key;
    request.has_key = true;
    EXPECT_TRUE(session->SendAsync(request, &CountOutcome, &counts_).ok());
  };
  constexpr int kBacklog = 60;  // for which the rate needs some time
  for (int i = 0; i < kBacklog; ++i) send("a", "a" + std::to_string(i));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= 1; }));
  send("a", "a" + std::to_string(kBacklog));
  send("b", "b");
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == size_t{kBacklog + 2}; }));
  EXPECT_TRUE(session->Disconnect().ok());
  std::vector<std::string> payloads = Payloads();
  const auto b = std::find(payloads.begin(), payloads.end(), "b");
  EXPECT_LT(b - payloads.begin(), kBacklog) << "another key does not wait for the backlog";
  payloads.erase(b);
  for (int i = 0; i <= kBacklog; ++i) {
    ASSERT_EQ(payloads[static_cast<size_t>(i)], "a" + std::to_string(i));
  }
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, WithoutOrderLiveMessagesDoNotWaitForTheBacklog) {
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "spool-order=none\nspool-replay-rate=200\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
  constexpr int kBacklog = 60;
  for (int i = 0; i < kBacklog; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= 1; }));
  ASSERT_TRUE(session->SendAsync(Request("live"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == size_t{kBacklog + 1}; }));
  EXPECT_TRUE(session->Disconnect().ok());
  const std::vector<std::string> payloads = Payloads();
  EXPECT_LT(std::find(payloads.begin(), payloads.end(), "live") - payloads.begin(), kBacklog);
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, ASpoolThatCannotBeIsAnErrorAndAFullOneFallsBackToTheQueue) {
  EXPECT_EQ(Open("spool-dir=/proc/nowhere\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("spool-dir"));
  EXPECT_EQ(Open("overflow=spool\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("overflow=spool needs spool-dir"));
  const std::string folder = NewFolder();
  auto session = Open(SpoolIn(folder, "spool-max-bytes=1M\nspool-mode=always\nconnect=lazy\n"));
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  const std::string payload(100'000, 'x');
  constexpr int kMessages = 30;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(
        session->SendAsync(Request(payload + std::to_string(i)), &CountOutcome, &counts_).ok());
  }
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.ok == kMessages && Payloads().size() == size_t{kMessages};
  }));
  EXPECT_TRUE(session->Disconnect().ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dsmsg
