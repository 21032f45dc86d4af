// SPDX-License-Identifier: Apache-2.0
// What the tests of the AMQP driver share: one real RabbitMQ for the whole program.
#ifndef DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "adaptors/amqp/driver.h"
#include "amqp_client.h"
#include "server.h"
#include "support/driver_harness.h"

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

/// A running server; the first call starts it, which takes some seconds.
Server& Rabbit();
std::string Address();
/// A name that no other test uses.
std::string NewName();
/// A routing key of amq.topic with a durable queue of the same name.
std::string NewTopic();

class Connection : public testing::DriverHarness<AmqpDriver> {
 public:
  explicit Connection(const std::string& config = "", const std::string& address = Address())
      : DriverHarness(address, config) {}

  /// Polls while `call` runs on another thread: heartbeats must not wait for the broker's tools.
  Status PumpWhile(const std::function<void()>& call);
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_TEST_FIXTURE_H_
