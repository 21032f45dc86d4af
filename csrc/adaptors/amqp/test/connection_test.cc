// SPDX-License-Identifier: Apache-2.0
// Connecting, logging in, staying connected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "adaptors/amqp/test/fixture.h"
#include "core/base/time.h"

namespace dsmsg::amqp {
namespace {

using conformance::BadServer;
using conformance::ClosedPort;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Port(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

Status OpenWith(const std::string& config, const std::string& address = Address()) {
  Connection connection(config, address);
  return connection.Open();
}

TEST(AmqpLogin, WrongPassword) {
  const Status status = OpenWith("username=guest\npassword=not-this-one");
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_THAT(status.message(), HasSubstr("403 ACCESS_REFUSED"));
  EXPECT_THAT(status.message(), HasSubstr("PASSWORD_AMQP"));
  EXPECT_THAT(status.message(), HasSubstr("\"guest\""));
  EXPECT_THAT(status.message(), Not(HasSubstr("not-this-one")));
}

TEST(AmqpLogin, VhostsAreNamedInErrors) {
  const Status missing = OpenWith("vhost=no-such");
  EXPECT_EQ(missing.code(), Code::kInvalidArgument);
  EXPECT_THAT(missing.message(), HasSubstr("no-such"));
  EXPECT_THAT(missing.message(), HasSubstr("not found"));
  const std::string vhost = NewName() + "/%a b";
  Rabbit().Ctl(R"(["add_vhost",")" + vhost + R"("])");
  const Status forbidden = OpenWith("vhost=" + vhost);
  EXPECT_EQ(forbidden.code(), Code::kAuth) << forbidden.message();
  EXPECT_THAT(forbidden.message(), HasSubstr(vhost));
  Rabbit().Ctl(R"(["set_permissions","-p",")" + vhost + R"(","guest",".*",".*",".*"])");
  EXPECT_TRUE(OpenWith("vhost=" + vhost).ok());
  std::string encoded;
  for (const char c : vhost) {
    encoded += c == '/' ? "%2F" : c == '%' ? "%25" : c == ' ' ? "%20" : std::string(1, c);
  }
  const Server& server = Rabbit();
  Connection url("", "amqp://guest:guest@" + server.address() + "/" + encoded);
  ASSERT_OK(url.Open());
  ASSERT_OK(url.Send(NewName(), "x"));
  ASSERT_OK(url.WaitCompleted(1));
  Rabbit().Ctl(R"(["delete_vhost",")" + vhost + R"("])");
}

TEST(AmqpLogin, ConnectionStrings) {
  const Server& server = Rabbit();
  const std::string addresses[] = {Address() + ";guest;guest", "amqp://" + server.address(),
                                   server.address(), "amqp://guest:guest@" + server.address() + "/",
                                   "amqp://guest:guest@" + server.address()};
  for (const std::string& address : addresses) {
    EXPECT_TRUE(OpenWith("", address).ok()) << address;
  }
}

TEST(AmqpLogin, SeveralHostsAreTriedInTurn) {
  const ClosedPort closed;
  const Server& server = Rabbit();
  Connection connection("", "amqp://" + Port(closed.port()) + "," + server.address());
  ASSERT_OK(connection.Open());
  const ClosedPort other;
  const Status none = OpenWith("", "amqp://" + Port(closed.port()) + "," + Port(other.port()));
  EXPECT_EQ(none.code(), Code::kUnavailable);
  EXPECT_THAT(none.message(), HasSubstr(Port(closed.port())));
  EXPECT_THAT(none.message(), HasSubstr(Port(other.port())));
}

TEST(AmqpLogin, ASilentServerIsATimeout) {
  const BadServer silent(BadServer::Mode::kSilent);
  Connection connection("", Port(silent.port()));
  const Deadline begin = Clock::now();
  const Status status = connection.Open(Role::kProducer, Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_LT(Clock::now() - begin, Millis(10'000));
  EXPECT_THAT(status.message(), HasSubstr(Port(silent.port())));
}

TEST(AmqpLogin, CanBeCancelled) {
  const BadServer silent(BadServer::Mode::kSilent);
  Connection connection("", Port(silent.port()));
  std::thread other([&] { connection.cancel.Signal(); });
  const Deadline begin = Clock::now();
  const Status status = connection.Open(Role::kProducer, Millis(20000));
  other.join();
  EXPECT_EQ(status.code(), Code::kCancelled) << status.message();
  EXPECT_LT(Clock::now() - begin, Millis(15'000));
}

TEST(AmqpLogin, AResetConnectionIsUnavailable) {
  const BadServer reset(BadServer::Mode::kReset);
  const Status status = OpenWith("", Port(reset.port()));
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("AMQP 0-9-1"));
}

TEST(AmqpLogin, DeclaringAnExchangeWithAnotherTypeIsAnErrorAtConnect) {
  const Status status = OpenWith("exchange=amq.topic\nexchange-type=fanout");
  EXPECT_TRUE(status.permanent()) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("declare the exchange \"amq.topic\""));
}

TEST(AmqpLogin, ExternalNeedsABrokerThatOffersIt) {
  // The security tests cover the broker's own plugin.
  const Status status = OpenWith("enable-tls=1\ntls-certfile=/no/such");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("tls-"));
}

TEST(AmqpConnection, StaysConnectedWhileIdle) {
  const std::string topic = NewTopic();
  for (const Role role : {Role::kProducer, Role::kConsumer}) {
    Connection connection("amqp-heartbeat=1");
    ASSERT_OK(connection.Open(role));
    if (role == Role::kConsumer) ASSERT_OK(connection.Subscribe({topic}));
    // RabbitMQ ends a connection after two missed heartbeats.
    const Deadline until = Clock::now() + Millis(4000);
    while (Clock::now() < until) {
      ASSERT_OK(connection.driver.Poll(Millis(1000), connection.wake.fd()));
    }
    if (role == Role::kProducer) {
      ASSERT_OK(connection.Send(topic, "still here"));
      ASSERT_OK(connection.WaitCompleted(1));
      EXPECT_EQ(connection.host.ok, 1u);
    } else {
      AmqpClient(Rabbit()).Publish(topic, "x");
      ASSERT_OK(connection.WaitDelivered(1));
    }
  }
}

TEST(AmqpConnection, AFrozenBrokerIsNoticedWhileIdle) {
  Connection connection("amqp-heartbeat=1");
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({NewName()}));
  Server& server = Rabbit();
  server.Pause();
  const Deadline begin = Clock::now();
  const Status status = connection.PumpUntil([] { return false; }, Millis(10000));
  server.Resume();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("heartbeat"));
  EXPECT_LT(Clock::now() - begin, Millis(9500));
}

TEST(AmqpConnection, CloseIsBoundedOnAFrozenBroker) {
  const std::string topic = NewTopic();
  for (const Role role : {Role::kProducer, Role::kConsumer}) {
    Connection connection;
    ASSERT_OK(connection.Open(role));
    Server& server = Rabbit();
    server.Pause();
    const Deadline begin = Clock::now();
    connection.driver.Close(Millis(200), -1);
    EXPECT_LT(Clock::now() - begin, Millis(10'000));
    server.Resume();
  }
}

TEST(AmqpConnection, WhatTheBrokerSaysWhenItEndsTheConnection) {
  Connection connection;
  ASSERT_OK(connection.Open());
  Rabbit().Ctl(R"(["close_all_connections","the test wants it"])");
  const Status status = connection.PumpUntil([] { return false; });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("the test wants it"));
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open());
}

// Wake-ups, not processor time, are what an idle connection must not cost.
TEST(AmqpConnection, PollWaitsUntilItIsWoken) {
  Connection connection;
  ASSERT_OK(connection.Open());
  const Deadline begin = Clock::now();
  ASSERT_OK(connection.driver.Poll(Millis(200), connection.wake.fd()));
  EXPECT_GE(Clock::now() - begin, Millis(190));
  connection.wake.Signal();
  ASSERT_OK(connection.driver.Poll(Millis(20000), connection.wake.fd()));
  EXPECT_LT(Clock::now() - begin, Millis(18'000));
}

}  // namespace
}  // namespace dsmsg::amqp
