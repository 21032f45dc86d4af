// SPDX-License-Identifier: Apache-2.0
// Lost, silent, foreign and ending servers.
#include <csignal>

#include "adaptors/nats/test/fixture.h"

namespace dsmsg::nats {
namespace {

TEST(NatsOutage, AFrozenServerIsNoticed) {
  OwnServer server;
  const std::string topic = NewStream(*server);
  Connection connection("connect-timeout=1s", AddressOf(*server));
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  server->Pause();
  ASSERT_OK(connection.Send(topic, "y"));
  const Status status = connection.WaitCompleted(2);
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_TRUE(Has(status.message(), "has not answered")) << status.message();
  connection.driver.Close(Millis(0), -1);
  EXPECT_EQ(connection.Open(Millis(500)).code(), Code::kTimeout);
  server->Resume();
  ASSERT_OK(connection.Open());
}

TEST(NatsOutage, AnIdleConsumerNoticesToo) {
  OwnServer server;
  const std::string topic = NewStream(*server);
  Connection connection("connect-timeout=1s", AddressOf(*server));
  ASSERT_OK(connection.Open(Role::kConsumer));
  ASSERT_OK(connection.Subscribe({topic}));
  server->Pause();
  EXPECT_EQ(connection.PumpUntil([] { return false; }).code(), Code::kTimeout);
  server->Resume();
}

TEST(NatsOutage, AKilledServerKeepsWhatItAcknowledgedAndKnowsTheIds) {
  OwnServer server;
  const std::string topic = NewStream(*server);
  Connection connection("", AddressOf(*server));
  ASSERT_OK(connection.Open());
  for (int i = 0; i < 200; ++i) ASSERT_OK(connection.Send(topic, "x"));
  ASSERT_OK(connection.WaitCompleted(100));
  server->Kill();
  EXPECT_FALSE(connection.PumpUntil([] { return false; }).ok());
  connection.driver.Close(Millis(0), -1);
  server->EnsureUp();
  ASSERT_OK(connection.Open());
  // As the core does; here even those that were acknowledged.
  Message message;
  message.topic = topic;
  message.payload = "x";
  connection.host.completed.clear();
  for (Token token = 1; token <= 200; ++token) {
    ASSERT_OK(connection.SubmitAs(message, token));
  }
  ASSERT_OK(connection.WaitCompleted(200));
  EXPECT_EQ(MessagesIn(topic, *server), 200U);
}

TEST(NatsOutage, SeveralServersInTurn) {
  OwnServer one, two;
  Connection connection("", (*one).address() + "," + (*two).address());
  ASSERT_OK(connection.Open());
  one->Kill();
  EXPECT_FALSE(connection.PumpUntil([] { return false; }).ok());
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open());
}

// Lame duck: the server says that it will end, and takes nothing more for its streams.
TEST(NatsOutage, AServerThatWillEndIsLeft) {
  OwnServer one({"lame_duck_duration: \"30s\"", "lame_duck_grace_period: \"1s\""}), two;
  Connection connection("", (*one).address() + "," + (*two).address());
  ASSERT_OK(connection.Open());
  EXPECT_FALSE(connection.driver.WantsReopen());
  kill(one->pid(), SIGUSR2);
  ASSERT_OK(connection.PumpUntil([&] { return connection.driver.WantsReopen(); }));
  connection.driver.Close(Millis(0), -1);
  ASSERT_OK(connection.Open());
  EXPECT_FALSE(connection.driver.WantsReopen());
}

TEST(NatsOutage, ForeignServersAreNamed) {
  conformance::BadServer reset(conformance::BadServer::Mode::kReset),
      silent(conformance::BadServer::Mode::kSilent);
  Connection to_reset("", "127.0.0.1;" + std::to_string(reset.port()));
  EXPECT_EQ(to_reset.Open(Millis(2000)).code(), Code::kUnavailable);
  Connection to_silent("", "127.0.0.1;" + std::to_string(silent.port()));
  const Status status = to_silent.Open(Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_TRUE(Has(status.message(), "a NATS server")) << status.message();
}

}  // namespace
}  // namespace dsmsg::nats
