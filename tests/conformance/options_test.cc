// SPDX-License-Identifier: Apache-2.0
// The options that every adaptor has, where the contract's rules speak of them: overflow, timeouts,
// connect.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Options_Overflow);
CONFORMANCE_SUITE(Options_Timeouts);
CONFORMANCE_SUITE(Options_Connect);
CONFORMANCE_SUITE(Options_File);

/// Thirty messages with five keys into a queue of ten while the broker is down; then the broker
/// comes.
struct Overflow {
  std::string policy;
  Link link;
  Ledger* ledger = nullptr;
  std::string topic;
};

std::vector<int> Flags(Ledger& ledger) {
  std::vector<int> flags;
  for (size_t i = 0; i < ledger.size(); ++i) {
    flags.push_back(ledger[i].answer == NVDS_MSGAPI_OK ? ledger[i].flag.load() : -2);
  }
  return flags;
}

std::vector<int> Pattern(int first, int first_count, int second, int second_count) {
  std::vector<int> flags(static_cast<size_t>(first_count), first);
  flags.insert(flags.end(), static_cast<size_t>(second_count), second);
  return flags;
}

TEST_P(Options_Overflow, EveryPolicy) {
  Server& server = quirks().faulty();
  std::vector<Overflow> all;
  for (const char* policy : {"block", "drop-oldest", "drop-newest", "latest-per-key", "reject"}) {
    all.push_back({policy, Link(), &NewLedger(), NewTopic(server)});
  }
  server.Kill();
  for (Overflow& item : all) {
    item.link =
        Connect(server, QuickReconnect({"connect=lazy", "queue-size=10", "overflow=" + item.policy,
                                        "overflow-timeout=300ms", "key=${sensor.id}"}));
    const Millis took = Timed([&] {
      for (size_t i = 0; i < 30; ++i) {
        Record& record = item.ledger->Add(item.topic, "cam" + std::to_string(i % 5));
        const auto answer = item.link.SendAsync(record);
        EXPECT_EQ(answer, item.policy == "reject" && i >= 10 ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK)
            << item.policy << " " << i;
      }
    });
    EXPECT_LT(took, 1s + Bound(1s))
        << item.policy << ": a live pipeline must not stall during an outage";
    EXPECT_LE(item.link.GetStats()["queue_messages"], 10u) << item.policy;
  }
  server.EnsureUp();
  constexpr int kOk = NVDS_MSGAPI_OK, kErr = NVDS_MSGAPI_ERR;
  const std::map<std::string, std::vector<int>> expected = {
      {"block", Pattern(kErr, 20, kOk, 10)},  // link down: the oldest unsubmitted goes
      {"drop-oldest", Pattern(kErr, 20, kOk, 10)},
      {"drop-newest", Pattern(kOk, 10, kErr, 20)},
      {"reject", Pattern(kOk, 10, -2, 20)}};
  for (Overflow& item : all) {
    SCOPED_TRACE(item.policy);
    EXPECT_TRUE(Pump(item.link, *item.ledger)) << item.link.GetStats().json();
    Close(item.link);
    const std::vector<int> flags = Flags(*item.ledger);
    if (item.policy == "latest-per-key") {
      for (size_t i = 25; i < 30; ++i) EXPECT_EQ(flags[i], kOk) << "the latest of its key, " << i;
      EXPECT_LE(item.ledger->Count(NVDS_MSGAPI_OK), 10u);
    } else {
      EXPECT_EQ(flags, expected.at(item.policy));
    }
    ExpectDelivered(*item.ledger, server, item.topic, true);
  }
}

TEST_P(Options_Overflow, IsCountedByReason) {
  const ClosedPort closed;
  const std::string nowhere = "127.0.0.1;" + std::to_string(closed.port());
  const std::map<std::string, std::string> reasons = {{"drop-oldest", "dropped.evicted"},
                                                      {"drop-newest", "dropped.newest"},
                                                      {"latest-per-key", "dropped.superseded"}};
  for (const auto& [policy, reason] : reasons) {
    const Link link = ConnectTo(nowhere, {"connect=lazy", "queue-size=10", "overflow=" + policy,
                                          "key=${sensor.id}", "flush-timeout=50ms"});
    Ledger& ledger = NewLedger();
    SendMany(link, ledger, "t", 30);
    link.DoWork();
    EXPECT_EQ(link.GetStats()[reason], 20u) << policy << ": " << link.GetStats().json();
    EXPECT_EQ(ledger.completed(), 20u) << "evicted messages are called back at once";
    Close(link);
    EXPECT_EQ(ledger.CheckCallbacks(), "");
  }
}

// Frozen, with connections open: the sender waits for room one overflow-timeout, then no more.
TEST_P(Options_Overflow, BlockGivesUpOnABrokerThatDoesNotAcknowledge) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Link link = Connect(
      server, {"queue-size=20", "overflow=block", "overflow-timeout=500ms", "flush-timeout=500ms"});
  server.Pause();
  Ledger& ledger = NewLedger();
  const Millis took = Timed([&] { SendMany(link, ledger, topic, 200); });
  EXPECT_LT(took, 500ms + Bound(2s)) << "one overflow-timeout, not one for each message";
  server.Resume();
  EXPECT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectDelivered(ledger, server, topic, true);
}

TEST_P(Options_Timeouts, MessageTimeout) {
  const ClosedPort closed;
  const BadServer silent(BadServer::Mode::kSilent);  // an attempt to connect takes its whole time
  for (const uint16_t port : {closed.port(), silent.port()}) {
    const Link link = ConnectTo(
        "127.0.0.1;" + std::to_string(port),
        {"connect=lazy", "message-timeout=700ms", "flush-timeout=100ms", "connect-timeout=20s"});
    Ledger& ledger = NewLedger();
    const auto begin = Clock::now();
    SendMany(link, ledger, "t", 20);
    ASSERT_TRUE(Pump(link, ledger));
    const auto took = std::chrono::duration_cast<Millis>(Clock::now() - begin);
    EXPECT_GE(took, 600ms);
    EXPECT_LT(took, 700ms + Bound(2s));
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 20u);
    EXPECT_EQ(link.GetStats()["dropped.expired"], 20u);
    Close(link);
  }
}

// With connections open and messages on the wire.
TEST_P(Options_Timeouts, MessageTimeoutOnAFrozenBroker) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Millis patience = Bound(700ms);  // the later ones have to get through in it
  const Link link = Connect(server, {"message-timeout=" + std::to_string(patience.count()) + "ms"});
  Ledger &ledger = NewLedger(), &later = NewLedger();
  server.Pause();
  const auto begin = Clock::now();
  SendMany(link, ledger, topic, 20);
  EXPECT_TRUE(Pump(link, ledger));
  EXPECT_LT(Clock::now() - begin, patience + Bound(2s));
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 20u);
  server.Resume();
  // The next ones go through when what the broker was given before is.
  ASSERT_TRUE(WaitFor([&] { return link.Send(topic, "probe") == NVDS_MSGAPI_OK; }));
  SendMany(link, later, topic, 20);
  ASSERT_TRUE(Pump(link, later));
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "") << "a late acknowledgement must not call back again";
  ExpectAllOk(later, 20);
}

TEST_P(Options_Connect, LazyGivesAHandleAtOnce) {
  const BadServer silent(BadServer::Mode::kSilent);
  const Millis took = Timed([&] {
    const Link link = ConnectTo("127.0.0.1;" + std::to_string(silent.port()),
                                {"connect=lazy", "flush-timeout=50ms"});
    EXPECT_FALSE(link.GetStats().link_up());
  });
  EXPECT_LT(took, Bound(500ms));
}

TEST_P(Options_Connect, WaitWaitsForTheBroker) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  server.Kill();
  Outage outage(server, 500ms);
  const Link link = Connect(server, QuickReconnect({"connect=wait", "connect-wait-timeout=300s"}));
  ASSERT_TRUE(link.ok());
  EXPECT_TRUE(link.GetStats().link_up());
  outage.Join();
  EXPECT_EQ(link.Send(topic, "x"), NVDS_MSGAPI_OK);
  Close(link);
}

TEST_P(Options_Connect, WaitIsBounded) {
  const ClosedPort closed;
  const std::string config = WriteConfig({"connect=wait", "connect-wait-timeout=1s"});
  const Millis took = Timed([&] {
    EXPECT_FALSE(Link::Open(adaptor(), "127.0.0.1;" + std::to_string(closed.port()), config).ok());
  });
  EXPECT_GE(took, 900ms);
  EXPECT_LT(took, 1s + Bound(2s));
}

TEST_P(Options_File, UnknownKeyNamesTheNearest) {
  const Link link = Connect(quirks().shared(), {"queue-sise=10"});
  EXPECT_TRUE(Contains(Log(), "queue-sise") && Contains(Log(), "queue-size")) << Log();
  Close(link);
}

// A bad value stops connect and names file, line, key and value.
TEST_P(Options_File, BadValues) {
  // The header, the quirks' lines, the comment, the line.
  const std::string number = ":" + std::to_string(quirks().BaseConfig({}).size() + 3) + ":";
  for (const std::string line :
       {"queue-size=many", "queue-size=-1", "queue-bytes=12X", "connect-timeout=soon",
        "connect-timeout=-5", "connect-timeout=5 parsecs", "overflow=sometimes", "connect=eager",
        "reconnect=maybe", "log-level=loud", "spool-mode=sometimes", "tls-verify=perhaps"}) {
    const std::string key = line.substr(0, line.find('='));
    const std::string config = WriteConfig({"# a comment", line});
    const size_t mark = LogCapture::Mark();
    const Link link = Link::Open(adaptor(), "127.0.0.1;1234", config);
    EXPECT_FALSE(link.ok()) << line;
    if (link.ok()) Close(link);
    const std::string log = LogCapture::Since(mark);
    EXPECT_TRUE(Contains(log, config)) << line << ": " << log;
    EXPECT_TRUE(Contains(log, key)) << line << ": " << log;
    EXPECT_TRUE(Contains(log, number)) << "the line number, " << line << ": " << log;
  }
}

TEST_P(Options_File, WrittenInSeveralWays) {
  const Link link = Connect(quirks().shared(), {"overflow_timeout=100", "work-wait = \"20ms\"",
                                                "reconnect=yes", "queue-bytes=1M", "# comment"});
  EXPECT_EQ(Log(), "") << "there is nothing to warn of";
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
