// SPDX-License-Identifier: Apache-2.0
// A child appends numbered messages, delivers some, sometimes closes and opens, and prints what was
// reported to it; it is killed at a random moment. Messages that it reported as committed must be
// there afterwards, once, whole and in order; those that it delivered may or may not be gone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/spool/spool.h"

namespace dsmsg {
namespace {

const char* program = nullptr;

SpoolOptions OptionsFor(const std::string& dir, uint64_t seed) {
  SpoolOptions options;
  options.dir = dir;
  options.protocol = "TEST";
  options.endpoint = "kill";
  options.sync_full = seed % 3 == 0;
  options.prefetch_bytes = size_t{64} << 10;
  return options;
}

// Any missing or wrong part shows.
std::string PayloadOf(uint64_t number) {
  std::string payload = std::to_string(number) + ":";
  std::minstd_rand random(static_cast<uint32_t>(number + 1));
  payload.resize(payload.size() + random() % 8000);
  for (char& c : payload) {
    if (c == '\0') c = static_cast<char>('a' + random() % 26);
  }
  return payload;
}

uint64_t NumberOf(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// ---------------------------------------------------------------- the child

/// Prints the reports: "C <number>", and "D <number>" before a delivery counts.
class Teller final : public SpoolListener {
 public:
  static void Say(char what, std::span<const uint64_t> numbers) {
    std::string text;
    for (const uint64_t number : numbers) {
      text += what;
      text += ' ' + std::to_string(number) + '\n';
    }
    for (size_t at = 0; at < text.size();) {
      const ssize_t written = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
      if (written <= 0) std::_Exit(3);
      at += static_cast<size_t>(written);
    }
  }
  void OnSpooled(std::span<const SpoolTicket> tickets) noexcept override { Say('C', tickets); }
  void OnSpoolFailed(std::span<const SpoolTicket>, const Status&) noexcept override {
    std::_Exit(4);
  }
  void OnSpoolReady() noexcept override {}
};

int RunChild(const std::string& dir, uint64_t seed, uint64_t number) {
  std::minstd_rand random(static_cast<uint32_t>(seed));
  Logger logger("TEST");
  while (true) {
    Teller teller;
    Result<std::unique_ptr<Spool>> spool = Spool::Open(OptionsFor(dir, seed), logger);
    if (!spool.ok() || !spool.value()->Start(&teller).ok()) return 5;
    for (int i = 0; i < 300; ++i) {
      const std::string payload = PayloadOf(number);
      Message message;
      message.topic = "t";
      message.payload = payload;
      const Status status = spool.value()->Append(message, 1, number);
      if (status.ok()) ++number;
      if (random() % 10 == 0) spool.value()->Flush(Clock::now() + std::chrono::seconds(60));
      if (random() % 20 == 0) {
        std::vector<SpoolMessage> messages;
        spool.value()->Fetch(random() % 30, ~size_t{0}, &messages);
        std::vector<uint64_t> ids, numbers;
        for (const SpoolMessage& each : messages) {
          ids.push_back(each.id);
          numbers.push_back(NumberOf(each.message.payload));
        }
        if (random() % 4 == 0) {
          spool.value()->Release(ids);
        } else {
          Teller::Say('D', numbers);
          spool.value()->MarkDelivered(ids);
        }
      }
    }
    spool.value()->Close(Clock::now() + std::chrono::seconds(60));
  }
}

// ---------------------------------------------------------------- the parent

struct Said {
  std::vector<uint64_t> committed, delivered;
};

/// Runs a child and kills it after `lifetime`; a line that the kill cut off does not count.
Said RunAndKill(const std::string& dir, uint64_t seed, uint64_t first, Millis lifetime) {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const std::string seed_text = std::to_string(seed), first_text = std::to_string(first);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[1], STDOUT_FILENO);
    ::execl(program, program, "--child", dir.c_str(), seed_text.c_str(), first_text.c_str(),
            nullptr);
    std::_Exit(6);
  }
  ::close(fds[1]);
  std::string text;
  const Deadline deadline = Clock::now() + lifetime;
  bool killed = false;
  while (true) {
    pollfd entry{fds[0], POLLIN, 0};
    const int ready = ::poll(&entry, 1, killed ? -1 : PollTimeout(deadline));
    if (!killed && Clock::now() >= deadline) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    if (ready <= 0) continue;
    char buffer[65536];
    const ssize_t count = ::read(fds[0], buffer, sizeof buffer);
    if (count <= 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  ::close(fds[0]);
  int how = 0;
  ::waitpid(child, &how, 0);
  EXPECT_TRUE(WIFSIGNALED(how)) << "the child ended by itself: " << WEXITSTATUS(how);
  Said said;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const uint64_t number = NumberOf(std::string_view(text).substr(at + 2, end - at - 2));
    (text[at] == 'C' ? said.committed : said.delivered).push_back(number);
  }
  return said;
}

/// Everything in the spool, by Fetch without MarkDelivered.
std::vector<uint64_t> Inspect(const std::string& dir, uint64_t seed) {
  class Waiter final : public SpoolListener {
   public:
    void OnSpooled(std::span<const SpoolTicket>) noexcept override {}
    void OnSpoolFailed(std::span<const SpoolTicket>, const Status&) noexcept override {}
    void OnSpoolReady() noexcept override {
      const std::lock_guard lock(mutex_);
      ready_ = true;
      changed_cv_.notify_all();
    }
    void Wait() {
      std::unique_lock lock(mutex_);
      changed_cv_.wait_for(lock, std::chrono::seconds(60), [this] { return ready_; });
      ready_ = false;
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_cv_;
    bool ready_ = false;
  } waiter;
  Logger logger("TEST");
  Result<std::unique_ptr<Spool>> spool = Spool::Open(OptionsFor(dir, seed), logger);
  if (!spool.ok() || !spool.value()->Start(&waiter).ok()) {
    ADD_FAILURE() << spool.status().message();
    return {};
  }
  std::vector<uint64_t> numbers;
  const uint64_t count = spool.value()->backlog();
  while (numbers.size() < count && !testing::Test::HasFailure()) {
    std::vector<SpoolMessage> messages;
    if (spool.value()->Fetch(1000, ~size_t{0}, &messages) == 0) waiter.Wait();
    for (const SpoolMessage& message : messages) {
      const uint64_t number = NumberOf(message.message.payload);
      EXPECT_EQ(message.message.payload, PayloadOf(number));
      numbers.push_back(number);
    }
  }
  spool.value()->Close(Clock::now() + std::chrono::seconds(60));
  return numbers;
}

TEST(SpoolKillTest, WhatWasReportedIsThereAfterKill9) {
  const char* kills_text = std::getenv("DSMSG_SPOOL_KILLS");
  const int kills = kills_text == nullptr ? 5 : std::atoi(kills_text);
  const char* seed_text = std::getenv("DSMSG_SPOOL_SEED");
  uint64_t seed = seed_text == nullptr ? std::random_device()() : NumberOf(seed_text);
  std::string dir = (std::filesystem::temp_directory_path() / "dsmsg-kill-XXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  std::set<uint64_t> owed, delivered;
  uint64_t next = 1, committed = 0;
  for (int round = 0; round < kills && !HasFailure(); ++round, ++seed) {
    SCOPED_TRACE("DSMSG_SPOOL_SEED=" + std::to_string(seed) + ", round " + std::to_string(round));
    std::minstd_rand random(static_cast<uint32_t>(seed));
    random.discard(5);
    const Said said = RunAndKill(dir, seed, next, Millis(random() % 800));
    owed.insert(said.committed.begin(), said.committed.end());
    committed += said.committed.size();
    for (const uint64_t number : said.delivered) {
      owed.erase(number);
      delivered.insert(number);
    }
    const std::vector<uint64_t> found = Inspect(dir, seed);
    for (size_t i = 1; i < found.size(); ++i) ASSERT_LT(found[i - 1], found[i]);
    const std::set<uint64_t> there(found.begin(), found.end());
    for (const uint64_t number : owed) ASSERT_TRUE(there.contains(number)) << number;
    // Committed, and killed before it could print it.
    for (const uint64_t number : there) {
      if (!delivered.contains(number)) owed.insert(number);
      next = std::max(next, number + 1);
    }
    if (!said.committed.empty()) next = std::max(next, said.committed.back() + 1);
  }
  std::printf("%d kills: %lu committed, %zu delivered, %zu still owed\n", kills, committed,
              delivered.size(), owed.size());
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace dsmsg

int main(int argc, char** argv) {
  dsmsg::program = argv[0];
  if (argc == 5 && std::string_view(argv[1]) == "--child") {
    return dsmsg::RunChild(argv[2], dsmsg::NumberOf(argv[3]), dsmsg::NumberOf(argv[4]));
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
