// SPDX-License-Identifier: Apache-2.0
// What tests of a driver without the session share: a host that only records, and a driver that is
// configured from text and run as the core's I/O thread runs it.
//
// Threads: the test's only.
#ifndef DSMSG_TESTS_SUPPORT_DRIVER_HARNESS_H_
#define DSMSG_TESTS_SUPPORT_DRIVER_HARNESS_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::testing {

/// Drivers whose connections the core reopens do not report the state of the link.
class RecordingHost final : public DriverHost {
 public:
  explicit RecordingHost(const char* protocol) : logger_(protocol) {}

  void Complete(Token token, const Status& status) noexcept override {
    if (!completed.emplace(token, status).second) ++twice;
    order.push_back(token);
    if (status.ok()) ++ok;
  }
  Status Deliver(InMessage&& message, AckToken token) noexcept override {
    if (delivered.size() >= room) return {Code::kWouldBlock, "full"};
    delivered.push_back(std::move(message));
    tokens.push_back(token);
    return {};
  }
  void LinkUp() noexcept override {
    EXPECT_TRUE(reports_link);
    ++ups;
  }
  void LinkDown(const Status& reason) noexcept override {
    EXPECT_TRUE(reports_link);
    downs.push_back(reason);
  }
  void CountUnheard() noexcept override { ++unheard; }
  Logger& log() noexcept override { return logger_; }

  std::map<Token, Status> completed;
  std::vector<Token> order;  // of completion
  size_t ok = 0, twice = 0, unheard = 0;
  std::vector<InMessage> delivered;
  std::vector<AckToken> tokens;  // of delivered messages whose callbacks have not returned
  size_t room = SIZE_MAX;
  bool reports_link = false;
  int ups = 0;
  std::vector<Status> downs;

 private:
  Logger logger_;
};

/// A driver with its host and wake-ups. It owns the messages that it sent.
template <class DriverType>
class DriverHarness {
 public:
  static constexpr Millis kPatience{120'000}, kOpening{30'000};

  explicit DriverHarness(const std::string& address, const std::string& config = "") {
    const DriverInfo& info = DriverType::Info();
    const Result<Endpoints> endpoints = ParseConnString(address, info.conn_rules);
    Result<Config> parsed =
        Config::Parse("[message-broker]\n" + config + "\n", "test", OptionTable(info.options));
    if (!endpoints.ok()) {
      configured = endpoints.status();
    } else if (!parsed.ok()) {
      configured = parsed.status();
    } else {
      parsed->ApplyEnvironment(info.env_suffix);
      configured = driver.Configure(endpoints.value(), parsed.value());
    }
  }
  ~DriverHarness() { driver.Close(Millis(0), -1); }
  DriverHarness(const DriverHarness&) = delete;
  DriverHarness& operator=(const DriverHarness&) = delete;

  Status Open(Role role, Millis timeout = kOpening) {
    if (!configured.ok()) return configured;
    Status status = driver.Open(role, Clock::now() + timeout, cancel.fd());
    if (!status.ok()) driver.Close(Millis(0), -1);  // as the core does
    return status;
  }
  /// As a producer, if producers have a separate connection.
  Status Open(Millis timeout = kOpening) {
    return Open(DriverType::Info().separate_roles ? Role::kProducer : Role::kBoth, timeout);
  }
  Status Subscribe(const std::vector<std::string>& topics, Millis limit = kOpening) {
    return driver.Subscribe(topics, Clock::now() + limit);
  }

  /// Polls until `done` or an error; kInternal, which no driver answers, after `timeout`.
  Status PumpUntil(const std::function<bool()>& done, Millis timeout = kPatience) {
    const Deadline deadline = Clock::now() + timeout;
    while (!done()) {
      if (Clock::now() >= deadline) return {Code::kInternal, "the test waited too long"};
      if (Status status = driver.Poll(kBudget, wake.fd()); !status.ok()) return status;
      if (callbacks_return) AckAll();
    }
    return {};
  }
  Status WaitCompleted(size_t count) {
    return PumpUntil([&] { return host.completed.size() >= count; });
  }
  Status WaitDelivered(size_t count) {
    return PumpUntil([&] { return host.delivered.size() >= count; });
  }

  /// One submission, without waiting. Tokens count the messages that were accepted, from 1.
  Status Submit(const Message& message) {
    Status status = driver.Submit(Named(message, last_token + 1), last_token + 1);
    if (status.code() != Code::kWouldBlock) ++last_token;
    return status;
  }
  Status Submit(const std::string& topic, std::string payload) {
    return Submit(Keep(topic, std::move(payload)));
  }
  /// Submits, polling while there is no room.
  Status Send(const Message& message) {
    const Deadline deadline = Clock::now() + kPatience;
    for (;;) {
      Status status = Submit(message);
      if (status.code() != Code::kWouldBlock) return status;
      if (Clock::now() >= deadline) return {Code::kInternal, "no room for too long"};
      if (Status poll = driver.Poll(kBudget, wake.fd()); !poll.ok()) return poll;
    }
  }
  Status Send(const std::string& topic, std::string payload) {
    return Send(Keep(topic, std::move(payload)));
  }

  /// Lets the callbacks of the delivered messages return.
  void AckAll() {
    for (const AckToken token : host.tokens) driver.Ack(token);
    host.tokens.clear();
  }
  /// With the name that the core would give it.
  Message Named(Message message, Token token) const {
    if (message.id.empty()) message.id = {origin, token};
    return message;
  }
  Code Outcome(Token token) const { return host.completed.at(token).code(); }
  std::string Text(Token token) const { return host.completed.at(token).message(); }

  RecordingHost host{DriverType::Info().protocol};
  DriverType driver{host};
  Status configured;
  bool callbacks_return = false;  // by themselves, after each Poll
  WakeFd wake, cancel;
  std::vector<std::unique_ptr<std::string>> kept;  // topics and payloads, valid to the end
  Token last_token = 0;
  const uint64_t origin = MessageId::NewOrigin();

 private:
  static constexpr Millis kBudget{50};

  Message Keep(const std::string& topic, std::string payload) {
    kept.push_back(std::make_unique<std::string>(topic));
    kept.push_back(std::make_unique<std::string>(std::move(payload)));
    Message message;
    message.topic = *kept[kept.size() - 2];
    message.payload = *kept.back();
    return message;
  }
};

}  // namespace dsmsg::testing

#endif  // DSMSG_TESTS_SUPPORT_DRIVER_HARNESS_H_
