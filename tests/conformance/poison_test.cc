// SPDX-License-Identifier: Apache-2.0
// If a server answers a message by ending the connection, only that message is lost; a server that
// is killed loses none.
#include <atomic>
#include <cstdlib>
#include <random>

#include "cut_proxy.h"
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Poison_OneMessage);
CONFORMANCE_SUITE(Poison_ServerKilled);

constexpr char kMarker[] = "the server ends the connection over this";

// The proxy acts as a server with a limit. Everything before the marker and after it arrives.
TEST_P(Poison_OneMessage, CostsItselfAndTheRestArrivesInOrder) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  CutProxy proxy(static_cast<uint16_t>(server.port()));
  proxy.EndConnectionsAt(kMarker);
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(proxy.port()), QuickReconnect());
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 100);
  Record& poison = ledger.Add(topic, "cam0", std::string("{\"x\": \"") + kMarker + "\"}");
  ASSERT_EQ(link.SendAsync(poison), NVDS_MSGAPI_OK);
  SendMany(link, ledger, topic, 100);
  ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
  EXPECT_EQ(poison.flag, NVDS_MSGAPI_ERR);
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_OK), 200u);
  EXPECT_TRUE(Contains(Log(), "\"" + topic + "\", " + std::to_string(poison.payload.size())))
      << "the log must name topic and size: " << Log();
  Close(link);
  ExpectDelivered(ledger, server, topic, true);
}

// DSMSG_KILLS=200 is the long form.
int Kills() {
  const char* text = getenv("DSMSG_KILLS");
  return text == nullptr ? 4 : atoi(text);
}

/// Keeps `window` messages on their way, as host A does: do_work and send on different threads.
class Load {
 public:
  Load(const Link& link, Ledger& ledger, std::string topic, size_t window)
      : link_(link), ledger_(ledger), topic_(std::move(topic)), window_(window) {}
  ~Load() { Stop(); }
  void Stop() {
    stop_ = true;
    if (sender_.joinable()) sender_.join();
    if (worker_.joinable()) worker_.join();
  }

 private:
  void Send() {
    while (!stop_) {
      if (ledger_.accepted() - ledger_.completed() >= window_) {
        std::this_thread::sleep_for(100us);
      } else {
        EXPECT_EQ(link_.SendAsync(ledger_.Add(topic_, "cam0")), NVDS_MSGAPI_OK);
      }
    }
  }

  const Link& link_;
  Ledger& ledger_;
  const std::string topic_;
  const size_t window_;
  std::atomic<bool> stop_{false};
  std::thread sender_{[this] { Send(); }};
  std::thread worker_{[this] {
    while (!stop_) link_.DoWork();
  }};
};

// At random moments, under load, with one message in flight and with many.
TEST_P(Poison_ServerKilled, CostsNothing) {
  Server& server = quirks().faulty();
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> moment(0, 50);
  for (const size_t window : {1, 300}) {
    const std::string topic = NewTopic(server);
    const Link link = Connect(server, QuickReconnect());
    Ledger& ledger = NewLedger();
    {
      Load load(link, ledger, topic, window);
      for (int i = 0; i < Kills() / 2; ++i) {
        // Something got through since the last time.
        const size_t before = ledger.completed();
        ASSERT_TRUE(WaitFor([&] { return ledger.completed() > before; })) << link.GetStats().json();
        std::this_thread::sleep_for(Millis(moment(random)));
        server.Kill();
        server.EnsureUp();
      }
    }
    ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 0u) << Log();
    Close(link);
    ExpectDelivered(ledger, server, topic, true);
  }
}

// The same without the server's own time to start: the shortest outages, one after the other, also
// while the connection is made.
TEST_P(Poison_ServerKilled, ShortOutagesCostNothing) {
  Server& server = quirks().shared();
  CutProxy proxy(static_cast<uint16_t>(server.port()));
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> moment(0, 20000);
  for (const size_t window : {1, 300}) {
    const std::string topic = NewTopic(server);
    const Link link = ConnectTo("127.0.0.1;" + std::to_string(proxy.port()), QuickReconnect());
    Ledger& ledger = NewLedger();
    {
      Load load(link, ledger, topic, window);
      for (int i = 0; i < 25 * Kills(); ++i) {
        std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
        proxy.Cut();
        proxy.Restore();
      }
    }
    ASSERT_TRUE(Pump(link, ledger)) << link.GetStats().json();
    EXPECT_EQ(ledger.Count(NVDS_MSGAPI_ERR), 0u) << Log();
    Close(link);
    ExpectDelivered(ledger, server, topic, true);
  }
}

}  // namespace
}  // namespace dsmsg::conformance
