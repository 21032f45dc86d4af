// SPDX-License-Identifier: Apache-2.0
// Several adaptors in one process (CONTRACT rule 15): each answers for itself, in whatever order
// and mode they were loaded. ctest runs every test in its own process; in a shared one the first
// load would decide.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace {

constexpr std::array kContract = {"nvds_msgapi_connect",
                                  "nvds_msgapi_send",
                                  "nvds_msgapi_send_async",
                                  "nvds_msgapi_subscribe",
                                  "nvds_msgapi_do_work",
                                  "nvds_msgapi_disconnect",
                                  "nvds_msgapi_getversion",
                                  "nvds_msgapi_get_protocol_name",
                                  "nvds_msgapi_connection_signature"};

std::vector<std::string> AdaptorNames() {
  std::vector<std::string> names;
  std::istringstream text(DSMSG_TEST_ADAPTORS);
  for (std::string name; std::getline(text, name, ',');) names.push_back(name);
  return names;
}

// The value of the first "protocol" of a JSON text.
std::string ProtocolOf(const std::string& json) {
  static const std::regex pattern(R"re("protocol"\s*:\s*"([^"]*)")re");
  std::smatch match;
  return std::regex_search(json, match, pattern) ? match[1].str() : "no protocol in: " + json;
}

// A loaded library; never unloaded, because the tests need several at once.
class Library {
 public:
  Library(const std::string& path, int mode) : handle_(dlopen(path.c_str(), RTLD_NOW | mode)) {
    if (handle_ == nullptr) ADD_FAILURE() << "cannot load " << path << ": " << dlerror();
  }

  bool loaded() const { return handle_ != nullptr; }

  void* Address(const char* name) const {
    return handle_ == nullptr ? nullptr : dlsym(handle_, name);
  }

  // The caller asserts that a symbol exists: see Complete().
  template <class Function>
  Function* Get(Function*, const char* name) const {
    return reinterpret_cast<Function*>(Address(name));
  }

  bool Complete() const {
    for (const char* name : kContract) {
      if (Address(name) == nullptr) return false;
    }
    return Address("dsmsg_describe") != nullptr && Address("dsmsg_stats") != nullptr;
  }

  std::string ProtocolName() const {
    return Get(&nvds_msgapi_get_protocol_name, "nvds_msgapi_get_protocol_name")();
  }

  std::string Describe() const { return Get(&dsmsg_describe, "dsmsg_describe")(); }

  std::string Stats(NvDsMsgApiHandle connection) const {
    const auto stats = Get(&dsmsg_stats, "dsmsg_stats");
    std::string text(stats(connection, nullptr, 0) + 256, '\0');
    text.resize(stats(connection, text.data(), text.size()));
    return text;
  }

 private:
  void* handle_;
};

// A loopback port that refuses connections while the object lives: bound, never listening.
class ClosedPort {
 public:
  ClosedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, generic, size), 0);
    EXPECT_EQ(getsockname(socket_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~ClosedPort() {
    close(socket_);
    unlink(handlers_.c_str());
  }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;

  std::string ConnectionString(const std::string& protocol) const {
    const std::string port = std::to_string(port_);
    if (protocol == "MULTI") {  // a file that names it
      std::ofstream(handlers_) << R"({"output": {"handlers": {"one": {"uri": "redis://127.0.0.1:)"
                               << port << R"("}}}})";
      return handlers_;
    }
    if (!protocol.starts_with("AZURE")) return "127.0.0.1;" + port;
    const std::string module = protocol == "AZURE_MODULE_CLIENT" ? "ModuleId=m;" : "";
    return "HostName=127.0.0.1:" + port + ";DeviceId=d;" + module + "SharedAccessKey=AAAA";
  }

 private:
  int socket_;
  int port_ = 0;
  const std::string handlers_ =
      std::filesystem::temp_directory_path() / ("dsmsg-abi-" + std::to_string(getpid()) + ".json");
};

// A configuration file that lets connect succeed while there is no broker, removed at the end.
class LazyConfig {
 public:
  explicit LazyConfig(const std::string& before = "[message-broker]\n")
      : path_(std::filesystem::temp_directory_path() /
              ("dsmsg-abi-" + std::to_string(getpid()) + ".txt")) {
    std::ofstream file(path_);
    file << before << "connect=lazy\nflush-timeout=100ms\nshare-connection=1\n";
  }
  ~LazyConfig() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  LazyConfig(const LazyConfig&) = delete;
  LazyConfig& operator=(const LazyConfig&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Callbacks of one connection: how many, and the last result.
struct Outcome {
  int calls = 0;
  NvDsMsgApiErrorType last = NVDS_MSGAPI_OK;

  static void Note(void* self, NvDsMsgApiErrorType flag) {
    auto* outcome = static_cast<Outcome*>(self);
    ++outcome->calls;
    outcome->last = flag;
  }
};

NvDsMsgApiHandle ConnectLazily(const Library& library, const ClosedPort& port,
                               const LazyConfig& config) {
  std::string where = port.ConnectionString(library.ProtocolName());
  std::string path = config.path();
  return library.Get(&nvds_msgapi_connect, "nvds_msgapi_connect")(where.data(), nullptr,
                                                                  path.data());
}

std::string Signature(const Library& library, const ClosedPort& port, const LazyConfig& config) {
  std::string where = port.ConnectionString(library.ProtocolName());
  std::string path = config.path();
  std::array<char, 128> text{};
  EXPECT_EQ(library.Get(&nvds_msgapi_connection_signature, "nvds_msgapi_connection_signature")(
                where.data(), path.data(), text.data(), static_cast<int>(text.size())),
            NVDS_MSGAPI_OK);
  return text.data();
}

NvDsMsgApiErrorType SendOne(const Library& library, NvDsMsgApiHandle connection, Outcome* outcome) {
  std::string topic = "topic";
  const std::array<uint8_t, 3> payload = {0, 255, 7};
  return library.Get(&nvds_msgapi_send_async, "nvds_msgapi_send_async")(
      connection, topic.data(), payload.data(), payload.size(), &Outcome::Note, outcome);
}

std::string LastError(const Library& library) {
  std::array<char, 1024> text{};
  library.Get(&dsmsg_last_error, "dsmsg_last_error")(nullptr, text.data(), text.size());
  return text.data();
}

NvDsMsgApiErrorType Disconnect(const Library& library, NvDsMsgApiHandle connection) {
  return library.Get(&nvds_msgapi_disconnect, "nvds_msgapi_disconnect")(connection);
}

// First adaptor, second adaptor, dlopen mode.
using Pair = std::tuple<std::string, std::string, int>;

std::vector<Pair> AllPairs() {
  std::vector<Pair> pairs;
  for (const auto& first : AdaptorNames()) {
    for (const auto& second : AdaptorNames()) {
      if (first == second) continue;
      pairs.emplace_back(first, second, RTLD_LOCAL);
      pairs.emplace_back(first, second, RTLD_GLOBAL);
    }
  }
  return pairs;
}

std::string PairName(const testing::TestParamInfo<Pair>& info) {
  return std::get<0>(info.param) + "_then_" + std::get<1>(info.param) +
         (std::get<2>(info.param) == RTLD_GLOBAL ? "_global" : "_local");
}

std::string AdaptorPath(const std::string& name) {
  return std::string(DSMSG_TEST_LIB_DIR) + "/libnvds_" + name + "_proto.so";
}

std::string ProbePath(const std::string& name) {
  return std::string(DSMSG_TEST_PROBE_DIR) + "/libabi_" + name + ".so";
}

class TwoAdaptors : public testing::TestWithParam<Pair> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(first_.Complete());
    ASSERT_TRUE(second_.Complete());
    ASSERT_NE(first_.ProtocolName(), second_.ProtocolName());
  }

  Library first_{AdaptorPath(std::get<0>(GetParam())), std::get<2>(GetParam())};
  Library second_{AdaptorPath(std::get<1>(GetParam())), std::get<2>(GetParam())};
};

TEST_P(TwoAdaptors, HaveTheirOwnFunctions) {
  for (const char* name : kContract) {
    EXPECT_NE(first_.Address(name), second_.Address(name)) << name;
  }
  EXPECT_EQ(ProtocolOf(first_.Describe()), first_.ProtocolName());
  EXPECT_EQ(ProtocolOf(second_.Describe()), second_.ProtocolName());
}

TEST_P(TwoAdaptors, ServeTheirOwnConnections) {
  const ClosedPort port;
  const LazyConfig config;
  NvDsMsgApiHandle a = ConnectLazily(first_, port, config);
  NvDsMsgApiHandle b = ConnectLazily(second_, port, config);
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(ProtocolOf(first_.Stats(a)), first_.ProtocolName());
  EXPECT_EQ(ProtocolOf(second_.Stats(b)), second_.ProtocolName());
  EXPECT_NE(Signature(first_, port, config), Signature(second_, port, config));

  Outcome of_a;
  Outcome of_b;
  EXPECT_EQ(SendOne(first_, a, &of_a), NVDS_MSGAPI_OK);
  EXPECT_EQ(SendOne(second_, b, &of_b), NVDS_MSGAPI_OK);
  // One ends, the other continues.
  EXPECT_EQ(Disconnect(first_, a), NVDS_MSGAPI_OK);
  EXPECT_EQ(of_a.calls, 1);
  EXPECT_EQ(of_a.last, NVDS_MSGAPI_ERR);
  EXPECT_EQ(of_b.calls, 0);
  EXPECT_EQ(ProtocolOf(second_.Stats(b)), second_.ProtocolName());
  EXPECT_EQ(Disconnect(second_, b), NVDS_MSGAPI_OK);
  EXPECT_EQ(of_b.calls, 1);
  EXPECT_EQ(of_b.last, NVDS_MSGAPI_ERR);
}

TEST_P(TwoAdaptors, RefuseEachOthersHandles) {
  const ClosedPort port;
  const LazyConfig config;
  NvDsMsgApiHandle a = ConnectLazily(first_, port, config);
  ASSERT_NE(a, nullptr);
  Outcome outcome;
  EXPECT_EQ(SendOne(second_, a, &outcome), NVDS_MSGAPI_ERR);
  EXPECT_EQ(second_.Stats(a), "");
  EXPECT_EQ(Disconnect(second_, a), NVDS_MSGAPI_ERR);
  EXPECT_EQ(Disconnect(first_, a), NVDS_MSGAPI_OK);
  EXPECT_EQ(outcome.calls, 0);
}

INSTANTIATE_TEST_SUITE_P(Adaptors, TwoAdaptors, testing::ValuesIn(AllPairs()), PairName);
// With only one client library there is no pair.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TwoAdaptors);

class Probes : public testing::TestWithParam<int> {};

TEST_P(Probes, LinkedLikeAdaptorsReachThemselves) {
  const Library a(ProbePath("hidden_a"), GetParam());
  const Library b(ProbePath("hidden_b"), GetParam());
  ASSERT_TRUE(a.loaded() && b.loaded());
  EXPECT_EQ(a.Describe(), "A");
  EXPECT_EQ(b.Describe(), "B");
  for (const char* name : {"dsmsg_probe_inline_static", "dsmsg_probe_template"}) {
    const auto of_a = reinterpret_cast<void* (*)()>(a.Address(name));
    const auto of_b = reinterpret_cast<void* (*)()>(b.Address(name));
    EXPECT_NE(of_a(), of_b()) << name << ": one variable is shared by both libraries";
  }
}

std::string ModeName(const testing::TestParamInfo<int>& mode) {
  return mode.param == RTLD_GLOBAL ? "global" : "local";
}

INSTANTIATE_TEST_SUITE_P(Modes, Probes, testing::Values(RTLD_LOCAL, RTLD_GLOBAL), ModeName);

// The control: without the flags symbols do bind to the wrong library, so the tests above can fail.
TEST(Control, LinkedWithDefaultsAnswerForEachOther) {
  const Library a(ProbePath("plain_a"), RTLD_GLOBAL);
  const Library b(ProbePath("plain_b"), RTLD_GLOBAL);
  ASSERT_TRUE(a.loaded() && b.loaded());
  EXPECT_EQ(a.Describe(), "A");
  EXPECT_EQ(b.Describe(), "A") << "B's call to its own export reached itself after all";
  for (const char* name : {"dsmsg_probe_inline_static", "dsmsg_probe_template"}) {
    const auto of_a = reinterpret_cast<void* (*)()>(a.Address(name));
    const auto of_b = reinterpret_cast<void* (*)()>(b.Address(name));
    EXPECT_EQ(of_a(), of_b()) << name;
  }
}

// The file that users copy: with every default written out, the adaptor accepts it, and no setting
// changes.
TEST(GeneratedConfig, IsAcceptedWithEveryDefaultWrittenOut) {
  for (const auto& name : AdaptorNames()) {
    const Library library(AdaptorPath(name), RTLD_LOCAL);
    ASSERT_TRUE(library.Complete());
    std::ifstream file(std::string(DSMSG_TEST_CFG_DIR) + "/cfg_" + name + ".txt");
    ASSERT_TRUE(file.is_open()) << name << " (run: make generate)";
    std::string all;
    int options = 0;
    static const std::regex with_default("#([a-z0-9_-]+=.+)");
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      const bool option = std::regex_match(line, match, with_default);
      all += (option ? match[1].str() : line) + "\n";
      options += option ? 1 : 0;
    }
    EXPECT_GT(options, 30) << name;
    const LazyConfig config(all);
    const ClosedPort port;
    NvDsMsgApiHandle connection = ConnectLazily(library, port, config);
    ASSERT_NE(connection, nullptr) << name << ": " << LastError(library);
    EXPECT_EQ(Disconnect(library, connection), NVDS_MSGAPI_OK);
  }
}

// Hosts dlclose after disconnect: the code must stay for a name lookup that is still running.
TEST(Unload, LeavesTheLibraryMapped) {
  const std::string name = AdaptorNames().front();
  void* handle = dlopen(AdaptorPath(name).c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << dlerror();
  const void* address = dlsym(handle, "nvds_msgapi_do_work");
  ASSERT_NE(address, nullptr);
  ASSERT_EQ(dlclose(handle), 0);
  Dl_info info{};
  EXPECT_NE(dladdr(address, &info), 0) << "unloaded by dlclose (is -z nodelete missing?)";
}

}  // namespace
