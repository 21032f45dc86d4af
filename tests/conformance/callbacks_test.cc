// SPDX-License-Identifier: Apache-2.0
// Rules 1 to 3: where callbacks run, and that each message gets exactly one. (That no callback runs
// on a caller's stack, and none outside of do_work and disconnect, is checked by Ledger::OnSent in
// every test.)
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule01_NoCallbackOnCallersStack);
CONFORMANCE_SUITE(Rule02_CallbacksInsideDoWork);
CONFORMANCE_SUITE(Rule03_ExactlyOneCallback);

TEST_P(Rule01_NoCallbackOnCallersStack, MutexHeldAroundEverySendWhateverItsFate) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link =
      Connect(server, {"max-message-bytes=1000", "queue-size=4", "overflow=drop-newest"});
  Ledger& ledger = NewLedger();
  std::mutex
      host_lock;  // not recursive: a callback on this stack would deadlock, so it is noted before
  ledger.on_callback = [&](Record&) {
    if (ThisThread().send == 0) std::lock_guard lock(host_lock);
  };
  for (int i = 0; i < 300; ++i) {
    Record& record =
        i % 3 == 0 ? ledger.Add(topic, "", std::string(2000, 'x')) : ledger.Add(topic, "c");
    std::lock_guard lock(host_lock);
    ASSERT_EQ(link.SendAsync(record), NVDS_MSGAPI_OK);
  }
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ledger.on_callback = nullptr;
  ExpectDelivered(ledger, server, topic, false);
}

std::atomic<int> connect_returned{0};
std::atomic<bool> connect_waited{false};

// The callback waits until connect has returned: an adaptor that calls it inside, or waits for it,
// is found.
void WaitsForConnect(NvDsMsgApiHandle handle, NvDsMsgApiEventType type) {
  if (!WaitFor([] { return connect_returned.load() > 0; }, 3s)) connect_waited = true;
  ConnectEvents::OnEvent(handle, type);
}

TEST_P(Rule01_NoCallbackOnCallersStack, ConnectDoesNotWaitForItsCallback) {
  connect_returned = 0;
  connect_waited = false;
  const Link link = Connect(quirks().shared(), {}, &WaitsForConnect);
  ++connect_returned;
  ASSERT_TRUE(link.ok());
  Close(link);
  EXPECT_FALSE(connect_waited);
}

TEST_P(Rule02_CallbacksInsideDoWork, NoneWithoutItAllOnItsThread) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  std::vector<std::thread::id> threads;
  ledger.on_callback = [&](Record&) { threads.push_back(std::this_thread::get_id()); };
  SendMany(link, ledger, topic, 500);
  ASSERT_TRUE(WaitFor([&] { return link.GetStats()["completions_waiting"] == 500; }));
  EXPECT_EQ(ledger.completed(), 0u) << "callbacks came without do_work";
  ASSERT_TRUE(Pump(link, ledger));
  for (const auto id : threads) EXPECT_EQ(id, std::this_thread::get_id());
  Close(link);
  ExpectAllOk(ledger, 500);
}

TEST_P(Rule02_CallbacksInsideDoWork, TheCallbackMaySendAgain) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, quirks().LowLatencyConfig());
  Ledger& ledger = NewLedger();
  constexpr size_t kChain = 100;
  ledger.on_callback = [&](Record&) {
    if (ledger.size() < kChain) {
      EXPECT_EQ(link.SendAsync(ledger.Add(topic, "chain")), NVDS_MSGAPI_OK);
    }
  };
  ASSERT_EQ(link.SendAsync(ledger.Add(topic, "chain")), NVDS_MSGAPI_OK);
  ASSERT_TRUE(WaitFor([&] {
    link.DoWork();
    return ledger.completed() == kChain;
  }));
  Close(link);
  ledger.on_callback = nullptr;
  ExpectAllOk(ledger, kChain);
  ExpectDelivered(ledger, server, topic, false);
}

TEST_P(Rule02_CallbacksInsideDoWork, OfDisconnectMayCallBackIntoTheHost) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  std::atomic<int> refused{0}, called{0};
  ledger.on_callback = [&](Record& record) {
    EXPECT_GT(ThisThread().disconnect, 0);
    if (called++ > 10) return;
    // Whatever it returns, it must not crash or hang, or lose the callback of a message that it
    // accepts.
    Record& more = ledger.Add(record.topic, "late");
    if (link.SendAsync(more) != NVDS_MSGAPI_OK) ++refused;
  };
  SendMany(link, ledger, topic, 50);
  Close(link);
  ledger.on_callback = nullptr;
  EXPECT_EQ(ledger.CheckCallbacks(), "");
  EXPECT_GE(ledger.Count(NVDS_MSGAPI_OK), 50u);
}

TEST_P(Rule03_ExactlyOneCallback, ForEveryAcceptedMessage) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 5000);
  ASSERT_TRUE(Pump(link, ledger));
  for (int i = 0; i < 5; ++i) link.DoWork();
  Close(link);
  ExpectAllOk(ledger, 5000);
  ExpectDelivered(ledger, server, topic, false);
}

TEST_P(Rule03_ExactlyOneCallback, ANullCallbackIsAllowed) {
  Server& server = quirks().shared();
  std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  for (int i = 0; i < 100; ++i) {
    Record& record = ledger.Add(topic, "null");
    ASSERT_EQ(link.SendAsync(topic.data(), record.payload, nullptr, nullptr), NVDS_MSGAPI_OK);
    record.answer = NVDS_MSGAPI_OK;
  }
  ASSERT_TRUE(WaitFor([&] {
    link.DoWork();
    return link.GetStats()["acknowledged"] == 100;
  }));
  EXPECT_EQ(link.GetStats()["completions_waiting"], 0u)
      << "messages without a callback must not wait";
  Close(link);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 100u);
}

TEST_P(Rule03_ExactlyOneCallback, NoneForARefusedMessage) {
  const ClosedPort closed;
  const Link link =
      ConnectTo("127.0.0.1;" + std::to_string(closed.port()),
                {"connect=lazy", "queue-size=5", "overflow=reject", "flush-timeout=200ms"});
  Ledger& ledger = NewLedger();
  for (int i = 0; i < 20; ++i) (void)link.SendAsync(ledger.Add("t", "r"));
  EXPECT_EQ(ledger.accepted(), 5u);
  link.DoWork();
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "");
}

TEST_P(Rule03_ExactlyOneCallback, AtDisconnectWithoutBroker) {
  const ClosedPort closed;
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(closed.port()),
                              {"connect=lazy", "flush-timeout=200ms"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, "t", 1000);
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "");
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 1000u)
      << "what was not sent must not be reported as sent";
}

// Everything at once: overflow, too large, an outage, several senders, and disconnect in the
// middle.
TEST_P(Rule03_ExactlyOneCallback, ThroughOverflowOutageAndDisconnect) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server, 3);
  const Link link =
      Connect(server, QuickReconnect({"queue-size=200", "overflow=drop-oldest",
                                      "max-message-bytes=1000", "flush-timeout=500ms"}));
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger));
  Outage outage(server, 500ms);
  std::vector<std::thread> senders;
  std::atomic<bool> stop{false};
  for (int t = 0; t < 3; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < 3000; ++i) {
        Record& record =
            i % 50 == 0
                ? ledger.Add(topic, "", std::string(2000, 'x') + std::to_string(t * 10000 + i))
                : ledger.Add(topic, "cam" + std::to_string(t));
        EXPECT_EQ(link.SendAsync(record), NVDS_MSGAPI_OK);
        if (i % 100 == 99) std::this_thread::sleep_for(20ms);  // paced over the outage
      }
    });
  }
  std::thread worker([&] {
    while (!stop) link.DoWork();
  });
  for (std::thread& sender : senders) sender.join();
  stop = true;
  worker.join();
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "");
  outage.Join();
  EXPECT_GE(ledger.Count(NVDS_MSGAPI_OK), 100u);
  DeliveryRules rules;
  rules.duplicates = quirks().duplicates_possible();
  rules.keys = quirks().has_keys();
  EXPECT_EQ(ledger.CheckDelivery(quirks().ReadAll(server, topic), rules), "");
}

}  // namespace
}  // namespace dsmsg::conformance
