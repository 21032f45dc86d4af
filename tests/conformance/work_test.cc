// SPDX-License-Identifier: Apache-2.0
// Rules 4 to 6: do_work neither spins nor starves, nothing but callbacks depends on it, and a
// sender that waits for room does not need it.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule04_DoWorkNeitherSpinsNorStarves);
CONFORMANCE_SUITE(Rule05_ProtocolWorkNeedsNoDoWork);
CONFORMANCE_SUITE(Rule06_BlockedSendNeedsNoDoWork);

TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, DispatchesAllThatIsReady) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 2000);
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["completions_waiting"] == 2000; }));
  link.DoWork();
  EXPECT_EQ(ledger.completed(), 2000u) << "one call must dispatch everything that is ready";
  Close(link);
}

TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, WaitsAtMostWorkWait) {
  const Link link = Connect(quirks().shared(), {"work-wait=200ms"});
  const Millis idle = Timed([&] { link.DoWork(); });
  EXPECT_GE(idle, 100ms) << "do_work polled and returned";
  EXPECT_LT(idle, Bound(1500ms));
  Close(link);
}

TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, WakesWhenACompletionComes) {
  Server& server = quirks().shared();
  Lines lines = quirks().LowLatencyConfig();
  lines.push_back("work-wait=20s");
  const Link link = Connect(server, lines);
  Ledger& ledger = NewLedger();
  ASSERT_EQ(link.SendAsync(ledger.Add(NewTopic(server), "k")), NVDS_MSGAPI_OK);
  EXPECT_LT(Timed([&] { link.DoWork(); }), 10s) << "the completion did not wake do_work";
  EXPECT_EQ(ledger.completed(), 1u);
  Close(link);
}

// Earlier tests have ended their handles; background work that a client library still does for them
// does not belong to the next test.
bool ProcessIsQuiet() {
  constexpr Millis kLook{200};
  const auto before = ProcessCpu();
  std::this_thread::sleep_for(kLook);
  return ProcessCpu() - before < kLook / 10;
}

// Host A under the MQTT file name: do_work for ever with no sleep, nothing to do.
TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, EndlessIdleLoopUsesNoCpu) {
  ASSERT_TRUE(WaitFor(ProcessIsQuiet)) << "a handle that was ended still uses the CPU";
  const Link link = Connect(quirks().shared());
  link.DoWork();
  const auto thread = ThreadCpu(), process = ProcessCpu();
  const auto begin = Clock::now();
  while (Clock::now() - begin < 1s) link.DoWork();
  EXPECT_LT(ThreadCpu() - thread, CpuBound(200ms));
  EXPECT_LT(ProcessCpu() - process, CpuBound(300ms)) << "the adaptor's own threads included";
  Close(link);
}

// The same with sends pending that cannot be sent.
TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, WaitingForADeadBrokerUsesNoCpu) {
  ASSERT_TRUE(WaitFor(ProcessIsQuiet)) << "a handle that was ended still uses the CPU";
  const ClosedPort closed;
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(closed.port()),
                              {"connect=lazy", "flush-timeout=100ms"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, "t", 10);
  link.DoWork();
  const auto process = ProcessCpu();
  const auto begin = Clock::now();
  while (Clock::now() - begin < 1s) link.DoWork();
  EXPECT_LT(ProcessCpu() - process, CpuBound(300ms));
  Close(link);
}

// The connection is open, the broker is silent, and the client library holds some of the messages.
TEST_P(Rule04_DoWorkNeitherSpinsNorStarves, WaitingForAFrozenBrokerUsesNoCpu) {
  ASSERT_TRUE(WaitFor(ProcessIsQuiet)) << "a handle that was ended still uses the CPU";
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server, QuickReconnect({"queue-size=20000"}));
  Ledger& ledger = NewLedger();
  for (int round = 0; round < 3; ++round) {
    SendMany(link, ledger, topic, 1000);
    server.Pause();
    // Several bursts while nothing is answered.
    for (int i = 0; i < 20; ++i) {
      SendMany(link, ledger, topic, 50);
      link.DoWork();
    }
    ASSERT_TRUE(WaitFor(ProcessIsQuiet)) << "the CPU is used as long as the broker is silent";
    const auto process = ProcessCpu();
    const auto begin = Clock::now();
    while (Clock::now() - begin < 1s) link.DoWork();
    EXPECT_LT(ProcessCpu() - process, CpuBound(300ms));
    server.Resume();
    ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  }
  Close(link);
  ExpectAllOk(ledger, 6000);
  ExpectDelivered(ledger, server, topic, true);
}

TEST_P(Rule05_ProtocolWorkNeedsNoDoWork, TheQueueDrains) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"queue-size=20000"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 10000);
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["acknowledged"] == 10000; }))
      << link.GetStats().json();
  const Stats stats = link.GetStats();
  EXPECT_EQ(stats["queue_messages"], 0u);
  EXPECT_EQ(stats["in_flight"], 0u);
  EXPECT_EQ(ledger.completed(), 0u);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 10000u);
  Close(link);
  ExpectAllOk(ledger, 10000);
}

// More than the queue holds, although no completion was fetched: rule 6 with an idle host.
TEST_P(Rule05_ProtocolWorkNeedsNoDoWork, MoreThanTheQueueHolds) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"queue-size=50", "overflow=block", "overflow-timeout=240s"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 2000);
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["acknowledged"] == 2000; }))
      << link.GetStats().json();
  Close(link);
  ExpectAllOk(ledger, 2000);
}

TEST_P(Rule05_ProtocolWorkNeedsNoDoWork, ReconnectsAndSendsWhatWaited) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, QuickReconnect());
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 100);
  server.Kill();
  ASSERT_TRUE(WaitLink(link, false));
  SendMany(link, ledger, topic, 100);
  server.EnsureUp();
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["acknowledged"] == 200; }))
      << link.GetStats().json();
  EXPECT_TRUE(link.GetStats().link_up());
  EXPECT_GE(link.GetStats()["reconnects"], 1u);
  Close(link);
  ExpectAllOk(ledger, 200);
  ExpectDelivered(ledger, server, topic, true);
}

TEST_P(Rule06_BlockedSendNeedsNoDoWork, WithTheCallbacksMutexHeldAndNoWorker) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"queue-size=8", "overflow=block", "overflow-timeout=240s"});
  Ledger& ledger = NewLedger();
  std::mutex host_lock;
  ledger.on_callback = [&](Record&) { std::lock_guard lock(host_lock); };
  {
    std::lock_guard held(host_lock);  // no thread could run a callback now
    SendMany(link, ledger, topic, 1000);
  }
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ledger.on_callback = nullptr;
  ExpectAllOk(ledger, 1000);
  ExpectDelivered(ledger, server, topic, false);
}

// The bound of bytes blocks in the same way as that of messages.
TEST_P(Rule06_BlockedSendNeedsNoDoWork, QueueBytes) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link =
      Connect(server, {"queue-bytes=256k", "overflow=block", "overflow-timeout=240s"});
  Ledger& ledger = NewLedger();
  for (size_t i = 0; i < 200; ++i) {
    Record& record = ledger.Add(topic, "", std::to_string(i) + std::string(20'000, 'b'));
    ASSERT_EQ(link.SendAsync(record), NVDS_MSGAPI_OK);
    EXPECT_LE(link.GetStats()["queue_bytes"], 300'000u);
  }
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectAllOk(ledger, 200);
}

}  // namespace
}  // namespace dsmsg::conformance
