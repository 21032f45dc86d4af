// SPDX-License-Identifier: Apache-2.0
// Name lookup is tested with a getaddrinfo of this program's own, which takes the place of the C
// library's:
// *.test names are answered here, everything else (localhost, numbers) by the real one.
#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/net/dial.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>

namespace dsmsg {
namespace {

using ::testing::HasSubstr;

/// Steers the replaced getaddrinfo.
struct FakeNames {
  std::mutex mutex;
  std::condition_variable changed;
  bool hold = true;               // "slow.test" waits while it is true
  int waiting = 0;                // calls in "slow.test"
  int finished = 0;               // calls that left it
  bool unblocked = false;         // some signal was not blocked on a lookup thread
  sockaddr_in first{}, second{};  // answer of "two.test"
};

FakeNames& Names() {
  // Never destroyed: detached lookups may still run when the program ends.
  static FakeNames* const names = new FakeNames;
  return *names;
}

addrinfo* MakeInfo(const sockaddr_in& address, addrinfo* next) {
  // One block, as freeaddrinfo of the C library frees entry by entry.
  auto* info = static_cast<addrinfo*>(std::calloc(1, sizeof(addrinfo) + sizeof(sockaddr_in)));
  info->ai_family = AF_INET;
  info->ai_socktype = SOCK_STREAM;
  info->ai_addrlen = sizeof(sockaddr_in);
  info->ai_addr = reinterpret_cast<sockaddr*>(info + 1);
  std::memcpy(info->ai_addr, &address, sizeof address);
  info->ai_next = next;
  return info;
}

int Answer(std::string_view name, addrinfo** list) {
  FakeNames& names = Names();
  std::unique_lock<std::mutex> lock(names.mutex);
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1}) {
    if (sigismember(&mask, signal) != 1) names.unblocked = true;
  }
  if (name == "two.test") {
    *list = MakeInfo(names.first, MakeInfo(names.second, nullptr));
    return 0;
  }
  if (name != "slow.test") return EAI_NONAME;
  ++names.waiting;
  names.changed.notify_all();
  names.changed.wait(lock, [&] { return !names.hold; });
  --names.waiting;
  ++names.finished;
  names.changed.notify_all();
  return EAI_AGAIN;
}

}  // namespace
}  // namespace dsmsg

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** list) {
  const std::string_view text = name == nullptr ? "" : name;
  const bool numeric = (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (!numeric && text.size() > 5 && text.substr(text.size() - 5) == ".test") {
    return dsmsg::Answer(text, list);
  }
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, list);
}

namespace dsmsg {
namespace {

Deadline In(int ms) { return Clock::now() + Millis(ms); }

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A bound port of 127.0.0.1, which refuses connections until it listens.
class Port {
 public:
  Port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_ = Loopback(0);
    socklen_t length = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    if (::bind(fd_.get(), address, length) != 0) std::abort();
    if (::getsockname(fd_.get(), address, &length) != 0) std::abort();
  }
  void Listen(int backlog) {
    if (::listen(fd_.get(), backlog) != 0) std::abort();
  }
  /// Afterwards no connection gets an answer: the queue of connections that wait to be accepted is
  /// full.
  void Freeze() {
    Listen(0);
    for (bool full = false; !full;) {
      UniqueFd& fd = waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)::connect(fd.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_);
      pollfd wait{fd.get(), POLLOUT, 0};
      full = ::poll(&wait, 1, 200) == 0;
      ASSERT_LT(waiting_.size(), 50u);
    }
  }
  UniqueFd Accept() { return UniqueFd(::accept(fd_.get(), nullptr, nullptr)); }
  uint16_t number() const { return ntohs(address_.sin_port); }
  const sockaddr_in& address() const { return address_; }

 private:
  UniqueFd fd_;
  sockaddr_in address_{};
  std::vector<UniqueFd> waiting_;
};

bool Readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

int Option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

TEST(NetTest, PollTimeoutRoundsUpAndIsNeverNegative) {
  EXPECT_EQ(PollTimeout(Clock::now() - std::chrono::hours(1)), 0);
  EXPECT_EQ(PollTimeout(Deadline::min()), 0);
  EXPECT_EQ(PollTimeout(Deadline::max()), std::numeric_limits<int>::max());
  const int soon = PollTimeout(Clock::now() + std::chrono::microseconds(900));
  EXPECT_LE(soon, 1);
  const int later = PollTimeout(In(100000));
  EXPECT_GT(later, 90000);
  EXPECT_LE(later, 100000);
}

TEST(NetTest, UniqueFdOwns) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  UniqueFd moved = std::move(writer);
  EXPECT_FALSE(writer.valid());  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_EQ(moved.get(), ends[1]);
  EXPECT_FALSE(Readable(reader.get()));
  errno = EAGAIN;
  moved = UniqueFd();
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(Readable(reader.get()));  // hung up: it was closed
  reader.Reset();
  reader.Reset();
  EXPECT_FALSE(reader.valid());
}

TEST(NetTest, WakeFd) {
  WakeFd wake;
  EXPECT_FALSE(Readable(wake.fd()));
  wake.Drain();
  wake.Signal();
  wake.Signal();
  EXPECT_TRUE(Readable(wake.fd()));
  wake.Drain();
  EXPECT_FALSE(Readable(wake.fd()));
  std::thread([&] { wake.Signal(); }).join();
  EXPECT_TRUE(Readable(wake.fd()));
}

TEST(NetTest, ResolvesNumbersAtOnceEvenWhenCancelled) {
  WakeFd cancel;
  cancel.Signal();
  const auto ipv4 = Resolve({"127.0.0.1", 80}, In(-1), cancel.fd());
  ASSERT_TRUE(ipv4.ok()) << ipv4.status().message();
  ASSERT_EQ(ipv4->size(), 1u);
  const auto* address = reinterpret_cast<const sockaddr_in*>(&ipv4->front().storage);
  EXPECT_EQ(address->sin_port, htons(80));
  EXPECT_EQ(address->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  const auto ipv6 = Resolve({"::1", 80}, In(-1), cancel.fd());
  ASSERT_TRUE(ipv6.ok()) << ipv6.status().message();
  EXPECT_EQ(ipv6->front().storage.ss_family, AF_INET6);
}

TEST(NetTest, ResolvesLocalhost) {
  const auto found = Resolve({"localhost", 80}, In(10000), -1);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(found->empty());
}

TEST(NetTest, UnknownNameIsRetryableAndNamed) {
  const auto found = Resolve({"nobody.test", 80}, In(10000), -1);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().code(), Code::kUnavailable);
  EXPECT_THAT(found.status().message(),
              HasSubstr("name lookup: cannot find broker host \"nobody.test\": "));
  EXPECT_THAT(found.status().message(), HasSubstr("check the host name"));
}

TEST(NetTest, ASlowNameServerBlocksNoThread) {
  FakeNames& names = Names();
  {
    const std::lock_guard<std::mutex> lock(names.mutex);
    names.hold = true;
    names.finished = 0;
  }
  const auto timed_out = Resolve({"slow.test", 80}, In(20), -1);
  ASSERT_FALSE(timed_out.ok());
  EXPECT_EQ(timed_out.status().code(), Code::kTimeout);
  EXPECT_THAT(timed_out.status().message(), HasSubstr("name lookup"));

  WakeFd cancel;
  std::thread canceller([&] {
    std::unique_lock<std::mutex> lock(names.mutex);
    names.changed.wait(lock, [&] { return names.waiting == 2; });
    cancel.Signal();
  });
  const auto begin = Clock::now();
  const auto cancelled = DialTcp({"slow.test", 80}, In(60000), cancel.fd());
  canceller.join();
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.status().code(), Code::kCancelled);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(30));

  // Lookups that hang do not pile up without bound.
  Status last;
  int tries = 0;
  for (; tries < 100 && last.code() != Code::kUnavailable; ++tries) {
    last = Resolve({"slow.test", 80}, In(0), -1).status();
  }
  EXPECT_LE(tries, 16);
  EXPECT_THAT(last.message(), HasSubstr("too many earlier lookups"));

  {
    std::unique_lock<std::mutex> lock(names.mutex);
    names.hold = false;
    names.changed.notify_all();
    names.changed.wait(lock, [&] { return names.waiting == 0 && names.finished > 0; });
    EXPECT_FALSE(names.unblocked) << "a host's signal could be delivered to a lookup thread";
  }
  // When they have ended there is room again. Each needs a moment to end after the fake has
  // released it.
  const Deadline end = In(20000);
  Status status = last;
  while (status.message().find("too many") != std::string::npos && Clock::now() < end) {
    status = Resolve({"slow.test", 80}, In(5000), -1).status();
  }
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("cannot find broker host"));
  EXPECT_THAT(status.message(), ::testing::Not(HasSubstr("too many")));
}

TEST(NetTest, DialsAndSetsTheSocketUp) {
  Port port;
  port.Listen(5);
  auto fd = DialTcp({"localhost", port.number()}, In(10000), -1);
  ASSERT_TRUE(fd.ok()) << fd.status().message();
  const int raw = fd->get();
  EXPECT_NE(::fcntl(raw, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(raw, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(Option(raw, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(Option(raw, SOL_SOCKET, SO_KEEPALIVE), 1);
  UniqueFd peer = port.Accept();
  ASSERT_TRUE(peer.valid());
  ASSERT_EQ(::send(raw, "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'x');
}

TEST(NetTest, RefusedNamesStepEndpointCauseAndHint) {
  Port port;
  const auto fd = DialTcp({"127.0.0.1", port.number()}, In(10000), -1);
  ASSERT_FALSE(fd.ok());
  EXPECT_EQ(fd.status().code(), Code::kUnavailable);
  EXPECT_EQ(fd.status().message(),
            "cannot reach broker 127.0.0.1:" + std::to_string(port.number()) +
                ": connection refused (is the broker running, and is this "
                "its port?)");
}

TEST(NetTest, SilentPeerTimesOutAndCanBeCancelled) {
  Port port;
  ASSERT_NO_FATAL_FAILURE(port.Freeze());
  const auto begin = Clock::now();
  const auto timed_out = DialTcp({"127.0.0.1", port.number()}, In(100), -1);
  ASSERT_FALSE(timed_out.ok());
  EXPECT_EQ(timed_out.status().code(), Code::kTimeout);
  EXPECT_GE(Clock::now() - begin, Millis(100));
  EXPECT_THAT(timed_out.status().message(), HasSubstr("cannot reach broker 127.0.0.1:"));

  WakeFd cancel;
  cancel.Signal();
  const auto cancelled = DialTcp({"127.0.0.1", port.number()}, In(60000), cancel.fd());
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.status().code(), Code::kCancelled);
}

TEST(NetTest, TriesEveryAddressWithinTheDeadline) {
  Port refusing, frozen, good;
  ASSERT_NO_FATAL_FAILURE(frozen.Freeze());
  good.Listen(5);
  for (const Port* first : {&refusing, &frozen}) {
    {
      const std::lock_guard<std::mutex> lock(Names().mutex);
      Names().first = first->address();
      Names().second = good.address();
    }
    const auto fd = DialTcp({"two.test", 1}, In(2000), -1);
    EXPECT_TRUE(fd.ok()) << fd.status().message();
    EXPECT_TRUE(good.Accept().valid());
  }
}

}  // namespace
}  // namespace dsmsg
