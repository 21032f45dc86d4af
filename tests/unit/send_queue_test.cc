// SPDX-License-Identifier: Apache-2.0
#include "core/queue/send_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

namespace dsmsg {
namespace {

using ::testing::ElementsAre;

class SendQueueTest : public ::testing::Test {
 protected:
  static Outgoing Make(const std::string& payload, const std::string& key = "") {
    static BufferPool pool;
    Outgoing outgoing;
    outgoing.buffer = pool.Get(payload.size() + key.size());
    std::memcpy(outgoing.buffer.data(), payload.data(), payload.size());
    const char* start = reinterpret_cast<const char*>(outgoing.buffer.data());
    if (!key.empty()) std::memcpy(outgoing.buffer.data() + payload.size(), key.data(), key.size());
    outgoing.message.payload = {start, payload.size()};
    outgoing.message.key = {start + payload.size(), key.size()};
    outgoing.message.has_key = !key.empty();
    outgoing.accepted_at = Clock::now();
    return outgoing;
  }

  static QueueLimits Limits(size_t messages, Overflow overflow) {
    QueueLimits limits;
    limits.messages = messages;
    limits.overflow = overflow;
    limits.overflow_timeout = Millis(50);
    return limits;
  }

  static std::vector<std::string> TakeAll(SendQueue* queue,
                                          std::vector<SendQueue::Submission>* taken) {
    queue->Take(1000, taken);
    std::vector<std::string> payloads;
    for (const auto& submission : *taken) payloads.emplace_back(submission.message.payload);
    return payloads;
  }

  Metrics metrics_;
  std::vector<Finished> finished_;
};

TEST_F(SendQueueTest, KeepsOrderThroughReturnAndRetry) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  for (const char* payload : {"a", "b", "c", "d"})
    ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  ASSERT_FALSE(queue.Take(3, &taken));
  ASSERT_EQ(taken.size(), 3u);
  queue.Return({taken.data() + 2, 1});  // c was not taken by the driver
  const SendQueue::Outcome retry{taken[0].token, {Code::kUnavailable, "later"}};
  EXPECT_EQ(queue.Complete({&retry, 1}, &finished_), 1u);
  EXPECT_EQ(metrics_.LastFailureReason(), "later");
  std::vector<SendQueue::Submission> again;
  EXPECT_THAT(TakeAll(&queue, &again), ElementsAre("a", "c", "d"));
  EXPECT_EQ(again[0].message.attempt, 1u);
  EXPECT_EQ(again[1].message.attempt, 0u);
  EXPECT_TRUE(finished_.empty());
}

// A broker that refuses for a time gives back thousands, again and again, while many more wait:
// a search through those for each would take minutes here, and stop the senders meanwhile.
TEST_F(SendQueueTest, GivingBackManyIsQuickHoweverManyWait) {
  constexpr size_t kMessages = 300000, kGivenBack = 60000;
  SendQueue queue(Limits(kMessages, Overflow::kBlock), metrics_);
  for (size_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(queue.Push(Make(std::to_string(i)), &finished_).ok());
  }
  std::vector<SendQueue::Submission> taken;
  queue.Take(kGivenBack, &taken);
  ASSERT_EQ(taken.size(), kGivenBack);
  std::vector<SendQueue::Outcome> outcomes;
  for (const auto& each : taken) outcomes.push_back({each.token, {Code::kUnavailable, "full"}});
  std::swap(outcomes.front(), outcomes.back());
  const auto begun = Clock::now();
  EXPECT_EQ(queue.Complete(outcomes, &finished_), kGivenBack);
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(19));
  std::vector<SendQueue::Submission> again;
  queue.Take(kGivenBack, &again);
  for (size_t i = 0; i < kGivenBack; ++i) {
    ASSERT_EQ(again[i].message.payload, std::to_string(i));
  }
}

// The sender need not be woken for each place that gets free, but it must not sleep for long.
TEST_F(SendQueueTest, ASenderIsNotKeptWaitingForMoreRoomThanItNeeds) {
  QueueLimits limits = Limits(1000, Overflow::kBlock);
  limits.overflow_timeout = Millis(20000);
  SendQueue queue(limits, metrics_);
  queue.SetLinkUp(true);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(queue.Push(Make("x"), &finished_).ok());
  constexpr int kMore = 10;
  std::vector<SendQueue::Submission> taken;
  queue.Take(kMore, &taken);
  const auto begun = Clock::now();
  std::atomic<int> accepted{0};
  std::thread sender([&] {
    for (; accepted < kMore; ++accepted) {
      std::vector<Finished> mine;
      EXPECT_TRUE(queue.Push(Make("y"), &mine).ok());
      EXPECT_TRUE(mine.empty());
    }
  });
  for (int i = 0; i < kMore; ++i) {
    while (accepted < i) std::this_thread::yield();
    const SendQueue::Outcome done{taken[static_cast<size_t>(i)].token, {}};
    queue.Complete({&done, 1}, &finished_);
  }
  sender.join();
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(19));
}

TEST_F(SendQueueTest, RecoverPutsWhatWasInFlightBackInOldOrder) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  for (const char* payload : {"a", "b", "c"})
    ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(2, &taken);
  queue.Recover();
  EXPECT_EQ(queue.in_flight(), 0u);
  std::vector<SendQueue::Submission> again;
  EXPECT_THAT(TakeAll(&queue, &again), ElementsAre("a", "b", "c"));
}

// The client library may be late with its last look at a message (AddressSanitizer sees it).
TEST_F(SendQueueTest, WhatIsHeldOutlivesTheMessage) {
  std::vector<SendQueue::Submission> taken;
  std::shared_ptr<const void> held;
  {
    SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
    for (const char* payload : {"a", "b"}) ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
    queue.Take(2, &taken);
    queue.Withdraw(taken[1].token, &finished_);  // abandoned
    held = queue.HoldInFlight();
    queue.CloseAll({Code::kCancelled, "closed"}, DropReason::kShutdown, &finished_);
  }
  EXPECT_EQ(taken[0].message.payload, "a");
  EXPECT_EQ(taken[1].message.payload, "b");
  held.reset();
}

TEST_F(SendQueueTest, LateAndSecondCompletionsAreIgnored) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  ASSERT_TRUE(queue.Push(Make("a"), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(10, &taken);
  const SendQueue::Outcome done{taken[0].token, {}};
  queue.Complete({&done, 1}, &finished_);
  queue.Complete({&done, 1}, &finished_);
  EXPECT_EQ(finished_.size(), 1u);
  EXPECT_EQ(metrics_.late_completions, 1u);
  EXPECT_EQ(queue.messages(), 0u);
}

TEST_F(SendQueueTest, HalfOfTheQueueMayBeInFlight) {
  SendQueue queue(Limits(8, Overflow::kBlock), metrics_);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(queue.Push(Make("x"), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  EXPECT_TRUE(queue.Take(100, &taken));
  EXPECT_EQ(taken.size(), 4u);
}

TEST_F(SendQueueTest, LinkDownEvictsTheOldestUnsubmitted) {
  SendQueue queue(Limits(4, Overflow::kBlock), metrics_);
  for (const char* payload : {"a", "b", "c", "d"})
    ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(1, &taken);
  ASSERT_TRUE(queue.Push(Make("e"), &finished_).ok());  // the link never came up: does not wait
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_FALSE(finished_[0].status.ok());
  std::vector<SendQueue::Submission> rest;
  queue.Recover();
  EXPECT_TRUE(queue.Take(100, &rest));
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].message.payload, "a");  // was in flight: could not be evicted
  EXPECT_EQ(rest[1].message.payload, "c");
}

TEST_F(SendQueueTest, BlockWaitsForAnAcknowledgement) {
  SendQueue queue(
      [] {
        QueueLimits limits = Limits(2, Overflow::kBlock);
        limits.overflow_timeout = Millis(60000);
        return limits;
      }(),
      metrics_);
  queue.SetLinkUp(true);
  for (const char* payload : {"a", "b"}) ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(1, &taken);
  std::thread sender([&queue] {
    std::vector<Finished> finished;
    EXPECT_TRUE(queue.Push(Make("c"), &finished).ok());
    EXPECT_TRUE(finished.empty());
  });
  const SendQueue::Outcome done{taken[0].token, {}};
  queue.Complete({&done, 1}, &finished_);
  sender.join();
  EXPECT_EQ(queue.messages(), 2u);
}

TEST_F(SendQueueTest, AWholeTimeoutWithoutAcknowledgementStopsTheWaitingUntilTheNext) {
  SendQueue queue(Limits(2, Overflow::kBlock), metrics_);
  queue.SetLinkUp(true);
  for (const char* payload : {"a", "b"}) ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  auto start = Clock::now();
  ASSERT_TRUE(queue.Push(Make("c"), &finished_).ok());
  EXPECT_GE(Clock::now() - start, Millis(50));
  EXPECT_EQ(finished_.size(), 1u);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(queue.Push(Make("d"), &finished_).ok());
  EXPECT_LT(Clock::now() - start, Millis(4500)) << "each send waited again";
  EXPECT_EQ(finished_.size(), 101u);
}

TEST_F(SendQueueTest, Policies) {
  {
    SendQueue queue(Limits(1, Overflow::kReject), metrics_);
    ASSERT_TRUE(queue.Push(Make("a"), &finished_).ok());
    EXPECT_EQ(queue.Push(Make("b"), &finished_).code(), Code::kWouldBlock);
    EXPECT_TRUE(finished_.empty());
  }
  {
    SendQueue queue(Limits(1, Overflow::kDropNewest), metrics_);
    ASSERT_TRUE(queue.Push(Make("a"), &finished_).ok());
    ASSERT_TRUE(queue.Push(Make("b"), &finished_).ok());
    EXPECT_EQ(finished_.size(), 1u);
    std::vector<SendQueue::Submission> taken;
    EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("a"));
  }
}

TEST_F(SendQueueTest, LatestPerKeySupersedesTheSameKeyFirst) {
  SendQueue queue(Limits(3, Overflow::kLatestPerKey), metrics_);
  ASSERT_TRUE(queue.Push(Make("1", "x"), &finished_).ok());
  ASSERT_TRUE(queue.Push(Make("2", "y"), &finished_).ok());
  ASSERT_TRUE(queue.Push(Make("3", "y"), &finished_).ok());
  ASSERT_TRUE(queue.Push(Make("4", "y"), &finished_).ok());  // the older y goes
  ASSERT_TRUE(queue.Push(Make("5", "z"), &finished_).ok());  // no z: the oldest goes
  EXPECT_EQ(finished_.size(), 2u);
  std::vector<SendQueue::Submission> taken;
  queue.Take(1, &taken);
  EXPECT_EQ(taken[0].message.payload, "3");
}

TEST_F(SendQueueTest, AbandonedMessageKeepsItsMemoryUntilTheDriverLetsGo) {
  SendQueue queue(Limits(10, Overflow::kBlock), metrics_);
  Token token = 0;
  ASSERT_TRUE(queue.Push(Make("payload"), &finished_, &token).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(1, &taken);
  queue.Withdraw(token, &finished_);
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(queue.messages(), 0u);
  EXPECT_GT(queue.bytes(), 0u);
  EXPECT_EQ(taken[0].message.payload, "payload");
  const SendQueue::Outcome done{token, {}};
  queue.Complete({&done, 1}, &finished_);
  EXPECT_EQ(finished_.size(), 1u) << "told twice";
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(SendQueueTest, ExpireEndsOldMessagesWaitingOrInFlight) {
  QueueLimits limits = Limits(10, Overflow::kBlock);
  limits.message_timeout = Millis(1000);
  SendQueue queue(limits, metrics_);
  for (const char* payload : {"a", "b"}) ASSERT_TRUE(queue.Push(Make(payload), &finished_).ok());
  std::vector<SendQueue::Submission> taken;
  queue.Take(1, &taken);
  EXPECT_NE(queue.Expire(Clock::now(), &finished_), Clock::time_point::max());
  EXPECT_TRUE(finished_.empty());
  EXPECT_EQ(queue.Expire(Clock::now() + Millis(1001), &finished_), Clock::time_point::max());
  EXPECT_EQ(finished_.size(), 2u);
}

TEST_F(SendQueueTest, ClosedQueueRefusesAndWakesSenders) {
  SendQueue queue(
      [] {
        QueueLimits limits = Limits(1, Overflow::kBlock);
        limits.overflow_timeout = Millis(60000);
        return limits;
      }(),
      metrics_);
  queue.SetLinkUp(true);
  ASSERT_TRUE(queue.Push(Make("a"), &finished_).ok());
  std::thread sender([&queue] {
    std::vector<Finished> finished;
    EXPECT_EQ(queue.Push(Make("b"), &finished).code(), Code::kCancelled);
  });
  queue.Close();
  sender.join();
  queue.CloseAll({Code::kCancelled, "bye"}, DropReason::kShutdown, &finished_);
  EXPECT_EQ(finished_.size(), 1u);
  EXPECT_TRUE(queue.WaitIdle(Clock::now()));
}

TEST_F(SendQueueTest, BytesAreBounded) {
  QueueLimits limits = Limits(1000, Overflow::kDropNewest);
  limits.bytes = 100;
  SendQueue queue(limits, metrics_);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(queue.Push(Make(std::string(10, 'x')), &finished_).ok());
  EXPECT_EQ(queue.messages(), 10u);
  EXPECT_EQ(finished_.size(), 10u);
  EXPECT_EQ(queue.bytes(), 100u);
}

// ---------------------------------------------------------------- behind the spool

class BehindTest : public SendQueueTest {
 protected:
  Status PushBehind(SendQueue* queue, const std::string& payload, const std::string& key) {
    Outgoing outgoing = Make(payload, key);
    outgoing.behind_spool = true;
    return queue->Push(std::move(outgoing), &finished_, &token_);
  }
  Token token_ = 0;
};

TEST_F(BehindTest, WaitsUntilItsKeyIsFree) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  ASSERT_TRUE(PushBehind(&queue, "a1", "a").ok());
  ASSERT_TRUE(PushBehind(&queue, "b1", "b").ok());
  ASSERT_TRUE(PushBehind(&queue, "a2", "a").ok());
  ASSERT_TRUE(queue.Push(Make("c1", "c"), &finished_).ok());
  EXPECT_TRUE(queue.AnyBehind("a"));
  EXPECT_FALSE(queue.AnyBehind("c"));
  std::vector<SendQueue::Submission> taken;
  EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("c1"));
  // A key that gets free between two looks stays blocked.
  int looks = 0;
  queue.ReleaseBehind([&](std::string_view key) { return key == "a" && ++looks == 1; });
  EXPECT_TRUE(queue.AnyBehind("a"));
  EXPECT_FALSE(queue.AnyBehind("b"));
  taken.clear();
  EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("b1"));
  queue.ReleaseBehind([](std::string_view) { return false; });
  EXPECT_EQ(queue.behind(), 0u);
  taken.clear();
  EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("a1", "a2"));
}

TEST_F(BehindTest, AReservedPlaceIsKept) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  Outgoing first = Make("first", "k");
  queue.Reserve(&first);
  ASSERT_TRUE(PushBehind(&queue, "second", "k").ok());
  ASSERT_TRUE(queue.Push(Make("third", "k"), &finished_).ok());
  queue.ReleaseBehind(nullptr);
  queue.Close();
  EXPECT_EQ(queue.Push(Make("late", "k"), &finished_).code(), Code::kCancelled);
  ASSERT_TRUE(queue.PushAccepted(std::move(first)));
  std::vector<SendQueue::Submission> taken;
  EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("first", "second", "third"));
}

TEST_F(BehindTest, AMoveCountsUntilItsEndAndKeepsTheToken) {
  SendQueue queue(Limits(100, Overflow::kBlock), metrics_);
  EXPECT_EQ(queue.BeginMove(), nullptr);
  ASSERT_TRUE(PushBehind(&queue, "one", "k").ok());
  const Token one = token_;
  ASSERT_TRUE(PushBehind(&queue, "two", "k").ok());
  Outgoing* moving = queue.BeginMove();
  ASSERT_NE(moving, nullptr);
  EXPECT_EQ(moving->message.payload, "one");
  EXPECT_GT(moving->sequence, 0u) << "its place, should it come back";
  EXPECT_TRUE(queue.AnyBehind("k"));
  EXPECT_FALSE(queue.WaitIdle(Clock::now()));
  queue.Withdraw(one, &finished_);  // not now
  EXPECT_TRUE(finished_.empty());
  queue.EndMove(false);
  queue.Withdraw(one, &finished_);
  EXPECT_EQ(finished_.size(), 1u);
  moving = queue.BeginMove();
  EXPECT_EQ(moving->message.payload, "two");
  {
    const Outgoing elsewhere = std::move(*moving);
    queue.EndMove(true);
  }
  EXPECT_FALSE(queue.AnyBehind("k"));
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_TRUE(queue.WaitIdle(Clock::now()));
  EXPECT_EQ(finished_.size(), 1u) << "whoever took it reports it";
}

TEST_F(BehindTest, IsBoundedExpiredAndEndedLikeTheOthers) {
  QueueLimits limits = Limits(2, Overflow::kBlock);
  limits.message_timeout = Millis(1000);
  SendQueue queue(limits, metrics_);
  ASSERT_TRUE(PushBehind(&queue, "1", "k").ok());
  ASSERT_TRUE(queue.Push(Make("2", "k"), &finished_).ok());
  ASSERT_TRUE(PushBehind(&queue, "3", "k").ok());  // the oldest goes
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_TRUE(finished_.back().dropped);
  std::vector<SendQueue::Submission> taken;
  EXPECT_THAT(TakeAll(&queue, &taken), ElementsAre("2"));
  const SendQueue::Outcome done{taken[0].token, {}};
  queue.Complete({&done, 1}, &finished_);
  EXPECT_FALSE(queue.WaitIdle(Clock::now()));
  queue.Close();
  EXPECT_TRUE(queue.WaitIdle(Clock::now())) << "nothing releases it any more";
  queue.Expire(Clock::now() + Millis(1001), &finished_);
  EXPECT_EQ(finished_.size(), 3u);
  EXPECT_EQ(queue.messages(), 0u);
}

TEST_F(BehindTest, LatestPerKeySupersedesWhatIsBehind) {
  SendQueue queue(Limits(2, Overflow::kLatestPerKey), metrics_);
  ASSERT_TRUE(queue.Push(Make("x1", "x"), &finished_).ok());
  ASSERT_TRUE(PushBehind(&queue, "y1", "y").ok());
  ASSERT_TRUE(PushBehind(&queue, "y2", "y").ok());
  std::vector<Outgoing> rest;
  queue.TakeAll(&rest, &finished_);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].message.payload, "x1");
  EXPECT_EQ(rest[1].message.payload, "y2");
  EXPECT_TRUE(rest[1].behind_spool);
}

// MakeLetter leaves the message without headers; the queue gives them to it, if it comes that far.
TEST(GiveUp, ADeadLetterKeepsItsHeaders) {
  Outgoing letter;
  letter.dead_letter = true;
  letter.headers.emplace_back("reason", "refused");
  const Finished finished = GiveUp(std::move(letter), {Code::kCancelled, "closed"});
  ASSERT_NE(finished.letter, nullptr);
  ASSERT_EQ(finished.letter->message.headers.size(), 1u);
  EXPECT_EQ(finished.letter->message.headers[0].first, "reason");
}

}  // namespace
}  // namespace dsmsg
