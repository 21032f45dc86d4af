// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace dsmsg::conformance {
namespace {

constexpr unsigned kLimitSeconds = 600;  // of a child that hangs

}  // namespace

Child::Child(const std::function<void(Child&)>& body) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  socket_ = ends[pid_ == 0 ? 1 : 0];
  close(ends[pid_ == 0 ? 0 : 1]);
  if (pid_ > 0) return;
  alarm(kLimitSeconds);
  std::string failure;
  try {
    body(*this);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const std::string last = "E" + failure;  // a pipe of this size takes it at once
  [[maybe_unused]] const ssize_t sent = send(socket_, last.data(), last.size(), MSG_NOSIGNAL);
  _exit(failure.empty() ? 0 : 1);
}

Child::~Child() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(socket_);
}

void Child::Tell() {
  if (send(socket_, ".", 1, MSG_NOSIGNAL) != 1) {
    throw std::runtime_error("the other side has gone: " + Join());
  }
}

void Child::CloseInherited() const {
  for (int fd = STDERR_FILENO + 1; fd < 1024; ++fd) {
    if (fd != socket_) close(fd);
  }
}

bool Child::ReadByte(char* byte) const {
  ssize_t got;
  do {
    got = recv(socket_, byte, 1, 0);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

void Child::Await() {
  char byte = 0;
  if (!ReadByte(&byte) || byte != '.') throw std::runtime_error("it ended early: " + Join());
}

std::string Child::Join() {
  if (pid_ <= 0) return "";
  std::string text;
  for (char byte = 0; ReadByte(&byte);) {
    if (byte != '.' && byte != 'E') text += byte;
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return signal == SIGALRM ? "the child hung"
                             : std::string("the child died: ") + strsignal(signal);
  }
  return WEXITSTATUS(status) == 0 ? "" : "the child: " + text;
}

void Require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

}  // namespace dsmsg::conformance
