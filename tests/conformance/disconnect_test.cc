// SPDX-License-Identifier: Apache-2.0
// Rule 8: disconnect flushes, calls back for what is left and is bounded, whatever the broker does.
// Rule 17: so is everything else when a broker accepts and never answers.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule08_Disconnect);
CONFORMANCE_SUITE(Rule17_SilentBroker);

// flush-timeout + 1 s, and half a second for a busy machine.
const Millis kFlush = 1s;
Millis Limit() { return kFlush + 1s + Bound(500ms); }

TEST_P(Rule08_Disconnect, FlushesWithoutDoWork) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server, {"flush-timeout=240s"});  // a busy machine takes its time
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 5000);
  Close(link);
  ExpectAllOk(ledger, 5000);
  ExpectDelivered(ledger, server, topic, false);
}

TEST_P(Rule08_Disconnect, IdleIsQuick) {
  const Link link = Connect(quirks().shared());
  EXPECT_LT(Timed([&] { Close(link); }), Bound(2s)) << "there is nothing to flush";
}

TEST_P(Rule08_Disconnect, BrokerDown) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"flush-timeout=1s"});
  Ledger& ledger = NewLedger();
  server.Kill();
  SendMany(link, ledger, topic, 100);
  EXPECT_LT(Timed([&] { Close(link); }), Limit());
  EXPECT_EQ(ledger.CheckCallbacks(), "");
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 100u);
}

TEST_P(Rule08_Disconnect, BrokerFrozen) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"flush-timeout=1s"});
  Ledger& ledger = NewLedger();
  server.Pause();
  SendMany(link, ledger, topic, 100);
  EXPECT_LT(Timed([&] { Close(link); }), Limit());
  server.Resume();
  EXPECT_EQ(ledger.CheckCallbacks(), "");
}

TEST_P(Rule08_Disconnect, BrokerFrozenWithSubscription) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  Lines lines = quirks().ConsumerConfig(NewName());
  lines.push_back("flush-timeout=1s");
  const Link link = Connect(server, lines);
  ASSERT_EQ(link.Subscribe(
                {topic}, [](NvDsMsgApiErrorType, void*, int, char*, void*) {}, nullptr),
            NVDS_MSGAPI_OK);
  server.Pause();
  EXPECT_LT(Timed([&] { Close(link); }), Limit());
  server.Resume();
}

TEST_P(Rule08_Disconnect, NeverConnected) {
  const ClosedPort closed;
  const BadServer silent(BadServer::Mode::kSilent);
  for (const uint16_t port : {closed.port(), silent.port()}) {
    const Link link = ConnectTo("127.0.0.1;" + std::to_string(port),
                                {"connect=lazy", "flush-timeout=1s", "connect-timeout=30s"});
    Ledger& ledger = NewLedger();
    SendMany(link, ledger, "t", 10);
    EXPECT_LT(Timed([&] { Close(link); }), Limit());
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 10u);
  }
}

// The time inside the host's own callbacks is not counted, and no callback is left out for it.
TEST_P(Rule08_Disconnect, SlowCallbacks) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"flush-timeout=200ms"});
  Ledger& ledger = NewLedger();
  ledger.on_callback = [](Record&) { std::this_thread::sleep_for(20ms); };
  SendMany(link, ledger, topic, 50);
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["acknowledged"] == 50; }));
  Close(link);
  ledger.on_callback = nullptr;
  ExpectAllOk(ledger, 50);
}

TEST_P(Rule08_Disconnect, TwiceAndNull) {
  const Link link = Connect(quirks().shared());
  EXPECT_EQ(link.Disconnect(), NVDS_MSGAPI_OK);
  EXPECT_EQ(link.Disconnect(), NVDS_MSGAPI_ERR);
  EXPECT_EQ(adaptor().f.disconnect(nullptr), NVDS_MSGAPI_ERR);
}

TEST_P(Rule17_SilentBroker, StrictConnectIsBounded) {
  const BadServer silent(BadServer::Mode::kSilent);
  const std::string address = "127.0.0.1:" + std::to_string(silent.port());
  const std::string config = WriteConfig({"connect-timeout=1s"});
  const Millis took = Timed([&] { EXPECT_FALSE(Link::Open(adaptor(), address, config).ok()); });
  EXPECT_LT(took, 1s + Bound(2s));
  EXPECT_TRUE(Contains(Log(), address)) << "the message must name the broker: " << Log();
}

TEST_P(Rule17_SilentBroker, ClosedPortNamesTheCause) {
  const ClosedPort closed;
  const std::string address = "127.0.0.1:" + std::to_string(closed.port());
  const std::string config = WriteConfig({"connect-timeout=2s"});
  const Millis took = Timed([&] { EXPECT_FALSE(Link::Open(adaptor(), address, config).ok()); });
  EXPECT_LT(took, 2s + Bound(2s));
  EXPECT_TRUE(Contains(Log(), address)) << Log();
  EXPECT_TRUE(Contains(Log(), "refused")) << "the message must name the cause: " << Log();
  EXPECT_TRUE(Contains(adaptor().LastError(), "refused")) << adaptor().LastError();
}

TEST_P(Rule17_SilentBroker, UnknownHostNamesTheStep) {
  const std::string config = WriteConfig({"connect-timeout=3s"});
  const Millis took =
      Timed([&] { EXPECT_FALSE(Link::Open(adaptor(), "no-such-host.invalid;1234", config).ok()); });
  EXPECT_LT(took, 3s + Bound(2s));
  EXPECT_TRUE(Contains(Log(), "no-such-host.invalid")) << Log();
}

TEST_P(Rule17_SilentBroker, StrictConnectToAFrozenBroker) {
  Server& server = quirks().faulty();
  server.Pause();
  const std::string config = WriteConfig({"connect-timeout=1s"});
  const Millis took =
      Timed([&] { EXPECT_FALSE(Link::Open(adaptor(), Connection(server), config).ok()); });
  server.Resume();
  EXPECT_LT(took, 1s + Bound(2s));
}

TEST_P(Rule17_SilentBroker, SendAndSubscribeAreBounded) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  Lines lines = quirks().ConsumerConfig(NewName());
  lines.insert(lines.end(), {"send-timeout=1s", "connect-timeout=5s", "flush-timeout=1s"});
  const Link link = Connect(server, lines);
  server.Pause();
  EXPECT_LT(Timed([&] { EXPECT_EQ(link.Send(topic, "into the void"), NVDS_MSGAPI_ERR); }),
            1s + Bound(1s));
  const auto nothing = [](NvDsMsgApiErrorType, void*, int, char*, void*) {};
  EXPECT_LT(Timed([&] { (void)link.Subscribe({topic}, nothing, nullptr); }), 5s + Bound(2s));
  EXPECT_LT(Timed([&] { Close(link); }), Limit());
  server.Resume();
}

// A broker that resets every connection is no reason to hurry.
TEST_P(Rule17_SilentBroker, ResetsAreBackedOff) {
  const BadServer reset(BadServer::Mode::kReset);
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(reset.port()),
                              {"connect=lazy", "reconnect-interval=200ms",
                               "reconnect-max-interval=1s", "flush-timeout=100ms"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, "t", 5);
  const auto cpu = ProcessCpu();
  const auto begin = Clock::now();
  while (Clock::now() - begin < 2s) link.DoWork();
  EXPECT_LT(ProcessCpu() - cpu, CpuBound(500ms));
  EXPECT_GT(reset.connections(), 0u);
  EXPECT_LT(reset.connections(), 60u) << "in two seconds, with a backoff from 200 ms";
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
