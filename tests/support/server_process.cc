// SPDX-License-Identifier: Apache-2.0
#include "support/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/base/fd.h"
#include "core/base/time.h"

namespace dsmsg::testing {

namespace {

// Takes a name that only one process on this machine can have: held until this process ends,
// however it ends. The package's own tests take the same names (python/dsmsg/brokers/_process.py).
bool Reserve(uint16_t port) {
  static std::mutex mutex;
  static std::vector<UniqueFd> reserved;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "dsmsg-port-" + std::to_string(port);
  text.copy(name.sun_path + 1, text.size());  // behind a zero: the abstract namespace
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0) return false;
  const std::lock_guard lock(mutex);
  reserved.push_back(std::move(fd));
  return true;
}

bool CanListen(uint16_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         listen(fd.get(), 1) == 0;
}

}  // namespace

uint16_t FreePort() {
  int first_ephemeral = 32768;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_ephemeral;
  const bool below = first_ephemeral > 12000;
  static std::random_device random;
  std::uniform_int_distribution<int> any(below ? 10240 : 61001,
                                         below ? first_ephemeral - 1 : 65534);
  for (int attempt = 0; attempt < 200; ++attempt) {
    const auto port = static_cast<uint16_t>(any(random));
    if (Reserve(port) && CanListen(port)) return port;
  }
  throw std::runtime_error("no free port");
}

TemporaryFolder::TemporaryFolder()
    : path_(std::filesystem::temp_directory_path() / "dsmsg-test-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(File(name)) << text;
  return File(name);
}

Environment::Environment(const char* name, const std::string& value) : name_(name) {
  setenv(name, value.c_str(), 1);
}

Environment::~Environment() { unsetenv(name_); }

bool ServerProcess::Start(std::vector<std::string> words, const std::function<bool()>& answers) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const char* const inherited = std::getenv("PATH");
  const std::string path = (inherited == nullptr ? "" : inherited + std::string(":")) +
                           "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin";
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
    setenv("PATH", path.c_str(), 1);   // a server may be in a folder that only root searches
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const Deadline deadline = Clock::now() + Millis(20'000);
  while (Clock::now() < deadline) {
    if (answers()) return true;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(Millis(5));  // between two looks
  }
  Kill();
  return false;
}

void ServerProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ServerProcess::Freeze() { kill(pid_, SIGSTOP); }
void ServerProcess::Thaw() { kill(pid_, SIGCONT); }

}  // namespace dsmsg::testing
