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
#include <unordered_set>

#include "unit/fault_vfs.h"
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
  std::unordered_set<std::string> seen;
  for (const std::string& line : FakeBroker::Get().received) {
    const std::string payload = line.substr(line.rfind('|') + 1);
    if (seen.insert(payload).second) payloads.push_back(payload);
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
  // A message on disk is reported OK, even while the broker is away.
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

// Every try of every message, in memory or from the disk of another process.
TEST_F(SessionTest, AMessageHasOneNameOverReconnectsAndRestarts) {
  for (const char* mode : {"", "spool-mode=always\n"}) {
    FakeBroker::Get().Reset();
    const std::string folder = NewFolder();
    auto session = Open(SpoolIn(folder, std::string("flush-timeout=1ms\n") + mode));
    ASSERT_TRUE(session);
    FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
    constexpr size_t kMessages = 100;
    const auto tries = [](size_t times) {
      const std::lock_guard lock(FakeBroker::Get().mutex);
      const auto& names = FakeBroker::Get().names;
      return names.size() == kMessages &&
             std::all_of(names.begin(), names.end(),
                         [times](const auto& each) { return each.second.size() >= times; });
    };
    for (size_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(session->SendAsync(Request(std::to_string(i)), &CountOutcome, &counts_).ok());
    }
    ASSERT_TRUE(WaitFor([&] { return tries(1); }));
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
    ASSERT_TRUE(WaitFor(
        [&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
    FakeBroker::Get().SetUp();
    ASSERT_TRUE(WaitFor([&] { return tries(2); }));
    EXPECT_TRUE(session->Disconnect().ok());
    session.reset();
    FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
    session = Open(SpoolIn(folder));
    ASSERT_TRUE(session);
    ASSERT_TRUE(WaitFor([&] { return tries(3); }));
    EXPECT_TRUE(session->Disconnect().ok());
    std::unordered_set<std::string> different;
    for (const auto& [payload, names] : FakeBroker::Get().names) {
      for (const std::string& name : names) EXPECT_EQ(name, names.front()) << payload;
      EXPECT_TRUE(different.insert(names.front()).second) << payload;
    }
    std::filesystem::remove_all(folder);
  }
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
  auto session = Open(SpoolIn(folder, "spool-replay-rate=20\n"));
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
  auto session = Open(SpoolIn(folder, "spool-order=none\nspool-replay-rate=20\n"));
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

TEST_F(SessionTest, SettingsOfASpoolWithoutADirectoryAreReported) {
  const auto log_of = [&](const std::string& options) {
    ::testing::internal::CaptureStderr();
    const auto session = Open(options + "connect=lazy\n");
    EXPECT_TRUE(session);
    if (session) {
      EXPECT_TRUE(session->Disconnect().ok());
    }
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of("spool-max-bytes=2G\nspool-sync=full\n"),
              HasSubstr("spool-max-bytes, spool-sync: no effect without spool-dir"));
  EXPECT_THAT(log_of("spool-dir=off\nspool-sync=full\n"), ::testing::Not(HasSubstr("no effect")));
  EXPECT_THAT(log_of(""), ::testing::Not(HasSubstr("no effect")));
}

TEST_F(SessionTest, AnUnusableSpoolIsAnErrorAndAFullOneFallsBackToTheQueue) {
  EXPECT_EQ(Open("spool-dir=/proc/nowhere\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("spool-dir"));
  EXPECT_EQ(Open("overflow=spool\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("overflow=spool needs spool-dir"));
  EXPECT_EQ(Open("spool-mode=always\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("spool-mode=always needs spool-dir"));
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

// A session with a spool whose disk does what the test says, and a key "k".
class SpoolDiskTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    disk().Reset();
    disk().MakeDefault(true);
    folder_ = NewFolder();
  }
  void TearDown() override {
    session_.reset();
    disk().Reset();
    disk().MakeDefault(false);
    std::filesystem::remove_all(folder_);
  }
  static FaultVfs& disk() { return FaultVfs::Get(); }

  void Connect(const std::string& options = "") {
    session_ = Open(SpoolIn(folder_, "connect=lazy\n" + options));
    ASSERT_TRUE(session_);
  }
  bool Says(const std::string& what) {
    return WaitFor([&] {
      session_->DoWork();
      return session_->StatsJson().find(what) != std::string::npos;
    });
  }
  void GoDown() {
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
    ASSERT_TRUE(Says(R"("link":"down")"));
  }
  void SendRange(int first, int last, const std::string& padding = "") {
    for (int i = first; i <= last; ++i) {
      const std::string payload = std::to_string(i) + padding;
      SendRequest request = Request(payload);
      request.key = "k";
      request.has_key = true;
      ASSERT_TRUE(session_->SendAsync(request, &CountOutcome, &counts_).ok());
    }
  }
  bool WaitForOutcomes(int count) {
    return WaitFor([&] {
      session_->DoWork();
      return counts_.total() >= count;
    });
  }
  /// Messages 0 to `last` are on disk, and the link is down.
  void PutOnDisk(int last, const std::string& padding = "") {
    GoDown();
    SendRange(0, last, padding);
    ASSERT_TRUE(WaitForOutcomes(last + 1));
  }
  static std::vector<std::string> Expected(int last, const std::string& padding = "") {
    std::vector<std::string> expected;
    for (int i = 0; i <= last; ++i) expected.push_back(std::to_string(i) + padding);
    return expected;
  }

  std::string folder_;
  std::shared_ptr<Session> session_;
};

TEST_F(SpoolDiskTest, WhatAFullDiskDoesNotTakeStaysBehindWhatItHolds) {
  Connect();
  PutOnDisk(49);
  disk().FailWrites(SQLITE_FULL);
  SendRange(50, 99);
  ASSERT_TRUE(Says(R"("queue_messages":50)"));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitForOutcomes(100));
  EXPECT_EQ(Payloads(), Expected(99));
  EXPECT_EQ(counts_.ok, 100);
  disk().FailWrites(SQLITE_OK);
  EXPECT_TRUE(session_->Disconnect().ok());
}

TEST_F(SpoolDiskTest, WhatAFullSpoolDoesNotTakeStaysBehindWhatItHolds) {
  Connect("spool-max-bytes=1M\n");
  GoDown();
  const std::string padding(100'000, 'x');
  SendRange(0, 29, padding);
  ASSERT_TRUE(Says(R"("spooled":10)"));
  ASSERT_TRUE(Says(R"("queue_messages":20)"));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitForOutcomes(30));
  ASSERT_TRUE(session_->Flush(Millis(20000)));
  ASSERT_TRUE(Says(R"("spool_backlog":0)"));
  EXPECT_EQ(Payloads(), Expected(29, padding));
  EXPECT_EQ(counts_.ok, 30);
  EXPECT_TRUE(session_->Disconnect().ok());
}

TEST_F(SpoolDiskTest, ADiskThatWorksAgainTakesWhatWaitedInOrder) {
  Connect();
  PutOnDisk(49);
  disk().FailWrites(SQLITE_IOERR_WRITE);
  SendRange(50, 99);
  ASSERT_TRUE(Says(R"("queue_messages":50)"));
  disk().FailWrites(SQLITE_OK);
  SendRange(100, 149);
  ASSERT_TRUE(WaitForOutcomes(150));  // all on disk, the link is down
  EXPECT_EQ(Payloads().size(), 0u);
  EXPECT_EQ(counts_.ok, 150);
  EXPECT_THAT(session_->StatsJson(), HasSubstr(R"("queue_messages":0)"));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(Says(R"("spool_backlog":0)"));
  EXPECT_EQ(Payloads(), Expected(149));
  EXPECT_TRUE(session_->Disconnect().ok());
}

// Order is kept as long as that costs only time; with a dead disk it is given up.
TEST_F(SpoolDiskTest, ADeadDiskDoesNotStopDelivery) {
  Connect();
  const std::string padding(100'000, 'x');
  constexpr int kOnDisk = 200;  // more than stands ready in memory
  PutOnDisk(kOnDisk - 1, padding);
  disk().FailReads(true);
  disk().FailWrites(SQLITE_IOERR_WRITE);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() > 10; }));
  SendRange(kOnDisk, kOnDisk + 9, padding);
  ASSERT_TRUE(WaitForOutcomes(kOnDisk + 10));
  EXPECT_EQ(counts_.ok, kOnDisk + 10);
  EXPECT_LT(Payloads().size(), size_t{kOnDisk});
  disk().Reset();
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == size_t{kOnDisk + 10}; }));
  EXPECT_TRUE(session_->Disconnect().ok());
}

// The patience with the disk begins when something is behind, not when the spool last gave
// something.
TEST_F(SpoolDiskTest, ABurstAfterAPauseKeepsItsOrder) {
  Connect("spool-mode=always\nspool-max-bytes=1M\n");
  ASSERT_TRUE(Says(R"("link":"up")"));
  SendRange(0, 0);
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(3200));
  disk().Block();
  const std::string padding(100'000, 'x');
  SendRange(1, 20, padding);  // some are behind what the disk has not yet taken
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(Payloads().size(), 1u);
  disk().Unblock();
  ASSERT_TRUE(WaitForOutcomes(21));
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == 21; }));
  std::vector<std::string> expected = {"0"};
  for (int i = 1; i <= 20; ++i) expected.push_back(std::to_string(i) + padding);
  EXPECT_EQ(Payloads(), expected);
  EXPECT_TRUE(session_->Disconnect().ok());
}

// A message that a failing disk was given comes back: it is neither delivered nor durable.
TEST_F(SpoolDiskTest, AFlushIsNotOverWhileTheDiskFails) {
  Connect();
  PutOnDisk(0);
  disk().FailWrites(SQLITE_FULL);
  SendRange(1, 1);
  ASSERT_TRUE(Says(R"("queue_messages":1)"));
  EXPECT_FALSE(session_->Flush(Millis(2500)));
  disk().FailWrites(SQLITE_OK);
  EXPECT_TRUE(session_->Flush(Millis(20000)));
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 2);
}

TEST_F(SpoolDiskTest, AtDisconnectWhatIsOnItsWayToADiskThatFailsGoesToTheBroker) {
  Connect("spool-mode=always\n");
  ASSERT_TRUE(Says(R"("link":"up")"));
  disk().Block();
  SendRange(0, 9);
  disk().WaitBlocked();
  std::thread fails([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    disk().FailWrites(SQLITE_FULL);
    disk().Unblock();
  });
  EXPECT_TRUE(session_->Disconnect().ok());
  fails.join();
  EXPECT_EQ(counts_.ok, 10);
  EXPECT_EQ(Payloads(), Expected(9));
}

TEST_F(SpoolDiskTest, AtDisconnectWhatTheDiskGivesBackGoesAfterWhatItHolds) {
  Connect();
  PutOnDisk(9);
  disk().Block();
  SendRange(10, 19);
  disk().WaitBlocked();
  disk().FailOnce(SQLITE_FULL);
  std::thread goes_on([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    disk().Unblock();
  });
  EXPECT_TRUE(session_->Disconnect().ok());
  goes_on.join();
  EXPECT_EQ(counts_.ok, 20);
  FakeBroker::Get().SetUp();
  Connect();
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == 20; }));
  EXPECT_EQ(Payloads(), Expected(19));
  EXPECT_TRUE(session_->Disconnect().ok());
}

// Messages that a spool gives back go to the queue, but within a bound.
TEST_F(SpoolDiskTest, WhatTheSpoolGivesBackDoesNotFillTheMemory) {
  Connect(
      "spool-mode=always\nspool-max-bytes=1M\nspool-evict=1\nspool-order=none\n"
      "queue-bytes=4M\n");
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  const std::string padding(100'000, 'x');
  SendRange(0, 9, padding);  // handed out, so nothing of it can go
  ASSERT_TRUE(Says(R"("in_flight":10)"));
  constexpr int kMessages = 450;
  for (int i = 10; i < kMessages; ++i) {
    SendRange(i, i, padding);
    session_->Flush(Millis(0));
  }
  ASSERT_TRUE(WaitForOutcomes(kMessages - 400));
  const std::string stats = session_->StatsJson(), name = R"("queue_bytes":)";
  EXPECT_LT(std::stoul(stats.substr(stats.find(name) + name.size())), 38u << 20);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  ASSERT_TRUE(WaitForOutcomes(kMessages));
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(counts_.total(), kMessages);
}

TEST_F(SpoolDiskTest, AtDisconnectWhatWasBehindGoesToTheBrokerWhenTheDiskDoesNotTakeIt) {
  Connect("spool-replay-rate=1\n");
  PutOnDisk(9);
  disk().FailWrites(SQLITE_FULL);
  SendRange(10, 19);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() > 0; }));
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 20);
}

TEST_F(SpoolDiskTest, AtDisconnectWhatWasBehindGoesAfterWhatTheDiskHolds) {
  Connect();
  PutOnDisk(9);
  disk().FailWrites(SQLITE_FULL);
  SendRange(10, 19);
  ASSERT_TRUE(Says(R"("queue_messages":10)"));
  disk().FailWrites(SQLITE_OK);  // which is found when it is tried again: after the flush
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 20);
  FakeBroker::Get().SetUp();
  Connect();
  ASSERT_TRUE(WaitFor([] { return Payloads().size() == 20; }));
  EXPECT_EQ(Payloads(), Expected(19));
  EXPECT_TRUE(session_->Disconnect().ok());
}

TEST_F(SpoolDiskTest, ASynchronousSendThatIsBehindEndsInTime) {
  Connect("send-timeout=100ms\nspool-max-bytes=1M\n");
  GoDown();
  const std::string padding(100'000, 'x');
  SendRange(0, 19, padding);
  SendRequest request = Request(padding);
  request.key = "k";
  request.has_key = true;
  EXPECT_EQ(session_->Send(request).code(), Code::kTimeout);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitForOutcomes(20));
  EXPECT_EQ(counts_.ok, 20);
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(Payloads(), Expected(19, padding));
}

// Many outages of the link and the disk, a spool that is full now and then, and several keys:
// in whatever sequence, no key loses its order, and every callback comes once.
TEST_F(SpoolDiskTest, NoKeyLosesItsOrderWhateverFails) {
  Connect("spool-max-bytes=1M\n");
  constexpr int kMessages = 10000, kKeys = 5;
  const std::string padding(2000, 'x');
  std::atomic<bool> done{false};
  std::thread trouble([&] {
    for (int i = 0; !done; ++i) {
      disk().FailWrites(i % 50 == 10 ? SQLITE_FULL : SQLITE_OK);
      if (i % 2 == 0) FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
      if (i % 2 == 1) FakeBroker::Get().SetUp();
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    disk().FailWrites(SQLITE_OK);
    FakeBroker::Get().SetUp();
  });
  for (int i = 0; i < kMessages; ++i) {
    const std::string key = std::to_string(i % kKeys), payload = std::to_string(i) + padding;
    SendRequest request = Request(payload);
    request.key = key;
    request.has_key = true;
    ASSERT_TRUE(session_->SendAsync(request, &CountOutcome, &counts_).ok());
    if (i % 30 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  done = true;
  trouble.join();
  ASSERT_TRUE(WaitForOutcomes(kMessages));
  EXPECT_EQ(counts_.ok, kMessages);
  ASSERT_TRUE(Says(R"("spool_backlog":0)"));
  EXPECT_TRUE(session_->Disconnect().ok());
  EXPECT_EQ(counts_.total(), kMessages);
  std::vector<int> next(kKeys);
  for (int i = 0; i < kKeys; ++i) next[static_cast<size_t>(i)] = i;
  for (const std::string& payload : Payloads()) {
    const int number = std::stoi(payload);
    int& expected = next[static_cast<size_t>(number % kKeys)];
    ASSERT_EQ(number, expected);
    expected += kKeys;
  }
  for (const int each : next) EXPECT_GE(each, kMessages);
}

}  // namespace
}  // namespace dsmsg
