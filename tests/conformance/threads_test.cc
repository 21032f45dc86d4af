// SPDX-License-Identifier: Apache-2.0
// Rule 11: any function from any thread on one handle; disconnect inside a callback is refused.
// Rule 12: the payload is bytes, copied before send_async returns.
#include <set>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule11_ThreadSafety);
CONFORMANCE_SUITE(Rule12_PayloadIsBytes);

TEST_P(Rule11_ThreadSafety, EveryFunctionFromManyThreads) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server, 3), sync_topic = NewTopic(server),
                    in = NewTopic(server);
  Lines lines = quirks().ConsumerConfig(NewName());
  const Lines quick = quirks().LowLatencyConfig();
  lines.insert(lines.end(), quick.begin(), quick.end());
  lines.push_back("send-timeout=5m");  // 6000 others are before the last of the synchronous ones
  const Link link = Connect(server, lines);
  Ledger& ledger = NewLedger();
  std::atomic<bool> stop{false};
  std::vector<std::thread> senders, others;
  for (int t = 0; t < 6; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        Record& record = ledger.Add(topic, "thread" + std::to_string(t));
        EXPECT_EQ(link.SendAsync(record), NVDS_MSGAPI_OK);
      }
    });
  }
  senders.emplace_back([&] {
    for (int i = 0; i < 30; ++i) EXPECT_EQ(link.Send(sync_topic, "sync"), NVDS_MSGAPI_OK);
  });
  senders.emplace_back([&] {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(link.Subscribe(
                    {in}, [](NvDsMsgApiErrorType, void*, int, char*, void*) {}, nullptr),
                NVDS_MSGAPI_OK);
    }
  });
  for (int t = 0; t < 2; ++t) {
    others.emplace_back([&] {
      while (!stop) link.DoWork();
    });
  }
  others.emplace_back([&] {
    while (!stop) {
      (void)link.GetStats();
      (void)adaptor().LastError(link.handle());
      (void)adaptor().Signature("a;1", "");
      std::this_thread::sleep_for(1ms);
    }
  });
  for (std::thread& thread : senders) thread.join();
  Patience patience(ledger, kPatience);
  while (ledger.completed() < ledger.accepted() && !patience.over()) {
    std::this_thread::sleep_for(1ms);
  }
  stop = true;
  for (std::thread& thread : others) thread.join();
  Close(link);
  ExpectAllOk(ledger, 6000);
  ExpectDelivered(ledger, server, topic, false);
  EXPECT_EQ(quirks().ReadAll(server, sync_topic).size(), 30u);
}

TEST_P(Rule11_ThreadSafety, SeveralHandlesAtOnce) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  std::vector<std::thread> threads;
  std::vector<Ledger*> ledgers;
  std::vector<std::string> configs;
  for (int t = 0; t < 6; ++t) {
    ledgers.push_back(&NewLedger());
    configs.push_back(WriteConfig({}));
  }
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 3; ++round) {
        const Link link =
            Link::Open(adaptor(), Connection(server), configs[static_cast<size_t>(t)]);
        EXPECT_TRUE(link.ok());
        if (!link.ok()) return;
        for (int i = 0; i < 50; ++i) {
          EXPECT_EQ(link.SendAsync(ledgers[static_cast<size_t>(t)]->Add(topic, "h")),
                    NVDS_MSGAPI_OK);
        }
        EXPECT_EQ(link.Disconnect(), NVDS_MSGAPI_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ledger* ledger : ledgers) {
    EXPECT_EQ(ledger->CheckCallbacks(), "");
    EXPECT_EQ(ledger->Count(NVDS_MSGAPI_OK), 150u);
  }
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 900u);
}

TEST_P(Rule11_ThreadSafety, DisconnectInsideASendCallbackIsRefused) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  std::atomic<int> refused{0};
  ledger.on_callback = [&](Record&) {
    // Without Link: it would note that a callback runs inside disconnect.
    if (adaptor().f.disconnect(link.handle()) == NVDS_MSGAPI_ERR) ++refused;
  };
  SendMany(link, ledger, topic, 3);
  ASSERT_TRUE(Pump(link, ledger));
  EXPECT_EQ(refused, 3);
  SendMany(link, ledger, topic, 3);
  ASSERT_TRUE(Pump(link, ledger)) << "the handle must still work";
  EXPECT_TRUE(Contains(Log(), "callback")) << "refused and logged: " << Log();
  SendMany(link, ledger, topic, 3);
  Close(link);
  EXPECT_EQ(refused, 9) << "also inside disconnect's own callbacks";
  ledger.on_callback = nullptr;
  ExpectAllOk(ledger, 9);
}

struct FromInside {
  const Adaptor* adaptor;
  std::atomic<NvDsMsgApiHandle> handle{nullptr};
  std::atomic<int> refused{0};
};

TEST_P(Rule11_ThreadSafety, DisconnectInsideASubscribeCallbackIsRefused) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, quirks().ConsumerConfig(NewName()));
  FromInside inside;
  inside.adaptor = &adaptor();
  inside.handle = link.handle();
  const auto callback = [](NvDsMsgApiErrorType, void*, int, char*, void* user) {
    auto& from = *static_cast<FromInside*>(user);
    if (from.adaptor->f.disconnect(from.handle) == NVDS_MSGAPI_ERR) ++from.refused;
  };
  ASSERT_EQ(link.Subscribe({topic}, callback, &inside), NVDS_MSGAPI_OK);
  EXPECT_EQ(link.Send(topic, "x"), NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return inside.refused > 0; }));
  Close(link);
}

FromInside connect_inside;

TEST_P(Rule11_ThreadSafety, DisconnectInsideAConnectCallbackIsRefused) {
  Server& server = quirks().faulty();
  connect_inside.adaptor = &adaptor();
  connect_inside.refused = 0;
  const auto callback = [](NvDsMsgApiHandle handle, NvDsMsgApiEventType type) {
    if (type != NVDS_MSGAPI_EVT_SERVICE_DOWN) return;
    if (connect_inside.adaptor->f.disconnect(handle) == NVDS_MSGAPI_ERR) ++connect_inside.refused;
  };
  const Link link = Connect(server, {"reconnect=0"}, callback);
  server.Kill();
  EXPECT_TRUE(WaitFor([&] { return connect_inside.refused > 0; }));
  Close(link);
}

TEST_P(Rule12_PayloadIsBytes, EveryByteAndManySizes) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::set<std::string> payloads = {std::string(1, '\0'),
                                    "\xff",
                                    std::string("\0\0", 2),
                                    "%s%n %p",
                                    "*3\r\n$4\r\nXADD\r\n",
                                    "{",
                                    "[[[[",
                                    "\x0a\xff\xff\xff\xff\x0f",
                                    all,
                                    "{\"sensor\":{\"id\":\"" + all};
  for (const size_t size : {2u, 127u, 128u, 1023u, 4096u, 65535u, 65536u, 300'000u}) {
    if (size > quirks().largest_payload()) continue;
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>((i * 31 + size) & 0xff);
    payloads.insert(text);
  }
  payloads.insert(std::string(quirks().largest_payload(), '\xfe'));
  for (const std::string& payload : payloads) {
    ASSERT_EQ(link.SendAsync(ledger.Add(topic, "", payload)), NVDS_MSGAPI_OK) << payload.size();
  }
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectAllOk(ledger, payloads.size());
  std::set<std::string> found;
  for (const Received& message : quirks().ReadAll(server, topic)) found.insert(message.payload);
  EXPECT_TRUE(found == payloads) << "sent " << payloads.size() << ", found " << found.size();
}

// Link::SendAsync overwrites topic and payload as soon as the call has returned.
TEST_P(Rule12_PayloadIsBytes, CopiedBeforeTheCallReturns) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, QuickReconnect());
  server.Pause();  // nothing can have been sent before the overwriting
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 200);
  server.Resume();
  ASSERT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectAllOk(ledger, 200);
  ExpectDelivered(ledger, server, topic, true);
}

}  // namespace
}  // namespace dsmsg::conformance
