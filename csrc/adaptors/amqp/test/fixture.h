// SPDX-License-Identifier: Apache-2.0
// What the tests of the AMQP driver stand on: one real RabbitMQ for the whole program, a host that
// only records, and a driver configured from text.
#ifndef DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adaptors/amqp/driver.h"
#include "amqp_client.h"
#include "core/base/fd.h"
#include "server.h"

/// In a function that returns void.
#define ASSERT_OK(expression)                       \
  do {                                              \
    const Status status_ = (expression);            \
    ASSERT_TRUE(status_.ok()) << status_.message(); \
  } while (false)

namespace dsmsg::amqp {

using conformance::AmqpClient;
using conformance::AmqpMessage;
using conformance::Server;

/// Running and not paused; started by the first test that asks, which takes some seconds.
Server& Rabbit();
std::string Address();
/// A name that no other test uses.
std::string NewName();
/// A routing key of amq.topic with a durable queue of the same name.
std::string NewTopic();

class FakeHost final : public DriverHost {
 public:
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override {
    ADD_FAILURE() << "only library-retried drivers report the link";
  }
  void LinkDown(const Status&) noexcept override { ADD_FAILURE() << "LinkDown"; }
  Logger& log() noexcept override { return logger_; }

  std::map<Token, Status> completed;
  size_t ok = 0, twice = 0;
  std::vector<InMessage> delivered;
  std::vector<AckToken> tokens;
  size_t room = SIZE_MAX;

 private:
  Logger logger_{"AMQP"};
};

/// A driver with its host and wake-ups.
class Connection {
 public:
  explicit Connection(const std::string& config = "", const std::string& address = Address());
  ~Connection() { driver.Close(Millis(0), -1); }

  Status Open(Role role = Role::kProducer, Millis timeout = Millis(5000));
  Status Subscribe(const std::vector<std::string>& topics, Millis limit = Millis(5000)) {
    return driver.Subscribe(topics, Clock::now() + limit);
  }
  /// Polls until `done` or an error or the time is over; kTimeout in the last case.
  Status PumpUntil(const std::function<bool()>& done, Millis timeout = Millis(20000));
  /// Polls while `call` runs on another thread: heartbeats must not wait for the broker's tools.
  Status PumpWhile(const std::function<void()>& call);
  /// Submits (polling while there is no room); the token is the number of the message, from 1.
  Status Send(const std::string& topic, std::string payload);
  Status Send(const Message& message);
  Status WaitCompleted(size_t count);
  Status WaitDelivered(size_t count);
  void AckAll();
  Code Outcome(Token token) const { return host.completed.at(token).code(); }
  std::string Text(Token token) const { return host.completed.at(token).message(); }

  FakeHost host;
  AmqpDriver driver{host};
  Status configured;
  WakeFd wake, cancel;
  std::vector<std::unique_ptr<std::string>> kept;  // messages stay valid until completed
  Token last_token = 0;
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_
