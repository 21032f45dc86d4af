// SPDX-License-Identifier: Apache-2.0
#include "core/observe/metrics_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/log.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

constexpr Millis kEndGrace{500};
constexpr Millis kExitPatience{200};

Status CannotWrite(const std::string& path, int error) {
  return {Code::kInvalidArgument,
          "metrics-file=" + path +
              ": cannot be written: " + std::generic_category().message(error) +
              " (does the directory exist, and may this user write there?)"};
}

// An unguessable name, so that no other user can create it first in a world-writable directory; it
// also differs between adaptors and processes.
std::string TemporaryName(const std::string& path) {
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
    random = static_cast<uint64_t>(Clock::now().time_since_epoch().count());
  }
  char text[32];
  std::snprintf(text, sizeof text, ".%016llx.tmp", static_cast<unsigned long long>(random));
  return path + text;
}

UniqueFd CreateBeside(const std::string& path, std::string* temporary) {
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    *temporary = TemporaryName(path);
    UniqueFd fd(
        open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (fd.valid() || errno != EEXIST) return fd;
  }
  return UniqueFd();
}

int WriteAll(int fd, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    written += static_cast<size_t>(count);
  }
  return 0;
}

/// The identity of a file, whatever its name.
using FileIdentity = std::pair<dev_t, ino_t>;

Status Replace(const std::string& path, const std::string& text, FileIdentity* written) {
  std::string temporary;
  const UniqueFd fd = CreateBeside(path, &temporary);
  if (!fd.valid()) return CannotWrite(path, errno);
  int error = WriteAll(fd.get(), text);
  struct stat facts {};
  if (error == 0 && fstat(fd.get(), &facts) != 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return CannotWrite(path, error);
  }
  *written = {facts.st_dev, facts.st_ino};
  return {};
}

}  // namespace

/// One connection's part of a file.
struct MetricsFile::Entry {
  Source source;                      // empty once ended
  std::optional<MetricsSource> last;  // what is written for an ended one, once
  Millis interval;
};

/// A path, the connections of this process that write to it, and the writing thread.
class MetricsFile::File : public std::enable_shared_from_this<File> {
 public:
  File(std::string path, bool per_process, const char* protocol)
      : path_(std::move(path)), per_process_(per_process), logger_(protocol) {}

  uint64_t Add(Source source, Millis interval) {
    std::lock_guard lock(mutex_);
    entries_[++last_id_] = {std::move(source), std::nullopt, interval};
    due_cv_.notify_all();
    return last_id_;
  }

  void Remove(uint64_t id) {
    std::lock_guard lock(mutex_);
    entries_.erase(id);
    due_cv_.notify_all();
  }

  /// The current values; forgets connections that had already ended.
  Status Write() {
    const std::lock_guard writing(writing_mutex_);
    std::string text;
    std::vector<uint64_t> ended;
    bool last = false;
    {
      std::lock_guard lock(mutex_);
      text = Text();
      for (const auto& [id, entry] : entries_) {
        if (entry.last) ended.push_back(id);
      }
      last = ended.size() == entries_.size();
    }
    LookForOthers();
    FileIdentity written;
    Status status = Replace(path_, text, &written);
    if (status.ok()) last_written_ = written;
    if (last && per_process_) unlink(path_.c_str());
    std::lock_guard lock(mutex_);
    for (const uint64_t id : ended) entries_.erase(id);
    ended_cv_.notify_all();
    return status;
  }

  void StartThreadOnce() {
    std::lock_guard lock(mutex_);
    if (running_) return;
    StartThread("dsmsg-metrics", [self = shared_from_this()] { self->Run(); }).detach();
    running_ = true;
  }

  void End(uint64_t id, Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || !found->second.source) return;
    found->second.last = Ended(found->second.source());
    found->second.source = nullptr;
    due_cv_.notify_all();
    ended_cv_.wait_until(lock, deadline, [&] {
      return !running_ || exiting_ || (!entries_.contains(id) && !entries_.empty());
    });
  }

  /// The process is exiting: the I/O threads still run, but nothing more will be sent. Skipped if
  /// the lock is not free soon.
  void Exit() {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!TryLock(&lock)) return;
    exiting_ = true;
    for (auto& [id, entry] : entries_) {
      if (entry.source) entry.last = Ended(entry.source());
      entry.source = nullptr;
    }
    if (entries_.empty()) return;
    if (per_process_) {
      unlink(path_.c_str());
      return;
    }
    FileIdentity written;
    [[maybe_unused]] const Status status = Replace(path_, Text(), &written);
  }

 private:
  static bool TryLock(std::unique_lock<std::mutex>* lock) {
    const Deadline deadline = Clock::now() + kExitPatience;
    while (!lock->try_lock()) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(Millis(1));
    }
    return true;
  }

  std::string Text() const {  // with the lock
    std::vector<MetricsSource> sources;
    for (const auto& [id, entry] : entries_) {
      sources.push_back(entry.last ? *entry.last : entry.source());
    }
    return PrometheusText(sources);
  }

  // The file is not the one that was written last.
  void LookForOthers() {
    struct stat facts {};
    if (!last_written_ || lstat(path_.c_str(), &facts) != 0 ||
        FileIdentity(facts.st_dev, facts.st_ino) == *last_written_) {
      return;
    }
    logger_.Limited(LogLevel::kWarn, "metrics-file shared",
                    "metrics-file=" + path_ +
                        " is also written by another adaptor or process and shows only the last "
                        "writer: give each its own file (%p stands for the process id)");
  }

  bool AnyEnded() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const auto& entry) { return entry.second.last.has_value(); });
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      Millis interval{86'400'000};
      for (const auto& [id, entry] : entries_) interval = std::min(interval, entry.interval);
      due_cv_.wait_for(lock, interval, [this] { return AnyEnded() || entries_.empty(); });
      if (exiting_) due_cv_.wait(lock, [] { return false; });
      if (entries_.empty()) break;
      lock.unlock();
      const auto warn = [this](std::string_view text) {
        logger_.Limited(LogLevel::kWarn, "metrics-file", text);
      };
      const auto write = [&] {
        if (const Status status = Write(); !status.ok()) warn(status.message());
      };
      Contained(write, warn);  // the next time is another chance
      lock.lock();
    }
    running_ = false;
    ended_cv_.notify_all();
  }

  const std::string path_;
  const bool per_process_;
  Logger logger_;
  std::mutex writing_mutex_;  // one write at a time; before mutex_; guards:
  std::optional<FileIdentity> last_written_;
  std::mutex mutex_;  // guards the following; held while the sources are called
  std::condition_variable due_cv_, ended_cv_;
  std::map<uint64_t, Entry> entries_;
  uint64_t last_id_ = 0;
  bool running_ = false, exiting_ = false;
};

/// The files of this library in this process.
struct MetricsFile::Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<File>> files;

  static Registry& Get() {
    static PerProcess<Registry> registry;
    // Not atexit: tests/abi looks for that, because static objects are destroyed by it.
    [[maybe_unused]] static const int registered =
        ::on_exit([](int, void*) { registry.Get().Exit(); }, nullptr);
    return registry.Get();
  }

  std::shared_ptr<File> FileOf(const std::string& path, bool per_process, const char* protocol) {
    std::lock_guard lock(mutex);
    auto& file = files[path];
    if (file == nullptr) file = std::make_shared<File>(path, per_process, protocol);
    return file;
  }

  void Exit() {
    std::vector<std::shared_ptr<File>> all;
    {
      std::lock_guard lock(mutex);
      for (const auto& [path, file] : files) all.push_back(file);
    }
    for (const auto& file : all) file->Exit();
  }
};

Result<std::unique_ptr<MetricsFile>> MetricsFile::Start(const std::string& option, Millis interval,
                                                        const char* protocol, Source source) {
  bool per_process = false;
  const std::string path = Expand(option, &per_process);
  const std::shared_ptr<File> file = Registry::Get().FileOf(path, per_process, protocol);
  const uint64_t id = file->Add(std::move(source), interval);
  Status status = file->Write();
  try {
    if (status.ok()) file->StartThreadOnce();
  } catch (const std::system_error& error) {
    status = {Code::kInternal, "metrics-file=" + option + ": " + error.what()};
  }
  if (!status.ok()) {
    file->Remove(id);
    return status;
  }
  return std::unique_ptr<MetricsFile>(new MetricsFile(file, id));
}

MetricsFile::~MetricsFile() { End(Clock::now() + kEndGrace); }

void MetricsFile::End(Deadline deadline) { file_->End(id_, deadline); }

std::string MetricsFile::Expand(const std::string& option, bool* per_process) {
  std::string path;
  *per_process = false;
  for (size_t i = 0; i < option.size(); ++i) {
    const char next = option[i] == '%' && i + 1 < option.size() ? option[i + 1] : '\0';
    if (next == 'p') {
      path += std::to_string(getpid());
      *per_process = true;
    } else if (next == '%') {
      path += '%';
    } else {
      path += option[i];
      continue;
    }
    ++i;
  }
  return path;
}

}  // namespace dsmsg
