// SPDX-License-Identifier: Apache-2.0
// Sending to plain libzmq sockets: frames, limits, subscribers, replies that do not come.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <zmq.h>

#include <functional>
#include <thread>
#include <vector>

#include "adaptors/zmq/test/fixture.h"

namespace dsmsg::zmq {
namespace {

using ::testing::HasSubstr;

const std::string kBinary("\0\xff\r\n%s\0", 7);

TEST(ZmqPushTest, OneFrameOrTwo) {
  Peer pull(ZMQ_PULL);
  const std::string address = pull.Bind();
  Connection one(address), two(address, "topic_frame=1");
  ASSERT_TRUE(one.Open().ok());
  ASSERT_TRUE(two.Open().ok());
  ASSERT_TRUE(one.Send("t", kBinary).ok());
  EXPECT_EQ(pull.Receive(), Frames{kBinary});
  ASSERT_TRUE(one.Send("", "").ok());
  EXPECT_EQ(pull.Receive(), Frames{""});
  ASSERT_TRUE(two.Send("t", kBinary).ok());
  EXPECT_EQ(pull.Receive(), (Frames{"t", kBinary}));
  EXPECT_EQ(one.host.completed.size(), 2u);
  EXPECT_EQ(one.host.twice, 0u);
}

TEST(ZmqPushTest, FullIsBackPressureNotLoss) {
  Peer pull(ZMQ_PULL);
  pull.Set(ZMQ_RCVHWM, 1);
  const std::string address = pull.Bind("ipc:///tmp/" + NewInproc().substr(9));
  Connection push(address, "high_water_mark=1\nbind=0");
  ASSERT_TRUE(push.Open().ok());
  const std::string big(100'000, 'x');
  const size_t taken = push.Fill(big);
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, 20u) << "socket buffers and a message on each side";
  EXPECT_EQ(push.Submit("t", big).code(), Code::kWouldBlock);
  EXPECT_EQ(push.host.completed.size(), taken);
  for (size_t i = 0; i < taken; ++i) ASSERT_TRUE(pull.Receive()) << i;
  ASSERT_TRUE(push.Send("t", "the next").ok());
  EXPECT_EQ(pull.Receive(), Frames{"the next"});
}

TEST(ZmqPushTest, WithoutReceiverNothingIsTaken) {
  const std::string address = FreeTcp();
  Connection push(Binding(address));
  ASSERT_TRUE(push.Open().ok()) << "bound is open";
  EXPECT_EQ(push.Submit("t", "early").code(), Code::kWouldBlock);
  Peer pull(ZMQ_PULL);
  pull.Connect(address);
  ASSERT_TRUE(push.Send("t", "now").ok());
  EXPECT_EQ(pull.Receive(), Frames{"now"});
}

TEST(ZmqPushTest, LosingTheLastReceiverIsAnOutage) {
  auto pull = std::make_unique<Peer>(ZMQ_PULL);
  const std::string address = pull->Bind();
  Connection push(address);
  ASSERT_TRUE(push.Open().ok());
  pull->Close();
  const Status lost = push.WaitLost();
  EXPECT_EQ(lost.code(), Code::kUnavailable);
  EXPECT_THAT(lost.message(), HasSubstr(address));
  push.driver.Close(Millis(0), -1);
  const Status refused = push.Open();
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("refused"));
  Peer again(ZMQ_PULL);
  again.Bind(address);
  ASSERT_TRUE(push.Open().ok());
  ASSERT_TRUE(push.Send("t", "again").ok());
  EXPECT_EQ(again.Receive(), Frames{"again"});
}

TEST(ZmqPushTest, OneOfTwoReceiversMayGo) {
  auto first = std::make_unique<Peer>(ZMQ_PULL);
  Peer second(ZMQ_PULL);
  Connection push(first->Bind() + "," + second.Bind());
  ASSERT_TRUE(push.Open().ok());
  // Until the second is connected too.
  ASSERT_TRUE(push.PumpUntil([&] {
                    EXPECT_TRUE(push.Send("t", "to both in turn").ok());
                    return second.Receive(Millis(20)).has_value();
                  })
                  .ok());
  first->Close();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(push.Send("t", "left").ok());
    ASSERT_TRUE(push.PumpUntil([] { return true; }).ok());
  }
  std::optional<Frames> got;
  do {
    got = second.Receive();
  } while (got && *got != Frames{"left"});
  EXPECT_TRUE(got) << "the one that is left gets all of them";
}

TEST(ZmqOpenTest, ErrorsNameTheCause) {
  Peer publisher(ZMQ_PUB);
  const std::string address = publisher.Bind();
  const auto error = [](const std::string& where, const std::string& config = "") {
    Connection push(where, config);
    const Status status = push.Open(Millis(3000));
    EXPECT_FALSE(status.ok()) << where;
    EXPECT_TRUE(status.retryable()) << CodeName(status.code());
    return status.message();
  };
  EXPECT_THAT(error(address), HasSubstr("is it a PULL socket"));
  EXPECT_THAT(error(Binding(address)), HasSubstr("in use"));
  EXPECT_THAT(error("@tcp://nosuchif0:5555"), HasSubstr("no interface"));
  EXPECT_THAT(error("@tcp://203.0.113.7:5555"), HasSubstr("no interface"));
  EXPECT_THAT(error("@ipc:///no/such/folder/x"), HasSubstr("directory"));
  EXPECT_THAT(error(NewIpc()), HasSubstr("No such file"));
  EXPECT_THAT(error(NewInproc()), HasSubstr("no handle of this adaptor"));
  Peer ipc(ZMQ_PULL);
  const std::string path = NewIpc();
  ipc.Bind(path);
  EXPECT_THAT(error(Binding(path)), HasSubstr("in use")) << "libzmq itself would take it away";
}

/// Accepts connections, one after the other, and does with each what a test wants.
class Foreign {
 public:
  explicit Foreign(std::function<void(int fd)> serve) {
    sockaddr_in own{};
    socklen_t length = sizeof own;
    EXPECT_EQ(listen(listener_.get(), 8), 0);  // on any free port
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &length), 0);
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(own.sin_port));
    thread_ = std::thread([this, serve = std::move(serve)] {
      for (int fd; (fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        accepted_.emplace_back(fd);
        serve(fd);
      }
    });
  }
  ~Foreign() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  const UniqueFd listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string address_;
  std::vector<UniqueFd> accepted_;
  std::thread thread_;
};

TEST(ZmqOpenTest, WhatIsNoZmqSocketIsNotAskedForCurve) {
  const auto error = [](const std::string& where) {
    const Status status = Connection(where).Open(Millis(700));
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), ::testing::Not(HasSubstr("CURVE")));
    return status.message();
  };
  Foreign ssh([](int fd) { EXPECT_EQ(send(fd, "SSH-2.0-x\r\n", 11, MSG_NOSIGNAL), 11); });
  EXPECT_THAT(error(ssh.address()), HasSubstr("an SSH server answers"));
  Foreign closing([](int fd) { shutdown(fd, SHUT_RDWR); });
  EXPECT_THAT(error(closing.address()), HasSubstr("closed the connection (is it a ZeroMQ socket?"));
  Foreign silent([](int) {});
  EXPECT_THAT(error(silent.address()), HasSubstr("in time (is it a ZeroMQ socket?"));
}

TEST(ZmqOpenTest, SilenceIsBoundedAndCancellable) {
  const UniqueFd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  socklen_t length = sizeof own;
  ASSERT_EQ(listen(silent.get(), 8), 0);  // on any free port
  ASSERT_EQ(getsockname(silent.get(), reinterpret_cast<sockaddr*>(&own), &length), 0);
  const std::string address = "tcp://127.0.0.1:" + std::to_string(ntohs(own.sin_port));
  Connection waiting(address);
  const auto begin = Clock::now();
  const Status status = waiting.Open(Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("handshake with " + address));
  EXPECT_LT(Clock::now() - begin, Millis(10'000));
  waiting.cancel.Signal();
  EXPECT_EQ(waiting.Open(Millis(60000)).code(), Code::kCancelled);
}

// ---------------------------------------------------------------- PUB

TEST(ZmqPubTest, CountsMessagesWithoutSubscriber) {
  const std::string address = FreeTcp();
  Connection pub(Binding(address), "socket_type=PUB");
  ASSERT_TRUE(pub.Open().ok());
  ASSERT_TRUE(pub.Submit("alerts", "to nobody").ok());
  EXPECT_EQ(pub.host.unheard, 1u);
  EXPECT_EQ(pub.host.completed.size(), 1u) << "taken by the socket: OK";
  Peer sub(ZMQ_SUB);
  sub.Set(ZMQ_SUBSCRIBE, std::string("alerts"));
  sub.Connect(address);
  // Until the subscription has arrived, messages have no receiver.
  ASSERT_TRUE(pub.PumpUntil([&] {
                   const size_t before = pub.host.unheard;
                   EXPECT_TRUE(pub.Submit("alerts.door", kBinary).ok());
                   return pub.host.unheard == before;
                 })
                  .ok());
  EXPECT_EQ(sub.Receive(), (Frames{"alerts.door", kBinary}));
  const size_t before = pub.host.unheard;
  ASSERT_TRUE(pub.Submit("other", "x").ok());
  EXPECT_EQ(pub.host.unheard, before + 1) << "a subscriber, but not to this topic";
  sub.Close();
  EXPECT_TRUE(pub.PumpUntil([&] {
                   const size_t now = pub.host.unheard;
                   EXPECT_TRUE(pub.Submit("alerts", "x").ok());
                   return pub.host.unheard > now;
                 })
                  .ok())
      << "the end of a subscription is seen";
}

TEST(ZmqPubTest, WaitsForSubscribersWhenAsked) {
  const std::string address = FreeTcp();
  Connection pub(Binding(address), "socket_type=PUB\nwait_for_subscribers=1");
  ASSERT_TRUE(pub.Open().ok());
  EXPECT_EQ(pub.Submit("t", "first").code(), Code::kWouldBlock);
  Peer sub(ZMQ_SUB);
  sub.Set(ZMQ_SUBSCRIBE, std::string(""));
  sub.Connect(address);
  ASSERT_TRUE(pub.Send("t", "first").ok());
  EXPECT_EQ(sub.Receive(), (Frames{"t", "first"}));
  EXPECT_EQ(pub.host.unheard, 0u);
}

TEST(ZmqPubTest, NoDropHoldsBackInsteadOfLosing) {
  const std::string path = NewIpc();
  Connection pub(Binding(path),
                 "socket_type=PUB\nno_drop=1\nhigh_water_mark=10\nwait_for_subscribers=1");
  ASSERT_TRUE(pub.Open().ok());
  Peer sub(ZMQ_SUB);
  sub.Set(ZMQ_RCVHWM, 10);
  sub.Set(ZMQ_SUBSCRIBE, std::string(""));
  sub.Connect(path);
  const std::string payload(100'000, 'x');
  ASSERT_TRUE(pub.Send("t", payload).ok());
  const size_t sent = 1 + pub.Fill(payload);
  EXPECT_LT(sent, 1000u) << "the subscriber does not read";
  for (size_t i = 0; i < sent; ++i) ASSERT_TRUE(sub.Receive()) << i << " of " << sent;
  ASSERT_TRUE(pub.Send("t", "room again").ok());
  EXPECT_EQ(sub.Receive(), (Frames{"t", "room again"}));
}

// ---------------------------------------------------------------- REQ

TEST(ZmqReqTest, TheReplyIsTheAcknowledgement) {
  Peer rep(ZMQ_REP);
  Connection req(rep.Bind(), "socket_type=REQ\ntopic_frame=1");
  ASSERT_TRUE(req.Open().ok());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(req.Submit("t", std::to_string(i)).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(req.PumpUntil([&] { return rep.Receive(Millis(20)).has_value(); }).ok());
    EXPECT_EQ(req.host.completed.size(), static_cast<size_t>(i)) << "not before the reply";
    rep.Send({"anything"});
    ASSERT_TRUE(req.WaitCompleted(static_cast<size_t>(i) + 1).ok());
  }
}

TEST(ZmqReqTest, ALostReplyIsAskedForAgain) {
  for (const bool bind : {false, true}) {
    SCOPED_TRACE(bind);
    const std::string address = FreeTcp();
    Peer router(ZMQ_ROUTER);  // does not have to reply, as a REP socket would
    Connection req(bind ? Binding(address) : address,
                   "socket_type=REQ\nrequest_timeout=200\nretries=1000");
    if (bind) {
      ASSERT_TRUE(req.Open().ok());
      router.Connect(address);
    } else {
      router.Bind(address);
      ASSERT_TRUE(req.Open().ok());
    }
    ASSERT_TRUE(req.Submit("", "question").ok());
    std::optional<Frames> asked;
    const auto next = [&] {
      asked = router.Receive(Millis(20));
      return asked.has_value();
    };
    ASSERT_TRUE(req.PumpUntil(next).ok());
    EXPECT_EQ(asked->back(), "question");
    ASSERT_TRUE(req.PumpUntil(next).ok()) << "no reply: again";
    EXPECT_EQ(asked->back(), "question");
    EXPECT_TRUE(req.host.completed.empty());
    const auto answer = [&] {
      asked->back() = "answer";
      router.Send(*asked);
    };
    // On a busy machine an answer may come too late, so the question is repeated.
    const auto answered = [&](size_t count) {
      return req.PumpUntil([&] {
        if (next()) answer();
        return req.host.completed.size() >= count;
      });
    };
    answer();
    ASSERT_TRUE(answered(1).ok());
    ASSERT_TRUE(req.Submit("", "another").ok());
    ASSERT_TRUE(answered(2).ok());
    EXPECT_EQ(req.host.twice, 0u);
  }
}

TEST(ZmqReqTest, AfterTheLastRetryTheLinkIsLost) {
  Peer router(ZMQ_ROUTER);
  // Each question gets its own connection: the time includes connecting.
  Connection req(router.Bind(), "socket_type=REQ\nrequest_timeout=500\nretries=2");
  ASSERT_TRUE(req.Open().ok());
  ASSERT_TRUE(req.Submit("", "question").ok());
  const Status lost = req.WaitLost();
  EXPECT_EQ(lost.code(), Code::kTimeout);
  EXPECT_THAT(lost.message(), HasSubstr("asked 3 times"));
  EXPECT_TRUE(req.host.completed.empty()) << "the core sends it again";
  for (int question = 1; question <= 3; ++question) EXPECT_TRUE(router.Receive()) << question;
  EXPECT_FALSE(router.Receive(Millis(100)));
}

}  // namespace
}  // namespace dsmsg::zmq
