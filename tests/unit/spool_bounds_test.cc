// SPDX-License-Identifier: Apache-2.0
// How much the spool takes, what is deleted when it is full, and which files it takes over.
#include "core/spool/spool.h"
#include "unit/spool_testing.h"

namespace dsmsg {
namespace {

using testing::HasSubstr;

TEST_F(SpoolTest, AFullSpoolTakesNoMore) {
  options_.max_bytes = 3 * (100 + 64 + 7);  // payload, row, "events"
  auto spool = Open();
  const std::string payload(100, 'x');
  for (SpoolTicket ticket = 1; ticket <= 3; ++ticket) {
    ASSERT_TRUE(spool->Append(ticket, payload).ok());
  }
  Status status = spool->Append(4, payload);  // whether the others are committed or not
  EXPECT_EQ(status.code(), Code::kWouldBlock);
  EXPECT_THAT(status.message(), HasSubstr("spool-max-bytes"));
  EXPECT_EQ(spool->Append(5, std::string(1000, 'x')).code(), Code::kTooLarge);
  ASSERT_TRUE(spool->told.WaitSpooled(3));
  EXPECT_EQ(spool->Append(6, payload).code(), Code::kWouldBlock);
  spool->Close();

  spool = Open();
  EXPECT_EQ(spool->Append(7, payload).code(), Code::kWouldBlock);
  (*spool)->MarkDelivered(IdsOf(spool->Fetch(1)));
  ASSERT_TRUE(spool->Flush());
  EXPECT_TRUE(spool->Append(8, payload).ok());
  ASSERT_TRUE(spool->told.WaitSpooled(1));
  EXPECT_EQ((*spool)->Stats().evicted, 0u);
}

TEST_F(SpoolTest, WhatWaitsForTheDiskIsBounded) {
  options_.pending_bytes = 2000;
  auto spool = Open();
  FaultVfs::Get().Block();
  const std::string payload(800, 'x');
  ASSERT_TRUE(spool->Append(1, payload).ok());
  FaultVfs::Get().WaitBlocked();
  ASSERT_TRUE(spool->Append(2, payload).ok());
  const Status status = spool->Append(3, payload);
  EXPECT_EQ(status.code(), Code::kWouldBlock);
  EXPECT_THAT(status.message(), HasSubstr("does not keep up"));
  FaultVfs::Get().Unblock();
  ASSERT_TRUE(spool->told.WaitSpooled(2));
  EXPECT_TRUE(spool->Append(4, std::string(3000, 'x')).ok());  // alone, one always
}

TEST_F(SpoolTest, EvictionDeletesTheOldestThatIsNotHandedOut) {
  options_.evict = true;
  options_.max_bytes = 100 * (64 + 7 + 3);  // a hundred messages of three digits
  for (const size_t prefetch : {size_t{1} << 20, size_t{1000}}) {  // in memory; mostly on disk
    options_.prefetch_bytes = prefetch;
    options_.name = std::to_string(prefetch);
    auto spool = Open();
    spool->Fill(100, 199, "");
    const auto handed = spool->Fetch(5);
    spool->Fill(200, 249, "");
    SpoolStats stats = (*spool)->Stats();
    EXPECT_EQ(stats.evicted, 50u);
    EXPECT_EQ(stats.rows, 100u);
    EXPECT_EQ(stats.backlog, 100u);
    EXPECT_LE(stats.bytes, options_.max_bytes);
    EXPECT_EQ(PayloadsOf(spool->Fetch(95)), Numbers(155, 249));
    // Now everything is handed out: nothing can be deleted.
    ASSERT_TRUE(spool->Append(500, "500").ok());
    ASSERT_TRUE(spool->told.WaitFailed(1));
    EXPECT_EQ(spool->told.failure().code(), Code::kWouldBlock);
    EXPECT_EQ((*spool)->Stats().evicted, 50u);
    (*spool)->MarkDelivered(IdsOf(handed));
    ASSERT_TRUE(spool->Flush());
    EXPECT_EQ((*spool)->Stats().rows, 95u);
    spool->Close();
    EXPECT_EQ(PayloadsOf(Open()->Fetch(95)), Numbers(155, 249));
  }
}

TEST_F(SpoolTest, EachConnectionHasAFileAndALeftoverIsAdopted) {
  auto first = Open();
  auto second = Open();
  auto third = Open();
  EXPECT_NE((*first)->path(), (*second)->path());
  first->Fill(1, 10, "one");
  second->Fill(11, 20, "two");
  third->Close();  // empty: nothing of it stays
  EXPECT_FALSE(std::filesystem::exists((*third)->path()));
  first->Close();
  second->Close();

  first = Open();
  EXPECT_EQ((*first)->backlog(), 20u);
  EXPECT_TRUE((*first)->HasBacklog("two"));
  second = Open();  // both are taken
  EXPECT_EQ((*second)->backlog(), 0u);
  EXPECT_THAT((*second)->path(), HasSubstr("-2.db"));
  first->Fill(21, 25, "two");
  const auto messages = first->Fetch(25);
  std::vector<std::string> expected = Numbers(11, 20);  // of others, then the own file
  for (const auto& own : {Numbers(1, 10), Numbers(21, 25)}) {
    expected.insert(expected.end(), own.begin(), own.end());
  }
  EXPECT_EQ(PayloadsOf(messages), expected);
  const std::vector<uint64_t> ids = IdsOf(messages);
  (*first)->Release(std::vector{ids[3]});
  EXPECT_EQ(PayloadsOf(first->Fetch(1)), Numbers(14, 14));
  (*first)->MarkDelivered(ids);
  ASSERT_TRUE(first->Flush());
  EXPECT_EQ((*first)->Stats().rows, 0u);
  EXPECT_FALSE((*first)->HasBacklog("two"));
  for (const std::string& name : Files()) EXPECT_THAT(name, Not(HasSubstr("-1."))) << name;
}

TEST_F(SpoolTest, AnAdoptedFileThatIsNotEmptiedStays) {
  auto first = Open();
  auto second = Open();
  second->Fill(1, 4);
  second->Close();
  first->Close();
  first = Open();
  (*first)->MarkDelivered(IdsOf(first->Fetch(1)));
  ASSERT_TRUE(first->Flush());
  first->Close();
  EXPECT_EQ(PayloadsOf(Open()->Fetch(3)), Numbers(2, 4));
}

TEST_F(SpoolTest, EvictionReachesAdoptedFiles) {
  auto first = Open();
  auto second = Open();
  second->Fill(100, 149);
  first->Fill(150, 199);
  second->Close();
  first->Close();
  options_.evict = true;
  options_.max_bytes = 100 * (64 + 7 + 3);
  options_.prefetch_bytes = 1000;
  first = Open();
  first->Fill(200, 259);
  EXPECT_EQ((*first)->Stats().evicted, 60u);
  EXPECT_EQ(PayloadsOf(first->Fetch(100)), Numbers(160, 259));
}

}  // namespace
}  // namespace dsmsg
