// SPDX-License-Identifier: Apache-2.0
// A broker and a driver for it, inside the test, which decides whether the broker is up,
// acknowledges, refuses or keeps silent. Thread-safe.
#ifndef DSMSG_TESTS_UNIT_FAKE_DRIVER_H_
#define DSMSG_TESTS_UNIT_FAKE_DRIVER_H_

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/export/export.h"
#include "core/options/config.h"

namespace dsmsg::testing {

class FakeBroker {
 public:
  enum class Answer { kAck, kSilent, kRetryOnce, kReject };
  static FakeBroker& Get() {
    static FakeBroker broker;
    return broker;
  }

  void Reset() {
    std::lock_guard lock(mutex);
    open_status = Status();
    answer = Answer::kAck;
    received.clear();
    names.clear();
    marks.clear();
    acked.clear();
    incoming.clear();
    topics.clear();
    opens = 0;
    cut = false;
    refused_topic.clear();
    silent_topic.clear();
    poison_topic.clear();
    poison_is_silent = poison_is_refused = false;
    life = std::chrono::hours(1);
    subscribes = 0;
    subscribe_answer = nullptr;
    in_subscribe = false;
    released.clear();
  }
  void SetAnswer(Answer value) {
    std::lock_guard lock(mutex);
    answer = value;
  }
  void SetDown(Status status) {
    std::lock_guard lock(mutex);
    open_status = std::move(status);
    cut = true;
  }
  void SetUp() {
    std::lock_guard lock(mutex);
    open_status = Status();
    cut = false;
  }
  size_t Received() {
    std::lock_guard lock(mutex);
    return received.size();
  }

  std::mutex mutex;
  Status open_status;
  Answer answer = Answer::kAck;
  bool cut = false;
  int opens = 0;
  std::string opened;                   // the host of the last attempt
  std::string refused_topic;            // whatever the answer
  std::string silent_topic;             // never answered
  std::string poison_topic;             // answered by ending the connection, the server stays
  bool poison_is_silent = false;        // or by answering nothing more on this connection
  bool poison_is_refused = false;       // and the driver knows which message it was
  Millis life = std::chrono::hours(1);  // of a connection, whatever comes
  std::vector<std::string> received;    // "topic|key|payload"
  std::map<std::string, std::vector<std::string>> names;  // of each try, by payload
  std::vector<std::string> marks;                         // header dsmsg-ledger, of each try
  std::vector<AckToken> acked;
  std::vector<std::string> topics;  // subscribed to
  std::deque<InMessage> incoming;
  int subscribes = 0;
  /// The broker's answer to these topics; null: accepted. Runs without the lock and may be slow.
  std::function<Status(std::span<const std::string>, Deadline)> subscribe_answer;
  std::atomic<bool> in_subscribe{false};
  std::vector<std::string> released;  // "token|topic|payload"
};

class FakeDriver final : public Driver {
 public:
  explicit FakeDriver(DriverHost& host) : host_(host) {}
  static const DriverInfo& Info() {
    static const std::string_view schemes[] = {"fake"};
    static const DriverInfo info = {
        .protocol = "FAKE",
        .env_suffix = "FAKE",
        .delivery = "in the test",
        .library = "none",
        .options = {},
        .conn_rules = {.protocol = "fake", .schemes = schemes, .default_port = 1}};
    return info;
  }
  static const DriverFactory& Factory() {
    static const DriverFactory factory = {&Info(), Make};
    return factory;
  }
  /// One connection for both roles.
  static const DriverFactory& SharedFactory() {
    static const DriverInfo info = [] {
      DriverInfo shared = Info();
      shared.separate_roles = false;
      return shared;
    }();
    static const DriverFactory factory = {&info, Make};
    return factory;
  }

  Status Configure(const Endpoints& endpoints, const Config&) override {
    if (endpoints.hosts.front().port == 666) return {Code::kInvalidArgument, "fake: bad port"};
    host_name_ = endpoints.hosts.front().host;
    return {};
  }

  Status Open(Role role, Deadline, int) override {
    receives_ = role != Role::kProducer;
    FakeBroker& broker = FakeBroker::Get();
    std::lock_guard lock(broker.mutex);
    ++broker.opens;
    broker.opened = host_name_;
    if (broker.open_status.ok()) broker.cut = false;
    poisoned_ = false;
    opened_ = Clock::now();
    return broker.open_status;
  }

  Status Submit(const Message& message, Token token) override {
    if (pending_.size() >= 100) return {Code::kWouldBlock, ""};
    pending_.emplace_back(token, std::string(message.topic) + "|" + std::string(message.key) + "|" +
                                     std::string(message.payload));
    FakeBroker& broker = FakeBroker::Get();
    const std::lock_guard lock(broker.mutex);
    broker.names[std::string(message.payload)].push_back(message.id.ToString());
    for (const auto& [name, value] : message.headers) {
      if (name == "dsmsg-ledger") broker.marks.emplace_back(value);
    }
    return {};
  }

  Status Poll(Millis budget, int wake_fd) override {
    if (Work()) return {};
    pollfd fd = {wake_fd, POLLIN, 0};
    poll(&fd, 1, static_cast<int>(std::min<int64_t>(budget.count(), 2)));
    Work();
    FakeBroker& broker = FakeBroker::Get();
    std::lock_guard lock(broker.mutex);
    if (broker.cut) return {Code::kUnavailable, "fake: cut"};
    if (Clock::now() - opened_ > broker.life) return {Code::kUnavailable, "fake: ended by itself"};
    if (!poisoned_) return {};
    return broker.poison_is_silent ? Status(Code::kTimeout, "fake: no answer")
                                   : Status(Code::kUnavailable, "fake: closed by the server");
  }

  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override {
    FakeBroker& broker = FakeBroker::Get();
    std::unique_lock lock(broker.mutex);
    ++broker.subscribes;
    const auto answer = broker.subscribe_answer;
    lock.unlock();
    broker.in_subscribe = true;
    const Status status = answer == nullptr ? Status() : answer(topics, deadline);
    broker.in_subscribe = false;
    lock.lock();
    if (status.ok()) broker.topics.assign(topics.begin(), topics.end());
    subscribed_ = !broker.topics.empty();
    return status;
  }

  void Release(AckToken token, InMessage&& message) noexcept override {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().released.push_back(std::to_string(token) + "|" + message.topic + "|" +
                                         message.payload);
  }

  void Ack(AckToken token) noexcept override {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().acked.push_back(token);
  }

  void Close(Millis, int) noexcept override {
    pending_.clear();
    std::lock_guard lock(FakeBroker::Get().mutex);
    if (receives_) FakeBroker::Get().topics.clear();
    subscribed_ = false;
  }

 private:
  static std::unique_ptr<Driver> Make(DriverHost& host) {
    return std::make_unique<FakeDriver>(host);
  }
  bool Work() {
    FakeBroker& broker = FakeBroker::Get();
    std::lock_guard lock(broker.mutex);
    if (broker.cut || poisoned_) return false;
    const auto wanted = [&](const InMessage& message) {
      return std::count(broker.topics.begin(), broker.topics.end(), message.topic) > 0;
    };
    while (receives_ && subscribed_ && !broker.incoming.empty()) {
      if (!wanted(broker.incoming.front())) {
        broker.incoming.pop_front();
        continue;
      }
      if (!host_.Deliver(std::move(broker.incoming.front()), ++delivered_).ok()) break;
      broker.incoming.pop_front();
    }
    if (broker.answer == FakeBroker::Answer::kSilent) return false;
    bool worked = false;
    std::vector<std::pair<Token, std::string>> kept;
    for (auto& [token, text] : pending_) {
      if (text.substr(0, text.find('|')) == broker.silent_topic) {
        kept.emplace_back(token, std::move(text));
        continue;
      }
      poisoned_ = poisoned_ || text.substr(0, text.find('|')) == broker.poison_topic;
      if (poisoned_ && broker.poison_is_refused) {
        host_.Complete(token, {Code::kRejected, "fake: no right to send"});
      }
      if (poisoned_) break;
      worked = true;
      if (broker.answer == FakeBroker::Answer::kRetryOnce) {
        host_.Complete(token, {Code::kUnavailable, "fake: later"});
      } else if (broker.answer == FakeBroker::Answer::kReject ||
                 text.substr(0, text.find('|')) == broker.refused_topic) {
        host_.Complete(token, {Code::kUnknownTopic, "fake: no such topic"});
      } else {
        broker.received.push_back(text);
        host_.Complete(token, {});
      }
    }
    if (worked && broker.answer == FakeBroker::Answer::kRetryOnce)
      broker.answer = FakeBroker::Answer::kAck;
    pending_ = std::move(kept);
    return worked;
  }

  DriverHost& host_;
  std::string host_name_;
  std::vector<std::pair<Token, std::string>> pending_;
  AckToken delivered_ = 0;
  bool receives_ = false, subscribed_ = false, poisoned_ = false;
  Clock::time_point opened_{};
};

}  // namespace dsmsg::testing

#endif  // DSMSG_TESTS_UNIT_FAKE_DRIVER_H_
