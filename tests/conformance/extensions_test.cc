// SPDX-License-Identifier: Apache-2.0
// The optional functions of dsmsg_ext.h, as far as hosts rely on them.
#include <rapidjson/document.h>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Extensions_Dsmsg);
CONFORMANCE_SUITE(Extensions_Link);

TEST_P(Extensions_Dsmsg, DescribeIsJsonWithTheOptions) {
  rapidjson::Document document;
  document.Parse(adaptor().f.describe());
  ASSERT_FALSE(document.HasParseError());
  EXPECT_EQ(std::string(document["protocol"].GetString()), quirks().protocol());
  ASSERT_TRUE(document.HasMember("options") && document["options"].IsArray());
  bool found = false;
  for (const auto& option : document["options"].GetArray()) {
    found = found || std::string(option["name"].GetString()) == "queue-size";
  }
  EXPECT_TRUE(found);
}

TEST_P(Extensions_Dsmsg, StatsHaveTheirKeys) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger));
  const Stats stats = link.GetStats();
  for (const char* key : {"protocol",
                          "link",
                          "accepted",
                          "sent",
                          "bytes",
                          "acknowledged",
                          "failed",
                          "dropped",
                          "retried",
                          "queue_messages",
                          "queue_bytes",
                          "in_flight",
                          "completions_waiting",
                          "reconnects",
                          "last_success_ms",
                          "last_failure_ms",
                          "last_failure_reason",
                          "latency_us.count",
                          "latency_us.p50",
                          "latency_us.p90",
                          "latency_us.p99",
                          "latency_us.max",
                          "latency_us.sum"}) {
    EXPECT_TRUE(stats.Has(key)) << key << " in " << stats.json();
  }
  EXPECT_EQ(stats.Text("protocol"), quirks().protocol());
  EXPECT_TRUE(stats.link_up());
  EXPECT_EQ(stats["accepted"], 100u);
  EXPECT_EQ(stats["acknowledged"], 100u);
  EXPECT_EQ(stats["latency_us.count"], 100u);
  EXPECT_GT(stats["last_success_ms"], 0u);
  EXPECT_EQ(stats["queue_messages"] + stats["queue_bytes"] + stats["in_flight"], 0u);
  char small[8];
  EXPECT_EQ(adaptor().f.stats(link.handle(), small, sizeof small), stats.json().size())
      << "the whole length, as snprintf";
  EXPECT_EQ(std::string(small), stats.json().substr(0, 7));
  EXPECT_EQ(adaptor().f.stats(nullptr, small, sizeof small), 0u);
  EXPECT_GT(adaptor().f.stats(link.handle(), nullptr, 0), 0u);
  Close(link);
}

// The reason for a message that ends only with the connection: inside its callback, and afterwards,
// when the handle is gone.
TEST_P(Extensions_Dsmsg, LastErrorAtTheEndIsNeverEmpty) {
  const ClosedPort closed;
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(closed.port()),
                              {"connect=lazy", "flush-timeout=1ms", "queue-size=4"});
  Ledger& ledger = NewLedger();
  std::string reason;
  ledger.on_callback = [&](Record&) { reason = adaptor().LastError(link.handle()); };
  SendMany(link, ledger, "t", 10);
  EXPECT_TRUE(Contains(adaptor().LastError(link.handle()), "6 evicted"));
  Close(link);
  ledger.on_callback = nullptr;
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 10u);
  EXPECT_TRUE(Contains(reason, "4 shutdown")) << reason;
  EXPECT_TRUE(Contains(adaptor().LastError(), "disconnect: ")) << adaptor().LastError();
  EXPECT_TRUE(Contains(adaptor().LastError(), "6 evicted")) << adaptor().LastError();
  EXPECT_TRUE(Contains(Log(), "from now on the oldest message ends with ERR")) << Log();
  EXPECT_TRUE(Contains(Log(), "4 messages were not acknowledged")) << Log();
}

TEST_P(Extensions_Dsmsg, Flush) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, QuickReconnect());
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 1000);
  EXPECT_EQ(adaptor().f.flush(link.handle(), 30'000), NVDS_MSGAPI_OK);
  EXPECT_EQ(link.GetStats()["acknowledged"], 1000u);
  server.Pause();
  SendMany(link, ledger, topic, 10);
  const Millis took =
      Timed([&] { EXPECT_EQ(adaptor().f.flush(link.handle(), 300), NVDS_MSGAPI_ERR); });
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 300ms + Bound(1s));
  EXPECT_EQ(adaptor().f.flush(nullptr, 10), NVDS_MSGAPI_ERR);
  server.Resume();
  EXPECT_EQ(adaptor().f.flush(link.handle(), 60'000), NVDS_MSGAPI_OK);
  Close(link);
  ExpectAllOk(ledger, 1010);
}

TEST_P(Extensions_Dsmsg, SendMessageWithKeyAndHeaders) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  Record& record = ledger.Add(topic, "my key", "payload of a message");
  const DsmsgHeader headers[] = {{"source", "conformance"}, {"schema", "1"}};
  DsmsgMessage message{};
  message.size = sizeof message;
  message.topic = topic.c_str();
  message.payload = reinterpret_cast<const uint8_t*>(record.payload.data());
  message.payload_len = record.payload.size();
  message.key = reinterpret_cast<const uint8_t*>(record.key.data());
  message.key_len = record.key.size();
  message.headers = headers;
  message.num_headers = 2;
  EXPECT_EQ(adaptor().f.send_message(link.handle(), &message, &Ledger::OnSent, &record),
            NVDS_MSGAPI_OK);
  ledger.Answered(record, NVDS_MSGAPI_OK);
  ASSERT_TRUE(Pump(link, ledger));
  EXPECT_EQ(adaptor().f.send_message(link.handle(), nullptr, nullptr, nullptr), NVDS_MSGAPI_ERR);
  EXPECT_EQ(adaptor().f.send_message(nullptr, &message, nullptr, nullptr), NVDS_MSGAPI_ERR);
  message.size = 3;
  EXPECT_EQ(adaptor().f.send_message(link.handle(), &message, nullptr, nullptr), NVDS_MSGAPI_ERR);
  Close(link);
  ExpectAllOk(ledger, 1);
  ExpectDelivered(ledger, server, topic, false);
}

// A host that asks before the first message gets the same answer as that message.
TEST_P(Extensions_Dsmsg, CheckTopicSaysWhatASendWithoutTopicWould) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  EXPECT_EQ(adaptor().f.check_topic(link.handle(), topic.c_str()), NVDS_MSGAPI_OK);
  const NvDsMsgApiErrorType without = adaptor().f.check_topic(link.handle(), nullptr);
  EXPECT_EQ(adaptor().f.check_topic(link.handle(), ""), without);
  if (without != NVDS_MSGAPI_OK) {
    EXPECT_NE(adaptor().LastError(nullptr).find("no topic"), std::string::npos);
    EXPECT_EQ(link.SendAsync(nullptr, "x", nullptr, nullptr), NVDS_MSGAPI_ERR);
  }
  EXPECT_EQ(adaptor().f.check_topic(nullptr, topic.c_str()), NVDS_MSGAPI_ERR);
  Close(link);
  EXPECT_EQ(adaptor().f.check_topic(link.handle(), topic.c_str()), NVDS_MSGAPI_ERR);
}

struct LinkStates {
  std::mutex mutex;
  std::vector<DsmsgLinkState> states;
  static void OnChange(void* user, DsmsgLinkState state, const char*) {
    auto& self = *static_cast<LinkStates*>(user);
    std::lock_guard lock(self.mutex);
    self.states.push_back(state);
  }
  std::vector<DsmsgLinkState> Get() {
    std::lock_guard lock(mutex);
    return states;
  }
};

TEST_P(Extensions_Link, CallbackSaysWhatBecomesOfIt) {
  Server& server = quirks().faulty();
  const Link link = Connect(server, QuickReconnect());
  LinkStates told;
  EXPECT_EQ(adaptor().f.set_link_callback(link.handle(), &LinkStates::OnChange, &told),
            NVDS_MSGAPI_OK);
  EXPECT_TRUE(WaitFor([&] { return told.Get().size() == 1; })) << "the current state comes first";
  server.Kill();
  EXPECT_TRUE(WaitFor([&] { return told.Get().size() == 2; }));
  server.EnsureUp();
  EXPECT_TRUE(WaitFor([&] { return told.Get().size() >= 3; }));
  const std::vector<DsmsgLinkState> expected = {DSMSG_LINK_UP, DSMSG_LINK_DOWN, DSMSG_LINK_UP};
  EXPECT_EQ(told.Get(), expected);
  EXPECT_EQ(adaptor().f.set_link_callback(link.handle(), nullptr, nullptr), NVDS_MSGAPI_OK);
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
