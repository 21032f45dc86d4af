// SPDX-License-Identifier: Apache-2.0
// Acknowledgement by the host: what is due, and the bound on what is not.
#include "core/session/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

namespace dsmsg {
namespace {

class ManualAckTest : public ::testing::Test {
 protected:
  ManualAckTest()
      : inbox_(std::make_shared<Inbox>([this] { ++wakes_; },
                                       [](const std::function<void()>& call) { call(); })) {
    inbox_->Start();
  }
  ~ManualAckTest() override { inbox_->Close(Clock::now() + Millis(60000)); }

  void Subscribe(bool manual) {
    auto subscription = std::make_shared<Subscription>();
    subscription->topics = {"t"};
    subscription->message_callback = [](const DsmsgReceived* message, void* self) {
      auto* test = static_cast<ManualAckTest*>(self);
      const std::lock_guard lock(test->mutex_);
      test->numbers_.push_back(message->ack);
    };
    subscription->manual_ack = manual;
    subscription->user_ctx = this;
    inbox_->Adopt(std::move(subscription), [](const std::string&) { return true; });
  }
  Status Deliver(AckToken token) {
    InMessage message;
    message.topic = "t";
    return inbox_->Deliver(std::move(message), 1, token);
  }
  std::vector<uint64_t> Numbers() {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }
  void WaitFor(size_t count) {
    while (Numbers().size() < count) std::this_thread::yield();
  }
  std::vector<AckToken> Due() {
    std::vector<Inbox::Ack> acks;
    inbox_->TakeAcks(&acks);
    std::vector<AckToken> tokens;
    for (const Inbox::Ack& ack : acks) tokens.push_back(ack.token);
    return tokens;
  }

  std::atomic<int> wakes_{0};
  std::mutex mutex_;
  std::vector<uint64_t> numbers_;
  std::shared_ptr<Inbox> inbox_;
};

TEST_F(ManualAckTest, OnlyWhatTheHostAcknowledgedIsDue) {
  Subscribe(/*manual=*/true);
  for (AckToken token = 10; token < 13; ++token) ASSERT_TRUE(Deliver(token).ok());
  WaitFor(3);
  EXPECT_EQ(Due(), std::vector<AckToken>());
  EXPECT_TRUE(inbox_->Acknowledge(Numbers()[2]));
  EXPECT_FALSE(inbox_->Acknowledge(Numbers()[2]));
  EXPECT_FALSE(inbox_->Acknowledge(0));
  EXPECT_EQ(Due(), std::vector<AckToken>{12});
  EXPECT_GT(wakes_, 0);
}

TEST_F(ManualAckTest, WhatIsNotAcknowledgedIsBounded) {
  Subscribe(/*manual=*/true);
  for (size_t i = 1; i <= Inbox::kMaxMessages; ++i) ASSERT_TRUE(Deliver(i).ok()) << i;
  WaitFor(Inbox::kMaxMessages);
  EXPECT_EQ(Deliver(1).code(), Code::kWouldBlock);
  const int before = wakes_;
  ASSERT_TRUE(inbox_->Acknowledge(Numbers()[5]));
  EXPECT_GT(wakes_, before);
  EXPECT_TRUE(Deliver(1).ok());
  WaitFor(Inbox::kMaxMessages + 1);
  EXPECT_EQ(Deliver(1).code(), Code::kWouldBlock);
  // What nobody will acknowledge any more must not stop the next subscription.
  Subscribe(/*manual=*/true);
  for (size_t i = 1; i <= Inbox::kMaxMessages; ++i) ASSERT_TRUE(Deliver(i).ok()) << i;
  WaitFor(2 * Inbox::kMaxMessages + 1);
  EXPECT_EQ(Deliver(1).code(), Code::kWouldBlock);
  EXPECT_TRUE(inbox_->Acknowledge(Numbers().front()));  // of the previous one: makes no room
  EXPECT_EQ(Deliver(1).code(), Code::kWouldBlock);
}

TEST_F(ManualAckTest, WithoutItAMessageIsDueWhenItsCallbackReturned) {
  Subscribe(/*manual=*/false);
  ASSERT_TRUE(Deliver(7).ok());
  WaitFor(1);
  EXPECT_EQ(inbox_->Drain(Clock::now() + Millis(60000)), 0u);
  EXPECT_EQ(Numbers().front(), 0u);
  std::vector<AckToken> due;
  while (due.empty()) due = Due();
  EXPECT_EQ(due, std::vector<AckToken>{7});
}

TEST(InboxEncoding, ACallbackGetsBase64WhereItIsAskedFor) {
  struct Got {
    std::string key, payload;
    std::atomic<int> calls{0};
  };
  for (const bool key : {false, true}) {
    for (const bool value : {false, true}) {
      Got got;
      const auto inbox = std::make_shared<Inbox>(
          [] {}, [](const std::function<void()>& call) { call(); }, Inbox::Encoding{key, value});
      inbox->Start();
      auto subscription = std::make_shared<Subscription>();
      subscription->topics = {"t"};
      subscription->message_callback = [](const DsmsgReceived* message, void* self) {
        auto* to = static_cast<Got*>(self);
        const auto text = [](const uint8_t* bytes, size_t size) {
          return bytes == nullptr ? std::string("none")
                                  : std::string(reinterpret_cast<const char*>(bytes), size);
        };
        to->key = text(message->key, message->key_len);
        to->payload = text(message->payload, message->payload_len);
        ++to->calls;
      };
      subscription->user_ctx = &got;
      inbox->Adopt(std::move(subscription), [](const std::string&) { return true; });
      const auto deliver = [&](InMessage message) {
        const int before = got.calls;
        message.topic = "t";
        ASSERT_TRUE(inbox->Deliver(std::move(message), 1, 1).ok());
        while (got.calls == before) std::this_thread::yield();
      };
      using std::string_literals::operator""s;
      deliver({.payload = "\0\xff"s, .key = "camera"s, .has_key = true});
      EXPECT_EQ(got.key, key ? "Y2FtZXJh" : "camera");
      EXPECT_EQ(got.payload, value ? "AP8=" : "\0\xff"s);
      deliver({});
      EXPECT_EQ(got.key, "none") << "no key stays none";
      EXPECT_EQ(got.payload, "");
      EXPECT_TRUE(inbox->Close(Clock::now() + Millis(60000)));
    }
  }
}

}  // namespace
}  // namespace dsmsg
