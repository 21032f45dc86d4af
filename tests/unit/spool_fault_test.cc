// SPDX-License-Identifier: Apache-2.0
// The spool when the disk does not work: full, broken, hanging, and files that are damaged.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "core/spool/spool_file.h"
#include "core/spool/sqlite.h"
#include "unit/spool_testing.h"

namespace dsmsg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(SpoolFaultTest, AFullDiskIsReportedAndPasses) {
  testing::internal::CaptureStderr();
  auto spool = Open();
  spool->Fill(1, 3, "k");
  for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
    disk().FailWrites(code);
    const size_t before = spool->told.failed().size();
    ASSERT_TRUE(spool->Append(4, "4", "lost").ok());
    ASSERT_TRUE(spool->told.WaitFailed(before + 1));
    EXPECT_EQ(spool->told.failure().code(), Code::kUnavailable);
    EXPECT_THAT(spool->told.failure().message(), HasSubstr((*spool)->path()));
    EXPECT_TRUE((*spool)->Stats().failing);
    // Reported first, so that later messages cannot overtake.
    while ((*spool)->HasBacklog("lost")) std::this_thread::yield();
    while ((*spool)->backlog() > 3) std::this_thread::yield();
    EXPECT_EQ((*spool)->backlog(), 3u);
    // Refused at once in between, and tried at intervals.
    size_t refused = 0;
    for (size_t tried = 0; tried < 5;) {
      const Status status = spool->Append(5, "5");
      if (status.ok()) {
        ++tried;
        ASSERT_TRUE(spool->told.WaitFailed(before + 1 + tried));
      } else {
        EXPECT_EQ(status.code(), Code::kUnavailable);
        ++refused;
      }
    }
    EXPECT_GT(refused, 0u);
    disk().FailWrites(SQLITE_OK);
    Status status;
    do {
      status = spool->Append(6, "6");
    } while (status.code() == Code::kUnavailable);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(spool->told.Wait([&] { return !(*spool)->Stats().failing; }));
    const auto got = spool->Fetch(4);
    EXPECT_EQ(PayloadsOf(got), (std::vector<std::string>{"1", "2", "3", "6"}));
    (*spool)->MarkDelivered(std::vector{got[3].id});
    (*spool)->Release(std::vector{got[0].id, got[1].id, got[2].id});
    ASSERT_TRUE(spool->Flush());
  }
  spool->Close();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(CountOf(log, "cannot write"), 1u) << log;
  EXPECT_EQ(CountOf(log, "can be written again"), 1u) << log;
  EXPECT_THAT(log, HasSubstr("disk is full"));
}

TEST_F(SpoolFaultTest, DeletesWaitForTheDisk) {
  auto spool = Open();
  spool->Fill(1, 3);
  disk().FailWrites(SQLITE_FULL);
  const auto messages = spool->Fetch(3);
  (*spool)->MarkDelivered(IdsOf(messages));
  ASSERT_TRUE(spool->Flush());  // tried, and not waited for
  EXPECT_EQ((*spool)->Stats().rows, 3u);
  EXPECT_EQ((*spool)->backlog(), 0u);
  disk().FailWrites(SQLITE_OK);
  while ((*spool)->Stats().failing) ASSERT_TRUE(spool->Flush());
  ASSERT_TRUE(spool->Flush());
  EXPECT_EQ((*spool)->Stats().rows, 0u);
}

TEST_F(SpoolFaultTest, AReadThatFailsIsTriedAgain) {
  options_.prefetch_bytes = 1000;
  MakeFile(2000, 500);  // more than SQLite keeps in memory after the start
  auto spool = Open();
  EXPECT_EQ(PayloadsOf(spool->Fetch(1))[0].substr(0, 2), "1:");
  disk().FailReads(true);
  std::vector<SpoolMessage> messages;
  while ((*spool)->Fetch(1, 1, &messages) > 0) {
  }
  disk().FailReads(false);
  const size_t already = messages.size() + 1;
  for (const SpoolMessage& message : spool->Fetch(2000 - already)) {
    messages.push_back(SpoolMessage());
    messages.back().id = message.id;
  }
  EXPECT_THAT(messages, SizeIs(1999));
  EXPECT_TRUE(std::is_sorted(messages.begin(), messages.end(),
                             [](const auto& a, const auto& b) { return a.id < b.id; }));
}

TEST_F(SpoolFaultTest, AHangingDiskDoesNotHoldCloseUp) {
  auto spool = Open();
  spool->Fill(1, 1);
  disk().Block();
  ASSERT_TRUE(spool->Append(2, "2").ok());
  disk().WaitBlocked();
  ASSERT_TRUE(spool->Append(3, "3").ok());
  EXPECT_FALSE((*spool)->Flush(Clock::now() + Millis(1)));
  testing::internal::CaptureStderr();
  (*spool)->Close(Clock::now() + Millis(1));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("did not answer in time"));
  EXPECT_THAT(spool->told.spooled(), ElementsAre(1));
  EXPECT_THAT(spool->told.failed(), ElementsAre(2, 3));
  EXPECT_EQ(spool->told.failure().code(), Code::kCancelled);
  spool.reset();  // the listener is gone, too
  disk().Unblock();
  // The thread ends and frees the lock; then the first file is available again.
  const SpoolIdentity identity{options_.dir, options_.protocol, options_.endpoint, options_.name};
  while (true) {
    Result<SpoolFile> file = SpoolFile::Claim(identity);
    ASSERT_TRUE(file.ok());
    if (file->number() == 0) break;
    file->Discard();
  }
  EXPECT_EQ(PayloadsOf(Open()->Fetch(1)), Numbers(1, 1));
}

TEST_F(SpoolFaultTest, GarbageIsSetAside) {
  const std::string path = MakeFile(10, 10);
  Scribble(path, 0, 4096);
  std::unique_ptr<OpenSpool> spool;
  const std::string log = OpenDamaged(&spool);
  ASSERT_THAT(Aside(), SizeIs(1));
  EXPECT_THAT(log, HasSubstr("set aside as " + options_.dir + "/" + Aside()[0]));
  EXPECT_EQ((*spool)->path(), path);
  EXPECT_EQ((*spool)->backlog(), 0u);
  spool->Fill(1, 3);
  spool->Close();
  EXPECT_EQ(PayloadsOf(Open()->Fetch(3)), Numbers(1, 3));
}

TEST_F(SpoolFaultTest, ATruncatedFileIsSetAsideAndWhatCanBeReadIsKept) {
  const std::string path = MakeFile(1000, 1000);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);
  EXPECT_THAT(Aside(), SizeIs(1));
  spool->Fill(2000, 2000);
  const uint64_t count = (*spool)->backlog();
  EXPECT_EQ(PayloadsOf(spool->Fetch(count)).back(), "2000");
}

TEST_F(SpoolFaultTest, AnotherVersionIsSetAside) {
  const std::string path = MakeFile(5, 10);
  SqliteDb db;
  ASSERT_TRUE(db.Open(path, SQLITE_OPEN_READWRITE, nullptr).ok());
  ASSERT_TRUE(db.Execute("PRAGMA user_version = 2").ok());
  db.Close();
  std::unique_ptr<OpenSpool> spool;
  EXPECT_THAT(OpenDamaged(&spool), HasSubstr("not a spool of this version"));
  EXPECT_THAT(Aside(), SizeIs(1));
  EXPECT_EQ((*spool)->backlog(), 5u);  // its table was the same
}

TEST_F(SpoolFaultTest, AForeignDatabaseIsSetAside) {
  const std::string path = MakeFile(1, 1);
  std::filesystem::remove(path);
  SqliteDb db;
  ASSERT_TRUE(db.Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr).ok());
  ASSERT_TRUE(db.Execute("CREATE TABLE theirs (x)").ok());
  db.Close();
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);
  EXPECT_THAT(Aside(), SizeIs(1));
  spool->Fill(1, 2);
}

// A page in the middle of the messages is destroyed while they are being delivered.
TEST_F(SpoolFaultTest, DamageThatShowsLaterCostsOnlyWhatItTook) {
  const std::string path = MakeFile(2000, 1000);
  options_.prefetch_bytes = 10'000;
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  Scribble(path, size / 2 / 4096 * 4096, 4096);
  testing::internal::CaptureStderr();
  auto spool = Open();
  std::vector<uint64_t> ids;
  std::vector<SpoolMessage> messages;
  do {
    messages.clear();
    (*spool)->Fetch(10, ~size_t{0}, &messages);
    for (const uint64_t id : IdsOf(messages)) ids.push_back(id);
    if (!messages.empty()) (*spool)->MarkDelivered(IdsOf(messages));
  } while ((*spool)->backlog() > 0);
  ASSERT_TRUE(spool->Flush());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(Aside(), SizeIs(1)) << log;
  const SpoolStats stats = (*spool)->Stats();
  EXPECT_EQ(ids.size() + stats.lost, 2000u) << log;
  EXPECT_LE(stats.lost, 10u) << log;
  EXPECT_GE(stats.lost, 1u) << log;
  EXPECT_EQ(stats.rows, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_FALSE((*spool)->HasBacklog("k"));
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

// While the first is repaired the second cannot be counted: what it held is known all the same.
TEST_F(SpoolFaultTest, TwoDamagedFilesAreCountedToTheLastMessage) {
  const std::string path = MakeFile(3000, 1000);
  const std::string leftover = path.substr(0, path.size() - 4) + "3.db";
  std::filesystem::rename(path, leftover);
  ASSERT_EQ(MakeFile(3000, 1000), path);
  options_.prefetch_bytes = 10'000;
  testing::internal::CaptureStderr();
  auto spool = Open();
  ASSERT_EQ((*spool)->backlog(), 6000u);
  for (const std::string& file : {path, leftover}) {
    SqliteDb other;  // its write makes the spool read the pages anew
    ASSERT_TRUE(other.Open(file, SQLITE_OPEN_READWRITE, nullptr).ok());
    ASSERT_TRUE(other.Execute("UPDATE about SET value = value").ok());
    const auto size = static_cast<off_t>(std::filesystem::file_size(file));
    for (off_t at = size / 8192 * 4096; at < size; at += 4096) Scribble(file, at, 4096);
  }
  std::vector<SpoolMessage> messages;
  while (messages.size() < (*spool)->backlog()) (*spool)->Fetch(10, ~size_t{0}, &messages);
  (*spool)->MarkDelivered(IdsOf(messages));
  ASSERT_TRUE(spool->Flush());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(Aside(), SizeIs(2)) << log;
  const SpoolStats stats = (*spool)->Stats();
  EXPECT_EQ(messages.size() + stats.lost, 6000u) << log;
  EXPECT_LE(stats.lost, 3100u) << log;
  EXPECT_EQ(stats.rows, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_FALSE((*spool)->HasBacklog("k"));
}

TEST_F(SpoolFaultTest, DamageThatShowsInAnEviction) {
  const std::string path = MakeFile(1000, 1000);
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  for (off_t page = 10; page < size / 4096; page += 10) Scribble(path, page * 4096, 4096);
  options_.evict = true;
  options_.prefetch_bytes = 10'000;
  options_.max_bytes = 100'000;  // most has to go
  testing::internal::CaptureStderr();
  auto spool = Open();
  uint64_t accepted = 0;
  while (accepted < 20) {
    const size_t failed = spool->told.failed().size();
    ASSERT_TRUE(spool->Append(++accepted, "new", "new").ok());
    ASSERT_TRUE(spool->Flush());
    if (spool->told.failed().size() > failed) --accepted;  // full for once
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(Aside(), testing::Not(IsEmpty())) << log;
  SpoolStats stats = (*spool)->Stats();
  EXPECT_LE(stats.bytes, options_.max_bytes);
  EXPECT_GE(stats.backlog, 20u);
  EXPECT_LT(stats.backlog, 1000u);
  std::vector<SpoolMessage> messages;
  while ((*spool)->backlog() > 0) {
    messages.clear();
    (*spool)->Fetch(10, ~size_t{0}, &messages);
    if (!messages.empty()) (*spool)->MarkDelivered(IdsOf(messages));
  }
  EXPECT_FALSE((*spool)->HasBacklog("k"));
  EXPECT_FALSE((*spool)->HasBacklog("new"));
  ASSERT_TRUE(spool->Flush());
  stats = (*spool)->Stats();
  EXPECT_EQ(stats.rows, 0u);
  EXPECT_EQ(stats.bytes, 0u);
}

TEST_F(SpoolFaultTest, ADeletedFileIsCreatedAgain) {
  auto spool = Open();
  spool->Fill(1, 3, "k");
  std::filesystem::remove((*spool)->path());
  testing::internal::CaptureStderr();
  spool->Fill(4, 5);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("deleted or renamed by another program"));
  EXPECT_EQ(PayloadsOf(spool->Fetch(5)), Numbers(1, 5));  // these were still in memory
  spool->Close();
  EXPECT_EQ(PayloadsOf(Open()->Fetch(2)), Numbers(4, 5));
}

TEST_F(SpoolFaultTest, ADirectoryThatCannotBeUsedIsAnError) {
  options_.dir = dir_ + "/file/spool";
  { const std::ofstream file(dir_ + "/file"); }
  const Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
  ASSERT_FALSE(spool.ok());
  EXPECT_EQ(spool.status().code(), Code::kUnavailable);
  EXPECT_THAT(spool.status().message(), HasSubstr(dir_ + "/file"));
}

TEST_F(SpoolFaultTest, AFullDiskAtTheStartIsAnError) {
  disk().FailWrites(SQLITE_FULL);
  const Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
  ASSERT_FALSE(spool.ok());
  EXPECT_EQ(spool.status().code(), Code::kUnavailable);
  EXPECT_THAT(spool.status().message(), HasSubstr("full"));
}

TEST_F(SpoolFaultTest, AnEvictionThatFailsTakesNothingAway) {
  options_.evict = true;
  options_.max_bytes = 10 * (64 + 7 + 3);
  auto spool = Open();
  spool->Fill(100, 109);
  disk().FailWrites(SQLITE_FULL);
  ASSERT_TRUE(spool->Append(110, "110").ok());
  ASSERT_TRUE(spool->told.WaitFailed(1));
  EXPECT_EQ((*spool)->Stats().evicted, 0u);
  EXPECT_EQ(PayloadsOf(spool->Fetch(10)), Numbers(100, 109));
}

// Older messages of its key may have come back while its sender checked for them.
TEST_F(SpoolFaultTest, AStaleCheckIsRepeatedWhenMessagesCameBack) {
  auto spool = Open();
  const uint64_t before = (*spool)->failures();
  disk().FailWrites(SQLITE_FULL);
  ASSERT_TRUE(spool->Append(1, "1").ok());
  ASSERT_TRUE(spool->Flush());
  ASSERT_EQ(spool->told.failed().size(), 1u);
  disk().FailWrites(SQLITE_OK);
  (*spool)->RetryNow();
  Message message;
  message.topic = "events";
  EXPECT_EQ((*spool)->Append(message, 2000, 2, before).code(), Code::kUnavailable);
  EXPECT_TRUE((*spool)->Append(message, 2000, 3, (*spool)->failures()).ok());
  EXPECT_TRUE(spool->told.WaitSpooled(1));
  spool->Close();
}

// One group is being reported, the next waits for that, and Close waits for neither.
TEST_F(SpoolFaultTest, EveryMessageIsReportedWhenCloseGivesUpDuringAReport) {
  class Slow final : public SpoolListener {
   public:
    void OnSpooled(std::span<const SpoolTicket>) noexcept override {}
    void OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status&) noexcept override {
      told += tickets.size();
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    void OnSpoolReady() noexcept override {}
    std::atomic<size_t> told{0};
  } listener;
  Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
  ASSERT_TRUE(spool.ok() && spool.value()->Start(&listener).ok());
  Message message;
  message.topic = "events";
  disk().Block();
  ASSERT_TRUE(spool.value()->Append(message, 2000, 1).ok());
  disk().WaitBlocked();
  ASSERT_TRUE(spool.value()->Append(message, 2000, 2).ok());
  disk().FailWrites(SQLITE_FULL);
  disk().Unblock();
  while (listener.told == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  spool.value()->Close(Clock::now());
  EXPECT_EQ(listener.told, 2u);
}

}  // namespace
}  // namespace dsmsg
