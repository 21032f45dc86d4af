// SPDX-License-Identifier: Apache-2.0
// What the spool's tests share: a separate folder, a listener that can be waited for, and short
// ways to append and fetch.
#ifndef DSMSG_TESTS_SPOOL_TESTING_H_
#define DSMSG_TESTS_SPOOL_TESTING_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/spool/spool.h"
#include "unit/fault_vfs.h"

namespace dsmsg {

class SpoolRecorder final : public SpoolListener {
 public:
  void OnSpooled(std::span<const SpoolTicket> tickets) noexcept override {
    const std::lock_guard lock(mutex_);
    ++groups_;
    spooled_.insert(spooled_.end(), tickets.begin(), tickets.end());
    changed_cv_.notify_all();
  }
  void OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept override {
    const std::lock_guard lock(mutex_);
    failed_.insert(failed_.end(), tickets.begin(), tickets.end());
    failure_ = status;
    changed_cv_.notify_all();
  }
  void OnSpoolReady() noexcept override {
    const std::lock_guard lock(mutex_);
    ++ready_;
    changed_cv_.notify_all();
  }

  template <class Predicate>
  bool Wait(Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_cv_.wait_for(lock, std::chrono::seconds(60), predicate);
  }
  bool WaitSpooled(size_t count) {
    return Wait([&] { return spooled_.size() >= count; });
  }
  bool WaitFailed(size_t count) {
    return Wait([&] { return failed_.size() >= count; });
  }
  /// Waits for a call of OnSpoolReady that was not waited for before.
  bool WaitReady() {
    const bool came = Wait([&] { return ready_ > ready_seen_; });
    const std::lock_guard lock(mutex_);
    ready_seen_ = ready_;
    return came;
  }
  std::vector<SpoolTicket> spooled() const {
    const std::lock_guard lock(mutex_);
    return spooled_;
  }
  std::vector<SpoolTicket> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  Status failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  size_t groups() const {
    const std::lock_guard lock(mutex_);
    return groups_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_cv_;
  std::vector<SpoolTicket> spooled_, failed_;
  Status failure_;
  size_t groups_ = 0;
  int ready_ = 0, ready_seen_ = 0;
};

/// A spool that is open, with its listener.
struct OpenSpool {
  SpoolRecorder told;
  std::unique_ptr<Spool> spool;
  Spool* operator->() { return spool.get(); }

  Status Append(SpoolTicket ticket, std::string_view payload, std::string_view key = {}) {
    Message message;
    message.topic = "events";
    message.payload = payload;
    message.key = key;
    message.has_key = !key.empty();
    message.timestamp_ms = 1000;
    return spool->Append(message, 2000, ticket);
  }
  /// The payload is the ticket's number. Waits for the commit.
  void Fill(SpoolTicket first, SpoolTicket last, std::string_view key = {}) {
    const size_t before = told.spooled().size();
    for (SpoolTicket ticket = first; ticket <= last; ++ticket) {
      const Status status = Append(ticket, std::to_string(ticket), key);
      ASSERT_TRUE(status.ok()) << status.message();
    }
    ASSERT_TRUE(told.WaitSpooled(before + last - first + 1)) << told.failure().message();
  }
  /// Exactly that many, waiting for them.
  std::vector<SpoolMessage> Fetch(size_t count, size_t max_bytes = ~size_t{0}) {
    std::vector<SpoolMessage> messages;
    while (messages.size() < count) {
      if (spool->Fetch(count - messages.size(), max_bytes, &messages) == 0 && !told.WaitReady()) {
        ADD_FAILURE() << "only " << messages.size() << " of " << count;
        break;
      }
    }
    return messages;
  }
  bool Flush() { return spool->Flush(Clock::now() + std::chrono::seconds(60)); }
  void Close() { spool->Close(Clock::now() + std::chrono::seconds(60)); }
};

inline std::vector<uint64_t> IdsOf(const std::vector<SpoolMessage>& messages) {
  std::vector<uint64_t> ids;
  for (const SpoolMessage& message : messages) ids.push_back(message.id);
  return ids;
}

inline std::vector<std::string> PayloadsOf(const std::vector<SpoolMessage>& messages) {
  std::vector<std::string> payloads;
  for (const SpoolMessage& message : messages) payloads.emplace_back(message.message.payload);
  return payloads;
}

/// "first".."last" as texts.
inline std::vector<std::string> Numbers(uint64_t first, uint64_t last) {
  std::vector<std::string> texts;
  for (uint64_t i = first; i <= last; ++i) texts.push_back(std::to_string(i));
  return texts;
}

class SpoolTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "dsmsg-spool-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    options_.dir = name + "/spool";
    options_.protocol = "KAFKA";
    options_.endpoint = "localhost:9092";
    options_.retry_pause = Millis(10);
    options_.vfs = FaultVfs::kName;
    FaultVfs::Get().Reset();
  }
  void TearDown() override {
    FaultVfs::Get().Reset();
    std::filesystem::remove_all(dir_);
  }

  std::unique_ptr<OpenSpool> Open() {
    auto open = std::make_unique<OpenSpool>();
    Result<std::unique_ptr<Spool>> spool = Spool::Open(options_, logger_);
    if (!spool.ok()) {
      ADD_FAILURE() << spool.status().message();
      return nullptr;
    }
    open->spool = std::move(spool.value());
    const Status started = open->spool->Start(&open->told);
    EXPECT_TRUE(started.ok()) << started.message();
    return open;
  }
  /// Names of the files in the spool's folder, sorted.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(options_.dir)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string dir_;
  SpoolOptions options_;
  Logger logger_{"TEST"};
};

/// How often `part` occurs.
inline size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// Disks that fail and files that are damaged.
class SpoolFaultTest : public SpoolTest {
 protected:
  FaultVfs& disk() { return FaultVfs::Get(); }

  /// A closed file with `count` messages of `size` bytes, and its name.
  std::string MakeFile(uint64_t count, size_t size) {
    auto spool = Open();
    for (uint64_t i = 1; i <= count; ++i) {
      std::string payload = std::to_string(i) + ":";
      payload.resize(std::max(size, payload.size()), 'x');
      EXPECT_TRUE(spool->Append(i, payload, "k").ok());
    }
    EXPECT_TRUE(spool->told.WaitSpooled(count));
    spool->Close();
    return (*spool)->path();
  }
  std::vector<std::string> Aside() const {
    std::vector<std::string> names = Files();
    std::erase_if(names, [](const std::string& name) {
      return name.find(".corrupt-") == std::string::npos || !name.ends_with(".db");
    });
    return names;
  }
  /// Opens it, expects that it works, and returns what the log said.
  std::string OpenDamaged(std::unique_ptr<OpenSpool>* spool) {
    testing::internal::CaptureStderr();
    *spool = Open();
    return testing::internal::GetCapturedStderr();
  }
  static void Scribble(const std::string& path, off_t offset, size_t size) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY));
    const std::string garbage(size, '\x5a');
    ASSERT_EQ(::pwrite(fd.get(), garbage.data(), size, offset), static_cast<ssize_t>(size));
  }
};

}  // namespace dsmsg

#endif  // DSMSG_TESTS_SPOOL_TESTING_H_
