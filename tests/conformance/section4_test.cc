// SPDX-License-Identifier: Apache-2.0
// CONTRACT section 4: what OK means, what is refused permanently and what only for a time.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Section4_OkMeansStored);
CONFORMANCE_SUITE(Section4_RefusedForGood);
CONFORMANCE_SUITE(Section4_RefusedForATime);
CONFORMANCE_SUITE(Section4_UnknownTopic);

// The server dies right after the last callback; messages that were OK are there when it is back.
TEST_P(Section4_OkMeansStored, AcrossAKill) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server, {"flush-timeout=100ms"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 2000);
  ASSERT_TRUE(Pump(link, ledger));
  EXPECT_EQ(link.Send(topic, "the last"), NVDS_MSGAPI_OK);
  server.Kill();
  Close(link);
  server.EnsureUp();
  ExpectAllOk(ledger, 2000);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 2001u);
}

TEST_P(Section4_RefusedForGood, IsErrAndTheNextMessageIsNot) {
  Server& server = quirks().shared();
  const std::string good = NewTopic(server);
  for (const Refusal& refusal : quirks().RefusedForGood()) {
    SCOPED_TRACE(refusal.name);
    const std::string bad = NewName();
    const Link link = Connect(server);
    refusal.begin(server, bad);
    const size_t mark = LogCapture::Mark();
    Ledger& ledger = NewLedger();
    for (int i = 0; i < 10; ++i) {
      ASSERT_EQ(link.SendAsync(ledger.Add(bad, "k")), NVDS_MSGAPI_OK);
    }
    EXPECT_TRUE(Pump(link, ledger));
    EXPECT_EQ(link.Send(bad, std::string(200, 'x')), NVDS_MSGAPI_ERR);
    refusal.end(server, bad);
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 10u) << link.GetStats().json();
    EXPECT_FALSE(LogCapture::Since(mark).empty()) << "the broker's reason must be logged";
    EXPECT_EQ(link.Send(good, "x"), NVDS_MSGAPI_OK) << "the connection must continue";
    EXPECT_TRUE(link.GetStats().link_up());
    Close(link);
    EXPECT_EQ(ledger.CheckCallbacks(), "");
  }
}

TEST_P(Section4_RefusedForATime, IsRetriedUntilItIsOver) {
  Server& server = quirks().faulty();
  for (const Refusal& refusal : quirks().RefusedForATime()) {
    SCOPED_TRACE(refusal.name);
    const std::string topic = NewName();
    const Link link = Connect(server, QuickReconnect());
    refusal.begin(server, topic);
    Ledger& ledger = NewLedger();
    SendMany(link, ledger, topic, 50);
    // It must keep trying: no callback for a second, and only then the state ends.
    EXPECT_FALSE(WaitFor(
        [&] {
          link.DoWork();
          return ledger.completed() > 0;
        },
        1s));
    refusal.end(server, topic);
    EXPECT_TRUE(Pump(link, ledger)) << link.GetStats().json();
    ExpectAllOk(ledger, 50);
    Close(link);
    std::vector<std::string> missing;
    const auto found = quirks().ReadAll(server, topic);
    EXPECT_GE(found.size(), 50u);
    EXPECT_EQ(ledger.CheckCallbacks(), "");
  }
}

TEST_P(Section4_UnknownTopic, HasItsOwnAnswer) {
  Server& server = quirks().shared();
  const std::string unknown = NewName(), good = NewTopic(server);
  Lines lines = quirks().LowLatencyConfig();
  lines.emplace_back("send-timeout=240s");
  const Link link = Connect(server, lines);
  Ledger& ledger = NewLedger();
  Record& bad = ledger.Add(unknown, "k");
  Record& fine = ledger.Add(good, "k");
  ASSERT_EQ(link.SendAsync(bad), NVDS_MSGAPI_OK);
  ASSERT_EQ(link.SendAsync(fine), NVDS_MSGAPI_OK);
  ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  EXPECT_EQ(bad.flag, NVDS_MSGAPI_UNKNOWN_TOPIC);
  EXPECT_EQ(fine.flag, NVDS_MSGAPI_OK);
  EXPECT_EQ(link.Send(unknown, "x"), NVDS_MSGAPI_UNKNOWN_TOPIC);
  EXPECT_TRUE(Contains(Log(), unknown)) << "the log must name the topic: " << Log();
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
