// SPDX-License-Identifier: Apache-2.0
// Rules 15, 16 and 18: several adaptors in one process, signals, and loading again and again.
#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule15_ManyAdaptorsInOneProcess);
CONFORMANCE_SUITE(Rule16_Signals);
CONFORMANCE_SUITE(Rule18_LoadUnloadAgain);

TEST_P(Rule15_ManyAdaptorsInOneProcess, EachIsItself) {
  std::vector<std::shared_ptr<Adaptor>> loaded;
  for (const Quirks* each : AllQuirks()) loaded.push_back(LoadedAdaptor(LibraryPath(*each)));
  for (size_t i = 0; i < loaded.size(); ++i) {
    EXPECT_EQ(loaded[i]->f.get_protocol_name(), AllQuirks()[i]->protocol());
    EXPECT_TRUE(Contains(loaded[i]->f.describe(), AllQuirks()[i]->protocol()));
  }
}

// A handle of one adaptor means nothing to another.
TEST_P(Rule15_ManyAdaptorsInOneProcess, HandlesAreNotShared) {
  const Link link = Connect(quirks().shared());
  for (const Quirks* other : AllQuirks()) {
    if (other == &quirks()) continue;
    const auto foreign = LoadedAdaptor(LibraryPath(*other));
    foreign->f.do_work(link.handle());
    EXPECT_EQ(foreign->f.disconnect(link.handle()), NVDS_MSGAPI_ERR) << other->protocol();
  }
  Close(link);
}

using Actions = std::array<struct sigaction, 32>;

Actions SignalActions() {
  Actions actions{};
  for (int number = 1; number < 32; ++number) {
    sigaction(number, nullptr, &actions[static_cast<size_t>(number)]);
  }
  return actions;
}

// Every test with an outage shows that the process survives broken connections with SIGPIPE at its
// default.
TEST_P(Rule16_Signals, NothingChangesThroughAWholeLife) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  const Actions before = SignalActions();
  ASSERT_EQ(before[SIGPIPE].sa_handler, SIG_DFL);
  sigset_t mask_before, mask_after;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  const Link link = Connect(server, QuickReconnect({"flush-timeout=500ms"}));
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 500);
  server.Kill();
  SendMany(link, ledger, topic, 500);
  ASSERT_TRUE(WaitLink(link, false));
  for (int i = 0; i < 10; ++i) link.DoWork();
  Close(link);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_after);
  const Actions after = SignalActions();
  for (size_t number = 1; number < 32; ++number) {
    EXPECT_EQ(before[number].sa_handler, after[number].sa_handler) << "signal " << number;
    EXPECT_EQ(sigismember(&mask_before, static_cast<int>(number)),
              sigismember(&mask_after, static_cast<int>(number)));
  }
  EXPECT_EQ(ledger.CheckCallbacks(), "");
}

// Writing to a connection that the other side has reset.
TEST_P(Rule16_Signals, ResetConnections) {
  const BadServer reset(BadServer::Mode::kReset);
  const Link link = ConnectTo("127.0.0.1;" + std::to_string(reset.port()),
                              {"connect=lazy", "reconnect-interval=10ms",
                               "reconnect-max-interval=20ms", "flush-timeout=100ms"});
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, "t", 100);
  EXPECT_TRUE(WaitFor([&] { return reset.connections() >= 5; })) << reset.connections();
  Close(link);
  EXPECT_EQ(ledger.CheckCallbacks(), "");
}

size_t CountEntries(const char* folder) {
  size_t count = 0;
  DIR* dir = opendir(folder);
  if (dir == nullptr) return 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}
size_t OpenFiles() { return CountEntries("/proc/self/fd"); }
size_t Threads() { return CountEntries("/proc/self/task"); }

size_t ResidentKb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

// Nothing else keeps the library in the process here, apart from the program's own reference: a
// host's dlclose and dlopen then do what they do there, since the library is linked with -z
// nodelete.
TEST_P(Rule18_LoadUnloadAgain, HundredCycles) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), config = WriteConfig(quirks().LowLatencyConfig());
  Ledger& ledger = NewLedger();
  std::set<NvDsMsgApiHandle> handles;
  size_t files = 0, threads = 0, resident = 0;
  for (int cycle = 0; cycle < 100; ++cycle) {
    const auto fresh = Adaptor::Load(LibraryPath(quirks()));
    const Link link = Link::Open(*fresh, Connection(server), config);
    ASSERT_TRUE(link.ok()) << "cycle " << cycle << ": " << Log();
    EXPECT_TRUE(handles.insert(link.handle()).second) << "a handle value was used again";
    for (int i = 0; i < 5; ++i) ASSERT_EQ(link.SendAsync(ledger.Add(topic, "c")), NVDS_MSGAPI_OK);
    ASSERT_EQ(link.Disconnect(), NVDS_MSGAPI_OK);
    if (cycle != 9) continue;
    files = OpenFiles();  // after what is made once in a process
    threads = Threads();
    resident = ResidentKb();
  }
  EXPECT_TRUE(WaitFor([&] { return OpenFiles() <= files && Threads() <= threads; }))
      << "files " << files << " -> " << OpenFiles() << ", threads " << threads << " -> "
      << Threads();
  // Sanitizers keep freed memory for a while and count every access.
  EXPECT_LT(ResidentKb(), resident + (kSanitized ? 400'000 : 20'000)) << "KiB, in 90 cycles";
  ExpectAllOk(ledger, 500);
  ExpectDelivered(ledger, server, topic, false);
}

// Returns a program's exit code, or 1000 and the signal.
int RunProgram(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (std::string& text : arguments) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  pid_t child = -1;
  int status = 0;
  if (posix_spawn(&child, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) return -1;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

// A host that returns from main with everything running.
TEST_P(Rule18_LoadUnloadAgain, ExitWithoutDisconnect) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), config = WriteConfig({});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(RunProgram({DSMSG_LEAVER, LibraryPath(quirks()), Connection(server), config, topic}),
              0);
  }
}

// A failed connect leaves nothing behind either.
TEST_P(Rule18_LoadUnloadAgain, FailedConnects) {
  const ClosedPort closed;
  const std::string config = WriteConfig({"connect-timeout=1s"});
  const std::string nowhere = "127.0.0.1;" + std::to_string(closed.port());
  size_t files = 0, threads = 0;
  for (int cycle = 0; cycle < 8; ++cycle) {
    EXPECT_FALSE(Link::Open(adaptor(), nowhere, config).ok());
    EXPECT_FALSE(Link::Open(adaptor(), "not;a;connection;string;at;all", config).ok());
    if (cycle != 2) continue;
    files = OpenFiles();
    threads = Threads();
  }
  EXPECT_TRUE(WaitFor([&] { return OpenFiles() <= files && Threads() <= threads; }))
      << "files " << files << " -> " << OpenFiles() << ", threads " << threads << " -> "
      << Threads();
}

}  // namespace
}  // namespace dsmsg::conformance
