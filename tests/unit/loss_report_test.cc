// SPDX-License-Identifier: Apache-2.0
// A loss is reported: when it begins, while it continues, when the link is back, at disconnect and
// in the last error; with numbers and the setting that would have helped.
#include "core/observe/loss_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "unit/fault_vfs.h"
#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

/// The log lines while it lives.
class Captured {
 public:
  Captured() {
    unsetenv("DSMSG_LOG");
    ::testing::internal::CaptureStderr();
  }
  ~Captured() {
    if (!done_) static_cast<void>(Text());
  }
  std::string Text() {
    done_ = true;
    return ::testing::internal::GetCapturedStderr();
  }

 private:
  bool done_ = false;
};

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(LossReport, NumbersAndDurationsAreReadable) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1236), "1,236");
  EXPECT_EQ(Grouped(1234567), "1,234,567");
  EXPECT_EQ(DurationText(Millis(400)), "0.4 s");
  EXPECT_EQ(DurationText(seconds(41)), "41 s");
  EXPECT_EQ(DurationText(seconds(200)), "3 min 20 s");
  EXPECT_EQ(DurationText(seconds(7500)), "2 h 5 min");
}

// With counters and a clock of the test.
class LossReportTest : public ::testing::Test {
 protected:
  LossReportTest()
      : settings_(Load()),
        logger_("FAKE"),
        report_(
            settings_, logger_, [this] { return metrics_.Read(spool_); },
            [this] { return metrics_.books.losses() + spool_.evicted + spool_.lost; }) {}
  static Settings Load() {
    const std::string path = ::testing::TempDir() + "loss_report.txt";
    std::ofstream(path) << "[message-broker]\nqueue-size=8\nmessage-timeout=5s\n";
    return Settings::Load(FakeDriver::Info(), "localhost;1", path).value();
  }
  void Accept(int count) {
    for (int i = 0; i < count; ++i) metrics_.books.Moved(Place::kHost, Place::kQueue);
  }
  void Drop(DropReason reason, int count) {
    Accept(count);
    for (int i = 0; i < count; ++i) {
      metrics_.RecordDropped(Place::kQueue, reason, {Code::kWouldBlock, "gone"});
    }
  }
  /// The log lines of a check at that time since the beginning.
  std::string Look(seconds at) {
    Captured log;
    report_.LookAt(begin_ + at);
    return log.Text();
  }

  const Clock::time_point begin_ = Clock::now();
  Settings settings_;
  Logger logger_;
  Metrics metrics_;
  Metrics::SpoolCounts spool_;
  LossReport report_;
};

TEST_F(LossReportTest, TheFirstLineNamesTheLimitThePolicyAndWhatToRaise) {
  metrics_.RecordFull(8, false);  // it may have found room since
  report_.LinkDown(begin_ - seconds(41));
  Drop(DropReason::kEvicted, 1);
  EXPECT_THAT(Look(seconds(0)),
              AllOf(HasSubstr("the queue is full (8 messages wait; queue-size=8)"),
                    HasSubstr("the broker has been away for 41 s"), HasSubstr("overflow=block"),
                    HasSubstr("raise queue-size or queue-bytes, or set spool-dir")));
}

TEST_F(LossReportTest, AFullQueueThatHasPlacesLeftIsFullOfBytes) {
  metrics_.RecordFull(1, true);
  Drop(DropReason::kNewest, 1);
  EXPECT_THAT(Look(seconds(0)), AllOf(HasSubstr("(1 message waits; queue-bytes=268435456)"),
                                      HasSubstr("the broker is slower than the sender")));
}

TEST_F(LossReportTest, WhileItGoesOnALineAMinuteHoldsEveryCount) {
  Drop(DropReason::kEvicted, 1);
  EXPECT_NE(Look(seconds(0)), "");
  uint64_t told = 1;
  for (int second = 1; second <= 180; ++second) {
    Drop(DropReason::kEvicted, 10);
    const std::string log = Look(seconds(second));
    if (log.empty()) continue;
    EXPECT_EQ(second % 60, 0);
    std::smatch count;
    ASSERT_TRUE(std::regex_search(log, count, std::regex(R"(([0-9,]+) messages more: evicted)")));
    EXPECT_EQ(count[1], "600");
    told += 600;
    EXPECT_THAT(log, HasSubstr(Grouped(told) + " in all (raise queue-size"));
  }
  EXPECT_EQ(told, 1801u);
  EXPECT_EQ(Look(seconds(240)), "") << "nothing more";
  // The rest of a loss that ended meanwhile comes with a later check.
  Drop(DropReason::kEvicted, 3);
  EXPECT_EQ(Look(seconds(239)), "");
  EXPECT_THAT(Look(seconds(241)), HasSubstr("3 messages more: evicted"));
  // Long after, it starts over.
  Drop(DropReason::kEvicted, 1);
  EXPECT_THAT(Look(seconds(1000)), HasSubstr("from now on the oldest message ends with ERR"));
}

TEST_F(LossReportTest, EveryReasonIsReportedWithWhatWouldHaveHelped) {
  const std::pair<DropReason, const char*> reasons[] = {
      {DropReason::kEvicted, "raise queue-size"},
      {DropReason::kMemory, "set spool-dir"},
      {DropReason::kNewest, "raise queue-size"},
      {DropReason::kSuperseded, "latest-per-key"},
      {DropReason::kExpired, "message-timeout=5s"},
      {DropReason::kTooLarge, "max-message-bytes"},
      {DropReason::kGaveUp, "reconnect-attempts=0"},
      {DropReason::kSpoolFailed, "disk is full or broken"}};
  seconds at(0);
  for (const auto& [reason, advice] : reasons) {
    Drop(reason, 1);
    std::string log = Look(at += seconds(2));
    Drop(reason, 5);
    log += Look(at += seconds(70));
    EXPECT_THAT(log, AllOf(HasSubstr(advice),
                           HasSubstr(std::string("5 messages more: ") + DropReasonName(reason))));
  }
  spool_.restored = 20;
  spool_.evicted = 2;
  spool_.lost = 3;
  metrics_.RecordFailed(Place::kQueue, {Code::kRejected, "no"});
  Accept(1);
  metrics_.books.LetterDue();
  metrics_.books.LetterLost();
  Drop(DropReason::kShutdown, 4);
  const std::string all = report_.Summary();
  for (const char* part : {"6 evicted", "6 expired", "6 too-large", "2 spool-evicted",
                           "3 spool-lost", "1 failed", "1 dead letters lost", "4 shutdown"}) {
    EXPECT_THAT(all, HasSubstr(part));
  }
  EXPECT_THAT(report_.AtDisconnect(false, 4, false),
              AllOf(HasSubstr("disconnect: 4 messages were not acknowledged by the broker and end "
                              "with ERR; of 53 messages accepted: 0 acknowledged, 6 evicted"),
                    HasSubstr("2 spool-evicted")));
}

TEST_F(LossReportTest, WhenTheLinkIsBackTheOutageIsSummedUp) {
  Drop(DropReason::kEvicted, 7);  // before
  EXPECT_EQ(report_.LinkUp(begin_), "");
  report_.LinkDown(begin_);
  report_.LinkDown(begin_ + seconds(10));  // another attempt failed
  Drop(DropReason::kEvicted, 965);
  Drop(DropReason::kExpired, 2);
  Accept(1236);
  EXPECT_EQ(report_.LinkUp(begin_ + seconds(41)),
            "back after 41 s; 965 evicted, 2 expired, 0 failed, 1,236 waiting");
  EXPECT_EQ(Look(seconds(42)), "") << "all of it is reported";
}

// ---------------------------------------------------------------- a whole session

class LossesTest : public SessionTest {
 protected:
  static std::string Stats(const Session& session) { return session.StatsJson(); }
  bool Says(Session* session, const std::string& what) {
    return WaitFor([&] {
      session->DoWork();
      return session->StatsJson().find(what) != std::string::npos;
    });
  }
  void SendMany(Session* session, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
    }
  }
};

TEST_F(LossesTest, AnOutageThatEvictsIsReportedFromBeginningToEnd) {
  Captured log;
  auto session = Open("queue-size=100\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(Says(session.get(), R"("link":"down")"));
  SendMany(session.get(), 400);
  ASSERT_TRUE(Says(session.get(), R"("evicted":300)"));
  EXPECT_THAT(session->LastError(), HasSubstr("300 evicted"));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(Says(session.get(), R"("acknowledged":100)"));
  EXPECT_TRUE(session->Disconnect().ok());
  const std::string text = log.Text();
  EXPECT_EQ(CountOf(text, "from now on the oldest message ends with ERR"), 1u) << text;
  EXPECT_THAT(text, ContainsRegex("connected to localhost:1 again: back after [0-9.]+ s; 300 "
                                  "evicted, 0 failed, 100 waiting"));
  EXPECT_THAT(text, HasSubstr("disconnect: of 400 messages accepted: 100 acknowledged, 300 evicted "
                              "(raise queue-size or queue-bytes, or set spool-dir)"));
}

TEST_F(LossesTest, EvictionWithTheLinkUpIsReported) {
  Captured log;
  auto session = Open("queue-size=10\noverflow=drop-oldest\nflush-timeout=1ms\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  SendMany(session.get(), 50);
  EXPECT_TRUE(session->Disconnect().ok());
  const std::string text = log.Text();
  EXPECT_THAT(text, ContainsRegex("the queue is full .*queue-size=10.* and the broker is slower "
                                  "than the sender.*overflow=drop-oldest"));
  EXPECT_THAT(text, ContainsRegex("10 messages were not acknowledged .*40 evicted, 10 shutdown"));
}

TEST_F(LossesTest, ALazyConnectionThatLosesBeforeItIsUpReportsIt) {
  Captured log;
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  auto session = Open("queue-size=10\nconnect=lazy\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 1;
  }));
  SendMany(session.get(), 15);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(Says(session.get(), R"("acknowledged":10)"));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(log.Text(),
              ContainsRegex("connected to localhost:1: back after [0-9.]+ s; 5 evicted"));
}

TEST_F(LossesTest, ARefusalOfAFullQueueIsReported) {
  Captured log;
  auto session = Open("queue-size=2\noverflow=reject\nflush-timeout=1ms\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    refused += session->SendAsync(Request("x"), &CountOutcome, &counts_).ok() ? 0 : 1;
  }
  EXPECT_EQ(refused, 8);
  EXPECT_TRUE(session->Disconnect().ok());
  const std::string text = log.Text();
  EXPECT_THAT(text, HasSubstr("the queue is full (overflow=reject; raise queue-size"));
  EXPECT_THAT(text, HasSubstr("8 messages refused because the queue was full"));
}

// The reason that a host reads for a failed message, however it failed.
TEST_F(LossesTest, TheLastErrorOfAFailedMessageIsNeverEmpty) {
  struct Way {
    const char* options;
    FakeBroker::Answer answer;
    size_t bytes;
  };
  const Way ways[] = {
      {"queue-size=1\noverflow=drop-newest\n", FakeBroker::Answer::kSilent, 1},
      {"queue-size=1\noverflow=drop-oldest\n", FakeBroker::Answer::kSilent, 1},
      {"queue-bytes=1024\n", FakeBroker::Answer::kSilent, 5000},
      {"max-message-bytes=10\n", FakeBroker::Answer::kAck, 100},
      {"", FakeBroker::Answer::kReject, 1},
      {"message-timeout=1ms\n", FakeBroker::Answer::kSilent, 1},
  };
  for (const Way& way : ways) {
    SCOPED_TRACE(way.options);
    FakeBroker::Get().Reset();
    Counts counts;
    auto session = Open(std::string(way.options) + "flush-timeout=1ms\n");
    ASSERT_TRUE(session);
    FakeBroker::Get().SetAnswer(way.answer);
    const std::string payload(way.bytes, 'x');
    ASSERT_TRUE(session->SendAsync(Request(payload), &CountOutcome, &counts).ok());
    ASSERT_TRUE(session->SendAsync(Request(payload), &CountOutcome, &counts).ok());
    ASSERT_TRUE(WaitFor([&] {
      session->DoWork();
      return counts.failed + counts.unknown_topic > 0;
    }));
    EXPECT_THAT(session->LastError(), Not(::testing::IsEmpty()));
    EXPECT_TRUE(session->Disconnect().ok());
    EXPECT_THAT(session->LastError(), Not(::testing::IsEmpty()));
  }
}

TEST_F(LossesTest, WhatAFullSpoolDeletesIsReportedWithNumbers) {
  const std::string folder = NewFolder();
  Captured log;
  auto session = Open(
      "connect=lazy\nflush-timeout=1ms\nspool-evict=1\nspool-max-bytes=1M\n"
      "spool-mode=always\nspool-dir=" +
      folder + "\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(Says(session.get(), R"("link":"down")"));
  const std::string payload(200'000, 'x');
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(session->Send(Request(payload)).ok());
  EXPECT_THAT(session->LastError(), ContainsRegex("1[0-9] spool-evicted"));
  EXPECT_TRUE(session->Disconnect().ok());
  const std::string text = log.Text();
  EXPECT_THAT(text, HasSubstr("the oldest messages are deleted undelivered"));
  EXPECT_THAT(text, ContainsRegex("20 spooled, 1[0-9] spool-evicted .raise spool-max-bytes"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dsmsg
