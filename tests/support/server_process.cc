// SPDX-License-Identifier: Apache-2.0
#include "support/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/base/fd.h"
#include "core/base/time.h"

namespace dsmsg::testing {

uint16_t FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd.get(), any, size) != 0 || getsockname(fd.get(), any, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
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
