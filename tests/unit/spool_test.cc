// SPDX-License-Identifier: Apache-2.0
// The spool when the disk works: every message comes out once, in order, across restarts.
#include "core/spool/spool.h"

#include <sys/stat.h>

#include <thread>

#include "core/spool/spool_file.h"
#include "core/spool/spool_store.h"
#include "unit/spool_testing.h"

namespace dsmsg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(SpoolMessageTest, HeadersSurviveAsJson) {
  const std::vector<Header> headers = {
      {"source", "camera \"1\""}, {"raw", {"\xff\0\x01", 3}}, {"", ""}, {"source", "2"}};
  const std::string json = EncodeSpoolHeaders(headers);
  EXPECT_EQ(json,
            R"([["source","camera \"1\""],["raw",{"base64":"/wAB"}],["",""],["source","2"]])");
  std::vector<std::pair<std::string, std::string>> read;
  ASSERT_TRUE(DecodeSpoolHeaders(json, &read));
  ASSERT_EQ(read.size(), headers.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].first, headers[i].first);
    EXPECT_EQ(read[i].second, headers[i].second);
  }
  for (const char* bad : {"", "x", "{}", "[1]", "[[]]", R"([["a"]])", R"([["a",1]])",
                          R"([["a",{"base64":1}]])", R"([["a","b"])"}) {
    EXPECT_FALSE(DecodeSpoolHeaders(bad, &read)) << bad;
  }
}

TEST(SpoolMessageTest, DeeplyNestedHeadersAreRefused) {
  std::vector<std::pair<std::string, std::string>> read;
  EXPECT_FALSE(DecodeSpoolHeaders(std::string(10'000'000, '['), &read));
  EXPECT_FALSE(
      DecodeSpoolHeaders(std::string(1'000'000, '[') + "1" + std::string(1'000'000, ']'), &read));
}

TEST(SpoolFileTest, TheNameTellsSpoolsApart) {
  const SpoolIdentity identity{"/d", "KAFKA", "host:9092", ""};
  const std::string stem = SpoolStem(identity);
  EXPECT_THAT(stem, testing::MatchesRegex("kafka-[0-9a-f]{16}"));
  EXPECT_EQ(SpoolStem({"/other", "KAFKA", "host:9092", ""}), stem);
  for (const SpoolIdentity& other : {SpoolIdentity{"/d", "REDIS", "host:9092", ""},
                                     SpoolIdentity{"/d", "KAFKA", "host:9093", ""},
                                     SpoolIdentity{"/d", "KAFKA", "host:9092", "2"},
                                     SpoolIdentity{"/d", "KAFKA", "host:909", "2"}}) {
    EXPECT_NE(SpoolStem(other), stem);
  }
}

TEST_F(SpoolTest, WhatGoesInComesOut) {
  auto spool = Open();
  const std::string payload("a\0\xff payload", 11);
  const std::vector<Header> headers = {{"name", "value"}, {"name", {"\xff\0", 2}}};
  Message message;
  message.topic = "events/camera";
  message.payload = payload;
  message.key = {"k\0y", 3};
  message.has_key = true;
  message.headers = headers;
  message.timestamp_ms = 1111;
  ASSERT_TRUE((*spool)->Append(message, 2222, 7).ok());
  message = Message();
  message.topic = "\xff";
  message.has_key = true;  // an empty key is not no key
  ASSERT_TRUE((*spool)->Append(message, 3333, 8).ok());
  ASSERT_TRUE(spool->told.WaitSpooled(2));
  EXPECT_THAT(spool->told.spooled(), ElementsAre(7, 8));

  for (int round = 0; round < 2; ++round) {  // from memory, and read back from the file
    const auto messages = spool->Fetch(2);
    ASSERT_THAT(messages, SizeIs(2));
    const Message& first = messages[0].message;
    EXPECT_EQ(first.payload, payload);
    EXPECT_EQ(first.topic, "events/camera");
    EXPECT_EQ(first.topic.data()[first.topic.size()], '\0');
    EXPECT_TRUE(first.has_key);
    EXPECT_EQ(first.key, std::string_view("k\0y", 3));
    EXPECT_THAT(first.headers, ElementsAre(headers[0], headers[1]));
    EXPECT_EQ(first.timestamp_ms, 1111);
    EXPECT_EQ(messages[0].accepted_ms, 2222);
    const Message& second = messages[1].message;
    EXPECT_EQ(second.topic, "\xff");
    EXPECT_EQ(second.payload, "");
    EXPECT_TRUE(second.has_key);
    EXPECT_EQ(second.key, "");
    EXPECT_THAT(second.headers, IsEmpty());
    EXPECT_LT(messages[0].id, messages[1].id);
    if (round == 0) {
      spool->Close();
      spool = Open();
    } else {
      (*spool)->MarkDelivered(IdsOf(messages));
    }
  }
  ASSERT_TRUE(spool->Flush());
  const SpoolStats stats = (*spool)->Stats();
  EXPECT_EQ(stats.rows, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.backlog, 0u);
  spool->Close();
  EXPECT_EQ((*Open())->Stats().rows, 0u);
}

TEST_F(SpoolTest, OrderAndKeysSurviveARestart) {
  auto spool = Open();
  spool->Fill(1, 50, "a");
  spool->Fill(51, 60);
  const auto handed = spool->Fetch(10);
  (*spool)->MarkDelivered(IdsOf(handed));
  ASSERT_TRUE(spool->Flush());
  spool->Fetch(5);  // handed out, never acknowledged
  spool->Close();

  spool = Open();
  EXPECT_EQ((*spool)->backlog(), 50u);
  EXPECT_TRUE((*spool)->HasBacklog("a"));
  EXPECT_TRUE((*spool)->HasBacklog(""));
  EXPECT_FALSE((*spool)->HasBacklog("b"));
  spool->Fill(61, 65, "b");
  EXPECT_TRUE((*spool)->HasBacklog("b"));
  const auto messages = spool->Fetch(55);
  EXPECT_EQ(PayloadsOf(messages), Numbers(11, 65));
  (*spool)->MarkDelivered(IdsOf(messages));
  for (const char* key : {"a", "b", ""}) EXPECT_FALSE((*spool)->HasBacklog(key)) << key;
  EXPECT_EQ((*spool)->backlog(), 0u);
}

TEST_F(SpoolTest, AKeyHasABacklogFromTheAppendOn) {
  auto spool = Open();
  FaultVfs::Get().Block();
  ASSERT_TRUE(spool->Append(1, "x", "key").ok());
  FaultVfs::Get().WaitBlocked();
  EXPECT_TRUE((*spool)->HasBacklog("key"));
  EXPECT_EQ((*spool)->backlog(), 1u);
  EXPECT_THAT(spool->told.spooled(), IsEmpty());
  FaultVfs::Get().Unblock();
  ASSERT_TRUE(spool->told.WaitSpooled(1));
  const auto messages = spool->Fetch(1);
  EXPECT_TRUE((*spool)->HasBacklog("key"));  // handed out is not delivered
  (*spool)->MarkDelivered(IdsOf(messages));
  EXPECT_FALSE((*spool)->HasBacklog("key"));
}

TEST_F(SpoolTest, WhatWaitsIsCommittedTogether) {
  auto spool = Open();
  spool->Fill(1, 1);
  FaultVfs::Get().Block();
  ASSERT_TRUE(spool->Append(2, "2").ok());
  FaultVfs::Get().WaitBlocked();
  for (SpoolTicket ticket = 3; ticket <= 1000; ++ticket) {
    ASSERT_TRUE(spool->Append(ticket, std::to_string(ticket)).ok());
  }
  FaultVfs::Get().Unblock();
  ASSERT_TRUE(spool->told.WaitSpooled(1000));
  EXPECT_EQ(spool->told.groups(), 3u);
  EXPECT_EQ(PayloadsOf(spool->Fetch(1000)), Numbers(1, 1000));
}

TEST_F(SpoolTest, SyncFullSyncsEveryCommit) {
  for (const bool full : {false, true}) {
    options_.sync_full = full;
    auto spool = Open();
    const int before = FaultVfs::Get().syncs();
    for (SpoolTicket ticket = 1; ticket <= 5; ++ticket) spool->Fill(ticket, ticket);
    const int syncs = FaultVfs::Get().syncs() - before;
    EXPECT_TRUE(full ? syncs >= 5 : syncs <= 1) << syncs;
    spool->Close();
  }
}

TEST_F(SpoolTest, MoreThanMemoryHoldsComesInOrder) {
  options_.prefetch_bytes = 2000;  // some ten messages
  auto spool = Open();
  spool->Fill(1, 500);
  std::vector<std::string> payloads;
  std::vector<uint64_t> ids;
  for (SpoolTicket ticket = 501; payloads.size() < 600; ++ticket) {
    if (ticket <= 600) spool->Fill(ticket, ticket);  // meanwhile more comes
    const auto messages = spool->Fetch(1);
    ASSERT_THAT(messages, SizeIs(1));
    payloads.emplace_back(messages[0].message.payload);
    ids.push_back(messages[0].id);
    if (ticket % 3 == 0) {
      (*spool)->MarkDelivered(ids);
      ids.clear();
    }
  }
  EXPECT_EQ(payloads, Numbers(1, 600));
  (*spool)->MarkDelivered(ids);
  ASSERT_TRUE(spool->Flush());
  EXPECT_EQ((*spool)->Stats().rows, 0u);
}

TEST_F(SpoolTest, FetchKeepsToItsBounds) {
  auto spool = Open();
  for (SpoolTicket ticket = 1; ticket <= 4; ++ticket) {
    ASSERT_TRUE(spool->Append(ticket, std::string(1000, 'x')).ok());
  }
  ASSERT_TRUE(spool->Flush());  // reported, and after that ready
  std::vector<SpoolMessage> messages;
  EXPECT_EQ((*spool)->Fetch(10, 1, &messages), 1u);  // one where there is one
  EXPECT_EQ((*spool)->Fetch(10, 2500, &messages), 2u);
  EXPECT_EQ((*spool)->Fetch(0, 2500, &messages), 0u);
  EXPECT_EQ((*spool)->Fetch(10, 2500, &messages), 1u);
  EXPECT_EQ((*spool)->Fetch(10, 2500, &messages), 0u);
}

TEST_F(SpoolTest, ReleasedMessagesComeFirstAndInOrder) {
  auto spool = Open();
  spool->Fill(1, 10, "k");
  const auto messages = spool->Fetch(6);
  const std::vector<uint64_t> ids = IdsOf(messages);
  (*spool)->MarkDelivered(std::vector{ids[1]});
  (*spool)->Release(std::vector{ids[4], ids[0], ids[3], uint64_t{999}});
  EXPECT_EQ(PayloadsOf(spool->Fetch(7)),
            (std::vector<std::string>{"1", "4", "5", "7", "8", "9", "10"}));
  EXPECT_EQ((*spool)->backlog(), 9u);
}

TEST_F(SpoolTest, ALateAcknowledgementCounts) {
  auto spool = Open();
  spool->Fill(1, 3, "k");
  const std::vector<uint64_t> ids = IdsOf(spool->Fetch(2));
  (*spool)->Release(ids);
  (*spool)->MarkDelivered(ids);
  (*spool)->MarkDelivered(ids);  // a second one does not
  EXPECT_EQ(PayloadsOf(spool->Fetch(1)), Numbers(3, 3));
  ASSERT_TRUE(spool->Flush());
  EXPECT_EQ((*spool)->Stats().rows, 1u);
  EXPECT_EQ((*spool)->backlog(), 1u);
}

TEST_F(SpoolTest, OtherPeopleCannotReadIt) {
  auto spool = Open();
  spool->Fill(1, 1);
  for (const std::string& name : Files()) {
    struct stat facts {};
    ASSERT_EQ(::stat((options_.dir + "/" + name).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 077u, 0u) << name;
  }
}

TEST_F(SpoolTest, APersonCanReadIt) {
  auto spool = Open();
  const std::vector<Header> headers = {{"h", "v"}};
  Message message;
  message.topic = "events";
  message.payload = "{\"id\":1}";
  message.headers = headers;
  ASSERT_TRUE((*spool)->Append(message, 1'700'000'000'123, 1).ok());
  ASSERT_TRUE(spool->told.WaitSpooled(1));
  SqliteDb db;  // beside the process that has it
  ASSERT_TRUE(db.Open((*spool)->path(), SQLITE_OPEN_READONLY, nullptr).ok());
  SqliteStatement row;
  ASSERT_TRUE(db.Prepare("SELECT accepted, topic, key, headers, payload FROM readable", &row).ok());
  ASSERT_EQ(row.Step(), SQLITE_ROW);
  EXPECT_EQ(row.Bytes(0), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(row.Bytes(1), "events");
  EXPECT_TRUE(row.IsNull(2));
  EXPECT_EQ(row.Bytes(3), R"([["h","v"]])");
  EXPECT_EQ(row.Bytes(4), "{\"id\":1}");
  ASSERT_TRUE(db.Prepare("SELECT value FROM about WHERE name = 'endpoint'", &row).ok());
  ASSERT_EQ(row.Step(), SQLITE_ROW);
  EXPECT_EQ(row.Bytes(0), "localhost:9092");
}

TEST_F(SpoolTest, AnEmptiedFileGivesItsSpaceBack) {
  auto spool = Open();
  const std::string payload(1 << 20, 'x');
  for (SpoolTicket ticket = 1; ticket <= 20; ++ticket) {
    ASSERT_TRUE(spool->Append(ticket, payload).ok());
  }
  ASSERT_TRUE(spool->told.WaitSpooled(20));
  (*spool)->MarkDelivered(IdsOf(spool->Fetch(20)));
  ASSERT_TRUE(spool->Flush());
  EXPECT_LT(std::filesystem::file_size((*spool)->path()), 1u << 20);
  spool->Fill(21, 22);
  EXPECT_EQ(PayloadsOf(spool->Fetch(2)), Numbers(21, 22));
}

TEST_F(SpoolTest, AfterCloseNothingIsTaken) {
  auto spool = Open();
  spool->Fill(1, 2);
  spool->Close();
  EXPECT_EQ(spool->Append(3, "3").code(), Code::kCancelled);
  spool->Close();
  EXPECT_TRUE(spool->Flush());
}

TEST_F(SpoolTest, WithoutAThreadItOpensAndCloses) {
  Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
  ASSERT_TRUE(spool.ok());
  spool.value()->Close(Clock::now());
}

TEST_F(SpoolTest, ManyThreads) {
  constexpr SpoolTicket kThreads = 4, kEach = 500;
  options_.prefetch_bytes = 20'000;
  auto spool = Open();
  std::vector<std::thread> threads;
  for (SpoolTicket t = 0; t < kThreads; ++t) {
    threads.emplace_back([&spool, t] {
      for (SpoolTicket i = 0; i < kEach; ++i) {
        const std::string key = "k" + std::to_string(t);
        ASSERT_TRUE(spool->Append(t * kEach + i, std::to_string(i), key).ok());
        (void)(*spool)->HasBacklog(key);  // either: it may have been delivered by now
        (*spool)->Stats();
      }
    });
  }
  std::map<std::string, uint64_t> next;
  for (size_t count = 0; count < kThreads * kEach;) {
    const auto messages = spool->Fetch(1);
    const std::string key(messages[0].message.key);
    EXPECT_EQ(messages[0].message.payload, std::to_string(next[key]));
    if (count % 7 == 3) {
      (*spool)->Release(IdsOf(messages));
      const auto again = spool->Fetch(1);
      ASSERT_EQ(IdsOf(again), IdsOf(messages));
    }
    ++next[key];
    ++count;
    (*spool)->MarkDelivered(IdsOf(messages));
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(spool->Flush());
  EXPECT_EQ((*spool)->Stats().rows, 0u);
  EXPECT_EQ((*spool)->backlog(), 0u);
  EXPECT_THAT(spool->told.spooled(), SizeIs(kThreads * kEach));
}

}  // namespace
}  // namespace dsmsg
