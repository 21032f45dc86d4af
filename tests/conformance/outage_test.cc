// SPDX-License-Identifier: Apache-2.0
// Rule 7: an outage is not a send error; which events are reported, on which thread.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule07_OutageIsNotASendError);
CONFORMANCE_SUITE(Rule07_Events);
CONFORMANCE_SUITE(Rule07_Credentials);

constexpr auto kDown = NVDS_MSGAPI_EVT_SERVICE_DOWN;
constexpr auto kUp = NVDS_MSGAPI_EVT_SUCCESS;

// A second outage is like the first.
TEST_P(Rule07_OutageIsNotASendError, SendsAreAcceptedAndArrive) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server, QuickReconnect(), &ConnectEvents::OnEvent);
  Ledger& ledger = NewLedger();
  for (int round = 0; round < 2; ++round) {
    SendMany(link, ledger, topic, 500);
    server.Kill();
    SendMany(link, ledger, topic, 500);
    ASSERT_TRUE(WaitLink(link, false));
    SendMany(link, ledger, topic, 500);
    for (int i = 0; i < 20; ++i) link.DoWork();
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 0u) << "an outage was reported as send errors";
    server.EnsureUp();
    ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  }
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kDown), 0u) << "the adaptor did not give up";
  EXPECT_GE(link.GetStats()["reconnects"], 2u);
  Close(link);
  ExpectAllOk(ledger, 3000);
  ExpectDelivered(ledger, server, topic, true);
}

// A broker that stops answering while connections stay open.
TEST_P(Rule07_OutageIsNotASendError, FrozenBroker) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, QuickReconnect());
  Ledger& ledger = NewLedger();
  server.Pause();
  SendMany(link, ledger, topic, 500);
  for (int i = 0; i < 20; ++i) link.DoWork();
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 0u);
  server.Resume();
  ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  Close(link);
  ExpectAllOk(ledger, 500);
  ExpectDelivered(ledger, server, topic, true);
}

// The broker is not there yet when the connection is made.
TEST_P(Rule07_OutageIsNotASendError, LazyConnectBeforeTheBroker) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  server.Kill();
  const Link link = Connect(server, QuickReconnect({"connect=lazy"}), &ConnectEvents::OnEvent);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 500);
  server.EnsureUp();
  ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kDown), 0u);
  Close(link);
  ExpectAllOk(ledger, 500);
  ExpectDelivered(ledger, server, topic, false);
}

TEST_P(Rule07_Events, NoReconnectMeansServiceDownOnceAndErr) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"reconnect=0"}, &ConnectEvents::OnEvent);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger));
  server.Kill();
  ASSERT_TRUE(WaitLink(link, false));
  // Whether the sends come before or after the adaptor gave up, the pipeline goes on and learns of
  // the loss.
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(WaitFor([&] { return ConnectEvents::Count(link.handle(), kDown) > 0; }));
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger)) << "the queue must be completed with ERR: "
                                  << link.GetStats().json();
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 200u);
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kDown), 1u) << "once per outage";
  for (const ConnectEvent& event : ConnectEvents::Of(link.handle())) {
    EXPECT_NE(event.thread, std::this_thread::get_id());
  }
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "");
}

TEST_P(Rule07_Events, AttemptsUsedUp) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server,
                            {"reconnect-attempts=3", "reconnect-interval=50ms",
                             "reconnect-max-interval=100ms", "connect-timeout=10s"},
                            &ConnectEvents::OnEvent);
  Ledger& ledger = NewLedger();
  server.Kill();
  ASSERT_TRUE(WaitLink(link, false));
  ASSERT_TRUE(WaitFor([&] { return ConnectEvents::Count(link.handle(), kDown) > 0; }))
      << link.GetStats().json();
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger));
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 100u);
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kDown), 1u);
  Close(link);
}

std::atomic<bool> lock_is_free{false};

// As host B's callback does: it waits for a lock, which is held until after disconnect.
void TakesALock(NvDsMsgApiHandle handle, NvDsMsgApiEventType type) {
  ConnectEvents::OnEvent(handle, type);
  if (type == kDown) WaitFor([] { return lock_is_free.load(); });
}

// Host B holds in disconnect the lock that its connect callback takes.
TEST_P(Rule07_Events, DisconnectDoesNotWaitForTheCallback) {
  Server& server = quirks().faulty();
  lock_is_free = false;
  const Link link = Connect(server, {"reconnect=0", "flush-timeout=1s"}, &TakesALock);
  server.Kill();
  ASSERT_TRUE(WaitFor([&] { return ConnectEvents::Count(link.handle(), kDown) > 0; }));
  EXPECT_LT(Timed([&] { Close(link); }), Bound(3s));
  const size_t events = ConnectEvents::Of(link.handle()).size();
  lock_is_free = true;
  EXPECT_FALSE(WaitFor([&] { return ConnectEvents::Of(link.handle()).size() > events; }, 500ms))
      << "an event after disconnect";
}

TEST_P(Rule07_Credentials, RefusedAtConnect) {
  Server& server = quirks().faulty();
  quirks().RequirePassword(server, "right-one");
  const size_t mark = LogCapture::Mark();
  EXPECT_FALSE(Link::Open(adaptor(), Connection(server), WriteConfig({"password=wrong-one"})).ok());
  EXPECT_TRUE(Contains(LogCapture::Since(mark), "PASSWORD_" + quirks().protocol()))
      << "the message must say what to change: " << LogCapture::Since(mark);
  const Link link = Connect(server, {"password=right-one"});
  if (link.ok()) Close(link);
  quirks().RequirePassword(server, "");
}

// A permanent refusal is reported once; sends stay accepted, and everything works once it is
// resolved.
TEST_P(Rule07_Credentials, ReportedOnceThenSuccess) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  quirks().RequirePassword(server, "right-one");
  const Link link = Connect(server, QuickReconnect({"connect=lazy", "password=wrong-one"}),
                            &ConnectEvents::OnEvent);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 50);
  EXPECT_TRUE(WaitFor([&] { return ConnectEvents::Count(link.handle(), kDown) > 0; }));
  SendMany(link, ledger, topic, 50);
  link.DoWork();
  EXPECT_EQ(ledger.completed(), 0u) << "sends must wait, because it may be resolved";
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kUp), 0u);
  quirks().RequirePassword(server, "wrong-one");
  EXPECT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  EXPECT_TRUE(WaitFor([&] { return ConnectEvents::Count(link.handle(), kUp) > 0; }))
      << "EVT_SUCCESS when it is up";
  EXPECT_EQ(ConnectEvents::Count(link.handle(), kDown), 1u) << "once per outage";
  quirks().RequirePassword(server, "");
  Close(link);
  ExpectAllOk(ledger, 100);
}

}  // namespace
}  // namespace dsmsg::conformance
