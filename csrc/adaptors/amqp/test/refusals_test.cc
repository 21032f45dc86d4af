// SPDX-License-Identifier: Apache-2.0
// How brokers refuse messages: brokers other than RabbitMQ, and rare cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>

#include "adaptors/amqp/test/fixture.h"
#include "adaptors/amqp/test/scripted_broker.h"

namespace dsmsg::amqp {
namespace {

using ::testing::HasSubstr;
using Message = ScriptedBroker::Message;

constexpr char kNoRoute[] = "No route for message with exchange 'amq.topic'";
constexpr char kDenied[] = "Permission PUBLISH denied";

// Qpid Broker-J. The return may come late, just before the answer to the next question.
TEST(AmqpRefusals, AReturnBehindTheNackIsUnknownTopic) {
  for (const bool late : {false, true}) {
    std::optional<Message> nacked;
    ScriptedBroker::Script script;
    script.message = [&](ScriptedBroker& broker, const Message& message) {
      if (message.routing_key == "good") return broker.Ack(message);
      broker.Nack(message);
      if (late) {
        nacked = message;
      } else {
        broker.Return(message, AMQP_NO_ROUTE, kNoRoute);
      }
    };
    script.question = [&](ScriptedBroker& broker) {
      if (nacked) broker.Return(*nacked, AMQP_NO_ROUTE, kNoRoute);
      nacked.reset();
    };
    ScriptedBroker broker(script);
    Connection connection("", broker.address());
    ASSERT_OK(connection.Open());
    ASSERT_OK(connection.Send("good", "1"));
    ASSERT_OK(connection.Send("bad", "2"));
    ASSERT_OK(connection.Send("good", "3"));
    ASSERT_OK(connection.WaitCompleted(3));
    EXPECT_EQ(connection.host.ok, 2u);
    EXPECT_EQ(connection.Outcome(2), Code::kUnknownTopic);
    EXPECT_THAT(connection.Text(2), HasSubstr("312 No route"));
    EXPECT_THAT(connection.Text(2), HasSubstr("\"bad\""));
    EXPECT_EQ(connection.host.twice, 0u);
  }
}

TEST(AmqpRefusals, ANackWithoutAReturnIsRetryable) {
  for (const std::string mandatory : {"0", "1"}) {
    ScriptedBroker::Script script;
    script.message = [](ScriptedBroker& broker, const Message& message) { broker.Nack(message); };
    ScriptedBroker broker(script);
    Connection connection("mandatory=" + mandatory, broker.address());
    ASSERT_OK(connection.Open());
    for (int i = 0; i < 3; ++i) ASSERT_OK(connection.Send("full", "x"));
    ASSERT_OK(connection.WaitCompleted(3));
    for (Token token = 1; token <= 3; ++token) {
      EXPECT_EQ(connection.Outcome(token), Code::kUnavailable);
    }
    EXPECT_THAT(connection.Text(1), HasSubstr("nack"));
  }
}

// A full queue of Qpid Broker-J: returned, but not because no queue is bound.
TEST(AmqpRefusals, AReturnForAFullQueueIsRetryable) {
  ScriptedBroker::Script script;
  script.message = [](ScriptedBroker& broker, const Message& message) {
    broker.Nack(message);
    broker.Return(message, AMQP_RESOURCE_ERROR, "Maximum depth exceeded");
  };
  ScriptedBroker broker(script);
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("full", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kUnavailable);
  EXPECT_THAT(connection.Text(1), HasSubstr("Maximum depth exceeded"));
}

// The broker ends the connection over one message: it is refused if only one can be the cause.
TEST(AmqpRefusals, ACloseOfTheConnectionIsTheEndOfTheOnlyMessage) {
  ScriptedBroker::Script script;
  script.message = [](ScriptedBroker& broker, const Message& message) {
    if (message.routing_key == "bad") return broker.CloseConnection(AMQP_ACCESS_REFUSED, kDenied);
    broker.Ack(message);
  };
  ScriptedBroker broker(script);
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("good", "1"));
  ASSERT_OK(connection.WaitCompleted(1));
  ASSERT_OK(connection.Send("bad", "2"));
  const Status ended = connection.PumpUntil([] { return false; });
  EXPECT_EQ(ended.code(), Code::kUnavailable) << "what follows is sent after a new login";
  EXPECT_THAT(ended.message(), HasSubstr(kDenied));
  ASSERT_EQ(connection.host.completed.count(2), 1u);
  EXPECT_EQ(connection.Outcome(2), Code::kRejected);
  EXPECT_THAT(connection.Text(2), HasSubstr("403 Permission PUBLISH denied"));
  EXPECT_THAT(connection.Text(2), HasSubstr("\"bad\""));
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("good", "3"));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.Outcome(3), Code::kOk);
}

TEST(AmqpRefusals, ACloseOfTheConnectionWithSeveralInFlightRefusesNone) {
  ScriptedBroker::Script script;
  script.message = [](ScriptedBroker& broker, const Message& message) {
    if (message.tag == 3) broker.CloseConnection(AMQP_ACCESS_REFUSED, kDenied);
  };
  ScriptedBroker broker(script);
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 3; ++i) ASSERT_OK(connection.Send("any", "x"));
  const Status ended = connection.PumpUntil([] { return false; });
  EXPECT_EQ(ended.code(), Code::kUnavailable);
  EXPECT_THAT(ended.message(), HasSubstr(kDenied));
  EXPECT_TRUE(connection.host.completed.empty());
}

// A broker that is stopped, however often and however few messages are in flight.
TEST(AmqpRefusals, AForcedCloseGivesEverythingBack) {
  for (const uint64_t count : {1u, 3u}) {
    ScriptedBroker::Script script;
    script.message = [count](ScriptedBroker& broker, const Message& message) {
      if (message.tag == count) broker.CloseConnection(AMQP_CONNECTION_FORCED, "shutdown");
    };
    ScriptedBroker broker(script);
    Connection connection("", broker.address());
    ASSERT_OK(connection.Open());
    for (uint64_t i = 0; i < count; ++i) ASSERT_OK(connection.Send("any", "x"));
    EXPECT_EQ(connection.PumpUntil([] { return false; }).code(), Code::kUnavailable);
    ASSERT_EQ(connection.host.completed.size(), count);
    for (const auto& [token, status] : connection.host.completed) {
      EXPECT_TRUE(status.retryable()) << status.message();
    }
  }
}

// The broker hangs up in the middle of a large message, so writing fails. The reason can still be
// read.
TEST(AmqpRefusals, WhatTheBrokerSaidBeforeItHungUpIsRead) {
  ScriptedBroker::Script script;
  script.header = [](ScriptedBroker& broker, const Message&) {
    broker.CloseConnection(AMQP_CONTENT_TOO_LARGE, "16 MiB at most");
    broker.HangUp();
  };
  ScriptedBroker broker(script);
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("large", std::string(100 << 20, 'x')));
  const Status ended = connection.PumpUntil([] { return false; });
  EXPECT_THAT(ended.message(), HasSubstr("16 MiB at most"));
  ASSERT_EQ(connection.host.completed.count(1), 1u) << ended.message();
  EXPECT_EQ(connection.Outcome(1), Code::kTooLarge);
}

// All of it is sent within one Poll, however long that takes: when the rest waited for the next
// Poll, the broker counted as silent after some megabytes.
TEST(AmqpRefusals, ALargeMessageDoesNotWaitForTheNextTurn) {
  ScriptedBroker::Script script;
  script.message = [](ScriptedBroker& broker, const Message& message) { broker.Ack(message); };
  ScriptedBroker broker(script);
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("large", std::string(20 << 20, 'x')));
  ASSERT_OK(connection.driver.Poll(Millis(60'000), connection.wake.fd()));
  ASSERT_EQ(connection.host.completed.count(1), 1u);
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
}

}  // namespace
}  // namespace dsmsg::amqp
