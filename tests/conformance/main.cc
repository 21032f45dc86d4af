// SPDX-License-Identifier: Apache-2.0
// Runs the conformance suite and prints, at the end, one line for each rule with a column for each
// adaptor.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "adaptor.h"
#include "log_capture.h"
#include "quirks.h"

// LeakSanitizer (GCC 12) reads storage of threads that have ended, and crashes, when it follows
// __tls_get_addr in a program that loads and unloads libraries.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "intercept_tls_get_addr=0";
}
// Children of fork() start threads (rule 23).
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "die_after_fork=0";
}

namespace dsmsg::conformance {
namespace {

/// Parts of the contract that no test here covers, and why.
constexpr const char* kNotTested[][2] = {
    {"rule 4, figures",
     "CPU per message is measured by benchmarks/load; here only that nothing spins"},
    {"rule 5, heartbeats over minutes",
     "an idle connection is watched for seconds only; keep-alive intervals are minutes long"},
    {"rule 7, backoff distribution",
     "full jitter is random: tested in the unit tests with a given generator"},
    {"rule 11, disconnect racing with other calls", "excluded by the contract"},
    {"rule 15, symbol binding",
     "the table of exports is checked here; binding inside a library by tests/abi"},
    {"rule 17, name server that never answers",
     "needs a special resolver: tested in the unit tests"},
    {"section 4, spool", "tested in the unit tests, with SIGKILL in tests/spool"},
    {"section 5, TLS schemes (mqtts, rediss, amqps)",
     "certificates and real listeners: tests/python/test_security.py"},
    {"power cut", "a broker's own durability; SIGKILL is what is tested"},
};

struct Cell {
  int passed = 0, failed = 0;
};

/// The table. One thread (gtest's), apart from the watchdog, which only reads after a hang.
class RuleTable : public ::testing::EmptyTestEventListener {
 public:
  RuleTable() : watchdog_([this] { Watch(); }) {}
  ~RuleTable() override {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
      changed_.notify_all();
    }
    watchdog_.join();
  }

  void OnTestStart(const ::testing::TestInfo& info) override {
    std::lock_guard lock(mutex_);
    LookForLateFailures();
    last_suite_ = info.test_suite_name();
    last_test_ = info.name();
    running_ = std::string(info.test_suite_name()) + "." + info.name();
    deadline_ = std::chrono::steady_clock::now() + std::chrono::seconds(limit_seconds_);
    changed_.notify_all();
  }

  void OnTestEnd(const ::testing::TestInfo& info) override {
    std::lock_guard lock(mutex_);
    running_.clear();
    Count(info.test_suite_name(), info.name(), info.result()->Passed());
  }

  void OnTestProgramEnd(const ::testing::UnitTest&) override {
    std::lock_guard lock(mutex_);
    LookForLateFailures();
    Print();
  }

  /// Rules that were broken after the test that broke them had ended.
  int late_failures() const { return late_failures_; }

 private:
  /// Rules that callbacks found broken between two tests are failures of the first.
  void LookForLateFailures() {
    for (const std::string& text : TakeViolations()) {
      std::printf("[  FAILED  ] %s.%s, after its end: %s\n", last_suite_.c_str(),
                  last_test_.c_str(), text.c_str());
      ++late_failures_;
      Count(last_suite_, last_test_, false);
    }
  }

  // A server that is killed very often (poison_test.cc) takes long.
  static int Limit() {
    const char* kills = getenv("DSMSG_KILLS");
    return 480 + (kills == nullptr ? 0 : 20 * atoi(kills));
  }
  const int limit_seconds_ = Limit();

  void Count(const std::string& suite, const std::string& name, bool passed) {
    const size_t slash = name.find('/');
    const std::string protocol = slash == std::string::npos ? "(all)" : name.substr(slash + 1);
    Cell& cell = cells_[suite][protocol];
    ++(passed ? cell.passed : cell.failed);
  }

  void Watch() {
    std::unique_lock lock(mutex_);
    while (!done_) {
      changed_.wait_for(lock, std::chrono::seconds(1));
      if (running_.empty() || std::chrono::steady_clock::now() < deadline_) continue;
      std::printf("[  HUNG    ] %s did not end within %d s\n", running_.c_str(), limit_seconds_);
      const size_t dot = running_.find('.');
      Count(running_.substr(0, dot), running_.substr(dot + 1), false);
      Print();
      std::fflush(stdout);
      _exit(3);  // a deadlock: nothing can be cleaned up; the servers end with their pipes
    }
  }

  static std::string Reason(const std::string& protocol, const std::string& suite) {
    for (const Quirks* quirks : AllQuirks()) {
      if (quirks->protocol() != protocol) continue;
      for (const auto& [name, reason] : quirks->NotApplicable()) {
        if (name == suite) return reason;
      }
    }
    return "";
  }

  void Print() {
    if (cells_.empty()) return;
    std::printf("\nconformance: tests passed for each rule and adaptor\n%-44s", "rule");
    for (const Quirks* quirks : AllQuirks()) std::printf(" %-12s", quirks->protocol().c_str());
    std::printf("\n");
    std::map<std::string, std::string> reasons;
    for (const auto& [suite, row] : cells_) {
      std::printf("%-44s", suite.c_str());
      for (const Quirks* quirks : AllQuirks()) {
        const std::string protocol = quirks->protocol();
        const auto cell = row.find(protocol);
        std::string text = "-";
        if (cell != row.end()) {
          const auto [passed, failed] = cell->second;
          text = (failed == 0 ? "pass " : "FAIL ") + std::to_string(passed) + "/" +
                 std::to_string(passed + failed);
        } else if (const std::string reason = Reason(protocol, suite); !reason.empty()) {
          text = "n/a";
          reasons[suite + ", " + protocol] = reason;
        }
        std::printf(" %-12s", text.c_str());
      }
      std::printf("\n");
    }
    for (const auto& [what, reason] : reasons) {
      std::printf("  n/a: %s: %s\n", what.c_str(), reason.c_str());
    }
    std::printf("not tested here:\n");
    for (const auto& [what, reason] : kNotTested) std::printf("  %s: %s\n", what, reason);
    std::printf("\n");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::map<std::string, Cell>> cells_;
  std::string running_, last_suite_, last_test_;
  int late_failures_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  bool done_ = false;
  std::thread watchdog_;
};

/// Leaves out the single tests ("suite.test") that do not apply to an adaptor.
void LeaveOut() {
  std::string filter = GTEST_FLAG_GET(filter);
  for (const Quirks* quirks : AllQuirks()) {
    for (const auto& [name, reason] : quirks->NotApplicable()) {
      if (name.find('.') == std::string::npos) continue;
      filter += filter.find('-') == std::string::npos ? "-" : ":";
      filter += name + "/" + quirks->protocol();
    }
  }
  GTEST_FLAG_SET(filter, filter);
}

int Run(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGPIPE, SIG_DFL);  // as hosts leave it (rule 16); the parent may have ignored it
  for (const char* name : {"NVDS_JSON_DUMP_FILE", "DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION",
                           "DEEPSTREAM_SENSOR_ID", "DSMSG_LOG"}) {
    unsetenv(name);
  }
  for (const Quirks* quirks : AllQuirks()) {
    unsetenv(("USER_" + quirks->protocol()).c_str());
    unsetenv(("PASSWORD_" + quirks->protocol()).c_str());
  }
  ::testing::InitGoogleTest(&argc, argv);
  LeaveOut();
  LogCapture::Begin();
  auto* table = new RuleTable;  // owned by the list
  ::testing::UnitTest::GetInstance()->listeners().Append(table);
  int result = RUN_ALL_TESTS();
  if (table->late_failures() > 0) result = 1;
  CloseServers();
  return result;
}

}  // namespace
}  // namespace dsmsg::conformance

int main(int argc, char** argv) { return dsmsg::conformance::Run(argc, argv); }
