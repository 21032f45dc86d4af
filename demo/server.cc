// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "target.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Result;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The first start of some fetches the server.
constexpr std::chrono::minutes kStartPatience{15};
constexpr std::chrono::seconds kStopPatience{20};

/// A child process that talks JSON lines over its standard input and output. It has its own process
/// group: Ctrl-C on the terminal must end the pipeline first and the broker after it.
class Server : public Target {
 public:
  ~Server() override {
    if (in_ >= 0) close(in_);  // the end of its input makes it stop the broker and end
    WaitForEnd();
    if (out_ >= 0) close(out_);
  }

  Status Spawn(const std::string& kind, const std::string& python, const std::string& python_path) {
    std::array<int, 2> to = {-1, -1}, from = {-1, -1};
    if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) {
      return Status(Code::kInternal, std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    in_ = to[1];
    out_ = from[0];
    const std::string path = "PYTHONPATH=" + python_path;
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (std::strncmp(*entry, "PYTHONPATH=", 11) != 0) environment.push_back(*entry);
    }
    environment.push_back(const_cast<char*>(path.c_str()));
    environment.push_back(nullptr);
    const std::array<const char*, 6> arguments = {python.c_str(), "-m",         "dsmsg.brokers",
                                                  "serve",        kind.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const int error = posix_spawnp(&pid_, python.c_str(), &actions, &attributes,
                                   const_cast<char* const*>(arguments.data()), environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    if (error == 0) return {};
    pid_ = -1;
    return Status(Code::kInternal, "cannot run " + python + ": " + std::strerror(error));
  }

  bool can_fail() const override { return can_fail_; }
  Status Kill() override { return Ask(R"({"cmd":"kill"})", nullptr); }
  Status Return() override { return Ask(R"({"cmd":"start"})", nullptr); }

  Status Start(const std::string& for_adaptor, const ServerKind& kind) {
    rapidjson::Document json;
    const Status status = Ask(kind.start, &json);
    if (!status.ok()) return status;
    can_fail_ = kind.goes_on;
    host = json["host"].GetString();
    port = json["port"].GetInt();
    adaptor = for_adaptor;
    title = std::string(kind.title) + " at " + address();
    return {};
  }

 private:
  /// Sends a command; the answer, if it is wanted.
  Status Ask(const std::string& command, rapidjson::Document* answer) {
    const std::string line = command + "\n";
    if (write(in_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      return Status(Code::kInternal, "the process that starts brokers has ended");
    }
    Result<std::string> read = ReadLine();
    if (!read.ok()) return read.status();
    rapidjson::Document json;
    if (json.Parse(read->c_str()).HasParseError() || !json.IsObject() || !json.HasMember("ok")) {
      return Status(Code::kInternal, "cannot understand the answer: " + read.value());
    }
    if (!json["ok"].GetBool()) return Status(Code::kUnavailable, json["error"].GetString());
    if (answer != nullptr) answer->Swap(json);
    return {};
  }

  Result<std::string> ReadLine() {
    std::string line;
    const auto deadline = steady_clock::now() + kStartPatience;
    while (line.empty() || line.back() != '\n') {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
      pollfd wait = {out_, POLLIN, 0};
      if (left.count() <= 0) return Status(Code::kTimeout, "the broker did not start in time");
      const int ready = poll(&wait, 1, static_cast<int>(left.count()));
      if (ready < 0) return Status(Code::kCancelled, "interrupted");  // Ctrl-C
      if (ready == 0) continue;
      std::array<char, 1024> chunk = {};
      const ssize_t size = read(out_, chunk.data(), chunk.size());
      if (size <= 0)
        return Status(Code::kInternal,
                      "the process that starts brokers ended (see its output above)");
      line.append(chunk.data(), static_cast<size_t>(size));
    }
    return line;
  }

  void WaitForEnd() {
    if (pid_ < 0) return;
    const auto deadline = steady_clock::now() + kStopPatience;
    while (waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (steady_clock::now() > deadline) {
        kill(-pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        return;
      }
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  bool can_fail_ = false;
};

}  // namespace

Result<std::unique_ptr<Target>> StartServer(const std::string& adaptor, const ServerKind& server,
                                            const std::string& python,
                                            const std::string& python_path) {
  std::printf("broker:   starting %s (a few seconds)\n", server.title);
  std::fflush(stdout);
  auto process = std::make_unique<Server>();
  Status status = process->Spawn(server.kind, python, python_path);
  if (status.ok()) status = process->Start(adaptor, server);
  if (!status.ok()) return status;
  return std::unique_ptr<Target>(std::move(process));
}

}  // namespace dsmsg_demo
