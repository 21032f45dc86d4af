// SPDX-License-Identifier: Apache-2.0
// The base of every conformance test: one adaptor's quirks, its loaded library, its servers, and
// what a test needs to connect and to wait. A test may leave its connection open: it is ended
// afterwards, and the ledgers outlive it. After every test, rules that callbacks found broken (1,
// 2, 7) are failures.
#ifndef DSMSG_CONFORMANCE_FIXTURE_H_
#define DSMSG_CONFORMANCE_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adaptor.h"
#include "hosts.h"
#include "ledger.h"
#include "log_capture.h"
#include "quirks.h"
#include "server.h"

namespace dsmsg::conformance {

using Millis = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// An upper bound of time: three times `time`, because suites and builds run at the same time, and
/// twelve times in a sanitizer's build. Bounds are margins, never measurements.
Millis Bound(Millis time);
/// An upper bound of CPU time, which other programs hardly change: `time`, or four times that in a
/// sanitizer's build.
Millis CpuBound(Millis time);

/// How long a test waits at most: far longer than a busy machine takes, because waiting ends when
/// the condition holds.
constexpr Millis kPatience = 240s;

/// Polls until `condition` holds; false after `timeout`.
bool WaitFor(const std::function<bool()>& condition, Millis timeout = kPatience);

/// How long a call took.
template <class Call>
Millis Timed(Call&& call) {
  const auto begin = Clock::now();
  call();
  return std::chrono::duration_cast<Millis>(Clock::now() - begin);
}

/// CPU time used by the calling thread, by the whole process.
std::chrono::microseconds ThreadCpu();
std::chrono::microseconds ProcessCpu();

/// The events that connect callbacks received, of all connections.
struct ConnectEvent {
  NvDsMsgApiHandle handle;
  NvDsMsgApiEventType type;
  std::thread::id thread;
};
class ConnectEvents {
 public:
  static void OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType type);
  static std::vector<ConnectEvent> Of(NvDsMsgApiHandle handle);
  static size_t Count(NvDsMsgApiHandle handle, NvDsMsgApiEventType type);
};

/// Sets environment variables for a scope; only while no connection is open.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(std::vector<std::pair<std::string, std::string>> variables);
  ~ScopedEnvironment();
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  std::vector<std::pair<std::string, std::string>> variables_;
};

class Conformance : public ::testing::TestWithParam<Quirks*> {
 protected:
  Conformance();
  ~Conformance() override;
  void TearDown() override;

  Quirks& quirks() { return *GetParam(); }
  const Adaptor& adaptor() { return *adaptor_; }
  static std::string LibraryPath(const Quirks& quirks);

  std::string NewName();  // unique on the machine, usable as topic
  std::string NewTopic(Server& server, int partitions = 1);
  Ledger& NewLedger();

  /// Writes a file with the group [message-broker]; the quirks' base lines first.
  std::string WriteConfig(const Lines& lines) { return WriteConfig(quirks(), lines); }
  std::string WriteConfig(const Quirks& quirks, const Lines& lines);
  std::string WriteFile(const std::string& content);
  static std::string Connection(const Server& server);

  /// A connection that must succeed: else it throws, which ends and fails the test.
  Link Connect(Server& server, const Lines& lines = {},
               nvds_msgapi_connect_cb_t callback = nullptr);
  Link ConnectTo(const std::string& connection, const Lines& lines,
                 nvds_msgapi_connect_cb_t callback = nullptr);
  /// Ends it after the test, if it is still open.
  void Track(const Link& link) { links_.push_back(link); }
  void Close(const Link& link) { EXPECT_EQ(link.Disconnect(), NVDS_MSGAPI_OK); }

  /// Sends `count` messages with the keys cam0..cam4; all must be accepted.
  void SendMany(const Link& link, Ledger& ledger, const std::string& topic, size_t count);
  /// Calls do_work until everything accepted is called back. False after `silence` without any
  /// callback.
  bool Pump(const Link& link, const Ledger& ledger, Millis silence = kPatience);
  bool WaitLink(const Link& link, bool up, Millis timeout = kPatience);
  /// Callbacks are right, and the topic holds what was called back with OK.
  void ExpectDelivered(const Ledger& ledger, Server& server, const std::string& topic, bool outage);
  void ExpectAllOk(const Ledger& ledger, size_t count);

  /// What was logged since the test began.
  std::string Log() const { return LogCapture::Since(log_mark_); }
  static bool Contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

 private:
  std::shared_ptr<Adaptor> adaptor_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
  std::vector<Link> links_;
  std::vector<std::string> files_;
  size_t log_mark_ = 0;
};

/// Loaded once for the whole program; a library that cannot be loaded throws in every test.
std::shared_ptr<Adaptor> LoadedAdaptor(const std::string& path);

/// Options that make an outage short.
inline Lines QuickReconnect(Lines more = {}) {
  more.insert(more.begin(), {"reconnect-interval=50ms", "reconnect-max-interval=1s"});
  return more;
}

std::vector<Quirks*> QuirksFor(const std::string& suite);
std::string QuirksName(const ::testing::TestParamInfo<Quirks*>& info);

}  // namespace dsmsg::conformance

/// A suite, named after a rule; it runs for every adaptor that the rule applies to.
#define CONFORMANCE_SUITE_OF(Suite, Fixture)            \
  using Suite = Fixture;                                \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Suite); \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(QuirksFor(#Suite)), QuirksName)
#define CONFORMANCE_SUITE(Suite) CONFORMANCE_SUITE_OF(Suite, Conformance)

#endif  // DSMSG_CONFORMANCE_FIXTURE_H_
