// SPDX-License-Identifier: Apache-2.0
#include "core/base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace dsmsg {
namespace {

TEST(BackoffTest, StaysUnderTheGrowingCeiling) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(Millis(200), Millis(30000), seed);
    int64_t ceiling = 200;
    for (int i = 0; i < 40; ++i) {
      const int64_t pause = backoff.Next().count();
      EXPECT_GE(pause, 0);
      EXPECT_LE(pause, ceiling);
      EXPECT_EQ(backoff.attempts(), i + 1);
      ceiling = std::min<int64_t>(ceiling * 2, 30000);
    }
  }
}

TEST(BackoffTest, FullJitterIsUniform) {
  // A fixed ceiling of 999: ten buckets of 100 values, each within 5 % of its share (over 7 sigma).
  Backoff backoff(Millis(999), Millis(999), 42);
  int buckets[10] = {};
  constexpr int kRounds = 200000, kShare = kRounds / 10, kOff = kShare / 20;
  bool lowest = false, highest = false;
  for (int i = 0; i < kRounds; ++i) {
    const int64_t pause = backoff.Next().count();
    ++buckets[pause / 100];
    lowest = lowest || pause == 0;
    highest = highest || pause == 999;
  }
  for (const int count : buckets) EXPECT_NEAR(count, kShare, kOff);
  EXPECT_TRUE(lowest && highest);
}

TEST(BackoffTest, DeterministicForASeed) {
  Backoff a(Millis(100), Millis(60000), 7), b(Millis(100), Millis(60000), 7),
      c(Millis(100), Millis(60000), 8);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const Millis pause = a.Next();
    EXPECT_EQ(pause, b.Next());
    differs = differs || pause != c.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(BackoffTest, ALimitIsForNowOnly) {
  Backoff backoff(Millis(200), Millis(30000), 3);
  for (int i = 0; i < 40; ++i) EXPECT_LE(backoff.Next(Millis(4000)), Millis(4000));
  Millis longest{0};
  for (int i = 0; i < 100; ++i) longest = std::max(longest, backoff.Next());
  EXPECT_GT(longest, Millis(4000));
}

TEST(BackoffTest, ResetStartsAgain) {
  Backoff backoff(Millis(10), Millis(100000), 1);
  for (int i = 0; i < 20; ++i) (void)backoff.Next();
  backoff.Reset();
  EXPECT_EQ(backoff.attempts(), 0);
  EXPECT_LE(backoff.Next(), Millis(10));
  EXPECT_LE(backoff.Next(), Millis(20));
}

TEST(BackoffTest, ExtremesDoNotOverflow) {
  Backoff huge(Millis(1), Millis::max(), 3);
  for (int i = 0; i < 200; ++i) EXPECT_GE(huge.Next().count(), 0);
  Backoff huge_first(Millis::max(), Millis::max(), 3);
  for (int i = 0; i < 10; ++i) EXPECT_GE(huge_first.Next().count(), 0);
  Backoff negative(Millis(-5), Millis(-1), 3);
  Backoff zero(Millis(0), Millis(0), 3);
  Backoff crossed(Millis(1000), Millis(10), 3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(negative.Next(), Millis(0));
    EXPECT_EQ(zero.Next(), Millis(0));
    EXPECT_LE(crossed.Next(), Millis(10));
  }
}

}  // namespace
}  // namespace dsmsg
