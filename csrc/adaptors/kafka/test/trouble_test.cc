// SPDX-License-Identifier: Apache-2.0
// What the driver says and does when the brokers are there and yet take nothing, and at a late end.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adaptors/kafka/brokers_watch.h"
#include "adaptors/kafka/connection.h"
#include "adaptors/kafka/errors.h"
#include "adaptors/kafka/settings.h"
#include "adaptors/kafka/stall_watch.h"
#include "adaptors/kafka/test/test_host.h"
#include "core/base/log_sink.h"
#include "core/net/dial.h"

namespace dsmsg::kafka {
namespace {

bool Has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

/// Stands before a mock cluster and changes the address that the cluster names for its broker: a
/// cluster whose advertised.listeners is wrong. One thread.
class WrongAdvertiser {
 public:
  /// `host` has as many letters as 127.0.0.1.
  WrongAdvertiser(HostPort cluster, std::string host)
      : cluster_(std::move(cluster)), host_(std::move(host)) {
    EXPECT_EQ(host_.size(), kRight.size());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~WrongAdvertiser() {
    stop_.Signal();
    thread_.join();
  }
  HostPort address() const { return {"127.0.0.1", port_}; }
  /// What the broker advertises is right from now on.
  void Mend() { wrong_ = false; }

 private:
  static constexpr std::string_view kRight = "127.0.0.1";
  struct Pair {
    UniqueFd client, server;
  };

  void Run() {
    for (;;) {
      std::vector<pollfd> fds = {{stop_.fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        fds.push_back({pair.client.get(), POLLIN, 0});
        fds.push_back({pair.server.get(), POLLIN, 0});
      }
      poll(fds.data(), fds.size(), -1);
      if (fds[0].revents != 0) return;
      for (size_t i = pairs_.size(); i-- > 0;) {
        Pair& pair = pairs_[i];
        const bool ends =
            (fds[2 + 2 * i].revents != 0 && !Carry(pair.client.get(), pair.server.get(), false)) ||
            (fds[3 + 2 * i].revents != 0 && !Carry(pair.server.get(), pair.client.get(), true));
        if (ends) pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (fds[1].revents == 0) continue;
      UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      auto server = DialTcp(cluster_, Clock::now() + Millis(5000), -1);
      if (server.ok()) pairs_.push_back({std::move(client), std::move(server.value())});
    }
  }

  bool Carry(int from, int to, bool answer) {
    char buffer[65536];
    const ssize_t got = recv(from, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    std::string bytes(buffer, static_cast<size_t>(got));
    for (size_t at; answer && wrong_ && (at = bytes.find(kRight)) != bytes.npos;) {
      bytes.replace(at, kRight.size(), host_);
    }
    return send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL) == got;
  }

  const HostPort cluster_;
  const std::string host_;
  std::atomic<bool> wrong_{true};
  const UniqueFd listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
  WakeFd stop_;
  std::vector<Pair> pairs_;
  std::thread thread_;
};

class KafkaAdvertised : public testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(, KafkaAdvertised,
                         testing::Values(std::pair("x.invalid", "name lookup"),
                                         std::pair("127.0.0.9", "onnection refused")));

TEST_P(KafkaAdvertised, AnAddressThatFailsIsNamedAndTheLinkIsDown) {
  const auto [host, why] = GetParam();
  MockCluster cluster;
  WrongAdvertiser advertiser(cluster.address(), host);
  Harness harness(advertiser.address(), "reconnect-max-interval=500ms\n");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("t", "x"), 1).ok());
  ASSERT_TRUE(harness.host.Wait([&] { return !harness.host.downs.empty(); }));
  {
    const std::lock_guard lock(harness.host.mutex);
    const std::string& reason = harness.host.downs[0].message();
    EXPECT_TRUE(harness.host.downs[0].retryable());
    EXPECT_TRUE(Has(reason, "advertised.listeners")) << reason;
    EXPECT_TRUE(Has(reason, std::string("cannot reach broker ") + host + ":")) << reason;
    EXPECT_TRUE(Has(reason, why)) << reason;
    EXPECT_FALSE(Has(reason, "conn-str")) << reason;
    EXPECT_EQ(harness.host.ups, 0);
  }
  advertiser.Mend();
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == 1; }));
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.ups > 0; }));
  EXPECT_TRUE(harness.host.completed[1].ok());
}

TEST(KafkaErrorsOfNodes, AreKeptApart) {
  const Node advertised = NodeIn("sasl_ssl://x.invalid:9092/1: Failed to resolve 'x.invalid:9092'");
  EXPECT_EQ(advertised.address, "x.invalid:9092");
  EXPECT_EQ(advertised.id, "1");
  const Node bootstrap = NodeIn("[thrd:app]: [::1]:9092/bootstrap: Connect to ipv6#[::1]:9092");
  EXPECT_EQ(bootstrap.address, "[::1]:9092");
  EXPECT_EQ(bootstrap.id, "bootstrap");
  EXPECT_EQ(NodeIn("2/2 brokers are down").address, "");
  EXPECT_EQ(NodeIn("").address, "");
}

TEST(KafkaErrorsOfNodes, ADotAtTheEndOfAnAdvertisedNameIsNamed) {
  const auto said = [](const char* address, const char* cause) {
    const Status status(Code::kUnavailable, std::string("cannot reach broker b:1: ") + cause);
    return AdvertisedStatus(status, {address, "1"}, "b:1").message();
  };
  EXPECT_TRUE(Has(said("x.example.:9092", "TLS: refuses the handshake"), "not end with a dot"));
  EXPECT_FALSE(Has(said("x.example:9092", "TLS: refuses the handshake"), "not end with a dot"));
  EXPECT_FALSE(Has(said("x.example.:9092", "connection refused"), "not end with a dot"));
}

// librdkafka's summary says no cause, and comes before or after the event that does.
TEST(KafkaBrokersWatch, TheCauseWinsOverTheSummaryInEitherOrder) {
  const UniqueFd unused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // does not listen
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(unused.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(unused.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  Endpoints endpoints;
  endpoints.hosts = {{"127.0.0.1", ntohs(address.sin_port)}};
  const auto config = Config::Parse("[message-broker]\n", "test", OptionTable(Options()));
  ASSERT_TRUE(config.ok()) << config.status().message();
  for (const bool cause_first : {true, false}) {
    TestHost host;
    const auto settings = KafkaSettings::Make(endpoints, config.value(), host.log());
    ASSERT_TRUE(settings.ok()) << settings.status().message();
    auto connection = KafkaConnection::Create(Role::kProducer, settings.value(), host.log());
    ASSERT_TRUE(connection.ok()) << connection.status().message();
    BrokersWatch watch(*connection.value(), settings.value(), host);
    const std::string cause = "sasl_plaintext://" + settings.value().brokers() +
                              "/bootstrap: SASL authentication error: the made-up cause";
    if (cause_first) watch.OnError(RD_KAFKA_RESP_ERR__AUTHENTICATION, cause);
    watch.OnError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    if (!cause_first) watch.OnError(RD_KAFKA_RESP_ERR__AUTHENTICATION, cause);
    const Deadline latest = Clock::now() + Millis(30'000);
    while (host.downs.empty() && Clock::now() < latest) {
      WaitReadable({}, watch.Tick(Millis(100)));
    }
    ASSERT_FALSE(host.downs.empty());
    const Status& reason = host.downs[0];
    EXPECT_EQ(reason.code(), Code::kAuth) << reason.message();
    EXPECT_TRUE(Has(reason.message(), "the made-up cause")) << reason.message();
    EXPECT_FALSE(Has(reason.message(), "brokers are down")) << reason.message();
  }
}

size_t Count(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// What the driver logs while it lives, on whatever thread.
class Lines {
 public:
  Lines() { SetLogSink(&Lines::Take); }
  ~Lines() { SetLogSink(nullptr); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  static std::string Get() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  static bool WaitFor(std::string_view part) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60),
                             [part] { return text_.find(part) != std::string::npos; });
  }

 private:
  static void Take(int, const char* line) {
    const std::lock_guard lock(mutex_);
    text_.append(line).append("\n");
    changed_.notify_all();
  }
  static inline std::mutex mutex_;
  static inline std::condition_variable changed_;
  static inline std::string text_;
};

// librdkafka tries again for ever without a word.
TEST(KafkaStall, AnUnmetMinInsyncReplicasIsReportedOnce) {
  MockCluster cluster;
  rd_kafka_mock_topic_create(cluster.get(), "replicated", 1, 1);
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  constexpr int16_t kProduce = 0;
  // More than it tries before that is reported, whatever the pauses of its version are.
  std::vector<rd_kafka_resp_err_t> errors(1000, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  rd_kafka_mock_push_request_errors_array(cluster.get(), kProduce, errors.size(), errors.data());
  const Lines lines;
  harness.Start();
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("replicated", "x"), 1).ok());
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("replicated", "y"), 2).ok());
  EXPECT_TRUE(Lines::WaitFor("min.insync.replicas"));
  rd_kafka_mock_clear_request_errors(cluster.get(), kProduce);
  EXPECT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == 2; }));
  const std::string log = Lines::Get();
  EXPECT_EQ(Count(log, "min.insync.replicas"), 1u) << log;
  EXPECT_TRUE(Has(log, "topic 'replicated': Broker: Not enough in-sync replicas")) << log;
  EXPECT_FALSE(Has(log, "MSGSET") || Has(log, "PRODUCE")) << log;
}

TEST(KafkaStall, TheReasonIsReadFromTheLibrarysLines) {
  EXPECT_EQ(RefusalIn("[thrd:h:1/bootstrap]: h:1/1: t [1]: MessageSet with 1 message(s) (MsgId 1, "
                      "BaseSeq 0) encountered error: Broker: Not leader for partition (actions "
                      "Refresh,MsgNotPersisted)"),
            "topic 't': Broker: Not leader for partition");
  EXPECT_EQ(RefusalIn("[thrd:h:1/1]: h:1/1: t [1]: MessageSet with 1 message(s) delivered"), "");
  EXPECT_EQ(RefusalIn(""), "");
}

// A stopped or throttled process: librdkafka's threads are still there when Close has returned, and
// may read what was in flight.
TEST(KafkaEnd, MessagesInFlightLiveUntilTheInstanceIsDestroyed) {
  static std::atomic<bool> go{false}, late{false};
  go = late = false;
  MockCluster cluster;
  std::weak_ptr<const void> memory;
  {
    Harness harness(cluster.address(), "");
    ASSERT_TRUE(harness.Open(Role::kProducer).ok());
    rd_kafka_mock_broker_set_rtt(cluster.get(), 1, 60'000);
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("frozen", "x"), 1).ok());
    before_destroy = [] {
      late = true;
      while (!go) std::this_thread::yield();
    };
    harness.driver().Close(Millis(0), -1);
    memory = std::exchange(harness.host.memory, nullptr);
    before_destroy = nullptr;
  }
  EXPECT_FALSE(memory.expired());
  EXPECT_TRUE(late);
  go = true;
  const Deadline deadline = Clock::now() + Millis(30'000);
  while (!memory.expired() && Clock::now() < deadline) std::this_thread::sleep_for(Millis(1));
  EXPECT_TRUE(memory.expired());
}

}  // namespace
}  // namespace dsmsg::kafka
