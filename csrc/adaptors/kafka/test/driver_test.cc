// SPDX-License-Identifier: Apache-2.0
// The whole driver against librdkafka's mock cluster and against sockets that do not behave.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "adaptors/kafka/driver.h"
#include "adaptors/kafka/test/test_host.h"
#include "core/base/fd.h"
#include "core/base/time.h"

namespace dsmsg::kafka {
namespace {

using std::chrono::duration_cast;

/// Accepts connections (the kernel does) and never answers, or with backlog -1 refuses them.
class DeadSocket {
 public:
  explicit DeadSocket(bool listening) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_.get(), generic, length), 0);
    if (listening) {
      EXPECT_EQ(listen(fd_.get(), 16), 0);
    }
    EXPECT_EQ(getsockname(fd_.get(), generic, &length), 0);
    address_ = {"127.0.0.1", ntohs(address.sin_port)};
  }
  const HostPort& address() const { return address_; }

 private:
  UniqueFd fd_;
  HostPort address_;
};

// The mock's coordinator takes the session timeout for every rebalance but the first, and 3 s for
// that.
constexpr const char* kQuickGroup =
    "consumer-proto-cfg=\"session.timeout.ms=4000;heartbeat.interval.ms=200\"\n";

Millis Elapsed(Deadline since) { return duration_cast<Millis>(Clock::now() - since); }

bool AllOk(TestHost& host) {
  const std::lock_guard lock(host.mutex);
  return std::all_of(host.completed.begin(), host.completed.end(),
                     [](const auto& entry) { return entry.second.ok(); });
}

size_t Completed(TestHost& host) {
  const std::lock_guard lock(host.mutex);
  return host.completed.size();
}

TEST(KafkaDriver, DeclaresWhatItIs) {
  const DriverInfo& info = KafkaDriver::Info();
  EXPECT_STREQ(info.protocol, "KAFKA");
  EXPECT_EQ(info.retry, RetryOwner::kLibrary);
  EXPECT_TRUE(info.separate_roles);
  EXPECT_EQ(info.conn_rules.default_port, 9092);
}

TEST(KafkaDriver, BytesKeysAndHeadersArriveAsSent) {
  MockCluster cluster;
  Harness producer(cluster.address(), "");
  ASSERT_TRUE(producer.configured().ok()) << producer.configured().message();
  ASSERT_TRUE(producer.Open(Role::kProducer).ok());
  producer.Start();
  const std::string payloads[] = {std::string("\0\xff mid\0end", 10), std::string(), "third"};
  const Header headers[] = {{"source", "camera-1"}};
  for (size_t i = 0; i < std::size(payloads); ++i) {
    Message message = MakeMessage("bytes", payloads[i]);
    message.key = "k";
    message.has_key = true;
    message.headers = headers;
    message.timestamp_ms = 1'700'000'000'000;
    ASSERT_TRUE(producer.SubmitWhenRoom(message, i + 1).ok());
  }
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 3; }));
  for (const auto& [token, status] : producer.host.completed) EXPECT_TRUE(status.ok()) << token;

  Harness consumer(cluster.address(), kQuickGroup);
  ASSERT_TRUE(consumer.Open(Role::kConsumer).ok());
  consumer.Run([](Driver& driver) {
    const std::string topics[] = {"bytes"};
    EXPECT_TRUE(driver.Subscribe(topics, Clock::now() + Millis(5000)).ok());
  });
  consumer.Start();
  ASSERT_TRUE(consumer.host.Wait([&] { return consumer.host.delivered.size() == 3; }));
  consumer.Stop();
  for (size_t i = 0; i < 3; ++i) {  // one key: one partition, in order
    EXPECT_EQ(consumer.host.delivered[i].first.topic, "bytes");
    EXPECT_EQ(consumer.host.delivered[i].first.payload, payloads[i]);
  }
}

TEST(KafkaDriver, EveryTokenIsCompletedOnce) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  constexpr size_t kCount = 20'000;
  const std::string payload(300, 'x');
  for (size_t token = 1; token <= kCount; ++token) {
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("many", payload), token).ok());
  }
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == kCount; }));
  harness.Stop();
  EXPECT_EQ(harness.host.twice, 0);
  EXPECT_TRUE(AllOk(harness.host));
}

TEST(KafkaDriver, FullLibraryQueueIsBackPressureNotAnError) {
  MockCluster cluster;
  // Far below what the core would submit, and answers that take their time, so that the bound is
  // met.
  constexpr int kAnyBroker = -1, kAnswerAfterMs = 20;
  rd_kafka_mock_broker_set_rtt(cluster.get(), kAnyBroker, kAnswerAfterMs);
  Harness harness(cluster.address(), "producer-proto-cfg=\"queue.buffering.max.messages=10\"\n");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  constexpr size_t kCount = 100;
  size_t blocked = 0;
  for (size_t token = 1; token <= kCount;) {
    const Status status = harness.Submit(MakeMessage("full", "payload"), token);
    if (status.ok()) {
      ++token;
    } else {
      ASSERT_EQ(status.code(), Code::kWouldBlock) << status.message();
      ++blocked;
    }
  }
  EXPECT_GT(blocked, 0U);
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == kCount; }));
  EXPECT_TRUE(AllOk(harness.host));
}

TEST(KafkaDriver, RefusalsOfTheBrokerHaveTheRightCode) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  constexpr int16_t kProduce = 0;  // API key
  const std::pair<rd_kafka_resp_err_t, Code> cases[] = {
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Code::kTooLarge},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Code::kAuth},
      {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Code::kRejected},
  };
  Token token = 0;
  for (const auto& [err, code] : cases) {
    rd_kafka_mock_push_request_errors(cluster.get(), kProduce, 1, err);
    ++token;
    // Another topic each time: librdkafka remembers that a topic was refused.
    const std::string topic = "refused" + std::to_string(token);
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage(topic, "x"), token).ok());
    ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.count(token) == 1; }));
    EXPECT_EQ(harness.host.completed[token].code(), code)
        << harness.host.completed[token].message();
  }
}

// A broker that is not the leader yet refuses a partition's first request and takes the second: it
// knows no sequence to compare it with. librdkafka then takes the first for delivered, too.
TEST(KafkaDriver, AnAnswerToLaterMessagesDoesNotAnswerEarlierOnes) {
  MockCluster cluster;
  rd_kafka_mock_topic_create(cluster.get(), "new", 1, 1);
  Harness producer(cluster.address(), "producer-proto-cfg=\"batch.num.messages=1\"\n");
  ASSERT_TRUE(producer.Open(Role::kProducer).ok());
  constexpr int16_t kProduce = 0;
  constexpr int kAnyBroker = -1, kAnswerAfterMs = 100;
  producer.Start();
  ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("new", "known"), 1).ok());
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 1; }));
  rd_kafka_mock_push_request_errors(cluster.get(), kProduce, 1,
                                    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  rd_kafka_mock_broker_set_rtt(cluster.get(), kAnyBroker, kAnswerAfterMs);
  ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("new", "refused"), 2).ok());
  ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("new", "taken"), 3).ok());
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 3; }));
  producer.Stop();
  EXPECT_TRUE(producer.host.completed[2].retryable()) << producer.host.completed[2].message();
  EXPECT_TRUE(producer.host.completed[3].ok());
}

// As the core does: again, under another token, while it is worth it.
Status SendUntilDecided(Harness& harness, std::string_view topic, Token* token) {
  const Deadline deadline = Clock::now() + Millis(30'000);
  Status status(Code::kUnavailable, "not sent");
  while (status.retryable() && Clock::now() < deadline) {
    ++*token;
    status = harness.SubmitWhenRoom(MakeMessage(topic, "x"), *token);
    if (!status.ok()) continue;
    EXPECT_TRUE(harness.host.Wait([&] { return harness.host.completed.contains(*token); }));
    const std::lock_guard lock(harness.host.mutex);
    status = harness.host.completed[*token];
  }
  return status;
}

TEST(KafkaDriver, UnknownTopicIsUnknownTopic) {
  MockCluster cluster;
  rd_kafka_mock_topic_set_error(cluster.get(), "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Harness harness(cluster.address(),
                  "producer-proto-cfg=\"topic.metadata.propagation.max.ms=100\"\n");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  Token token = 0;
  EXPECT_EQ(SendUntilDecided(harness, "gone", &token).code(), Code::kUnknownTopic);
  EXPECT_GT(token, 1u) << "librdkafka's word alone";
}

// librdkafka's time for a topic to turn up passes in an outage, too.
TEST(KafkaDriver, ATopicThatIsMadeLateTakesItsMessages) {
  MockCluster cluster;
  rd_kafka_mock_topic_set_error(cluster.get(), "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Harness harness(cluster.address(),
                  "producer-proto-cfg=\"topic.metadata.propagation.max.ms=1000\"\n");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("late", "x"), 1).ok());
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == 1; }));
  EXPECT_TRUE(harness.host.completed[1].retryable()) << harness.host.completed[1].message();
  rd_kafka_mock_topic_set_error(cluster.get(), "late", RD_KAFKA_RESP_ERR_NO_ERROR);
  Token token = 1;
  const Status status = SendUntilDecided(harness, "late", &token);
  EXPECT_TRUE(status.ok()) << status.message();
}

// An answer takes a whole way there and back, and on a slow network that is more than a tenth of a
// second.
TEST(KafkaDriver, SubscribesOverASlowNetwork) {
  MockCluster cluster;
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster.get(), "far", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  constexpr int kAnyBroker = -1, kAnswerAfterMs = 300;
  rd_kafka_mock_broker_set_rtt(cluster.get(), kAnyBroker, kAnswerAfterMs);
  Harness consumer(cluster.address(), "consumer-group-id=far\n");
  ASSERT_TRUE(consumer.Open(Role::kConsumer).ok());
  const std::vector<std::string> topics = {"far"};
  const Status status = consumer.driver().Subscribe(topics, Clock::now() + Millis(10'000));
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(KafkaDriver, OpenTellsRefusedSilentAndUnresolvableApart) {
  const DeadSocket refusing(false);
  Harness refused(refusing.address(), "");
  const Deadline begin = Clock::now();
  const Status a = refused.Open(Role::kProducer, Millis(30'000));
  EXPECT_LT(Elapsed(begin), Millis(20'000))
      << "a refused connection needs no wait until the deadline";
  EXPECT_EQ(a.code(), Code::kUnavailable);
  EXPECT_NE(a.message().find("connection refused"), std::string::npos) << a.message();

  const DeadSocket silent(true);
  Harness frozen(silent.address(), "connect-timeout=1s\n");
  const Status b = frozen.Open(Role::kProducer, Millis(3500));
  EXPECT_TRUE(b.retryable());
  EXPECT_NE(b.message().find("no answer"), std::string::npos) << b.message();

  Harness nowhere({"no-such-host.invalid", 9092}, "");
  const Status c = nowhere.Open(Role::kProducer, Millis(30'000));
  EXPECT_TRUE(c.retryable());
  EXPECT_NE(c.message().find("name lookup"), std::string::npos) << c.message();
}

TEST(KafkaDriver, OpenIsInterruptedByTheCancelDescriptor) {
  const DeadSocket silent(true);
  Harness harness(silent.address(), "");
  std::thread canceller([&] { harness.cancel.Signal(); });
  const Deadline begin = Clock::now();
  EXPECT_EQ(harness.Open(Role::kProducer, Millis(30'000)).code(), Code::kCancelled);
  canceller.join();
  EXPECT_LT(Elapsed(begin), Millis(20'000));
}

TEST(KafkaDriver, LinkDownAndUpAreReportedWithoutTraffic) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.downs.size() >= 2; }));
  {
    const std::lock_guard lock(harness.host.mutex);  // there may be more of them by now
    EXPECT_EQ(harness.host.ups, 0);
    EXPECT_TRUE(harness.host.downs[0].retryable());
  }
  rd_kafka_mock_broker_set_up(cluster.get(), 1);
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.ups == 1; }));
}

TEST(KafkaDriver, MessagesOutliveAnOutageAndNothingSpins) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("outage", "x"), 1).ok());
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.downs.size() >= 2; }));
  EXPECT_EQ(Completed(harness.host), 0U);
  rd_kafka_mock_broker_set_up(cluster.get(), 1);
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == 1; }));
  EXPECT_TRUE(harness.host.completed[1].ok());
  harness.Stop();
  EXPECT_LT(harness.polls, 200);
}

TEST(KafkaDriver, CloseIsQuickAndLeavesTokensToTheCore) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  rd_kafka_mock_broker_set_rtt(cluster.get(), 1, 60'000);  // frozen: nothing is answered any more
  for (Token token = 1; token <= 100; ++token) {
    ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("frozen", "x"), token).ok());
  }
  ASSERT_TRUE(harness.driver().Poll(Millis(50), -1).ok());
  const Deadline begin = Clock::now();
  harness.driver().Close(Millis(0), -1);
  EXPECT_LT(Elapsed(begin), Millis(10'000));
  EXPECT_EQ(Completed(harness.host), 0U);
  harness.driver().Close(Millis(0), -1);  // again: nothing to do
}

TEST(KafkaDriver, FatalErrorEndsPollAndTheNextProducerTakesTheMessage) {
  MockCluster cluster;
  Harness harness(cluster.address(), "");
  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  // A broker that lost track of the sequence ends an idempotent producer for good.
  constexpr int16_t kProduce = 0;
  rd_kafka_mock_push_request_errors(cluster.get(), kProduce, 1,
                                    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("fatal", "x"), 1).ok());
  harness.Start();
  harness.Join();  // until Poll gives an error
  EXPECT_EQ(harness.poll_status.code(), Code::kUnavailable);
  EXPECT_EQ(Completed(harness.host), 0U);
  harness.driver().Close(Millis(0), -1);

  ASSERT_TRUE(harness.Open(Role::kProducer).ok());
  harness.Start();
  ASSERT_TRUE(harness.SubmitWhenRoom(MakeMessage("fatal", "x"), 1).ok());
  ASSERT_TRUE(harness.host.Wait([&] { return harness.host.completed.size() == 1; }));
  EXPECT_TRUE(harness.host.completed[1].ok());
}

TEST(KafkaDriver, FullHostStopsReadingAndLosesNothing) {
  MockCluster cluster;
  Harness producer(cluster.address(), "");
  ASSERT_TRUE(producer.Open(Role::kProducer).ok());
  producer.Start();
  for (Token token = 1; token <= 50; ++token) {
    ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("slow", "x"), token).ok());
  }
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 50; }));

  Harness consumer(cluster.address(), kQuickGroup);
  consumer.host.room = 10;
  ASSERT_TRUE(consumer.Open(Role::kConsumer).ok());
  consumer.Run([](Driver& driver) {
    const std::string topics[] = {"slow"};
    EXPECT_TRUE(driver.Subscribe(topics, Clock::now() + Millis(5000)).ok());
  });
  consumer.Start();
  ASSERT_TRUE(consumer.host.Wait([&] { return consumer.host.refusals > 0; }));
  {
    const std::lock_guard lock(consumer.host.mutex);
    EXPECT_EQ(consumer.host.delivered.size(), 10U);
    consumer.host.room = 1000;
  }
  consumer.Run([](Driver&) {});  // the wake-up that there is room
  ASSERT_TRUE(consumer.host.Wait([&] { return consumer.host.delivered.size() == 50; }));
}

TEST(KafkaDriver, OnlyAcknowledgedMessagesAreCommitted) {
  MockCluster cluster;
  Harness producer(cluster.address(), "");
  ASSERT_TRUE(producer.Open(Role::kProducer).ok());
  producer.Start();
  const std::string texts[] = {"0", "1", "2", "3", "4", "5"};
  for (size_t i = 0; i < std::size(texts); ++i) {
    Message message = MakeMessage("commit", texts[i]);
    message.key = "one-partition";
    message.has_key = true;
    ASSERT_TRUE(producer.SubmitWhenRoom(message, i + 1).ok());
  }
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 6; }));

  const auto subscribe = [](Driver& driver) {
    const std::string topics[] = {"commit"};
    EXPECT_TRUE(driver.Subscribe(topics, Clock::now() + Millis(5000)).ok());
  };
  {
    Harness first(cluster.address(), kQuickGroup);
    ASSERT_TRUE(first.Open(Role::kConsumer).ok());
    first.Run(subscribe);
    first.Start();
    ASSERT_TRUE(first.host.Wait([&] { return first.host.delivered.size() == 6; }));
    first.Stop();
    // 0, 1 and 3: what is committed ends before the gap.
    for (const size_t i : {size_t{1}, size_t{0}, size_t{3}}) {
      first.driver().Ack(first.host.delivered[i].second);
    }
    const Deadline begin = Clock::now();
    first.driver().Close(Millis(3000), -1);
    EXPECT_LT(Elapsed(begin), Millis(10'000));
  }
  Harness second(cluster.address(), kQuickGroup);
  ASSERT_TRUE(second.Open(Role::kConsumer).ok());
  second.Run(subscribe);
  second.Start();
  ASSERT_TRUE(second.host.Wait([&] { return second.host.delivered.size() == 4; }));
  second.Stop();
  EXPECT_EQ(second.host.delivered[0].first.payload, "2");
  EXPECT_EQ(second.host.delivered[3].first.payload, "5");
}

TEST(KafkaDriver, SecondSubscribeReplacesTheTopics) {
  MockCluster cluster;
  Harness producer(cluster.address(), "");
  ASSERT_TRUE(producer.Open(Role::kProducer).ok());
  producer.Start();
  ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("old", "a"), 1).ok());
  ASSERT_TRUE(producer.SubmitWhenRoom(MakeMessage("new", "b"), 2).ok());
  ASSERT_TRUE(producer.host.Wait([&] { return producer.host.completed.size() == 2; }));

  Harness consumer(cluster.address(), kQuickGroup);
  ASSERT_TRUE(consumer.Open(Role::kConsumer).ok());
  const auto subscribe = [&](const std::string& topic) {
    consumer.Run([topic](Driver& driver) {
      const std::string topics[] = {topic};
      EXPECT_TRUE(driver.Subscribe(topics, Clock::now() + Millis(5000)).ok());
    });
  };
  subscribe("old");
  consumer.Start();
  ASSERT_TRUE(consumer.host.Wait([&] { return consumer.host.delivered.size() == 1; }));
  subscribe("new");
  ASSERT_TRUE(consumer.host.Wait([&] { return consumer.host.delivered.size() == 2; }));
  EXPECT_EQ(consumer.host.delivered[1].first.topic, "new");
}

}  // namespace
}  // namespace dsmsg::kafka
