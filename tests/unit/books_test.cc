// SPDX-License-Identifier: Apache-2.0
// The books: at every moment, every accepted message is in one place or has one outcome, whatever
// hosts, broker, disk and settings do.
#include "core/observe/books.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <array>
#include <filesystem>
#include <random>
#include <thread>

#include "unit/fault_vfs.h"
#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using Numbers = std::map<std::string, uint64_t>;

// dsmsg_stats as numbers; those of an object as "failed.rejected" and in sum as "failed".
Numbers StatsOf(const Session& session) {
  rapidjson::Document json;
  json.Parse(session.StatsJson().c_str());
  Numbers stats;
  for (const auto& member : json.GetObject()) {
    const std::string name = member.name.GetString();
    if (member.value.IsUint64()) stats[name] = member.value.GetUint64();
    if (!member.value.IsObject()) continue;
    stats[name] = 0;
    for (const auto& each : member.value.GetObject()) {
      stats[name] += each.value.GetUint64();
      stats[name + '.' + each.name.GetString()] = each.value.GetUint64();
    }
  }
  return stats;
}

std::string Text(const Numbers& stats) {
  std::string text;
  for (const auto& [name, value] : stats) text += name + '=' + std::to_string(value) + ' ';
  return text;
}

// Checks the equations of docs/operations.md; "" if they hold.
std::string Wrong(Numbers now) {
  const uint64_t in = now["accepted"] + now["restored"] + now["dead_letters_spooled"];
  const uint64_t out = now["acknowledged"] + now["replayed"] + now["failed"] + now["dropped"] +
                       now["queue_messages"] + now["spool_backlog"];
  const uint64_t letters =
      now["dead_lettered"] + now["dead_letters_lost"] + now["dead_letters_waiting"];
  std::string wrong;
  if (in != out) wrong += "messages " + std::to_string(in) + " != " + std::to_string(out) + "; ";
  if (now["dead_letters_due"] != letters) wrong += "dead letters; ";
  for (const char* place : {"queue_messages", "spool_backlog", "dead_letters_waiting"}) {
    if (now[place] > uint64_t{1} << 40) wrong += std::string(place) + " below zero; ";
  }
  return wrong.empty() ? wrong : wrong + Text(now);
}

// The counter that went down, "" if none did.
std::string WentDown(const Numbers& before, Numbers now) {
  for (const auto& [name, value] : before) {
    const bool gauge = name.starts_with("queue_") || name.starts_with("in") ||
                       name.starts_with("spool_") || name.ends_with("_waiting") ||
                       name.starts_with("latency_us") || name.starts_with("last_");
    if (!gauge && now[name] < value) return name;
  }
  return {};
}

struct Case {
  const char* name;
  const char* options;
  bool spool;
};

void PrintTo(const Case& tested, std::ostream* out) { *out << tested.name; }

class BooksTest : public SessionTest, public ::testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    FaultVfs::Get().Reset();
    FaultVfs::Get().MakeDefault(true);
    folder_ = NewFolder();
    // The fixture names the configuration after the test, which has a slash.
    std::filesystem::create_directories(::testing::TempDir() + "session_BalanceAtEveryMoment");
    FakeBroker::Get().refused_topic = "bad";
  }
  void TearDown() override {
    session_.reset();
    FaultVfs::Get().Reset();
    FaultVfs::Get().MakeDefault(false);
    std::filesystem::remove_all(folder_);
  }

  std::string Options() const {
    return std::string(
               "connect=lazy\nqueue-size=40\nmax-message-bytes=5000\nsend-timeout=3ms\n"
               "flush-timeout=50ms\noverflow-timeout=2ms\n") +
           GetParam().options +
           (GetParam().spool ? "spool-dir=" + folder_ + "/spool\n" : std::string());
  }

  void Host(unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kOperations; ++i) {
      const auto what = random() % 20;
      const std::string payload(what == 0 ? 6000 : 1 + random() % 2000, 'x');
      SendRequest request = Request(payload, what == 1 ? "bad" : "t");
      const std::string key = std::to_string(random() % 5);
      request.has_key = random() % 2 == 0;
      if (request.has_key) request.key = key;
      if (what == 2) {
        session_->DoWork();
      } else if (what == 3) {
        ++began_;
        ++(session_->Send(request).ok() ? sync_ok_ : sync_failed_);
        ++ended_;
      } else {
        ++began_;
        ASSERT_TRUE(session_->SendAsync(request, &CountOutcome, &counts_).ok());
        ++ended_;
      }
    }
    --hosts_;
  }

  // Everything that may happen while hosts send.
  void Disturb(std::mt19937* random) {
    FakeBroker& broker = FakeBroker::Get();
    using Answer = FakeBroker::Answer;
    constexpr std::array<Answer, 4> kAnswers = {Answer::kAck, Answer::kAck, Answer::kSilent,
                                                Answer::kRetryOnce};
    switch ((*random)() % 6) {
      case 0:
        broker.SetDown({Code::kUnavailable, "fake: away"});
        break;
      case 1:
      case 2:
        broker.SetUp();
        broker.SetAnswer(kAnswers[(*random)() % kAnswers.size()]);
        break;
      case 3:
        FaultVfs::Get().FailWrites((*random)() % 2 == 0 ? SQLITE_FULL : SQLITE_OK);
        break;
      case 4:
        if ((*random)() % 4 == 0) {
          EXPECT_TRUE(session_->Reload("", "").ok());
        }
        break;
      default:
        session_->DoWork();
    }
  }

  // Reads while the hosts run; a reading includes everything counted before it.
  void Watch() {
    Numbers before;
    while (hosts_ > 0) {
      const uint64_t ended = ended_;
      const Numbers now = StatsOf(*session_);
      const uint64_t began = began_;
      ASSERT_EQ(Wrong(now), "");
      ASSERT_EQ(WentDown(before, now), "");
      ASSERT_GE(now.at("accepted"), ended);
      ASSERT_LE(now.at("accepted"), began);
      before = now;
    }
  }

  bool Settled() {
    return WaitFor([&] {
      session_->DoWork();
      Numbers now = StatsOf(*session_);
      return now["queue_messages"] + now["spool_backlog"] + now["dead_letters_waiting"] == 0;
    });
  }
  uint64_t Told() const { return static_cast<uint64_t>(counts_.total()) + sync_ok_ + sync_failed_; }

  static constexpr int kHosts = 3, kOperations = 500;
  std::string folder_;
  std::shared_ptr<Session> session_;
  std::atomic<int> hosts_{0};
  std::atomic<uint64_t> began_{0}, ended_{0}, sync_ok_{0}, sync_failed_{0};
};

TEST_P(BooksTest, BalanceAtEveryMoment) {
  session_ = Open(Options());
  ASSERT_TRUE(session_) << connect_error_.message();
  hosts_ = kHosts;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kHosts; ++i) threads.emplace_back([this, i] { Host(i); });
  threads.emplace_back([this] { Watch(); });
  std::mt19937 random(4711);
  while (hosts_ > 0) Disturb(&random);
  for (std::thread& thread : threads) thread.join();

  // At rest the books agree with the callbacks.
  FaultVfs::Get().FailWrites(SQLITE_OK);
  FakeBroker::Get().SetUp();
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  ASSERT_TRUE(Settled()) << session_->StatsJson();
  Numbers now = StatsOf(*session_);
  EXPECT_EQ(Wrong(now), "");
  EXPECT_EQ(now["accepted"], began_);
  ASSERT_TRUE(WaitFor([&] {
    session_->DoWork();
    return Told() == began_;
  }));
  const uint64_t ok = static_cast<uint64_t>(counts_.ok) + sync_ok_;
  EXPECT_LE(ok, now["acknowledged"] + now["spooled"]);
  // Messages that a sender gave up on and the spool took all the same.
  EXPECT_GE(ok + sync_failed_, now["acknowledged"] + now["spooled"]);
  EXPECT_GE(FakeBroker::Get().Received(), now["acknowledged"] + now["replayed"]);

  // The end, with messages left.
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(session_->SendAsync(Request("left"), &CountOutcome, &counts_).ok());
    ++began_;
  }
  EXPECT_TRUE(session_->Disconnect().ok());
  now = StatsOf(*session_);
  EXPECT_EQ(Wrong(now), "");
  EXPECT_EQ(Told(), began_);
  EXPECT_EQ(now["queue_messages"], 0u);
  EXPECT_EQ(now["dead_letters_waiting"], 0u);
  if (!GetParam().spool) {
    EXPECT_GT(now["dropped"], 0u);
    return;
  }

  // Messages in the spool belong to the next connection.
  const uint64_t left = now["spool_backlog"];
  EXPECT_EQ(now["spool_rows"], left);
  // A slow disk is closed in the background; its file is free only then.
  ASSERT_TRUE(WaitFor([&] {
    session_ = Open(Options());
    if (!session_) return true;
    now = StatsOf(*session_);
    return now["restored"] == left || !session_->Disconnect().ok();
  }));
  ASSERT_TRUE(session_) << connect_error_.message();
  EXPECT_EQ(now["restored"], left);
  EXPECT_EQ(Wrong(now), "");
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  ASSERT_TRUE(Settled());
  now = StatsOf(*session_);
  EXPECT_EQ(now["replayed"], left);
  EXPECT_EQ(Wrong(now), "");
  EXPECT_TRUE(session_->Disconnect().ok());
}

std::string NameOf(const ::testing::TestParamInfo<Case>& tested) { return tested.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Cases, BooksTest,
    ::testing::Values(Case{"block", "", false}, Case{"oldest", "overflow=drop-oldest\n", false},
                      Case{"newest", "overflow=drop-newest\nmessage-timeout=5ms\n", false},
                      Case{"latest", "overflow=latest-per-key\ndead-letter-topic=dead\n", false},
                      Case{"letters", "dead-letter-topic=dead\nspool-mode=always\n", true},
                      Case{"spool", "", true}, Case{"overflow", "overflow=spool\n", true},
                      Case{"evict", "spool-evict=1\nspool-max-bytes=1M\n", true},
                      Case{"unordered", "spool-order=none\nmessage-timeout=20ms\n", true},
                      Case{"always", "spool-mode=always\nspool-max-bytes=1M\n", true}),
    NameOf);

}  // namespace
}  // namespace dsmsg
