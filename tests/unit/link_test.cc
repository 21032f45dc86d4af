// SPDX-License-Identifier: Apache-2.0
#include "core/session/link.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "core/base/time.h"
#include "core/options/config.h"
#include "core/session/outage.h"
#include "core/session/session.h"

namespace dsmsg {
namespace {

constexpr int kMessages = 20;

struct Observed {
  std::atomic<bool> up{false};
  std::atomic<int> submitted{0};
  std::atomic<int> waits{0};  // of Poll, while messages were left
};
Observed observed;

/// Completes inside Submit, as with a library that needs no acknowledgement.
class InlineDriver final : public Driver {
 public:
  explicit InlineDriver(DriverHost& host) : host_(host) {}
  static const DriverFactory& Factory() {
    static const std::string_view schemes[] = {"inline"};
    static const DriverInfo info = {
        .protocol = "INLINE",
        .env_suffix = "INLINE",
        .delivery = "in the test",
        .library = "none",
        .options = {},
        .conn_rules = {.protocol = "inline", .schemes = schemes, .default_port = 1}};
    static const DriverFactory factory = {&info, [](DriverHost& host) -> std::unique_ptr<Driver> {
                                            return std::make_unique<InlineDriver>(host);
                                          }};
    return factory;
  }

  Status Configure(const Endpoints&, const Config&) override { return {}; }
  Status Open(Role, Deadline, int) override {
    return observed.up ? Status() : Status(Code::kUnavailable, "inline: not yet");
  }
  Status Submit(const Message&, Token token) override {
    ++observed.submitted;
    host_.Complete(token, {});
    return {};
  }
  Status Poll(Millis budget, int wake_fd) override {
    const int submitted = observed.submitted;
    if (submitted > 0 && submitted < kMessages && budget.count() > 0) ++observed.waits;
    pollfd fd = {wake_fd, POLLIN, 0};
    poll(&fd, 1, static_cast<int>(budget.count()));
    return {};
  }
  Status Subscribe(std::span<const std::string>, Deadline) override { return {}; }
  void Ack(AckToken) noexcept override {}
  void Close(Millis, int) noexcept override {}

 private:
  DriverHost& host_;
};

void CountOk(void* user_ptr, NvDsMsgApiErrorType outcome) {
  if (outcome == NVDS_MSGAPI_OK) ++*static_cast<int*>(user_ptr);
}

// Half of the queue may be in flight. It filled up with messages that had already completed, and
// the I/O thread waited for a driver that had nothing more to report.
TEST(LinkTest, RoomMadeInsideSubmitIsUsedAtOnce) {
  observed.up = false;
  observed.submitted = observed.waits = 0;
  const std::string path = ::testing::TempDir() + "link_inline.txt";
  std::ofstream(path) << "[message-broker]\nconnect=lazy\nreconnect-interval=1ms\n"
                      << "reconnect-max-interval=5ms\nqueue-size=" << kMessages << "\n";
  int handle = 0, ok = 0;
  const auto ignore = [](NvDsMsgApiHandle, NvDsMsgApiEventType) {};
  auto session = Session::Connect(InlineDriver::Factory(), "localhost;1", path, ignore, &handle);
  ASSERT_TRUE(session.ok()) << session.status().message();
  session.value()->notifier().ConnectReturning();
  for (int i = 0; i < kMessages; ++i) {
    SendRequest request;
    request.topic = "t";
    request.payload = "x";
    ASSERT_TRUE(session.value()->SendAsync(request, &CountOk, &ok).ok());
  }
  observed.up = true;
  ASSERT_TRUE(session.value()->Flush(Millis(20000)));
  EXPECT_EQ(observed.submitted, kMessages);
  EXPECT_EQ(observed.waits, 0);
  EXPECT_TRUE(session.value()->Disconnect().ok());
  EXPECT_EQ(ok, kMessages);
}

/// Its login ends after a while: it wants another connection, once. What is on its way in Poll is
/// completed there, and lost if the link is closed before.
class RenewingDriver final : public Driver {
 public:
  struct Seen {
    std::atomic<int> opens{0}, lost{0}, submitted_late{0};
    std::vector<std::string> payloads;  // I/O thread until the session ends
  };
  static Seen seen;

  explicit RenewingDriver(DriverHost& host) : host_(host) {}
  static const DriverFactory& Factory() {
    static const DriverInfo info = [] {
      DriverInfo made = *InlineDriver::Factory().info;
      made.separate_roles = false;
      return made;
    }();
    static const DriverFactory factory = {&info, [](DriverHost& host) -> std::unique_ptr<Driver> {
                                            return std::make_unique<RenewingDriver>(host);
                                          }};
    return factory;
  }

  Status Configure(const Endpoints&, const Config&) override { return {}; }
  Status Open(Role, Deadline, int) override {
    ++seen.opens;
    return {};
  }
  bool WantsReopen() const noexcept override {
    return seen.opens == 1 && seen.payloads.size() >= kMessages / 2;
  }
  Status Submit(const Message& message, Token token) override {
    if (WantsReopen()) ++seen.submitted_late;
    seen.payloads.emplace_back(message.payload);
    pending_.push_back(token);
    return {};
  }
  Status Poll(Millis budget, int wake_fd) override {
    pollfd fd = {wake_fd, POLLIN, 0};
    poll(&fd, 1, static_cast<int>(std::min<int64_t>(budget.count(), 2)));
    if (pending_.empty()) return {};
    host_.Complete(pending_.front(), {});  // one a turn
    pending_.erase(pending_.begin());
    return {};
  }
  void Close(Millis, int) noexcept override {
    seen.lost += static_cast<int>(pending_.size());
    pending_.clear();
  }

 private:
  DriverHost& host_;
  std::vector<Token> pending_;
};
RenewingDriver::Seen RenewingDriver::seen;

TEST(LinkTest, ALinkMadeAnewLosesAndDoublesNothingAndIsNoOutage) {
  const std::string path = ::testing::TempDir() + "link_renewing.txt";
  std::ofstream(path) << "[message-broker]\n";
  int handle = 0, ok = 0;
  const auto ignore = [](NvDsMsgApiHandle, NvDsMsgApiEventType) {};
  auto session = Session::Connect(RenewingDriver::Factory(), "localhost;1", path, ignore, &handle);
  ASSERT_TRUE(session.ok()) << session.status().message();
  session.value()->notifier().ConnectReturning();
  std::vector<std::string> expected;
  for (int i = 0; i < kMessages; ++i) {
    expected.push_back(std::to_string(i));
    SendRequest request;
    request.topic = "t";
    request.payload = expected.back();
    ASSERT_TRUE(session.value()->SendAsync(request, &CountOk, &ok).ok());
  }
  ASSERT_TRUE(session.value()->Flush(Millis(20000)));
  // The last message may be acknowledged before the I/O thread asks the driver.
  const auto latest = Clock::now() + std::chrono::seconds(20);
  while (RenewingDriver::seen.opens < 2 && Clock::now() < latest) {
    std::this_thread::sleep_for(Millis(1));
  }
  EXPECT_TRUE(session.value()->Disconnect().ok());
  EXPECT_EQ(ok, kMessages);
  EXPECT_EQ(RenewingDriver::seen.payloads, expected);
  EXPECT_EQ(RenewingDriver::seen.opens, 2);
  EXPECT_EQ(RenewingDriver::seen.lost, 0);
  EXPECT_NE(session.value()->StatsJson().find("\"reconnects\":0"), std::string::npos)
      << session.value()->StatsJson();
}

// With reconnect-max-interval=30s, and a server that refuses at once.
TEST(OutageTest, NoPauseOfAYoungOneIsOverFourSeconds) {
  constexpr Millis kMinute{60'000}, kLongest{4000};
  const Clock::time_point since = Clock::now();
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Backoff backoff(Millis(200), Millis(30'000), seed);
    Clock::time_point now = since;
    while (now < since + kMinute) {
      const Deadline next = NextAttempt({since, now}, now, &backoff);
      ASSERT_GE(next, now);
      ASSERT_LE(next, now + kLongest) << "after " << (now - since).count() << " ns";
      now = next;
    }
    Deadline latest = now;
    for (int i = 0; i < 100; ++i)
      latest = std::max(latest, NextAttempt({since, now}, now, &backoff));
    EXPECT_GT(latest, now + Millis(20'000)) << "the limit is the option's from then on";
  }
}

TEST(OutageTest, AnAttemptThatWaitedForAnAnswerWasAPauseInItself) {
  const Clock::time_point since = Clock::now();
  Backoff backoff(Millis(30'000), Millis(30'000), 1);
  const Clock::time_point attempted_at = since + Millis(10'000), now = attempted_at + Millis(5000);
  for (int i = 0; i < 100; ++i) EXPECT_LT(NextAttempt({since, attempted_at}, now, &backoff), now);
  // The attempt that made the link that was lost just now.
  const Clock::time_point lost = now;
  for (int i = 0; i < 100; ++i) EXPECT_GE(NextAttempt({lost, attempted_at}, now, &backoff), now);
}

}  // namespace
}  // namespace dsmsg
