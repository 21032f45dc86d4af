// SPDX-License-Identifier: Apache-2.0
// A route between a source and a destination that the test plays.
#include "bridge/route.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

namespace dsmsg::bridge {
namespace {

/// Both sides; its address is the handle of both.
class Brokers {
 public:
  struct Sent {
    std::string topic, payload, key;
    std::vector<std::pair<std::string, std::string>> headers;
    nvds_msgapi_send_cb_t callback;
    void* user;
  };
  static Brokers& Of(NvDsMsgApiHandle handle) { return *static_cast<Brokers*>(handle); }

  Side side() {
    Side side;
    side.handle = this;
    side.api.subscribe_message = [](NvDsMsgApiHandle handle, const char* const*, int,
                                    DsmsgMessageCallback callback, unsigned, void* context) {
      Of(handle).callback_ = callback;
      Of(handle).context_ = context;
      return NVDS_MSGAPI_OK;
    };
    side.api.ack = [](NvDsMsgApiHandle handle, uint64_t number) {
      const std::lock_guard lock(Of(handle).mutex_);
      Of(handle).acked_.push_back(number);
      Of(handle).changed_.notify_all();
      return NVDS_MSGAPI_OK;
    };
    side.api.send_message = [](NvDsMsgApiHandle handle, const DsmsgMessage* message,
                               nvds_msgapi_send_cb_t callback,
                               void* user) { return Of(handle).Take(*message, callback, user); };
    side.api.do_work = [](NvDsMsgApiHandle handle) { Of(handle).Work(); };
    side.api.last_error = [](NvDsMsgApiHandle, char* text, size_t size) {
      return static_cast<size_t>(snprintf(text, size, "%s", "too large"));
    };
    return side;
  }

  /// Delivers a message on this thread.
  void Deliver(uint64_t number, const std::string& payload, const char* topic = "in/a") {
    const DsmsgReceivedHeader headers[] = {
        {"kept", reinterpret_cast<const uint8_t*>("1\0002"), 3},
        {"replaced", reinterpret_cast<const uint8_t*>("old"), 3}};
    DsmsgReceived message{};
    message.size = sizeof message;
    message.topic = topic;
    message.payload = reinterpret_cast<const uint8_t*>(payload.data());
    message.payload_len = payload.size();
    message.headers = headers;
    message.num_headers = 2;
    message.timestamp_ms = message.offset = message.partition = -1;
    message.id = "";
    message.ack = number;
    callback_(&message, context_);
  }
  /// From now on the next `count` messages are answered in do_work.
  void Answer(size_t count, NvDsMsgApiErrorType code = NVDS_MSGAPI_OK) {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < count; ++i) answers_.push_back(code);
    changed_.notify_all();
  }
  void Refuse(bool refuse) {
    const std::lock_guard lock(mutex_);
    refuse_ = refuse;
  }
  /// What disconnect does: calls back for all on this thread.
  void Disconnect(NvDsMsgApiErrorType code) {
    for (const Sent& sent : TakeAll(nullptr)) sent.callback(sent.user, code);
  }
  std::vector<uint64_t> WaitForAcks(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return acked_.size() >= count; });
    return acked_;
  }
  size_t acks() {
    const std::lock_guard lock(mutex_);
    return acked_.size();
  }
  void WaitForSent(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sent_ >= count; });
  }
  std::vector<Sent> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  NvDsMsgApiErrorType Take(const DsmsgMessage& message, nvds_msgapi_send_cb_t callback,
                           void* user) {
    const std::lock_guard lock(mutex_);
    if (refuse_) return NVDS_MSGAPI_ERR;
    Sent sent{message.topic, {}, {}, {}, callback, user};
    sent.payload.assign(reinterpret_cast<const char*>(message.payload), message.payload_len);
    sent.key.assign(reinterpret_cast<const char*>(message.key), message.key_len);
    for (size_t i = 0; i < message.num_headers; ++i) {
      sent.headers.emplace_back(message.headers[i].name,
                                std::string(message.headers[i].value, message.header_lens[i]));
    }
    queue_.push_back(sent);
    log_.push_back(std::move(sent));
    ++sent_;
    changed_.notify_all();
    return NVDS_MSGAPI_OK;
  }
  std::vector<Sent> TakeAll(std::vector<NvDsMsgApiErrorType>* codes) {
    const std::lock_guard lock(mutex_);
    std::vector<Sent> due;
    while (!queue_.empty() && (codes == nullptr || !answers_.empty())) {
      due.push_back(std::move(queue_.front()));
      queue_.pop_front();
      if (codes == nullptr) continue;
      codes->push_back(answers_.front());
      answers_.pop_front();
    }
    return due;
  }
  void Work() {
    std::vector<NvDsMsgApiErrorType> codes;
    const std::vector<Sent> due = TakeAll(&codes);
    for (size_t i = 0; i < due.size(); ++i) due[i].callback(due[i].user, codes[i]);
    if (!due.empty()) return;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, Millis(50), [this] { return !answers_.empty() && !queue_.empty(); });
  }

  DsmsgMessageCallback callback_ = nullptr;
  void* context_ = nullptr;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  std::deque<Sent> queue_;
  std::deque<NvDsMsgApiErrorType> answers_;
  std::vector<Sent> log_;
  std::vector<uint64_t> acked_;
  size_t sent_ = 0;
  bool refuse_ = false;
};

MessageTemplate Compiled(std::string_view text) {
  return std::move(MessageTemplate::Compile(text).value());
}

class RouteTest : public ::testing::Test {
 protected:
  RouteTest() {
    spec_.topics = {"in/+"};
    spec_.topic = Compiled("out.${topic[1]}");
    spec_.payload = Compiled("${.value}");
  }
  ~RouteTest() override {
    if (!route_) return;
    route_->End();
    brokers_.Disconnect(NVDS_MSGAPI_ERR);
  }
  void Start() {
    route_ = std::make_unique<Route>(std::move(spec_), brokers_.side(), brokers_.side());
    ASSERT_EQ(route_->Start(), NVDS_MSGAPI_OK);
  }
  template <class Condition>
  void WaitUntil(Condition condition) {
    while (!condition(route_->Read())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  Brokers brokers_;
  RouteSpec spec_;
  std::unique_ptr<Route> route_;
};

TEST_F(RouteTest, AcknowledgesOnceTheDestinationHas) {
  Start();
  brokers_.Deliver(7, "one");
  brokers_.Deliver(8, "two");
  brokers_.WaitForSent(2);
  EXPECT_EQ(brokers_.acks(), 0u);
  brokers_.Answer(1);
  EXPECT_EQ(brokers_.WaitForAcks(1), (std::vector<uint64_t>{7}));
  WaitUntil([](const Route::Stats& stats) { return stats.acknowledged == 1; });
  const Route::Stats stats = route_->Read();
  EXPECT_EQ(stats.received, 2u);
  EXPECT_EQ(stats.sent, 2u);
  EXPECT_EQ(stats.in_flight, 1u);
  EXPECT_EQ(stats.in_flight_bytes, 3u);
}

TEST_F(RouteTest, RendersTopicKeyAndHeaders) {
  spec_.key = Compiled("${topic[1]}");
  spec_.headers.emplace_back("replaced", Compiled("new ${.topic}"));
  spec_.headers.emplace_back("absent", Compiled("${.headers.none}"));
  Start();
  brokers_.Deliver(1, "payload");
  brokers_.WaitForSent(1);
  const Brokers::Sent sent = brokers_.log().front();
  EXPECT_EQ(sent.topic, "out.a");
  EXPECT_EQ(sent.payload, "payload");
  EXPECT_EQ(sent.key, "a");
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"kept", std::string("1\0002", 3)}, {"replaced", "new in/a"}};
  EXPECT_EQ(sent.headers, headers);
}

TEST_F(RouteTest, ASilentDestinationStopsTheReading) {
  spec_.most_messages = 4;
  Start();
  std::thread source([this] {
    for (uint64_t n = 1; n <= 20; ++n) brokers_.Deliver(n, "x");
  });
  brokers_.WaitForSent(4);
  EXPECT_EQ(route_->Read().in_flight, 4u);
  brokers_.Answer(2);
  brokers_.WaitForSent(6);
  brokers_.Answer(18);
  EXPECT_EQ(brokers_.WaitForAcks(20).size(), 20u);
  source.join();
  EXPECT_EQ(brokers_.log().size(), 20u);
}

TEST_F(RouteTest, BytesAreBoundedToo) {
  spec_.most_bytes = 10;
  Start();
  std::thread source([this] {
    for (uint64_t n = 1; n <= 3; ++n) brokers_.Deliver(n, "123456");
  });
  brokers_.WaitForSent(2);
  EXPECT_EQ(route_->Read().in_flight_bytes, 12u);
  brokers_.Answer(3);
  EXPECT_EQ(brokers_.WaitForAcks(3).size(), 3u);
  source.join();
}

TEST_F(RouteTest, ARefusedMessageStopsIt) {
  Start();
  brokers_.Deliver(1, "bad");
  brokers_.Deliver(2, "good");
  brokers_.Answer(1, NVDS_MSGAPI_ERR);
  brokers_.Answer(1);
  EXPECT_EQ(brokers_.WaitForAcks(1), (std::vector<uint64_t>{2}));
  const Route::Stats stats = route_->Read();
  EXPECT_TRUE(stats.stopped);
  EXPECT_EQ(stats.refused, 1u);
  EXPECT_EQ(stats.last_refusal, "a message to \"out.a\": too large");
  brokers_.Deliver(3, "later");  // returns, and is neither sent nor acknowledged
  EXPECT_EQ(brokers_.log().size(), 2u);
}

TEST_F(RouteTest, OrIsSkipped) {
  spec_.stop_on_refused = false;
  Start();
  brokers_.Deliver(1, "bad");
  brokers_.Answer(1, NVDS_MSGAPI_UNKNOWN_TOPIC);
  EXPECT_EQ(brokers_.WaitForAcks(1), (std::vector<uint64_t>{1}));
  brokers_.Refuse(true);
  brokers_.Deliver(2, "not even taken");
  brokers_.Refuse(false);
  brokers_.Deliver(3, "no topic", "in/");
  EXPECT_EQ(brokers_.WaitForAcks(2), (std::vector<uint64_t>{1, 2}));
  brokers_.Answer(1);
  EXPECT_EQ(brokers_.WaitForAcks(3), (std::vector<uint64_t>{1, 2, 3}));
  const Route::Stats stats = route_->Read();
  EXPECT_EQ(stats.refused, 2u);
  EXPECT_FALSE(stats.stopped);
}

TEST_F(RouteTest, ATopicThatComesOutEmptyIsRefused) {
  spec_.stop_on_refused = false;
  spec_.topic = Compiled("${.headers.none}");
  Start();
  brokers_.Deliver(1, "x");
  EXPECT_EQ(brokers_.WaitForAcks(1).size(), 1u);
  EXPECT_EQ(route_->Read().last_refusal, "a message to \"\": the route's topic came out empty");
  EXPECT_TRUE(brokers_.log().empty());
}

TEST_F(RouteTest, WhatDisconnectSendsIsAcknowledgedAndTheRestIsNot) {
  Start();
  brokers_.Deliver(1, "flushed");
  route_->End();
  brokers_.Deliver(2, "too late");
  brokers_.Disconnect(NVDS_MSGAPI_OK);
  EXPECT_EQ(brokers_.WaitForAcks(1), (std::vector<uint64_t>{1}));
  route_.reset();
  spec_ = RouteSpec{};
  spec_.topics = {"in/+"};
  spec_.topic = Compiled("t");
  spec_.payload = Compiled("${.value}");
  Start();
  brokers_.Deliver(3, "not flushed");
  route_->End();
  brokers_.Disconnect(NVDS_MSGAPI_ERR);
  EXPECT_EQ(brokers_.acks(), 1u);
  EXPECT_EQ(route_->Read().refused, 0u);
  EXPECT_EQ(route_->Read().in_flight, 0u);
}

TEST_F(RouteTest, EndsWhileTheSourceWaitsForRoom) {
  spec_.most_messages = 1;
  Start();
  std::thread source([this] {
    for (uint64_t n = 1; n <= 3; ++n) brokers_.Deliver(n, "x");
  });
  brokers_.WaitForSent(1);
  route_->End();
  source.join();
  EXPECT_EQ(brokers_.log().size(), 1u);
}

TEST_F(RouteTest, KeepsTheOrderOfMany) {
  constexpr uint64_t kCount = 20000;
  spec_.most_messages = 100;
  Start();
  brokers_.Answer(kCount);
  std::thread source([this] {
    for (uint64_t n = 1; n <= kCount; ++n) brokers_.Deliver(n, std::to_string(n));
  });
  const std::vector<uint64_t> acked = brokers_.WaitForAcks(kCount);
  source.join();
  for (uint64_t n = 1; n <= kCount; ++n) ASSERT_EQ(acked[n - 1], n);
  const std::vector<Brokers::Sent> log = brokers_.log();
  for (uint64_t n = 1; n <= kCount; ++n) ASSERT_EQ(log[n - 1].payload, std::to_string(n));
}

}  // namespace
}  // namespace dsmsg::bridge
