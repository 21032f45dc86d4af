// SPDX-License-Identifier: Apache-2.0
// The hosts of CONTRACT section 2, each with 20,000 messages (5,000 in a sanitizer's build), with
// and without a server that is killed and restarted in the middle. Rules 1 to 12 hold together here
// or not at all.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

constexpr Millis kDowntime = 2s;

class HostRuns : public Conformance {
 protected:
  static std::string Key(size_t i) { return "cam" + std::to_string(i % 30); }
  size_t Messages() { return quirks().host_messages(); }

  /// Spreads the second half of a run over the time in which the server goes and comes.
  void Pace(bool outage, size_t i) {
    const size_t all = Messages();
    if (outage && i > all / 2 && i % (all / 200) == 0) std::this_thread::sleep_for(30ms);
  }

  void RunA(HostA::Options options, bool outage) {
    Server& server = outage ? quirks().faulty() : quirks().shared();
    const std::string topic = NewTopic(server, 3);
    const Link link = Connect(server, QuickReconnect(), &ConnectEvents::OnEvent);
    Ledger& ledger = NewLedger();
    HostA host(link, ledger, options);
    host.Start();
    std::unique_ptr<Outage> fault;
    for (size_t i = 0; i < Messages(); ++i) {
      if (outage && i == Messages() / 2) fault = std::make_unique<Outage>(server, kDowntime);
      ASSERT_TRUE(host.Render(ledger.Add(topic, Key(i)))) << "the pipeline ended at message " << i;
      Pace(outage, i);
    }
    if (fault) fault->Join();
    EXPECT_TRUE(host.Drain(kPatience)) << link.GetStats().json();
    EXPECT_EQ(host.Stop(), NVDS_MSGAPI_OK);
    EXPECT_EQ(ConnectEvents::Count(link.handle(), NVDS_MSGAPI_EVT_SERVICE_DOWN), 0u);
    ExpectAllOk(ledger, Messages());
    ExpectDelivered(ledger, server, topic, outage);
  }

  std::shared_ptr<HostB> NewHostB(Server& server, Ledger& ledger, Lines lines,
                                  HostB::Options options = {}) {
    auto host = HostB::Connect(adaptor(), Connection(server), WriteConfig(QuickReconnect(lines)),
                               ledger, options);
    EXPECT_TRUE(host) << Log();
    return host;
  }

  void RunB(bool outage) {
    Server& server = outage ? quirks().faulty() : quirks().shared();
    const std::string topic = NewTopic(server, 3);
    Ledger& ledger = NewLedger();
    const auto host = NewHostB(server, ledger, {});
    ASSERT_TRUE(host);
    std::unique_ptr<Outage> fault;
    for (size_t i = 0; i < Messages(); ++i) {
      if (outage && i == Messages() / 2) fault = std::make_unique<Outage>(server, kDowntime);
      ASSERT_EQ(host->Send(ledger.Add(topic, Key(i))), HostB::Sent::kOk) << "message " << i;
      Pace(outage, i);
    }
    if (fault) fault->Join();
    EXPECT_TRUE(host->Drain(kPatience)) << host->link().GetStats().json();
    EXPECT_EQ(host->reconnects(), 0)
        << "an outage that the adaptor mends is none of the host's business";
    EXPECT_EQ(host->Disconnect(), NVDS_MSGAPI_OK);
    ExpectAllOk(ledger, Messages());
    ExpectDelivered(ledger, server, topic, outage);
  }

  void RunC(bool outage) {
    Server& server = outage ? quirks().faulty() : quirks().shared();
    const std::string topic = NewTopic(server, 3), sync_topic = NewTopic(server);
    const Link link = Connect(server, QuickReconnect({"send-timeout=240s"}));
    std::unique_ptr<Outage> fault;
    Ledger& ledger = NewLedger();
    constexpr size_t kSync = 200;
    for (size_t i = 0; i < kSync; ++i) {
      if (outage && i == kSync / 2) fault = std::make_unique<Outage>(server, kDowntime);
      ASSERT_EQ(link.Send(sync_topic, "sync " + std::to_string(i)), NVDS_MSGAPI_OK) << i;
    }
    for (size_t i = 0; i < Messages() - kSync; ++i) {
      ASSERT_EQ(link.SendAsync(ledger.Add(topic, Key(i))), NVDS_MSGAPI_OK) << i;
    }
    EXPECT_TRUE(HostCWaitOncePerSecond(link, ledger, kPatience)) << link.GetStats().json();
    if (fault) fault->Join();
    Close(link);
    ExpectAllOk(ledger, Messages() - kSync);
    ExpectDelivered(ledger, server, topic, outage);
    std::vector<std::string> found;
    for (const Received& message : quirks().ReadAll(server, sync_topic)) {
      if (found.empty() || found.back() != message.payload) found.push_back(message.payload);
    }
    EXPECT_EQ(found.size(), kSync) << "in order, apart from repeats";
  }
};

CONFORMANCE_SUITE_OF(HostA_Sink, HostRuns);
CONFORMANCE_SUITE_OF(HostB_ClientLibrary, HostRuns);
CONFORMANCE_SUITE_OF(HostC_SamplePrograms, HostRuns);
using HostB_AllAdaptors = HostRuns;
INSTANTIATE_TEST_SUITE_P(, HostB_AllAdaptors, ::testing::Values(AllQuirks().front()), QuirksName);

TEST_P(HostA_Sink, DoWorkWhilePendingZeroSleep) { RunA({}, false); }
TEST_P(HostA_Sink, EndlessDoWork) { RunA({.endless = true, .sleep = {}}, false); }
TEST_P(HostA_Sink, TenMillisecondsSleep) { RunA({.endless = false, .sleep = 10ms}, false); }
TEST_P(HostA_Sink, ServerKilledAndRestarted) { RunA({}, true); }
TEST_P(HostA_Sink, EndlessDoWorkServerKilledAndRestarted) {
  RunA({.endless = true, .sleep = {}}, true);
}

// What is pending when the pipeline stops is flushed by disconnect, although no thread calls
// do_work any more.
TEST_P(HostA_Sink, StopWithMessagesPending) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server, 3);
  const Link link = Connect(server, {"flush-timeout=240s"});
  Ledger& ledger = NewLedger();
  HostA host(link, ledger, {});
  host.Start();
  for (size_t i = 0; i < Messages(); ++i) ASSERT_TRUE(host.Render(ledger.Add(topic, Key(i))));
  EXPECT_EQ(host.Stop(), NVDS_MSGAPI_OK);
  ExpectAllOk(ledger, Messages());
  ExpectDelivered(ledger, server, topic, false);
}

TEST_P(HostB_ClientLibrary, TenMillisecondsBetweenDoWork) { RunB(false); }
TEST_P(HostB_ClientLibrary, ServerKilledAndRestarted) { RunB(true); }

TEST_P(HostB_ClientLibrary, ThreadsShareAHandleThroughEqualSignatures) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server, 3);
  Ledger& ledger = NewLedger();
  const auto first = NewHostB(server, ledger, {"share-connection=1"});
  ASSERT_TRUE(first);
  const auto second = NewHostB(server, ledger, {"share-connection=1"});
  EXPECT_EQ(first, second) << "equal settings in two files must share one connection";
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto& host = t % 2 == 0 ? first : second;
      for (size_t i = 0; i < Messages() / 4; ++i) {
        EXPECT_EQ(host->Send(ledger.Add(topic, "thread" + std::to_string(t))), HostB::Sent::kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(first->Drain(kPatience));
  EXPECT_EQ(second->Disconnect(), NVDS_MSGAPI_OK);
  EXPECT_EQ(first->Disconnect(), NVDS_MSGAPI_OK);
  ExpectAllOk(ledger, Messages());
  ExpectDelivered(ledger, server, topic, false);
}

// The adaptor gives up, the host takes over: disconnect, connect again, go on.
TEST_P(HostB_ClientLibrary, ItsOwnReconnectLoop) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  Ledger& ledger = NewLedger();
  const auto host = HostB::Connect(adaptor(), Connection(server),
                                   WriteConfig({"reconnect=0", "connect-timeout=10s"}), ledger, {});
  ASSERT_TRUE(host) << Log();
  EXPECT_EQ(host->Send(ledger.Add(topic, "k")), HostB::Sent::kOk);
  ASSERT_TRUE(host->Drain(kPatience));
  server.Kill();
  ASSERT_TRUE(WaitFor([&] { return host->events() > 0; }));
  server.EnsureUp();
  ASSERT_TRUE(WaitFor([&] { return host->reconnects() > 0; })) << Log();
  EXPECT_EQ(host->Send(ledger.Add(topic, "k")), HostB::Sent::kOk);
  EXPECT_TRUE(host->Drain(kPatience));
  EXPECT_EQ(host->Disconnect(), NVDS_MSGAPI_OK);
  ExpectAllOk(ledger, 2);
  ExpectDelivered(ledger, server, topic, true);
}

// Several adaptors in one process, each with its own connection, at the same time.
// Once for all of them: every adaptor in this process, each with its own server.
TEST_P(HostB_AllAdaptors, InOneProcess) {
  struct Other {
    Quirks* quirks;
    Ledger* ledger;
    std::string topic;
    std::shared_ptr<HostB> host;
  };
  std::vector<Other> others;
  for (Quirks* each : AllQuirks()) {
    Server& server = each->shared();
    Other other{each, &NewLedger(), NewName(), nullptr};
    each->CreateTopic(server, other.topic, 1);
    other.host = HostB::Connect(*LoadedAdaptor(LibraryPath(*each)), Connection(server),
                                WriteConfig(*each, {}), *other.ledger, {});
    ASSERT_TRUE(other.host) << each->protocol() << ": " << Log();
    others.push_back(other);
  }
  std::vector<std::thread> threads;
  for (Other& other : others) {
    threads.emplace_back([&other] {
      for (size_t i = 0; i < 2000; ++i) {
        EXPECT_EQ(other.host->Send(other.ledger->Add(other.topic, Key(i))), HostB::Sent::kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Other& other : others) {
    SCOPED_TRACE(other.quirks->protocol());
    EXPECT_TRUE(other.host->Drain(kPatience));
    EXPECT_EQ(other.host->Disconnect(), NVDS_MSGAPI_OK);
    ExpectAllOk(*other.ledger, 2000);
    const DeliveryRules rules{.duplicates = false, .keys = other.quirks->has_keys()};
    const auto found = other.quirks->ReadAll(other.quirks->shared(), other.topic);
    EXPECT_EQ(other.ledger->CheckDelivery(found, rules), "");
  }
}

TEST_P(HostC_SamplePrograms, SynchronousThenAsynchronous) { RunC(false); }
TEST_P(HostC_SamplePrograms, ServerKilledAndRestarted) { RunC(true); }

}  // namespace
}  // namespace dsmsg::conformance
