// SPDX-License-Identifier: Apache-2.0
#include "cut_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <vector>

namespace dsmsg::conformance {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// Bound to `port` (0: a free one) and not listening: the kernel refuses connections.
int Bound(uint16_t* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = Loopback(*port);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("the proxy cannot bind a port");
  }
  *port = ntohs(address.sin_port);
  return fd;
}

void Reset(int fd) {
  const linger at_once{1, 0};  // close() then resets
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

}  // namespace

CutProxy::CutProxy(uint16_t target)
    : target_(target), listener_(Bound(&port_)), signal_(eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { Run(); });
  Become(State::kOpen);
}

CutProxy::~CutProxy() {
  Become(State::kEnd);
  thread_.join();
  close(listener_);
  close(signal_);
}

void CutProxy::Become(State state) {
  std::unique_lock lock(mutex_);
  wanted_ = state;
  eventfd_write(signal_, 1);
  changed_.wait(lock, [&] { return current_ == state; });
}

void CutProxy::Apply(State state) {
  std::lock_guard lock(mutex_);
  if (state == State::kOpen) {
    listen(listener_, 64);
  } else {
    // A listening socket cannot be told to refuse: another one takes its place.
    close(listener_);
    listener_ = Bound(&port_);
    for (const Pair& pair : pairs_) {
      Reset(pair.up.from);
      Reset(pair.up.to);
    }
    pairs_.clear();
  }
  current_ = state;
  changed_.notify_all();
}

void CutProxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Reset(client);
    close(server);
    return;
  }
  const int on = 1;
  for (const int fd : {client, server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Pair& pair = pairs_.emplace_back();
  pair.up.from = pair.down.to = client;
  pair.up.to = pair.down.from = server;
}

// Nothing more is read until what was read is written, so that a stalled server stalls the client.
bool CutProxy::Move(Way* way, short from_events, short to_events) {
  if (way->bytes.empty() && (from_events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    way->bytes.resize(64 * 1024);
    const ssize_t got = recv(way->from, way->bytes.data(), way->bytes.size(), MSG_DONTWAIT);
    way->bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    to_events = POLLOUT;  // most likely
  }
  if (!way->bytes.empty() && to_events != 0) {
    const ssize_t put =
        send(way->to, way->bytes.data(), way->bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN) return false;
    if (put > 0) way->bytes.erase(0, static_cast<size_t>(put));
  }
  return true;
}

void CutProxy::Run() {
  std::vector<pollfd> fds;
  const auto interest = [](const Way& in, const Way& out) {
    return static_cast<short>((in.bytes.empty() ? POLLIN : 0) | (out.bytes.empty() ? 0 : POLLOUT));
  };
  while (true) {
    State wanted, current;
    {
      std::lock_guard lock(mutex_);
      wanted = wanted_;
      current = current_;
    }
    if (wanted != current) Apply(wanted);
    if (wanted == State::kEnd) return;
    fds = {{signal_, POLLIN, 0}, {wanted == State::kOpen ? listener_ : -1, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      fds.push_back({pair.up.from, interest(pair.up, pair.down), 0});
      fds.push_back({pair.up.to, interest(pair.down, pair.up), 0});
    }
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    eventfd_t count = 0;
    if (fds[0].revents != 0) eventfd_read(signal_, &count);
    size_t at = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
      const short client = fds[at].revents, server = fds[at + 1].revents;
      if (Move(&pair->up, client, server) && Move(&pair->down, server, client)) {
        ++pair;
        continue;
      }
      close(pair->up.from);
      close(pair->up.to);
      pair = pairs_.erase(pair);
    }
    if (fds[1].revents != 0) Accept();
  }
}

}  // namespace dsmsg::conformance
