// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace dsmsg::conformance {
namespace {

struct EventList {
  std::mutex mutex;
  std::vector<ConnectEvent> events;
};

EventList& Events() {
  static EventList list;
  return list;
}

}  // namespace

Millis Bound(Millis time) { return 3 * CpuBound(time); }

Millis CpuBound(Millis time) { return kSanitized ? 4 * time : time; }

bool WaitFor(const std::function<bool()>& condition, Millis timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

std::chrono::microseconds ThreadCpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::microseconds(time.tv_sec * 1'000'000 + time.tv_nsec / 1000);
}

std::chrono::microseconds ProcessCpu() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::microseconds(time.tv_sec * 1'000'000 + time.tv_nsec / 1000);
}

void ConnectEvents::OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType type) {
  const CallState& state = ThisThread();
  if (state.connect + state.send + state.work + state.disconnect + state.subscribe > 0) {
    NoteViolation("rule 7: connect callback on a thread that is inside a call");
  }
  std::lock_guard lock(Events().mutex);
  Events().events.push_back({handle, type, std::this_thread::get_id()});
}

std::vector<ConnectEvent> ConnectEvents::Of(NvDsMsgApiHandle handle) {
  std::lock_guard lock(Events().mutex);
  std::vector<ConnectEvent> found;
  for (const ConnectEvent& event : Events().events) {
    if (event.handle == handle) found.push_back(event);
  }
  return found;
}

size_t ConnectEvents::Count(NvDsMsgApiHandle handle, NvDsMsgApiEventType type) {
  size_t count = 0;
  for (const ConnectEvent& event : Of(handle)) count += event.type == type;
  return count;
}

ScopedEnvironment::ScopedEnvironment(std::vector<std::pair<std::string, std::string>> variables)
    : variables_(std::move(variables)) {
  for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
}

ScopedEnvironment::~ScopedEnvironment() {
  for (const auto& [name, value] : variables_) unsetenv(name.c_str());
}

std::shared_ptr<Adaptor> LoadedAdaptor(const std::string& path) {
  static std::map<std::string, std::shared_ptr<Adaptor>> loaded;
  std::shared_ptr<Adaptor>& adaptor = loaded[path];
  if (!adaptor) adaptor = Adaptor::Load(path);
  return adaptor;
}

std::vector<Quirks*> QuirksFor(const std::string& suite) {
  std::vector<Quirks*> applicable;
  for (Quirks* quirks : AllQuirks()) {
    bool applies = true;
    for (const auto& [name, reason] : quirks->NotApplicable()) applies = applies && name != suite;
    if (applies) applicable.push_back(quirks);
  }
  return applicable;
}

std::string QuirksName(const ::testing::TestParamInfo<Quirks*>& info) {
  return info.param->protocol();
}

std::string Conformance::LibraryPath(const Quirks& quirks) {
  const char* folder = std::getenv("DSMSG_LIB_DIR");
  return std::string(folder != nullptr ? folder : DSMSG_LIB_DIR) + "/" + quirks.library();
}

Conformance::Conformance()
    : adaptor_(LoadedAdaptor(LibraryPath(*GetParam()))), log_mark_(LogCapture::Mark()) {
  quirks().TestBegins();
}

Conformance::~Conformance() {
  for (const std::string& file : files_) unlink(file.c_str());
}

void Conformance::TearDown() {
  const std::string log = Log();
  for (const Link& link : links_) (void)link.Disconnect();  // ERR where the test did it
  for (const std::string& text : TakeViolations()) ADD_FAILURE() << text;
  if (HasFailure()) {
    std::printf("--- the adaptor's log of this test:\n%.6000s---\n", log.c_str());
    quirks().TestFailed();
  }
}

std::string Conformance::NewName() {
  static std::atomic<int> counter{0};
  return "conf-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

std::string Conformance::NewTopic(Server& server, int partitions) {
  const std::string topic = NewName();
  quirks().CreateTopic(server, topic, partitions);
  return topic;
}

Ledger& Conformance::NewLedger() { return *ledgers_.emplace_back(std::make_unique<Ledger>()); }

std::string Conformance::WriteConfig(const Quirks& quirks, const Lines& lines) {
  std::string text = "[message-broker]\n";
  for (const std::string& line : quirks.BaseConfig(lines)) text += line + "\n";
  for (const std::string& line : lines) text += line + "\n";
  return WriteFile(text);
}

std::string Conformance::WriteFile(const std::string& content) {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/dsmsg-conf-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0 || write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    throw std::runtime_error("cannot write " + path);
  }
  close(fd);
  files_.push_back(path);
  return path;
}

std::string Conformance::Connection(const Server& server) {
  return server.host() + ";" + std::to_string(server.port());
}

Link Conformance::Connect(Server& server, const Lines& lines, nvds_msgapi_connect_cb_t callback) {
  return ConnectTo(Connection(server), lines, callback);
}

Link Conformance::ConnectTo(const std::string& connection, const Lines& lines,
                            nvds_msgapi_connect_cb_t callback) {
  const Link link = Link::Open(adaptor(), connection, WriteConfig(lines), callback);
  if (!link.ok()) {
    throw std::runtime_error("no connection to " + connection + ": " + adaptor().LastError());
  }
  Track(link);
  return link;
}

void Conformance::SendMany(const Link& link, Ledger& ledger, const std::string& topic,
                           size_t count) {
  for (size_t i = 0; i < count; ++i) {
    Record& record = ledger.Add(topic, "cam" + std::to_string(i % 5));
    ASSERT_EQ(link.SendAsync(record), NVDS_MSGAPI_OK) << "message " << i;
  }
}

bool Conformance::Pump(const Link& link, const Ledger& ledger, Millis silence) {
  Patience patience(ledger, silence);
  while (ledger.completed() < ledger.accepted()) {
    if (patience.over()) return false;
    link.DoWork();
  }
  return true;
}

bool Conformance::WaitLink(const Link& link, bool up, Millis timeout) {
  return WaitFor([&] { return link.GetStats().link_up() == up; }, timeout);
}

void Conformance::ExpectDelivered(const Ledger& ledger, Server& server, const std::string& topic,
                                  bool outage) {
  EXPECT_EQ(ledger.CheckCallbacks(), "");
  DeliveryRules rules;
  rules.duplicates = outage && quirks().duplicates_possible();
  rules.keys = quirks().has_keys();
  EXPECT_EQ(ledger.CheckDelivery(quirks().ReadAll(server, topic), rules), "");
}

void Conformance::ExpectAllOk(const Ledger& ledger, size_t count) {
  EXPECT_EQ(ledger.accepted(), count);
  EXPECT_EQ(ledger.Count(NVDS_MSGAPI_OK), count);
}

}  // namespace dsmsg::conformance
