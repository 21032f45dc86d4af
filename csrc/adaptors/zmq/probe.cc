// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/base/fd.h"
#include "core/base/fork.h"
#include "core/base/limits.h"
#include "core/net/dial.h"
#include "core/net/hints.h"

namespace dsmsg::zmq {
namespace {

/// errno of connecting to the path, 0 if it is accepted.
int ConnectError(const std::string& path) {
  UniqueFd fd;
  const int error = DialUnix(path, &fd);
  return error == EAGAIN ? 0 : error;  // EAGAIN: its queue of connections is full
}

std::string AdviceFor(int error, Answered answered) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      if (answered == Answered::kBefore) return Hint(Situation::kRefused, {.answered = answered});
      return " (is the other side running, and bound to this path?)";
    case EACCES:
    case EPERM:
      return " (this user may not write to the socket: look at its owner and mode)";
    default:
      return std::string(LimitAdvice(error));
  }
}

/// "tcp://127.0.0.1:5555" of the other end of a connection.
std::string PeerAddress(int fd, const std::string& fallback) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return fallback;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &in->sin_addr, text.data(), text.size());
    return std::string("tcp://") + text.data() + ":" + std::to_string(ntohs(in->sin_port));
  }
  const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  if (in6->sin6_scope_id != 0) return fallback;  // the interface's name is in what the user wrote
  ::inet_ntop(AF_INET6, &in6->sin6_addr, text.data(), text.size());
  return std::string("tcp://[") + text.data() + "]:" + std::to_string(ntohs(in6->sin6_port));
}

/// What the other end sends unasked, if it comes soon. A ZeroMQ socket sends its greeting at once.
std::string Greeting(int fd, Deadline deadline, int cancel_fd) {
  constexpr Millis kSoon{250};
  constexpr size_t kSignature = 10;
  const Deadline end = std::min(deadline, Clock::now() + kSoon);
  std::string bytes;
  while (bytes.size() < kSignature) {
    pollfd fds[] = {{fd, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    if (::poll(fds, 2, PollTimeout(end)) <= 0 || fds[1].revents != 0) break;
    std::array<char, 64> piece;
    const ssize_t got = ::recv(fd, piece.data(), piece.size(), MSG_DONTWAIT);
    if (got <= 0) break;
    bytes.append(piece.data(), static_cast<size_t>(got));
  }
  return bytes;
}

bool IsText(std::string_view bytes) {
  return bytes.size() >= 2 &&
         std::all_of(bytes.begin(), bytes.begin() + 2, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Result<ZmqFound> ProbeZmq(const ZmqAddress& address, Answered answered, Deadline deadline,
                          int cancel_fd) {
  if (address.transport == ZmqAddress::Transport::kIpc) {
    const int error = ConnectError(address.path);
    if (error == 0) return ZmqFound{address.text, true};  // what else would listen at such a path?
    return Status(Code::kUnavailable, "cannot connect to " + address.text + ": " +
                                          std::generic_category().message(error) +
                                          AdviceFor(error, answered));
  }
  const Result<UniqueFd> fd = DialTcp(address.host_port, deadline, cancel_fd, answered);
  if (!fd.ok()) return fd.status();
  const std::string greeting = Greeting(fd.value().get(), deadline, cancel_fd);
  if (IsText(greeting)) {
    return Status(Code::kUnavailable,
                  "cannot connect to " + address.text + ": " +
                      ForeignAnswer(greeting, {"a ZeroMQ socket", answered, false},
                                    "its greeting is not ZeroMQ's"));
  }
  return ZmqFound{PeerAddress(fd.value().get(), address.text), greeting.starts_with('\xff')};
}

bool IpcInUse(const std::string& path) { return ConnectError(path) == 0; }

}  // namespace dsmsg::zmq
