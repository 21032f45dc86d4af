// SPDX-License-Identifier: Apache-2.0
// Damaged spool files on a disk without room for the copy, and a process that is killed while it
// copies.
#include <fstream>
#include <tuple>
#include <utility>

#include "core/spool/spool_file.h"
#include "core/spool/sqlite.h"
#include "unit/spool_testing.h"

namespace dsmsg {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SpoolSalvageTest : public SpoolFaultTest {
 protected:
  /// Makes the spool set the file aside although all of it can be read. A log beside it stays.
  static void MakeAnotherVersion(const std::string& path) {
    SqliteDb db;
    ASSERT_TRUE(db.Open(path, SQLITE_OPEN_READWRITE, nullptr).ok());
    sqlite3_db_config(db.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    ASSERT_TRUE(db.Execute("PRAGMA user_version = 2").ok());
  }
  /// Opens and closes a spool; returns its error, "" if it worked.
  std::string TryOpen(std::string* log) {
    testing::internal::CaptureStderr();
    const Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
    *log = testing::internal::GetCapturedStderr();
    return spool.ok() ? std::string() : spool.status().message();
  }
  /// The messages that a spool hands out after its start, on a copy of the folder.
  std::vector<std::string> WhatCanBeRead() {
    const std::string dir = options_.dir;
    options_.dir = dir_ + "/copy";
    std::filesystem::copy(dir, options_.dir);
    std::unique_ptr<OpenSpool> spool;
    OpenDamaged(&spool);
    const auto payloads = PayloadsOf(spool->Fetch((*spool)->backlog()));
    options_.dir = dir;
    return payloads;
  }
  /// Starts on a disk with room for 0, 1, 2... writes, until that is enough.
  void ExpectNothingIsLeftBehind(const std::string& path) {
    const std::vector<std::string> readable = WhatCanBeRead();
    EXPECT_THAT(readable, testing::Not(IsEmpty()));
    int failures = 0;
    for (std::string log; true; ++failures) {
      disk().FullAfter(failures);
      const std::string failure = TryOpen(&log);
      disk().Reset();
      if (failure.empty()) break;
      ASSERT_THAT(failure, HasSubstr("full")) << failures;
      ASSERT_THAT(failure, HasSubstr(path)) << failures;
      ASSERT_THAT(log, testing::Not(HasSubstr("set aside"))) << failures;
      ASSERT_THAT(log, testing::Not(HasSubstr("go on"))) << failures;
      ASSERT_THAT(Aside(), IsEmpty()) << failures;
      ASSERT_TRUE(std::filesystem::exists(path)) << failures;
    }
    EXPECT_GT(failures, 10);
    EXPECT_THAT(Aside(), SizeIs(1));
    auto spool = Open();
    ASSERT_EQ((*spool)->backlog(), readable.size());
    EXPECT_EQ(PayloadsOf(spool->Fetch(readable.size())), readable);
  }
};

TEST_F(SpoolSalvageTest, ADamagedFileStaysWhereTheDiskIsTooFullToSaveItsMessages) {
  const std::string path = MakeFile(1100, 10);
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  MakeAnotherVersion(path);
  Scribble(path, size / 2 / 4096 * 4096, 4096);
  ExpectNothingIsLeftBehind(path);
}

// As a kill leaves it: most rows are in the log.
TEST_F(SpoolSalvageTest, ADamagedFileKeepsItsLogWhereTheDiskIsTooFull) {
  const std::string path = MakeFile(1100, 10);
  auto killed = Open();
  killed->Fill(5000, 5100);
  std::filesystem::copy(options_.dir, dir_ + "/killed");
  killed->Close();
  options_.dir = dir_ + "/killed";
  const std::string copy = options_.dir + path.substr(path.rfind('/'));
  ASSERT_GT(std::filesystem::file_size(copy + "-wal"), 0u);
  MakeAnotherVersion(copy);
  ASSERT_TRUE(std::filesystem::exists(copy + "-wal"));
  ExpectNothingIsLeftBehind(copy);
}

TEST_F(SpoolSalvageTest, DamageThatShowsLaterWaitsForAFullDisk) {
  const std::string path = MakeFile(2000, 1000);
  options_.prefetch_bytes = 10'000;
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  Scribble(path, size / 2 / 4096 * 4096, 4096);
  testing::internal::CaptureStderr();
  auto spool = Open();
  // Nothing but a new file writes here; it can be begun, but not filled.
  const int enough = disk().writes() + 300;
  disk().FullAfter(300);
  std::vector<SpoolMessage> messages;
  while (disk().writes() <= enough) (*spool)->Fetch(100, ~size_t{0}, &messages);
  ASSERT_TRUE(spool->Append(1, "new").ok());
  ASSERT_TRUE(spool->told.WaitFailed(1));
  EXPECT_THAT(spool->told.failure().message(), HasSubstr("full"));
  EXPECT_THAT(Aside(), IsEmpty());
  ASSERT_TRUE(spool->Flush());  // the counts follow what is told
  EXPECT_EQ((*spool)->backlog(), 2000u);
  disk().Reset();
  std::vector<uint64_t> ids = IdsOf(messages);
  (*spool)->MarkDelivered(ids);
  do {
    messages.clear();
    (*spool)->Fetch(10, ~size_t{0}, &messages);
    for (const uint64_t id : IdsOf(messages)) ids.push_back(id);
    if (!messages.empty()) (*spool)->MarkDelivered(IdsOf(messages));
  } while ((*spool)->backlog() > 0);
  while ((*spool)->Stats().rows > 0) ASSERT_TRUE(spool->Flush());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(Aside(), SizeIs(1)) << log;
  EXPECT_EQ(CountOf(log, "set aside as"), 1u) << log;
  const SpoolStats stats = (*spool)->Stats();
  EXPECT_EQ(ids.size() + stats.lost, 2000u) << log;
  EXPECT_LE(stats.lost, 10u) << log;
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

// The states that SpoolFile's renames go through, and what a start makes of them.
TEST_F(SpoolSalvageTest, AKillInBetweenLosesNothing) {
  const std::string path = MakeFile(20, 10);
  auto killed = Open();
  killed->Fill(100, 110);  // in the log
  MakeAnotherVersion(path);
  const std::string name = path.substr(path.rfind('/')), log = name + "-wal";
  const std::string aside = name.substr(0, name.size() - 3) + ".salvage.db";
  enum Now { kNothing, kEmpty, kPartial };
  int number = 0;
  for (const auto& [database, database_log, now] :
       {std::tuple{name, log, kNothing},   // not begun
        std::tuple{aside, log, kNothing},  // in SetAside
        std::tuple{aside, log, kEmpty},    // the same, and a start that was killed, too
        std::tuple{aside, aside + "-wal", kNothing}, std::tuple{aside, aside + "-wal", kEmpty},
        std::tuple{aside, aside + "-wal", kPartial},
        std::tuple{aside, log, kNothing}}) {  // in PutBack
    options_.dir = dir_ + "/" + std::to_string(++number);
    if (now == kPartial) {
      auto partial = Open();
      ASSERT_EQ((*partial)->path(), options_.dir + name);
      partial->Fill(100, 105);
      const std::string dir = std::exchange(options_.dir, options_.dir + "-partial");
      std::filesystem::copy(dir, options_.dir);  // with its log
      partial->Close();
      ASSERT_TRUE(std::filesystem::exists(options_.dir + log));
    }
    std::filesystem::create_directory(options_.dir);
    if (now == kEmpty) const std::ofstream empty(options_.dir + name);
    std::filesystem::copy(path, options_.dir + database);
    std::filesystem::copy(path + "-wal", options_.dir + database_log);
    std::unique_ptr<OpenSpool> spool;
    OpenDamaged(&spool);
    ASSERT_EQ((*spool)->backlog(), 31u) << number;
    EXPECT_EQ(PayloadsOf(spool->Fetch(31)).back(), "110") << number;
    EXPECT_THAT(Aside(), SizeIs(1)) << number;
    EXPECT_FALSE(std::filesystem::exists(options_.dir + aside)) << number;
    EXPECT_FALSE(std::filesystem::exists(options_.dir + aside + "-wal")) << number;
  }
}

// A power cut in KeepAside: the database has its new name, its log not yet. SQLite would take it
// for the log of the next file that is set aside.
TEST_F(SpoolSalvageTest, ALogThatWasLeftBehindIsNotTakenForAnotherFiles) {
  const std::string path = MakeFile(20, 10);
  const std::string stale = dir_ + "/stale-wal";
  auto old = Open();
  old->Fill(100, 110);
  std::filesystem::copy(path + "-wal", stale);
  (*old)->MarkDelivered(IdsOf(old->Fetch(31)));
  old->Fill(200, 210);
  ASSERT_TRUE(old->Flush());
  old->Close();
  {
    SqliteDb db;  // as MakeAnotherVersion, without a log
    ASSERT_TRUE(db.Open(path, SQLITE_OPEN_READWRITE, nullptr).ok());
    ASSERT_TRUE(db.Execute("PRAGMA user_version = 2").ok());
  }
  ASSERT_FALSE(std::filesystem::exists(path + "-wal"));
  std::filesystem::copy(stale, path.substr(0, path.size() - 3) + ".salvage.db-wal");
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);
  ASSERT_EQ((*spool)->backlog(), 11u);
  EXPECT_EQ(PayloadsOf(spool->Fetch(11)), Numbers(200, 210));
}

// Not the first file, whose number is not taken by the next start.
TEST_F(SpoolSalvageTest, AKillInBetweenLosesNothingOfALeftover) {
  const std::string path = MakeFile(5, 10);
  MakeAnotherVersion(path);
  const std::string stem = path.substr(0, path.size() - 4);
  std::filesystem::rename(path, stem + "3.salvage.db");
  std::filesystem::rename(path + "-wal", stem + "3.salvage.db-wal");
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);
  EXPECT_EQ((*spool)->backlog(), 5u);
  EXPECT_THAT(Aside(), SizeIs(1));
}

TEST_F(SpoolSalvageTest, ADeletedFileIsCreatedWhenThereIsRoom) {
  auto spool = Open();
  spool->Fill(1, 3, "k");
  std::filesystem::remove((*spool)->path());
  disk().FailWrites(SQLITE_FULL);
  testing::internal::CaptureStderr();
  ASSERT_TRUE(spool->Append(4, "4").ok());
  ASSERT_TRUE(spool->told.WaitFailed(1));
  disk().Reset();
  while (spool->told.spooled().size() < 4) {  // refused for a while after a failure
    [[maybe_unused]] const Status refused = spool->Append(5, "5");
    ASSERT_TRUE(spool->Flush());
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("a new file was started"));
  EXPECT_THAT(Aside(), IsEmpty());
  EXPECT_EQ((*spool)->Stats().rows, 1u);
}

TEST_F(SpoolSalvageTest, ANewFileIsPrivateToo) {
  const std::string path = MakeFile(10, 10);
  Scribble(path, 0, 4096);
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);
  spool->Fill(1, 1);
  for (const std::string& name : {path, path + "-wal"}) {
    const auto mode = std::filesystem::status(name).permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << name;
  }
}

}  // namespace
}  // namespace dsmsg
