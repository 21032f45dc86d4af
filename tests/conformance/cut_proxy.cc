// SPDX-License-Identifier: Apache-2.0
#include "cut_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace dsmsg::conformance {
namespace {

constexpr int kBacklog = 64;
constexpr size_t kPartsASecond = 100;  // a limited rate moves in parts of a hundredth
constexpr size_t kPart = size_t{64} << 10, kLongLine = 1024;  // bytes, and how many parts under way

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

CutProxy::CutProxy(uint16_t target, uint16_t port)
    : target_(target), port_(port), listener_(Bound(&port_)), signal_(eventfd(0, EFD_CLOEXEC)) {
  listen(listener_, kBacklog);
  thread_ = std::thread([this] { Run(); });
}

CutProxy::~CutProxy() {
  Wanted end;
  end.end = true;
  Ask(end);
  thread_.join();
  ResetAll();
  close(listener_);
  close(signal_);
}

void CutProxy::Become(Mode mode) {
  Wanted wanted;
  {
    std::lock_guard lock(mutex_);
    wanted = wanted_;
  }
  wanted.mode = mode;
  Ask(wanted);
}

void CutProxy::SlowDown(std::chrono::milliseconds delay, size_t bytes_per_second) {
  Ask({Mode::kOpen, delay, bytes_per_second, {}, false});
}

void CutProxy::EndConnectionsAt(std::string marker) {
  Ask({Mode::kOpen, std::chrono::milliseconds(0), 0, std::move(marker), false});
}

std::vector<CutProxy::Clock::time_point> CutProxy::Attempts() const {
  std::lock_guard lock(mutex_);
  return attempts_;
}

void CutProxy::Ask(const Wanted& wanted) {
  std::unique_lock lock(mutex_);
  wanted_ = wanted;
  const uint64_t mine = ++asked_;
  eventfd_write(signal_, 1);
  changed_.wait(lock, [&] { return done_ >= mine; });
}

void CutProxy::Apply() {
  std::lock_guard lock(mutex_);
  const Mode before = now_.mode;
  now_ = wanted_;
  if (now_.mode != before) {
    if (now_.mode == Mode::kCut || now_.mode == Mode::kReset) ResetAll();
    if (now_.mode == Mode::kVanish) Vanish();
    if (now_.mode == Mode::kCut) {
      // A listening socket cannot be told to refuse: another one takes its place.
      close(listener_);
      listener_ = Bound(&port_);
    } else if (before == Mode::kCut) {
      listen(listener_, kBacklog);
    }
  }
  done_ = asked_;
  changed_.notify_all();
}

void CutProxy::ResetAll() {
  for (const Pair& pair : pairs_) {
    Reset(pair.up.from);
    if (pair.up.to >= 0) Reset(pair.up.to);
  }
  pairs_.clear();
}

void CutProxy::Vanish() {
  for (Pair& pair : pairs_) {
    if (pair.up.to >= 0) Reset(pair.up.to);
    pair.up.to = pair.down.from = -1;
    pair.down.parts.clear();
  }
}

void CutProxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  {
    std::lock_guard lock(mutex_);
    attempts_.push_back(Clock::now());
  }
  if (now_.mode == Mode::kReset) return Reset(client);
  if (now_.mode == Mode::kOpen) return ConnectPair(client);
  Pair& pair = pairs_.emplace_back();  // vanished before it began
  pair.up.from = pair.down.to = client;
}

void CutProxy::ConnectPair(int client) {
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

// Nothing more is read until what was read is written, so that a stalled server stalls the client;
// only a long line holds more.
bool CutProxy::Takes(const Way& way) const {
  return !way.ended && way.parts.size() < (LongLine() ? kLongLine : 1);
}

bool CutProxy::Move(Way* way, short from_events, short to_events) const {
  if (Takes(*way) && (from_events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    std::array<char, kPart> buffer;
    const ssize_t got = recv(way->from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN) return false;
    way->ended = got == 0;
    std::string bytes(buffer.data(), got > 0 ? static_cast<size_t>(got) : 0);
    if (!now_.marker.empty() && HoldsMarker(way, bytes)) return false;
    // A delayed confirmation would hold up a sender with Nagle's algorithm for more than the line
    // is long.
    const int on = 1;
    if (LongLine()) setsockopt(way->from, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    if (got > 0 && way->to >= 0) {  // otherwise swallowed
      way->parts.push_back({std::move(bytes), Clock::now() + now_.delay});
    }
    to_events = POLLOUT;  // most likely
  }
  if (way->parts.empty() && way->ended) return false;
  if (way->parts.empty() || to_events == 0 || Clock::now() < way->due()) return true;
  std::string& bytes = way->parts.front().bytes;
  const size_t rate = now_.bytes_per_second;
  const size_t most = rate == 0 ? bytes.size() : std::max<size_t>(1, rate / kPartsASecond);
  const ssize_t put =
      send(way->to, bytes.data(), std::min(most, bytes.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) return false;
  if (put > 0) {
    bytes.erase(0, static_cast<size_t>(put));
    if (bytes.empty()) way->parts.pop_front();
    if (rate > 0) {
      way->not_before =
          Clock::now() + std::chrono::microseconds(1'000'000 * static_cast<uint64_t>(put) / rate);
    }
  }
  return true;
}

bool CutProxy::HoldsMarker(Way* way, const std::string& bytes) const {
  way->before += bytes;
  if (way->before.find(now_.marker) != std::string::npos) return true;
  way->before.erase(0, way->before.size() - std::min(way->before.size(), now_.marker.size()));
  return false;
}

short CutProxy::Interest(const Way& in, const Way& out) const {
  const bool write = !out.parts.empty() && Clock::now() >= out.due();
  return static_cast<short>((Takes(in) ? POLLIN : 0) | (write ? POLLOUT : 0));
}

// Two descriptors, then two for each pair. Returns poll's answer.
int CutProxy::Wait(std::vector<pollfd>* fds) {
  const bool accepting = now_.mode != Mode::kCut && now_.mode != Mode::kStall;
  *fds = {{signal_, POLLIN, 0}, {accepting ? listener_ : -1, POLLIN, 0}};
  const auto now = Clock::now();
  auto next = Clock::time_point::max();
  const bool moving = now_.mode == Mode::kOpen || now_.mode == Mode::kVanish;
  for (const Pair& pair : pairs_) {
    const short client = Interest(pair.up, pair.down), server = Interest(pair.down, pair.up);
    // Not looked at without an interest: poll would tell of a hang-up again and again.
    fds->push_back({moving && client != 0 ? pair.up.from : -1, client, 0});
    fds->push_back({moving && server != 0 ? pair.up.to : -1, server, 0});
    for (const Way* way : {&pair.up, &pair.down}) {
      if (moving && !way->parts.empty() && way->due() > now) next = std::min(next, way->due());
    }
  }
  if (next == Clock::time_point::max()) return poll(fds->data(), fds->size(), -1);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  return poll(fds->data(), fds->size(), static_cast<int>(wait));
}

void CutProxy::MoveAll(const std::vector<pollfd>& fds) {
  size_t at = 2;
  for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
    // What poll did not look at, because it has to wait, tries anyway: it costs nothing.
    const auto events = [&](size_t i, const Way& out) {
      return static_cast<short>(fds[i].revents | (out.parts.empty() ? 0 : POLLOUT));
    };
    const short client = events(at, pair->down), server = events(at + 1, pair->up);
    const bool alive =
        Move(&pair->up, client, server) && (pair->up.to < 0 || Move(&pair->down, server, client));
    if (alive) {
      ++pair;
      continue;
    }
    close(pair->up.from);
    if (pair->up.to >= 0) close(pair->up.to);
    pair = pairs_.erase(pair);
  }
}

void CutProxy::Run() {
  std::vector<pollfd> fds;
  while (true) {
    Apply();
    if (now_.end) return;
    if (Wait(&fds) < 0) continue;
    eventfd_t count = 0;
    if (fds[0].revents != 0) eventfd_read(signal_, &count);
    if (now_.mode == Mode::kOpen || now_.mode == Mode::kVanish) MoveAll(fds);
    if (fds[1].revents != 0) Accept();
  }
}

}  // namespace dsmsg::conformance
