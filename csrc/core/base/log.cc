// SPDX-License-Identifier: Apache-2.0
#include "core/base/log.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/base/log_sink.h"
#include "core/base/log_write.h"

namespace dsmsg {
namespace {

// DeepStream's logger: syslog priorities, printf format.
using NvdsLog = void (*)(const char* category, int priority, const char* format, ...);

// Not a guarded static: a child forked while another thread is initialising it would wait for ever.
NvdsLog FindNvdsLog() {
  static std::atomic<NvdsLog> found{nullptr};
  static std::atomic<bool> looked{false};
  if (!looked.load(std::memory_order_acquire)) {
    found = reinterpret_cast<NvdsLog>(::dlsym(RTLD_DEFAULT, "nvds_log"));
    looked.store(true, std::memory_order_release);
  }
  return found;
}

constexpr size_t kLongestLine = 4096 - 4;  // with its line break, a pipe takes it in one piece
// How long to wait for stderr to take a line. After one timeout there is no more waiting until it
// works again.
constexpr std::chrono::milliseconds kPatience{50};
std::atomic<uint64_t> dropped{0};  // lines, since the last that was written
constexpr size_t kMostKeys = 256;

struct LevelFacts {
  const char* name;
  int syslog_priority;
};

const LevelFacts& FactsOf(LogLevel level) {
  static constexpr LevelFacts kFacts[] = {{"error", 3}, {"warn", 4}, {"info", 6}, {"debug", 7}};
  return kFacts[std::clamp(static_cast<int>(level), 0, 3)];
}

// A line without allocation: logging must work when memory is short.
class Line {
 public:
  void Append(std::string_view text) {
    const size_t room = kLongestLine - size_;
    cut_ = cut_ || text.size() > room;
    const size_t count = std::min(room, text.size());
    // A broker's text must not start a log line of its own or control the terminal.
    std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count),
                   bytes_.begin() + static_cast<std::ptrdiff_t>(size_), [](char c) {
                     const auto byte = static_cast<unsigned char>(c);
                     return byte < 0x20 || byte == 0x7f ? ' ' : c;
                   });
    size_ += count;
  }
  const char* Finish(std::string_view end) {
    for (const std::string_view part : {std::string_view(cut_ ? "..." : ""), end}) {
      std::copy(part.begin(), part.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
      size_ += part.size();
    }
    bytes_[size_] = '\0';
    return bytes_.data();
  }
  size_t size() const { return size_; }

 private:
  std::array<char, kLongestLine + 16> bytes_;
  size_t size_ = 0;
  bool cut_ = false;
};

std::atomic<LogSink> sink{nullptr};

void AppendTime(Line* line) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char date[32], text[48];
  const size_t length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  if (length == 0) return;
  std::snprintf(text, sizeof text, "%s.%03dZ ", date, static_cast<int>(now.tv_nsec / 1'000'000));
  line->Append(text);
}

int64_t NowNs() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

std::string Mapped(std::string_view text, int (*change)(int)) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(change(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

void SetLogSink(LogSink to) noexcept { sink.store(to, std::memory_order_release); }

LogLevel ParseLogLevel(std::string_view name, LogLevel fallback) {
  for (const LogLevel level :
       {LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
    if (name == FactsOf(level).name) return level;
  }
  return fallback;
}

Logger::Logger(std::string_view protocol)
    : prefix_(Mapped(protocol, ::tolower) + ": "),
      category_("DSLOG:NVDS_" + Mapped(protocol, ::toupper) + "_PROTO"),
      level_(static_cast<int>(LogLevel::kWarn)) {
  const char* name = std::getenv("DSMSG_LOG");
  if (name == nullptr) return;
  const std::string lowered = Mapped(name, ::tolower);
  const LogLevel level = ParseLogLevel(lowered, LogLevel::kError);
  // An unknown level counts as not set.
  from_environment_ = level != LogLevel::kError || lowered == FactsOf(LogLevel::kError).name;
  if (from_environment_) level_.store(static_cast<int>(level), std::memory_order_relaxed);
}

void Logger::SetLevel(LogLevel level) {
  if (!from_environment_) level_.store(static_cast<int>(level), std::memory_order_relaxed);
}

void Logger::Unlimited(LogLevel level, const std::string& key, std::string_view text) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = repeats_.find(key);
    if (found != repeats_.end()) found->second.next_ns = 0;
  }
  Limited(level, key, text);
}

void Logger::Limited(LogLevel level, const std::string& key, std::string_view text) {
  if (!Enabled(level)) return;
  constexpr int64_t kPauseNs = int64_t{60} * 1'000'000'000;
  const int64_t now = NowNs();
  uint64_t suppressed = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Keys may come from data (topic names): drop old ones before there are too many.
    if (repeats_.size() >= kMostKeys && repeats_.find(key) == repeats_.end()) {
      std::erase_if(repeats_, [&](const auto& entry) { return entry.second.next_ns <= now; });
      if (repeats_.size() >= kMostKeys) repeats_.clear();
    }
    Repeat& repeat = repeats_[key];
    if (now < repeat.next_ns) {
      ++repeat.suppressed;
      return;
    }
    repeat.next_ns = now + kPauseNs;
    suppressed = std::exchange(repeat.suppressed, uint64_t{0});
  }
  if (suppressed == 0) {
    Write(level, text);
  } else {
    Write(level, std::string(text) + " (and " + std::to_string(suppressed) + " more like this)");
  }
}

void Logger::Write(LogLevel level, std::string_view text) {
  if (!Enabled(level)) return;
  const int saved_errno = errno;
  const SigpipeHeld no_sigpipe;
  if (const LogSink to = sink.load(std::memory_order_acquire)) {
    Line line;
    line.Append(prefix_);
    line.Append(text);
    to(static_cast<int>(level), line.Finish(""));
  } else if (const NvdsLog nvds_log = FindNvdsLog()) {
    Line line;
    line.Append(prefix_);
    line.Append(text);
    nvds_log(category_.c_str(), FactsOf(level).syslog_priority, "%s", line.Finish(""));
  } else {
    const uint64_t missing = dropped.exchange(0, std::memory_order_relaxed);
    if (missing > 0 && !WriteLine(LogLevel::kWarn,
                                  std::to_string(missing) + " log lines were dropped: stderr was "
                                                            "full (does its reader hang?)",
                                  std::chrono::milliseconds(0))) {
      dropped.fetch_add(missing + 1, std::memory_order_relaxed);
    } else if (!WriteLine(level, text, kPatience)) {
      dropped.fetch_add(1, std::memory_order_relaxed);
    }
  }
  errno = saved_errno;
}

// In one call, so that lines from several threads and processes do not mix.
bool Logger::WriteLine(LogLevel level, std::string_view text,
                       std::chrono::milliseconds patience) const {
  Line line;
  AppendTime(&line);
  line.Append(FactsOf(level).name);
  line.Append(" ");
  line.Append(prefix_);
  line.Append(text);
  const char* const bytes = line.Finish("\n");
  return WriteWithin(STDERR_FILENO, {bytes, line.size()}, patience);
}

}  // namespace dsmsg
