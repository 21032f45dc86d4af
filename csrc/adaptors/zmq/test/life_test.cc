// SPDX-License-Identifier: Apache-2.0
// CURVE, closing in bounded time, losing an inproc partner, and the shared context.
#include <gmock/gmock.h>
#include <signal.h>
#include <zmq.h>

#include "adaptors/zmq/test/fixture.h"

namespace dsmsg::zmq {
namespace {

using ::testing::HasSubstr;

struct Keys {
  Keys() { zmq_curve_keypair(public_key, secret_key); }
  std::string Public(const char* option = "curve-public-key") const {
    return std::string(option) + "=\"" + public_key + "\"\n";
  }
  std::string Secret() const { return "curve-secret-key=\"" + std::string(secret_key) + "\"\n"; }
  char public_key[41], secret_key[41];
};

TEST(ZmqCurveTest, RightKeys) {
  const Keys server, client;
  for (const std::string& own : {client.Public() + client.Secret(), std::string()}) {
    const std::string address = FreeTcp();
    Connection pull(Binding(address),
                    "subscribe_socket_type=PULL\n" + server.Public() + server.Secret());
    ASSERT_TRUE(pull.Open().ok());
    ASSERT_TRUE(pull.Subscribe().ok());
    Connection push(address, own + server.Public("curve-server-key"));
    const Status opened = push.Open();
    ASSERT_TRUE(opened.ok()) << opened.message();
    ASSERT_TRUE(push.Send("t", "secret").ok());
    ASSERT_TRUE(pull.WaitDelivered(1).ok());
    EXPECT_EQ(pull.host.delivered[0].payload, "secret");
  }
}

TEST(ZmqCurveTest, WrongOrMissingKeys) {
  const Keys server, other;
  const std::string address = FreeTcp();
  Connection pull(Binding(address), "subscribe_socket_type=PULL\n" + server.Secret());
  ASSERT_TRUE(pull.Open().ok());
  Connection wrong(address, other.Public("curve-server-key"));
  const Status refused = wrong.Open(Millis(3000));
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("curve-server-key"));
  Connection plain(address);
  const Status mismatch = plain.Open(Millis(3000));
  EXPECT_EQ(mismatch.code(), Code::kAuth) << mismatch.message();
  EXPECT_THAT(mismatch.message(), HasSubstr("CURVE"));
  Connection password(address, "username=someone\npassword=hidden-word");
  const Status plain_text = password.Open(Millis(3000));
  EXPECT_EQ(plain_text.code(), Code::kAuth);
  EXPECT_EQ(plain_text.message().find("hidden-word"), std::string::npos);
}

TEST(ZmqCloseTest, WhatWasTakenIsStillSent) {
  Peer pull(ZMQ_PULL);
  Connection push(pull.Bind());
  ASSERT_TRUE(push.Open().ok());
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(push.Send("t", std::to_string(i)).ok());
  push.driver.Close(Millis(500), -1);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(pull.Receive(), Frames{std::to_string(i)});
}

TEST(ZmqCloseTest, IsBoundedWhenThePeerDoesNotRead) {
  Peer pull(ZMQ_PULL);
  pull.Set(ZMQ_RCVHWM, 1);
  const std::string address = pull.Bind(NewIpc());
  {
    Connection push(address, "linger=60000\nhigh_water_mark=100");
    ASSERT_TRUE(push.Open().ok());
    const std::string big(100'000, 'x');
    push.Fill(big);
    const auto begin = Clock::now();
    push.driver.Close(Millis(500), -1);
    EXPECT_LT(Clock::now() - begin, Millis(10'000)) << "linger goes on beside the host";
  }
  const auto begin = Clock::now();
  Connection next(address);  // the context is a new one or the same: it works
  ASSERT_TRUE(next.Open().ok());
  EXPECT_LT(Clock::now() - begin, Millis(10'000));
}

TEST(ZmqCloseTest, APortIsFreeAtOnce) {
  const std::string address = FreeTcp();
  for (int i = 0; i < 20; ++i) {
    Connection pub(Binding(address), "socket_type=PUB");
    const Status opened = pub.Open();
    ASSERT_TRUE(opened.ok()) << i << ": " << opened.message();
    pub.driver.Close(Millis(500), -1);
  }
}

TEST(ZmqInprocTest, ThePartnersEndIsNoticedAndRepaired) {
  const std::string address = NewInproc();
  auto pull = std::make_unique<Connection>(Binding(address), "subscribe_socket_type=PULL");
  ASSERT_TRUE(pull->Open().ok());
  ASSERT_TRUE(pull->Subscribe().ok());
  Connection push(">" + address);
  ASSERT_TRUE(push.Open().ok());
  ASSERT_TRUE(push.Send("t", "1").ok());
  ASSERT_TRUE(pull->WaitDelivered(1).ok());
  pull.reset();
  const Status lost = push.WaitLost();
  EXPECT_EQ(lost.code(), Code::kUnavailable);
  EXPECT_THAT(lost.message(), HasSubstr("closed"));
  push.driver.Close(Millis(0), -1);
  EXPECT_EQ(push.Open().code(), Code::kUnavailable);
  Connection again(Binding(address), "subscribe_socket_type=PULL");
  ASSERT_TRUE(again.Open().ok());
  ASSERT_TRUE(again.Subscribe().ok());
  ASSERT_TRUE(push.Open().ok());
  ASSERT_TRUE(push.Send("t", "2").ok());
  ASSERT_TRUE(again.WaitDelivered(1).ok());
}

TEST(ZmqContextTest, IsSharedAndEndsWithTheLast) {
  EXPECT_EQ(ZmqContext::Get().value().use_count(), 1);
  const auto one = ZmqContext::Get().value();
  const auto two = ZmqContext::Get().value();
  EXPECT_EQ(one, two);
}

// The signal mask of the thread that creates the first socket is restored.
TEST(ZmqContextTest, SignalsOfTheCallerAreUntouched) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Connection pub(Binding(FreeTcp()), "socket_type=PUB");
  ASSERT_TRUE(pub.Open().ok());
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int number = 1; number < 32; ++number) {
    EXPECT_EQ(sigismember(&before, number), sigismember(&after, number)) << number;
  }
}

}  // namespace
}  // namespace dsmsg::zmq
