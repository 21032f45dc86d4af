// SPDX-License-Identifier: Apache-2.0
// Drivers with each other, in every pairing over every transport, and what concerns only receivers.
#include <gmock/gmock.h>
#include <zmq.h>

#include <atomic>
#include <thread>

#include "adaptors/zmq/test/fixture.h"

namespace dsmsg::zmq {
namespace {

using ::testing::HasSubstr;

// ThreadSanitizer looks at each byte that libzmq copies.
#ifdef DSMSG_SANITIZED
constexpr size_t kLarge = 20'000, kRounds = 2'000;
#else
constexpr size_t kLarge = 300'000, kRounds = 20'000;
#endif

const std::string kBinary("\0\xff\r\n%s\0", 7);

struct Case {
  const char *send, *receive, *transport;
  bool sender_binds;
};

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return std::string(c.send) + c.receive + "_" + c.transport +
         (c.sender_binds ? "_SenderBinds" : "_ReceiverBinds");
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  const std::pair<const char*, const char*> kinds[] = {
      {"PUSH", "PULL"}, {"PUB", "SUB"}, {"REQ", "REP"}};
  for (const auto& [send, receive] : kinds) {
    for (const char* transport : {"tcp", "ipc", "inproc"}) {
      for (const bool binds : {true, false}) cases.push_back({send, receive, transport, binds});
    }
  }
  return cases;
}

class ZmqPairTest : public ::testing::TestWithParam<Case> {};

TEST_P(ZmqPairTest, DeliversBytes) {
  const Case& c = GetParam();
  const std::string transport = c.transport;
  const std::string address =
      transport == "tcp" ? FreeTcp() : (transport == "ipc" ? NewIpc() : NewInproc());
  std::string lines = std::string("topic_frame=1\nsocket_type=") + c.send;
  if (std::string(c.send) == "PUB") lines += "\nwait_for_subscribers=1";
  Connection sender((c.sender_binds ? "@" : ">") + address, lines);
  Connection receiver((c.sender_binds ? ">" : "@") + address,
                      std::string("subscribe_socket_type=") + c.receive);
  Connection& first = c.sender_binds ? sender : receiver;
  Connection& second = c.sender_binds ? receiver : sender;
  ASSERT_TRUE(first.Open().ok());
  const Status opened = second.Open();
  ASSERT_TRUE(opened.ok()) << opened.message();
  ASSERT_TRUE(receiver.Subscribe({"t"}).ok());
  const std::vector<std::string> payloads = {"text", kBinary, "", std::string(kLarge, '\xfe')};
  for (const std::string& payload : payloads) {
    const size_t count = receiver.host.delivered.size() + 1;
    bool submitted = false;
    // Both in turn: a handshake needs the two of them.
    ASSERT_TRUE(receiver
                    .PumpUntil([&] {
                      if (!submitted) submitted = sender.Submit("topic", payload).ok();
                      EXPECT_TRUE(sender.driver.Poll(Millis(1), sender.wake.fd()).ok());
                      return receiver.host.delivered.size() == count;
                    })
                    .ok());
    receiver.driver.Ack(receiver.host.tokens.back());
    ASSERT_TRUE(sender.WaitCompleted(count).ok());
    EXPECT_EQ(receiver.host.delivered.back().topic, "topic");
    EXPECT_TRUE(receiver.host.delivered.back().payload == payload) << payload.size();
  }
}

INSTANTIATE_TEST_SUITE_P(All, ZmqPairTest, ::testing::ValuesIn(AllCases()), CaseName);

TEST(ZmqSubTest, TopicsArePrefixesAndCanBeReplaced) {
  Peer publisher(ZMQ_XPUB);
  publisher.Set(ZMQ_XPUB_VERBOSER, 1);
  Connection sub(publisher.Bind(), "subscribe_socket_type=SUB");
  ASSERT_TRUE(sub.Open().ok());
  ASSERT_TRUE(sub.Subscribe({"a", "b"}).ok());
  ASSERT_TRUE(publisher.Receive());
  ASSERT_TRUE(publisher.Receive());
  publisher.Send({"apple", "1"});
  publisher.Send({"cherry", "2"});
  publisher.Send({"b", "3"});
  ASSERT_TRUE(sub.WaitDelivered(2).ok());
  EXPECT_EQ(sub.host.delivered[0].topic, "apple");
  EXPECT_EQ(sub.host.delivered[1].payload, "3");
  ASSERT_TRUE(sub.Subscribe({"b", "c"}).ok());
  ASSERT_EQ(publisher.Receive(), Frames{"\1c"});
  ASSERT_EQ(publisher.Receive(), Frames{std::string("\0a", 2)});
  publisher.Send({"apple", "4"});
  publisher.Send({"cherry", "5"});
  ASSERT_TRUE(sub.WaitDelivered(3).ok());
  EXPECT_EQ(sub.host.delivered[2].payload, "5");
}

TEST(ZmqPullTest, FramesAndRoom) {
  const std::string address = FreeTcp();
  Connection pull(Binding(address), "subscribe_socket_type=PULL");
  ASSERT_TRUE(pull.Open().ok());
  Peer push(ZMQ_PUSH);
  push.Connect(address);
  push.Send({"payload alone"});
  push.Send({"topic", "payload"});
  push.Send({"topic", "second", "third"});
  // Before a subscription, messages stay with libzmq.
  ASSERT_TRUE(pull.driver.Poll(Millis(100), pull.wake.fd()).ok());
  EXPECT_TRUE(pull.host.delivered.empty());
  ASSERT_TRUE(pull.Subscribe().ok());
  pull.host.room = 1;
  ASSERT_TRUE(pull.WaitDelivered(1).ok());
  ASSERT_TRUE(pull.driver.Poll(Millis(50), pull.wake.fd()).ok());
  EXPECT_EQ(pull.host.delivered.size(), 1u) << "the host has no room";
  pull.host.room = SIZE_MAX;
  ASSERT_TRUE(pull.WaitDelivered(3).ok());
  EXPECT_EQ(pull.host.delivered[0].topic, "");
  EXPECT_EQ(pull.host.delivered[0].payload, "payload alone");
  EXPECT_EQ(pull.host.delivered[1].topic, "topic");
  EXPECT_EQ(pull.host.delivered[1].payload, "payload");
  EXPECT_EQ(pull.host.delivered[2].payload, "second");
}

// libzmq's descriptor signals a message once, and any question to the socket may consume that
// signal. A Poll that forgets such a message waits for longer than this test may run.
TEST(ZmqPullTest, AMessageThatComesDuringThePollEndsIt) {
  constexpr Millis kForever{3'600'000};
  const std::string address = NewInproc();
  Connection pull(Binding(address), "subscribe_socket_type=PULL");
  ASSERT_TRUE(pull.Open().ok());
  ASSERT_TRUE(pull.Subscribe().ok());
  Connection push(address, "socket_type=PUSH");
  ASSERT_TRUE(push.Open().ok());
  std::atomic<size_t> seen{0};
  std::thread sender([&] {  // each when the one before has arrived
    for (size_t i = 0; i < kRounds; ++i) {
      for (size_t before = seen; before < i; before = seen) seen.wait(before);
      EXPECT_TRUE(push.Submit("t", "x").ok());
    }
  });
  while (seen < kRounds) {
    EXPECT_TRUE(pull.driver.Poll(kForever, pull.wake.fd()).ok());
    seen = pull.host.delivered.size();
    seen.notify_one();
  }
  sender.join();
}

// A sender that sent and disconnected: everything is delivered before the loss is reported.
TEST(ZmqPullTest, WhatCameBeforeALossIsDelivered) {
  auto push = std::make_unique<Peer>(ZMQ_PUSH);
  Connection pull(push->Bind(), "subscribe_socket_type=PULL\nbind=0");
  ASSERT_TRUE(pull.Open().ok());
  ASSERT_TRUE(pull.Subscribe().ok());
  push->Set(ZMQ_LINGER, 5000);
  for (int i = 0; i < 500; ++i) push->Send({std::to_string(i)});
  push->Close();  // waits until all is sent
  pull.host.room = 100;
  ASSERT_TRUE(pull.WaitDelivered(100).ok());
  ASSERT_TRUE(pull.driver.Poll(Millis(100), pull.wake.fd()).ok());
  pull.host.room = SIZE_MAX;
  EXPECT_EQ(pull.WaitLost().code(), Code::kUnavailable);
  EXPECT_EQ(pull.host.delivered.size(), 500u);
}

TEST(ZmqRepTest, RepliesWhenTheHostIsDone) {
  const std::string address = FreeTcp();
  Connection rep(Binding(address), "subscribe_socket_type=REP");
  ASSERT_TRUE(rep.Open().ok());
  ASSERT_TRUE(rep.Subscribe().ok());
  Peer req(ZMQ_REQ);
  req.Connect(address);
  req.Send({"question"});
  ASSERT_TRUE(rep.WaitDelivered(1).ok());
  EXPECT_FALSE(req.Receive(Millis(100))) << "the callback has not returned";
  rep.driver.Ack(rep.host.tokens[0] + 1);
  EXPECT_FALSE(req.Receive(Millis(50))) << "of another message";
  rep.driver.Ack(rep.host.tokens[0]);
  EXPECT_EQ(req.Receive(), Frames{"OK"});
  req.Send({"topic", "another"});
  ASSERT_TRUE(rep.WaitDelivered(2).ok());
  EXPECT_EQ(rep.host.delivered[1].topic, "topic");
}

TEST(ZmqBothTest, OneAddressServesOneSocket) {
  const std::string address = FreeTcp();
  Connection receiver(Binding(address));  // PUSH by default
  ASSERT_TRUE(receiver.Open().ok());
  ASSERT_TRUE(receiver.Subscribe().ok()) << "nothing was sent: the port changes hands";
  const Status refused = receiver.Submit("t", "x");
  EXPECT_EQ(refused.code(), Code::kRejected);
  EXPECT_THAT(refused.message(), HasSubstr("another handle"));

  Peer pull(ZMQ_PULL);
  Connection sender(pull.Bind());
  ASSERT_TRUE(sender.Open().ok());
  ASSERT_TRUE(sender.Send("t", "x").ok());
  const Status late = sender.Subscribe();
  EXPECT_EQ(late.code(), Code::kNotSupported);
  EXPECT_THAT(late.message(), HasSubstr("subscribe_address"));
}

TEST(ZmqBothTest, WithTwoAddressesAHandleDoesBoth) {
  Peer pull(ZMQ_PULL), publisher(ZMQ_XPUB);
  Connection both(pull.Bind(), "subscribe_address=" + publisher.Bind());
  ASSERT_TRUE(both.Open().ok());
  ASSERT_TRUE(both.Send("t", "out").ok());
  EXPECT_EQ(pull.Receive(), Frames{"out"});
  ASSERT_TRUE(both.Subscribe({"t"}).ok());
  ASSERT_TRUE(publisher.Receive());
  publisher.Send({"t", "in"});
  ASSERT_TRUE(both.WaitDelivered(1).ok());
  publisher.Close();  // its loss does not end the other direction
  ASSERT_TRUE(both.driver.Poll(Millis(100), both.wake.fd()).ok());
  ASSERT_TRUE(both.Send("t", "still").ok());
  EXPECT_EQ(pull.Receive(), Frames{"still"});
}

TEST(ZmqBothTest, AReceiverWithoutAPeerGetsAnError) {
  Peer pull(ZMQ_PULL);
  Connection both(pull.Bind(), "connect-timeout=500\nsubscribe_address=" + FreeTcp());
  ASSERT_TRUE(both.Open().ok());
  const Status status = both.Subscribe();
  EXPECT_EQ(status.code(), Code::kRejected);
  EXPECT_THAT(status.message(), HasSubstr("refused"));
  EXPECT_TRUE(both.Send("t", "the other direction is fine").ok());
}

}  // namespace
}  // namespace dsmsg::zmq
