// SPDX-License-Identifier: Apache-2.0
// Log lines of one connection: to DeepStream's nvds_log when the process has it (looked up once
// with dlsym), else to stderr. Neither a closed nor a full stderr does any harm: no SIGPIPE, and a
// line that finds no room within 50 ms is dropped and counted. Thread-safe; no lock is held while
// writing.
#ifndef DSMSG_CORE_BASE_LOG_H_
#define DSMSG_CORE_BASE_LOG_H_

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace dsmsg {

enum class LogLevel { kError = 0, kWarn = 1, kInfo = 2, kDebug = 3 };

/// "error", "warn", "info", "debug"; anything else gives `fallback`.
LogLevel ParseLogLevel(std::string_view name, LogLevel fallback);

class Logger {
 public:
  /// `protocol` e.g. "KAFKA": category "DSLOG:NVDS_KAFKA_PROTO", prefix "kafka: ". The level is
  /// that of the environment variable DSMSG_LOG, else warn.
  explicit Logger(std::string_view protocol);

  /// The connection's `log-level`; DSMSG_LOG, where set, wins.
  void SetLevel(LogLevel level);
  bool Enabled(LogLevel level) const {
    return static_cast<int>(level) <= level_.load(std::memory_order_relaxed);
  }

  void Error(std::string_view text) { Write(LogLevel::kError, text); }
  void Warn(std::string_view text) { Write(LogLevel::kWarn, text); }
  void Info(std::string_view text) { Write(LogLevel::kInfo, text); }
  void Debug(std::string_view text) { Write(LogLevel::kDebug, text); }

  /// At most one line a minute for each `key`; the next one says how many were left out.
  void Limited(LogLevel level, const std::string& key, std::string_view text);
  /// Always logs it, and counts it as this minute's line for `key`.
  void Unlimited(LogLevel level, const std::string& key, std::string_view text);

 private:
  void Write(LogLevel level, std::string_view text);
  bool WriteLine(LogLevel level, std::string_view text, std::chrono::milliseconds patience) const;

  struct Repeat {
    int64_t next_ns = 0;
    uint64_t suppressed = 0;
  };
  const std::string prefix_, category_;
  bool from_environment_ = false;
  std::atomic<int> level_;
  std::mutex mutex_;  // guards repeats_
  std::map<std::string, Repeat> repeats_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LOG_H_
