// SPDX-License-Identifier: Apache-2.0
// What drivers share to talk to servers: servers in turn, silence, the window, questions over a
// Unix socket.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "core/base/fd.h"
#include "core/net/dial.h"
#include "core/net/send_window.h"
#include "core/net/servers.h"
#include "core/net/silence.h"

namespace dsmsg {
namespace {

using ::testing::ElementsAre;

class ServersTest : public ::testing::Test {
 protected:
  Status Open(Millis time = Millis(9000)) {
    asked_.clear();
    return servers_.Open(
        Clock::now() + time,
        [&](const HostPort& host, Deadline share) {
          asked_.push_back(host.host);
          shares_.push_back(share - Clock::now());
          return host.host == good_ ? Status() : Status(code_, host.host + " is away");
        },
        [&] { ++closed_; });
  }
  const std::vector<HostPort> hosts_{{"a", 1}, {"b", 2}, {"c", 3}};
  Servers servers_{hosts_, "brokers"};
  std::string good_;
  Code code_ = Code::kUnavailable;
  std::vector<std::string> asked_;
  std::vector<Clock::duration> shares_;
  int closed_ = 0;
};

TEST_F(ServersTest, BeginsWithTheOneThatWorkedLast) {
  good_ = "b";
  EXPECT_TRUE(Open().ok());
  EXPECT_THAT(asked_, ElementsAre("a", "b"));
  EXPECT_TRUE(Open().ok());
  EXPECT_THAT(asked_, ElementsAre("b"));
  servers_.PreferNext();
  EXPECT_TRUE(Open().ok());
  EXPECT_THAT(asked_, ElementsAre("c", "a", "b"));
  EXPECT_EQ(closed_, 3) << "after each failure";
}

TEST_F(ServersTest, EachHasItsShareOfTheTime) {
  EXPECT_FALSE(Open(Millis(9000)).ok());
  ASSERT_EQ(shares_.size(), 3u);
  EXPECT_LE(shares_[0], Millis(3000));
  EXPECT_LE(shares_[1], Millis(4500)) << "the first one left its share";
  EXPECT_GT(shares_[2], Millis(4500));
}

TEST_F(ServersTest, TheErrorNamesThemAllAndIsRetryableIfOneIs) {
  code_ = Code::kAuth;
  EXPECT_EQ(Open().message(), "none of 3 brokers can be used: a is away; b is away; c is away");
  EXPECT_EQ(Open().code(), Code::kAuth);
  const Status status = servers_.Open(
      Clock::now() + Millis(100),
      [](const HostPort& host, Deadline) {
        return Status(host.host == "b" ? Code::kUnavailable : Code::kAuth, host.host);
      },
      [] {});
  EXPECT_EQ(status.code(), Code::kUnavailable);
}

TEST_F(ServersTest, ACancelledAttemptTriesNoOtherServer) {
  code_ = Code::kCancelled;
  EXPECT_EQ(Open().message(), "a is away");
  EXPECT_THAT(asked_, ElementsAre("a"));
}

TEST_F(ServersTest, KnowsWhichHaveAnswered) {
  EXPECT_EQ(servers_.AnsweredBy("a:1", false), Answered::kNever);
  EXPECT_EQ(servers_.AnsweredBy("a:1", true), Answered::kPartly);
  servers_.Worked("a:1");
  EXPECT_EQ(servers_.AnsweredBy("a:1", false), Answered::kBefore);
  EXPECT_EQ(servers_.AnsweredBy("b:2", false), Answered::kNever);
}

TEST(SendWindow, OnceFullItTakesNothingUntilAQuarterOrABurstIsFree) {
  SendWindow window;
  window.Reset(8);
  EXPECT_TRUE(window.Takes(7));
  EXPECT_FALSE(window.Reopens(0)) << "it was not full";
  EXPECT_FALSE(window.Takes(8));
  EXPECT_FALSE(window.Takes(7));
  EXPECT_FALSE(window.Reopens(7));
  EXPECT_FALSE(window.Reopens(6, false));
  EXPECT_TRUE(window.Reopens(6));
  EXPECT_TRUE(window.Takes(6));
  EXPECT_FALSE(window.Takes(0, false)) << "no room for a reason of the driver's";
  window.Reset(1);
  EXPECT_TRUE(window.Takes(0));
  EXPECT_FALSE(window.Takes(1));
  EXPECT_TRUE(window.Reopens(0));
  window.Reset(1000);
  EXPECT_FALSE(window.Takes(1000));
  EXPECT_FALSE(window.Reopens(937));
  EXPECT_TRUE(window.Reopens(936)) << "a burst has room";
}

/// A TCP connection of which the test holds both ends.
struct TcpPair {
  TcpPair() {
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener.get(), any, length), 0);
    EXPECT_EQ(listen(listener.get(), 1), 0);
    EXPECT_EQ(getsockname(listener.get(), any, &length), 0);
    ours = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(ours.get(), any, length), 0);
    theirs = UniqueFd(accept(listener.get(), nullptr, nullptr));
  }
  UniqueFd ours, theirs;
};

// The test waits for its end: the limit is far longer than a busy machine delays a thread.
void ExpectSilent(SilenceWatch& watch, int fd) {
  Status status;
  while ((status = watch.Check(fd, "a:1")).ok()) std::this_thread::sleep_for(Millis(5));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_TRUE(status.message().starts_with("a:1 has not answered for ")) << status.message();
}

TEST(SilenceWatch, BytesThatThePeerTakesAreASignOfLife) {
  const TcpPair pair;
  SilenceWatch watch(Millis(300));
  watch.Reset();
  ExpectSilent(watch, pair.ours.get());
  ASSERT_EQ(send(pair.ours.get(), "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  ASSERT_EQ(recv(pair.theirs.get(), &byte, 1, 0), 1);
  // Its machine acknowledges at once, or at its next check.
  while (watch.Look(pair.ours.get()) > Millis(300)) std::this_thread::sleep_for(Millis(5));
  ExpectSilent(watch, pair.ours.get());
}

TEST(SilenceWatch, CountsFromTheQuestionOrTheLastAnswer) {
  const TcpPair pair;
  SilenceWatch watch(Millis(300));
  watch.Reset();
  ExpectSilent(watch, pair.ours.get());
  Deadline before = Clock::now();
  watch.BeginExpecting();
  Clock::duration silent = watch.Look(pair.ours.get());
  EXPECT_LE(silent, Clock::now() - before);
  ExpectSilent(watch, pair.ours.get());
  before = Clock::now();
  watch.Heard();
  silent = watch.Look(pair.ours.get());
  EXPECT_LE(silent, Clock::now() - before);
  EXPECT_TRUE(watch.Check(pair.ours.get(), "a:1", std::chrono::hours(1)).ok());
}

/// Answers one question over an abstract Unix socket, in two parts.
class UnixServer {
 public:
  UnixServer() : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
  }

  std::thread Answer(size_t question, std::string answer) {
    return std::thread([this, question, answer = std::move(answer)] {
      const UniqueFd client(accept(listener_.get(), nullptr, nullptr));
      std::string read(question, ' ');
      EXPECT_EQ(recv(client.get(), read.data(), question, MSG_WAITALL),
                static_cast<ssize_t>(question));
      const size_t half = answer.size() / 2;
      for (const std::string& part : {answer.substr(0, half), answer.substr(half)}) {
        (void)send(client.get(), part.data(), part.size(), MSG_NOSIGNAL);
      }
    });
  }

  const std::string path = "@dsmsg-test-" + std::to_string(getpid());

 private:
  const UniqueFd listener_;
};

TEST(AskUnix, ReadsUntilTheOtherSideCloses) {
  UnixServer server;
  const std::string question(1 << 20, 'q'), answer(100'000, 'a');  // more than a socket holds
  std::thread thread = server.Answer(question.size(), answer);
  const auto got = AskUnix(server.path, question, answer.size(), Deadline::max(), -1);
  thread.join();
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(got.value(), answer);
}

TEST(AskUnix, SaysWhyNot) {
  UnixServer server;
  const auto code = [&server](size_t most, Deadline deadline, int cancel_fd) {
    return AskUnix(server.path, "q", most, deadline, cancel_fd).status().code();
  };
  std::thread thread = server.Answer(1, "abc");
  EXPECT_EQ(code(2, Deadline::max(), -1), Code::kTooLarge);
  thread.join();
  EXPECT_EQ(code(9, Clock::now(), -1), Code::kTimeout) << "accepted by the kernel, not answered";
  WakeFd cancel;
  cancel.Signal();
  EXPECT_EQ(code(9, Deadline::max(), cancel.fd()), Code::kCancelled);
  const Status away = AskUnix("/no/such", "q", 9, Deadline::max(), -1).status();
  EXPECT_EQ(away.code(), Code::kUnavailable);
  EXPECT_EQ(away.message(), "No such file or directory");
}

}  // namespace
}  // namespace dsmsg
