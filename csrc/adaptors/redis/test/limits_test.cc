// SPDX-License-Identifier: Apache-2.0
// Servers that end a connection over one of their limits, and one that answers sooner than asked.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>

#include "adaptors/redis/reply.h"
#include "adaptors/redis/test/fixture.h"
#include "core/base/fd.h"
#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

bool Has(const Status& status, const std::string& part) {
  return status.message().find(part) != std::string::npos;
}

// The server answers with an error, and closes the connection while the rest is being written.
TEST(RedisLimits, AMessageThatIsTooLargeForTheServerIsRefused) {
  const RedisServer server({"--proto-max-bulk-len", "1mb"});
  for (const size_t size : {size_t{2} << 20, size_t{64} << 20}) {
    Connection connection(AddressOf(server));
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("t", "before").ok());
    ASSERT_TRUE(connection.Send("t", std::string(size, 'x')).ok());
    const Status ended = connection.PumpUntil([] { return false; });
    EXPECT_EQ(ended.code(), Code::kUnavailable) << ended.message();
    EXPECT_TRUE(Has(ended, "proto-max-bulk-len")) << ended.message();
    ASSERT_EQ(connection.host.completed.size(), 2u) << ended.message();
    EXPECT_TRUE(connection.host.completed.at(1).ok());
    const Status refused = connection.host.completed.at(2);
    EXPECT_EQ(refused.code(), Code::kTooLarge) << refused.message();
    EXPECT_TRUE(Has(refused, "proto-max-bulk-len")) << refused.message();
    connection.driver.Close(Millis(0), -1);
    ASSERT_TRUE(connection.Open().ok());
    ASSERT_TRUE(connection.Send("t", "after").ok());
    ASSERT_TRUE(connection.PumpUntil([&] { return connection.host.ok == 2; }).ok());
  }
}

// Without an error: the link ends, and the core finds out which message it was.
TEST(RedisLimits, AFullQueryBufferEndsTheLinkAndRefusesNothing) {
  const RedisServer server({"--client-query-buffer-limit", "1mb"});
  Connection connection(AddressOf(server));
  ASSERT_TRUE(connection.Open().ok());
  ASSERT_TRUE(connection.Send("t", std::string(size_t{8} << 20, 'x')).ok());
  const Status ended = connection.PumpUntil([] { return false; });
  EXPECT_EQ(ended.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(ended, "client-query-buffer-limit")) << ended.message();
  EXPECT_TRUE(connection.host.completed.empty());
}

// The server has no room for the replies that a reader asks for.
TEST(RedisLimits, TooMuchReadAtOnceNamesWhatToLower) {
  const RedisServer server({"--client-output-buffer-limit", "normal", "1mb", "0", "0"});
  Connection writer(AddressOf(server));
  ASSERT_TRUE(writer.Open().ok());
  Connection greedy(AddressOf(server)), modest(AddressOf(server), "batch-read=5");
  constexpr size_t kEntries = 40;
  for (const auto& [reader, topic] : {std::pair(&greedy, "t"), std::pair(&modest, "u")}) {
    ASSERT_TRUE(reader->Open(Role::kConsumer).ok());
    ASSERT_TRUE(reader->Subscribe({topic}).ok());
    const size_t all = writer.host.ok + kEntries;
    for (size_t i = 0; i < kEntries; ++i) {
      ASSERT_TRUE(writer.Send(topic, std::string(size_t{100} << 10, 'x')).ok());
    }
    ASSERT_TRUE(writer.PumpUntil([&] { return writer.host.ok == all; }).ok());
  }
  const Status ended = greedy.PumpUntil([] { return false; });
  EXPECT_EQ(ended.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(ended, "lower batch-read")) << ended.message();
  EXPECT_TRUE(modest.WaitDelivered(kEntries).ok());
}

TEST(RedisLimits, TooManyClientsIsReportedAtConnect) {
  const RedisServer server({"--maxclients", "1"});
  Connection first(AddressOf(server)), second(AddressOf(server));
  // The check whether the server is up may still count.
  Status status;
  const Deadline end = Clock::now() + Millis(10'000);
  while (!(status = first.Open()).ok() && Clock::now() < end) first.driver.Close(Millis(0), -1);
  ASSERT_TRUE(status.ok()) << status.message();
  status = second.Open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status, "raise maxclients")) << status.message();
}

/// Answers every read at once with "nothing", whatever BLOCK says, as fakeredis does.
class HastyServer {
 public:
  HastyServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Talk(); });
  }
  ~HastyServer() { thread_.join(); }  // after the client has hung up
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  size_t reads() const { return reads_.load(); }

 private:
  void Talk() {
    const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
    ReplyReader reader;
    char piece[4096];
    for (;;) {
      const ssize_t size = recv(connection.get(), piece, sizeof piece, 0);
      if (size <= 0) return;
      reader.Feed(piece, static_cast<size_t>(size));
      while (reader.Get() == ReplyReader::Result::kReply) {  // a command is an array of strings
        const std::string_view name = reader.reply().text(reader.reply().At(0, 0));
        const bool reads = name == "XREADGROUP" || name == "XREAD" || name == "BLPOP";
        if (reads) ++reads_;
        const std::string_view answer = reads ? "$-1\r\n" : "+OK\r\n";
        (void)send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }

  const UniqueFd listener_;
  uint16_t port_ = 0;
  std::atomic<size_t> reads_{0};
  std::thread thread_;
};

/// Of all threads of the process. Other processes that keep the machine busy do not add to it.
std::chrono::nanoseconds CpuTime() {
  timespec used{};
  EXPECT_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

TEST(RedisLimits, AServerThatHoldsNoReadBackIsNotAskedWithoutEndAndCostsNoCpu) {
  for (const std::string config : {"", "consumergroup=\"\"", "command=rpush"}) {
    HastyServer server;
    Connection connection(server.address(), config);
    ASSERT_TRUE(connection.Open(Role::kConsumer).ok());
    ASSERT_TRUE(connection.Subscribe({"t"}).ok());
    constexpr size_t kReads = 4;
    const Deadline begin = Clock::now();
    const auto used = CpuTime();
    ASSERT_TRUE(connection.PumpUntil([&] { return server.reads() > kReads; }).ok());
    // Each read took as long as a blocked one, or was followed by a pause...
    const auto passed = Clock::now() - begin;
    EXPECT_GE(passed, Millis(25) * (kReads - 1)) << config;
    // ... in which this side slept.
    EXPECT_LT(CpuTime() - used, passed / 10) << config;
    connection.driver.Close(Millis(0), -1);
  }
}

}  // namespace
}  // namespace dsmsg::redis
