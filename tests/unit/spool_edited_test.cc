// SPDX-License-Identifier: Apache-2.0
// Spool files that were merged or edited by hand, and one that another program reads.
#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "core/spool/spool_store.h"
#include "core/spool/sqlite.h"
#include "unit/spool_testing.h"

namespace dsmsg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SpoolEditedTest : public SpoolFaultTest {
 protected:
  static void Edit(const std::string& path, const std::string& sql) {
    SqliteDb db;
    ASSERT_TRUE(db.Open(path, SQLITE_OPEN_READWRITE, nullptr).ok());
    const Status status = db.Execute(sql.c_str());
    ASSERT_TRUE(status.ok()) << status.message();
  }
  static std::string InsertRow(int64_t id, const std::string& payload) {
    return "INSERT INTO messages (id, accepted_ms, timestamp_ms, topic, key, headers, bytes, "
           "payload) SELECT " +
           std::to_string(id) + ", accepted_ms, timestamp_ms, topic, key, headers, bytes, CAST('" +
           payload + "' AS BLOB) FROM messages LIMIT 1;";
  }
  /// Of row `i` of MakeFile.
  static std::string Row(int i) { return std::to_string(i) + ":"; }

  void ExpectTheLogStaysSmall() {
    options_.max_bytes = uint64_t{1} << 20;
    auto spool = Open();
    spool->Fill(1, 1);
    const std::string log_path = (*spool)->path() + "-wal";
    SqliteDb reader;
    ASSERT_TRUE(reader.Open((*spool)->path(), SQLITE_OPEN_READONLY, nullptr).ok());
    ASSERT_TRUE(reader.Execute("BEGIN; SELECT count(*) FROM messages").ok());
    testing::internal::CaptureStderr();
    const std::string payload(500'000, 'x');
    Status status;
    SpoolTicket ticket = 1;
    while (status.ok() && ticket < 150) {
      status = spool->Append(++ticket, payload);
      if (!status.ok()) break;
      ASSERT_TRUE(spool->told.WaitSpooled(ticket));
      (*spool)->MarkDelivered(IdsOf(spool->Fetch((*spool)->backlog())));
      ASSERT_TRUE(spool->Flush());
    }
    EXPECT_EQ(status.code(), Code::kWouldBlock);
    EXPECT_THAT(status.message(), HasSubstr("a program that reads it holds on to"));
    EXPECT_LT(std::filesystem::file_size(log_path), uint64_t{24} << 20);
    EXPECT_GT((*spool)->Stats().bytes, uint64_t{1} << 19);
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, HasSubstr("in a transaction (a sqlite3 shell?)"));
    // It goes on by itself.
    ASSERT_TRUE(reader.Execute("COMMIT").ok());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!spool->Append(ticket, payload).ok()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_TRUE(spool->told.WaitSpooled(ticket));
    EXPECT_LT(std::filesystem::file_size(log_path), uint64_t{16} << 20);
  }

  void ExpectAllIsDelivered(OpenSpool& spool, const std::vector<std::string>& payloads) {
    ASSERT_EQ(spool->backlog(), payloads.size());
    const std::vector<SpoolMessage> messages = spool.Fetch(payloads.size());
    EXPECT_EQ(PayloadsOf(messages), payloads);
    spool->MarkDelivered(IdsOf(messages));
    ASSERT_TRUE(spool.Flush());
    EXPECT_EQ(spool->Stats().rows, 0u);
    EXPECT_FALSE(spool->HasBacklog("k"));
  }
};

TEST_F(SpoolEditedTest, RowsWithOtherIdsGetOursInTheSameOrder) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const std::vector<std::vector<int64_t>> cases = {
      {int64_t{1} << 48},
      {(int64_t{1} << 48) + 5, int64_t{1} << 62},
      {kMost - 1, kMost},
      {SpoolStore::kLargestRow + 1},
      {0},
      {-5, -4},
      {std::numeric_limits<int64_t>::min(), -1, 0, SpoolStore::kLargestRow + 1, kMost}};
  int number = 0;
  for (const std::vector<int64_t>& ids : cases) {
    for (const bool leftover : {false, true}) {
      options_.dir = dir_ + "/" + std::to_string(++number);
      std::string path = MakeFile(3, 1);
      std::vector<std::string> before, after;
      for (const int64_t id : ids) {
        (id < 1 ? before : after).push_back("row " + std::to_string(id));
        Edit(path, InsertRow(id, "row " + std::to_string(id)));
      }
      if (leftover) {
        const std::string other = path.substr(0, path.size() - 4) + "3.db";
        std::filesystem::rename(path, other);
      }
      std::vector<std::string> expected = before;
      for (int i = 1; i <= 3; ++i) expected.push_back(Row(i));
      expected.insert(expected.end(), after.begin(), after.end());

      std::unique_ptr<OpenSpool> spool;
      const std::string log = OpenDamaged(&spool);
      EXPECT_THAT(log,
                  HasSubstr(std::to_string(ids.size()) + " of its rows have ids outside 1 to 2^47"))
          << number;
      EXPECT_THAT(log,
                  HasSubstr(std::to_string(expected.size()) + " of its messages could be read"))
          << number;
      EXPECT_THAT(Aside(), SizeIs(1)) << number;
      ExpectAllIsDelivered(*spool, expected);
      spool->Fill(100, 101);
      ExpectAllIsDelivered(*spool, {"100", "101"});
      spool->Close();
    }
  }
}

/// The names of messages in a file.
std::vector<std::string> NamesOf(const std::vector<SpoolMessage>& messages) {
  std::vector<std::string> names;
  for (const SpoolMessage& message : messages) names.push_back(message.message.id.ToString());
  return names;
}

TEST_F(SpoolEditedTest, AFileOfAnEarlierVersionGetsNamesForItsMessages) {
  const std::string path = MakeFile(3, 1);
  Edit(path, "ALTER TABLE messages DROP COLUMN message_id");
  std::vector<std::vector<std::string>> names;
  for (int start = 0; start < 2; ++start) {
    auto spool = Open();
    const std::vector<SpoolMessage> messages = spool->Fetch(3);
    EXPECT_THAT(PayloadsOf(messages), ElementsAre(Row(1), Row(2), Row(3)));
    names.push_back(NamesOf(messages));
    spool->Close();
  }
  EXPECT_EQ(names[0], names[1]);
  std::sort(names[0].begin(), names[0].end());
  EXPECT_EQ(std::unique(names[0].begin(), names[0].end()), names[0].end());
}

TEST_F(SpoolEditedTest, ADamagedFileOfAnEarlierVersionLosesNoMoreThanTheDamage) {
  const std::string path = MakeFile(2000, 1000);
  Edit(path, "ALTER TABLE messages DROP COLUMN message_id; VACUUM");
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  Scribble(path, size / 2 / 4096 * 4096, 4096);
  options_.prefetch_bytes = size_t{4} << 20;
  auto spool = Open();
  EXPECT_THAT(spool->Fetch(1990), SizeIs(1990));  // the damage shows meanwhile
  EXPECT_THAT(Aside(), SizeIs(1));
}

TEST_F(SpoolEditedTest, NamesSurviveANewFileAndWhatIsNoneCountsAsMissing) {
  MessageId name = {0x123, 0xabc};
  std::string path;
  {
    auto spool = Open();
    for (SpoolTicket ticket = 1; ticket <= 3; ++ticket) {
      Message message;
      message.topic = "events";
      message.payload = "same";
      message.id = name;
      ++name.number;
      ASSERT_TRUE((*spool)->Append(message, 2000, ticket).ok());
    }
    ASSERT_TRUE(spool->told.WaitSpooled(3));
    path = (*spool)->path();
    spool->Close();
  }
  Edit(path, InsertRow(-1, "low") + "UPDATE messages SET message_id = 'x' WHERE id = 2");
  std::unique_ptr<OpenSpool> spool;
  OpenDamaged(&spool);  // all rows get other ids
  const std::vector<std::string> names = NamesOf(spool->Fetch(4));
  ASSERT_THAT(names, SizeIs(4));
  EXPECT_EQ(names[1], "0000000000000123-abc");
  EXPECT_EQ(names[3], "0000000000000123-abe");
  EXPECT_NE(names[2], names[0]);
  EXPECT_FALSE(MessageId::Parse(names[2]).empty());
}

TEST_F(SpoolEditedTest, ImpossibleSizesAreCorrected) {
  int number = 0;
  for (const char* edit :
       {"bytes = -100000", "bytes = 1000000000000 WHERE id = (SELECT min(id) FROM messages)",
        "bytes = 9000000000000000000", "bytes = 'many'"}) {
    options_.dir = dir_ + "/" + std::to_string(++number);
    options_.evict = true;
    Edit(MakeFile(3, 1), std::string("UPDATE messages SET ") + edit);
    std::unique_ptr<OpenSpool> spool;
    EXPECT_THAT(OpenDamaged(&spool), HasSubstr("impossible sizes")) << edit;
    EXPECT_LT((*spool)->Stats().bytes, 10'000u) << edit;
    ExpectAllIsDelivered(*spool, {Row(1), Row(2), Row(3)});
    spool->Close();
  }
}

TEST_F(SpoolEditedTest, OtherIdsInADamagedFileLoseNoMoreThanTheDamage) {
  const std::string path = MakeFile(2000, 1000);
  Edit(path, InsertRow(-7, "first") + InsertRow(int64_t{1} << 50, "last"));
  const auto size = static_cast<off_t>(std::filesystem::file_size(path));
  Scribble(path, size / 2 / 4096 * 4096, 4096);
  options_.prefetch_bytes = size_t{4} << 20;
  std::unique_ptr<OpenSpool> spool;
  const std::string log = OpenDamaged(&spool);
  EXPECT_THAT(log, HasSubstr("outside 1 to 2^47"));
  const size_t backlog = (*spool)->backlog();
  EXPECT_GE(backlog, 1990u);
  const std::vector<std::string> payloads = PayloadsOf(spool->Fetch(backlog));
  EXPECT_EQ(payloads.front(), "first");
  EXPECT_EQ(payloads.back(), "last");
}

TEST_F(SpoolEditedTest, RowsThatAreAddedWhileTheFileIsInUseWaitForTheNextStart) {
  const std::string path = MakeFile(3, 1);
  const std::string leftover = path.substr(0, path.size() - 4) + "3.db";
  std::filesystem::rename(path, leftover);
  auto spool = Open();
  Edit(leftover, InsertRow(int64_t{1} << 50, "high") + InsertRow(-1, "low"));
  ExpectAllIsDelivered(*spool, {Row(1), Row(2), Row(3)});
  spool->Fill(7, 7);
  ExpectAllIsDelivered(*spool, {"7"});
  spool->Close();
  ASSERT_TRUE(std::filesystem::exists(leftover));
  std::unique_ptr<OpenSpool> next;
  OpenDamaged(&next);
  ExpectAllIsDelivered(*next, {"low", "high"});
}

TEST_F(SpoolEditedTest, AReaderDoesNotLetTheLogGrowPastTheBound) { ExpectTheLogStaysSmall(); }

TEST_F(SpoolEditedTest, AReaderDoesNotLetTheLogGrowPastTheBoundOfASpoolThatEvicts) {
  options_.evict = true;
  ExpectTheLogStaysSmall();
}

}  // namespace
}  // namespace dsmsg
