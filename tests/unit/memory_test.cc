// SPDX-License-Identifier: Apache-2.0
// memory-high-water: what the gauge reads, what a queue gives up, and that this is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/base/memory_gauge.h"
#include "core/queue/memory_relief.h"
#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// /proc and /sys of a machine of the test's making.
class MemoryTest : public ::testing::Test {
 protected:
  MemoryTest() : root_(::testing::TempDir() + "memory_gauge") {
    std::filesystem::remove_all(root_);
    Machine(25);
  }
  ~MemoryTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  /// In percent.
  void Machine(int used) const {
    Write("/proc/meminfo", "MemTotal:       1000 kB\nMemFree:        1 kB\nMemAvailable:   " +
                               std::to_string(10 * (100 - used)) + " kB\n");
  }
  MemoryGauge Gauge() const { return MemoryGauge(root_); }

  static Outgoing Make(BufferPool& pool, size_t size) {
    Outgoing outgoing;
    outgoing.buffer = pool.Get(size);
    std::memset(outgoing.buffer.data(), 'x', size);
    outgoing.message.payload = {reinterpret_cast<const char*>(outgoing.buffer.data()), size};
    outgoing.accepted_at = Clock::now();
    return outgoing;
  }

  const std::string root_;
};

TEST_F(MemoryTest, TheGaugeReadsTheMachine) {
  EXPECT_DOUBLE_EQ(Gauge().Percent(), 25);
  Machine(90);
  EXPECT_DOUBLE_EQ(Gauge().Percent(), 90);
  EXPECT_EQ(MemoryGauge(root_ + "/nothing").Percent(), -1);
  const double here = MemoryGauge().Percent();
  EXPECT_GT(here, 0);
  EXPECT_LE(here, 100);
}

TEST_F(MemoryTest, TheFullestControlGroupCounts) {
  Write("/proc/self/cgroup", "1:name=systemd:/\n0::/app/one\n");
  Write("/sys/fs/cgroup/app/one/memory.max", "max\n");
  Write("/sys/fs/cgroup/app/one/memory.current", "999999\n");
  EXPECT_DOUBLE_EQ(Gauge().Percent(), 25) << "a group without a limit";
  Write("/sys/fs/cgroup/app/memory.max", "1000\n");
  Write("/sys/fs/cgroup/app/memory.current", "900\n");
  Write("/sys/fs/cgroup/app/memory.stat", "anon 700\nfile 200\ninactive_file 100\n");
  EXPECT_DOUBLE_EQ(Gauge().Percent(), 80) << "the group above, without what can be taken back";
}

TEST_F(MemoryTest, AContainerMayNotSeeThePathOfItsGroup) {
  Write("/proc/self/cgroup", "4:memory:/docker/of-the-host\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1200\n");
  Write("/sys/fs/cgroup/memory/memory.stat", "cache 400\ntotal_inactive_file 200\n");
  EXPECT_DOUBLE_EQ(Gauge().Percent(), 50);
}

TEST_F(MemoryTest, TheOldestGoAnEighthAtATimeWhileMemoryIsShort) {
  Metrics metrics;
  SendQueue queue(QueueLimits(), metrics);
  BufferPool pool;
  std::vector<Finished> finished;
  std::vector<Token> tokens(80);
  for (Token& token : tokens) ASSERT_TRUE(queue.Push(Make(pool, 1000), &finished, &token).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(10, &taken);
  MemoryRelief relief(80, queue, Gauge());
  auto now = Clock::now();
  relief.LookAt(now, &finished);
  EXPECT_TRUE(finished.empty()) << "there is memory";
  Machine(81);
  relief.LookAt(now + MemoryRelief::kPause / 2, &finished);
  EXPECT_TRUE(finished.empty()) << "looked too recently";
  relief.LookAt(now += MemoryRelief::kPause, &finished);
  ASSERT_EQ(finished.size(), 10u) << "an eighth of the bytes, and not what is in flight";
  EXPECT_THAT(finished[0].status.message(), HasSubstr("memory-high-water"));
  relief.LookAt(now += MemoryRelief::kPause, &finished);
  EXPECT_EQ(finished.size(), 19u);
  Machine(80);
  relief.LookAt(now += MemoryRelief::kPause, &finished);
  EXPECT_EQ(finished.size(), 19u);
  queue.Return(taken);
  taken.clear();
  queue.Take(100, &taken);
  ASSERT_EQ(taken.size(), 61u);
  EXPECT_EQ(taken[0].token, tokens[0]);
  EXPECT_EQ(taken[10].token, tokens[29]) << "the oldest of the others have gone";
  EXPECT_EQ(metrics.Read({}).dropped[static_cast<size_t>(DropReason::kMemory)], 19u);
}

#ifndef DSMSG_SANITIZED  // whose allocators keep what was freed
TEST_F(MemoryTest, WhatWasGivenUpGoesBackToTheMachine) {
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    size_t all = 0, used = 0;
    file >> all >> used;
    return used * static_cast<size_t>(getpagesize());
  };
  constexpr size_t kSize = 60000, kCount = 2000;  // below glibc's threshold for mmap
  Machine(90);
  Metrics metrics;
  SendQueue queue(QueueLimits(), metrics);
  BufferPool pool;
  std::vector<Finished> finished;
  for (size_t i = 0; i < kCount; ++i) ASSERT_TRUE(queue.Push(Make(pool, kSize), &finished).ok());
  const size_t before = resident();
  MemoryRelief relief(80, queue, Gauge());
  auto now = Clock::now();
  while (queue.messages() > kCount / 2) relief.LookAt(now += MemoryRelief::kPause, &finished);
  EXPECT_LT(resident(), before - kSize * kCount / 4) << "the newest, at the end of the heap, stay";
}
#endif

class MemorySessionTest : public SessionTest {};

TEST_F(MemorySessionTest, AQueueThatWaitsGivesUpItsOldestAndSaysSo) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "away"});
  ::testing::internal::CaptureStderr();
  const auto session = Open("connect=lazy\nmemory-high-water=1\nflush-timeout=1ms\n");
  while (counts_.failed < 100) {
    ASSERT_TRUE(session->SendAsync(Request("payload"), &CountOutcome, &counts_).ok());
    session->DoWork();
  }
  EXPECT_THAT(session->StatsJson(), HasSubstr("\"memory-short\":"));
  EXPECT_THAT(session->LastError(), HasSubstr(" memory-short"));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("more than 1% of the machine's memory is in use (memory-high-water)"),
                    HasSubstr("set spool-dir")));
}

TEST_F(MemorySessionTest, WithMemoryLeftNothingGoes) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "away"});
  const auto session = Open("connect=lazy\nmemory-high-water=100\nflush-timeout=1ms\n");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(session->SendAsync(Request("payload"), &CountOutcome, &counts_).ok());
  }
  session->OnTick();
  session->DoWork();
  EXPECT_EQ(counts_.total(), 0);
  EXPECT_TRUE(session->Disconnect().ok());
}

}  // namespace
}  // namespace dsmsg
