// SPDX-License-Identifier: Apache-2.0
// Rule 9: the synchronous send.
#include <algorithm>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule09_SynchronousSend);

TEST_P(Rule09_SynchronousSend, NeedsNoDoWorkAndIsAcknowledged) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  for (int i = 0; i < 20; ++i) {
    Record& record = ledger.Add(topic, "sync");
    ASSERT_EQ(link.Send(topic, record.payload), NVDS_MSGAPI_OK);
    record.answer = NVDS_MSGAPI_OK;
    record.flag = NVDS_MSGAPI_OK;
    record.calls = 1;
    if (i > 0) continue;
    EXPECT_EQ(quirks().ReadAll(server, topic).size(), 1u) << "OK, yet not there";
  }
  Close(link);
  ExpectDelivered(ledger, server, topic, false);
}

// An adaptor that sleeps and polls takes its sleep for every message.
TEST_P(Rule09_SynchronousSend, WakesAtOnce) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, quirks().LowLatencyConfig());
  ASSERT_EQ(link.Send(topic, "first"), NVDS_MSGAPI_OK);
  std::vector<Millis> times;
  for (int i = 0; i < 101; ++i) {
    times.push_back(Timed([&] { EXPECT_EQ(link.Send(topic, "timed"), NVDS_MSGAPI_OK); }));
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[50], Bound(20ms)) << "median of 101 sends";
  Close(link);
}

TEST_P(Rule09_SynchronousSend, TimesOutOnAFrozenBroker) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"send-timeout=700ms", "flush-timeout=100ms"});
  server.Pause();
  const Millis took = Timed([&] { EXPECT_EQ(link.Send(topic, "frozen"), NVDS_MSGAPI_ERR); });
  server.Resume();
  EXPECT_GE(took, 600ms) << "it must wait for the broker";
  EXPECT_LT(took, 700ms + Bound(1s));
  Close(link);
}

// What timed out is withdrawn; a send that is still waiting when the broker comes back is served.
TEST_P(Rule09_SynchronousSend, WithdrawnAfterTheTimeoutServedIfTheBrokerComesInTime) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, QuickReconnect({"send-timeout=500ms"}));
  const Link patient = Connect(server, QuickReconnect({"send-timeout=240s"}));
  server.Kill();
  ASSERT_TRUE(WaitLink(link, false));
  ASSERT_TRUE(WaitLink(patient, false));
  EXPECT_EQ(link.Send(topic, "to be withdrawn"), NVDS_MSGAPI_ERR);
  EXPECT_EQ(link.GetStats()["queue_messages"], 0u);
  Ledger& ledger = NewLedger();
  Record& served = ledger.Add(topic, "patient");
  SendMany(link, ledger, topic, 1);
  Outage outage(server, 0ms);
  EXPECT_EQ(patient.Send(topic, served.payload), NVDS_MSGAPI_OK);
  served.answer = served.flag = NVDS_MSGAPI_OK;
  served.calls = 1;
  outage.Join();
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  Close(patient);
  ExpectDelivered(ledger, server, topic, true);  // finds the withdrawn one if it is there
}

// A host may have sends of both kinds; the synchronous ones make no callback.
TEST_P(Rule09_SynchronousSend, BesideAsynchronousOnes) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, quirks().LowLatencyConfig());
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 50);
  EXPECT_EQ(link.Send(topic, "between"), NVDS_MSGAPI_OK);
  EXPECT_EQ(ledger.completed(), 0u) << "callbacks must not run inside send";
  SendMany(link, ledger, topic, 50);
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectAllOk(ledger, 100);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 101u);
}

}  // namespace
}  // namespace dsmsg::conformance
