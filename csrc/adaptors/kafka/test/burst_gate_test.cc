// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/burst_gate.h"

#include <gtest/gtest.h>

namespace dsmsg::kafka {
namespace {

constexpr BurstGate::Limits kLimits = {.enabled = true, .messages = 10, .bytes = 1000};

/// Hands over messages of `bytes` until one is refused or `wanted` are taken.
size_t Fill(BurstGate& gate, Clock::time_point now, size_t wanted, size_t bytes = 1) {
  size_t taken = 0;
  for (; taken < wanted && gate.Admits(bytes, now); ++taken) gate.Took(bytes, true);
  return taken;
}

void End(BurstGate& gate, size_t messages) {
  for (size_t i = 0; i < messages; ++i) gate.Ended();
}

TEST(BurstGate, TheNextBurstWaitsForTheAnswers) {
  BurstGate gate(kLimits);
  const Clock::time_point now{};
  EXPECT_EQ(Fill(gate, now, 8), 8u);
  gate.EndBurst();
  EXPECT_FALSE(gate.Admits(1, now));
  End(gate, 3);
  EXPECT_FALSE(gate.Admits(1, now));  // five are out
  End(gate, 1);
  EXPECT_TRUE(gate.Admits(1, now));
}

TEST(BurstGate, ABurstIsOneBatch) {
  BurstGate gate(kLimits);
  const Clock::time_point now{};
  EXPECT_EQ(Fill(gate, now, 100), 10u);
  gate.EndBurst();
  End(gate, 10);
  EXPECT_EQ(Fill(gate, now, 100, 400), 2u);
  gate.EndBurst();
  End(gate, 2);
  EXPECT_TRUE(gate.Admits(5000, now)) << "alone it may be larger";
  gate.Took(5000, true);
  EXPECT_FALSE(gate.Admits(1, now));
}

TEST(BurstGate, SingleMessagesNeedNotWait) {
  BurstGate gate(kLimits);
  const Clock::time_point now{};
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(gate.Admits(1, now));
    gate.Took(1, true);
    gate.EndBurst();
  }
  EXPECT_FALSE(gate.Admits(1, now));
}

TEST(BurstGate, WhatIsStuckDoesNotHoldUpTheOthersForLong) {
  constexpr auto kNever = Clock::time_point::max();
  BurstGate gate(kLimits);
  Clock::time_point now{};
  Fill(gate, now, 10);
  gate.EndBurst();
  EXPECT_EQ(gate.QuestionDue(), kNever) << "nobody waits";
  EXPECT_FALSE(gate.Admits(1, now));
  EXPECT_EQ(gate.QuestionDue(), now + BurstGate::kPatience);
  now += BurstGate::kPatience;
  EXPECT_FALSE(gate.Admits(1, now)) << "nobody has answered yet";
  gate.Postpone(now);
  EXPECT_EQ(gate.QuestionDue(), now + 2 * BurstGate::kPatience);
  for (int i = 0; i < 10; ++i) gate.Postpone(now);
  EXPECT_EQ(gate.QuestionDue(), now + BurstGate::kMaxPatience);
  gate.LetOthersPass(now);
  EXPECT_EQ(gate.QuestionDue(), kNever);
  EXPECT_EQ(Fill(gate, now, 100), 10u);
  gate.EndBurst();
  EXPECT_FALSE(gate.Admits(1, now));
  EXPECT_EQ(gate.QuestionDue(), now + BurstGate::kPatience);
}

TEST(BurstGate, ATopicThatIsNotThereYetHoldsUpNobodyForLong) {
  BurstGate gate(kLimits);
  Clock::time_point now{};
  ASSERT_TRUE(gate.Admits(1, now));
  gate.Took(1, false);
  gate.EndBurst();
  EXPECT_FALSE(gate.Admits(1, now)) << "a topic's first burst is waited for";
  EXPECT_EQ(gate.QuestionDue(), now + BurstGate::kPatience);
  now += BurstGate::kPatience;
  gate.LetOthersPass(now);
  EXPECT_EQ(Fill(gate, now, 100), 100u);
  EXPECT_TRUE(gate.fresh());
  End(gate, 101);
  EXPECT_FALSE(gate.fresh());
  gate.EndBurst();
  EXPECT_EQ(Fill(gate, now, 100), 10u);
}

TEST(BurstGate, WithoutIdempotenceEverythingPasses) {
  BurstGate gate({});
  EXPECT_EQ(Fill(gate, {}, 1000, 1000), 1000u);
  EXPECT_EQ(gate.QuestionDue(), Clock::time_point::max());
}

TEST(BurstGate, WhatABrokerVouchedForExpires) {
  BurstGate gate(kLimits);
  auto now = Clock::now();
  gate.Took(10, false);
  gate.EndBurst();
  EXPECT_FALSE(gate.Admits(10, now));
  gate.LetOthersPass(now);
  gate.Took(10, false);
  gate.EndBurst();
  EXPECT_TRUE(gate.Admits(10, now));
  now += BurstGate::kPatience;
  gate.Answered(now);
  EXPECT_TRUE(gate.Admits(10, now + BurstGate::kPatience / 2));
  // The broker has stopped meanwhile: librdkafka would spin.
  now += BurstGate::kPatience;
  EXPECT_FALSE(gate.Admits(10, now));
  EXPECT_LE(gate.QuestionDue(), now);
  gate.LetOthersPass(now);
  EXPECT_TRUE(gate.Admits(10, now));
}

}  // namespace
}  // namespace dsmsg::kafka
