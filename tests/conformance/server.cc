// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "log_capture.h"

namespace dsmsg::conformance {
namespace {

// Fetching Kafka's jars the first time is included.
constexpr std::chrono::seconds kAnswerTimeout{300};

std::string Errno(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

/// A TCP socket bound to a free port of 127.0.0.1.
int BoundSocket(uint16_t* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error(Errno("cannot bind a port on 127.0.0.1"));
  }
  *port = ntohs(address.sin_port);
  return fd;
}

std::vector<std::string> ChildEnvironment() {
  std::vector<std::string> environment;
  for (char** item = environ; *item != nullptr; ++item) {
    // The sanitizers' settings are for this program.
    if (std::strncmp(*item, "PYTHONPATH=", 11) == 0 ||
        std::strncmp(*item, "LD_PRELOAD=", 11) == 0) {
      continue;
    }
    environment.emplace_back(*item);
  }
  const char* folder = std::getenv("DSMSG_PYTHON_DIR");
  environment.push_back(std::string("PYTHONPATH=") +
                        (folder != nullptr ? folder : DSMSG_PYTHON_DIR));
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Server::Server(std::string kind, std::string args, Killed killed)
    : kind_(std::move(kind)), args_(std::move(args)), killed_(killed) {}

Server::~Server() {
  if (control_ < 0) return;
  close(to_);  // the end of its input makes the control process clean up and end
  int status = 0;
  waitpid(control_, &status, 0);
  close(from_);
}

void Server::Spawn() {
  int input[2], output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error(Errno("cannot make a pipe"));
  }
  const char* python = std::getenv("DSMSG_PYTHON");
  std::vector<std::string> arguments = {python != nullptr ? python : "python3", "-m",
                                        "dsmsg.brokers", "serve", kind_};
  std::vector<std::string> environment = ChildEnvironment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  posix_spawn_file_actions_adddup2(&actions, LogCapture::RealStderr(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int error = posix_spawnp(&control_, arguments[0].c_str(), &actions, &attributes,
                                 Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(input[0]);
  close(output[1]);
  if (error != 0) {
    close(input[1]);
    close(output[0]);
    throw std::runtime_error("cannot run " + arguments[0] + ": " + std::strerror(error));
  }
  to_ = input[1];
  from_ = output[0];
}

std::string Server::Exchange(const std::string& line) {
  const std::string request = line + "\n";
  if (write(to_, request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    throw std::runtime_error(Errno("the control process of the server is gone"));
  }
  const auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
  std::string answer;
  while (answer.empty() || answer.back() != '\n') {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waiting{from_, POLLIN, 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
      throw std::runtime_error(kind_ + ": the control process did not answer " + line);
    }
    char buffer[4096];
    const ssize_t got = read(from_, buffer, sizeof buffer);
    if (got <= 0) throw std::runtime_error(kind_ + ": the control process ended at " + line);
    answer.append(buffer, static_cast<size_t>(got));
  }
  return answer;
}

void Server::Command(const std::string& name, const std::string& args) {
  if (control_ < 0) Spawn();
  const std::string more = args.empty() ? "" : R"(,"args":)" + args;
  const std::string answer = Exchange(R"({"cmd":")" + name + "\"" + more + "}");
  rapidjson::Document document;
  document.Parse(answer.c_str());
  if (document.HasParseError() || !document.IsObject() || !document.HasMember("ok")) {
    throw std::runtime_error(kind_ + ": cannot read the control process's answer: " + answer);
  }
  if (!document["ok"].GetBool()) {
    throw std::runtime_error(name + ": " + document["error"].GetString());
  }
  if (document["pid"].IsInt()) pid_ = document["pid"].GetInt();
  if (document.HasMember("ports") && document["ports"].IsObject()) {
    for (const auto& [listener, port] : document["ports"].GetObject()) {
      extra_ports_[listener.GetString()] = static_cast<uint16_t>(port.GetInt());
    }
  }
  if (port_ == 0) {
    host_ = document["host"].GetString();
    direct_port_ = port_ = static_cast<uint16_t>(document["port"].GetInt());
  }
}

void Server::EnsureUp() {
  std::lock_guard lock(mutex_);
  if (state_ == State::kPaused) Command("resume");
  if (state_ == State::kDown && proxy_) {
    proxy_->Restore();
  } else if (state_ == State::kDown) {
    Command("start", args_);
  }
  if (killed_ == Killed::kConnections && !proxy_) {
    proxy_ = std::make_unique<CutProxy>(direct_port_);
    port_ = proxy_->port();
  }
  state_ = State::kUp;
}

void Server::Kill() {
  std::lock_guard lock(mutex_);
  if (proxy_) {
    if (state_ == State::kPaused) Command("resume");
    proxy_->Cut();
  } else if (state_ != State::kDown) {
    Command("kill");
  }
  state_ = State::kDown;
}

void Server::Pause() {
  std::lock_guard lock(mutex_);
  Command("pause");
  state_ = State::kPaused;
}

void Server::Resume() {
  std::lock_guard lock(mutex_);
  Command("resume");
  state_ = State::kUp;
}

void Server::Ctl(const std::string& arguments) {
  std::lock_guard lock(mutex_);
  Command("ctl", arguments);
}

Outage::Outage(Server& server, std::chrono::milliseconds down)
    : thread_([this, &server, down] {
        try {
          server.Kill();
          std::this_thread::sleep_for(down);  // the test wants an outage of this length
          server.EnsureUp();
        } catch (const std::exception& error) {
          error_ = error.what();
        }
        over_ = true;
      }) {}

Outage::~Outage() {
  if (thread_.joinable()) thread_.join();
}

void Outage::Join() {
  if (thread_.joinable()) thread_.join();
  if (!error_.empty()) throw std::runtime_error(error_);
}

ClosedPort::ClosedPort() : fd_(BoundSocket(&port_)) {}

ClosedPort::~ClosedPort() { close(fd_); }

BadServer::BadServer(Mode mode)
    : mode_(mode), fd_(BoundSocket(&port_)), stop_(eventfd(0, EFD_CLOEXEC)) {
  listen(fd_, 64);
  thread_ = std::thread([this] { Serve(); });
}

BadServer::~BadServer() {
  eventfd_write(stop_, 1);
  thread_.join();
  close(fd_);
  close(stop_);
}

void BadServer::Serve() {
  std::vector<int> open;
  for (;;) {
    pollfd waiting[2] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[1].revents != 0) break;
    const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    ++connections_;
    if (mode_ == Mode::kSilent) {
      open.push_back(connection);
      continue;
    }
    const linger at_once{1, 0};  // close() then resets
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection);
  }
  for (const int connection : open) close(connection);
}

}  // namespace dsmsg::conformance
