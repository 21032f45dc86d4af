// SPDX-License-Identifier: Apache-2.0
#include "core/net/dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <system_error>

#include "core/base/fork.h"
#include "core/base/limits.h"
#include "core/base/thread.h"
#include "core/net/tls.h"

namespace dsmsg {
namespace {

// A dead name server can block a lookup for half a minute or more, while an adaptor retries every
// few seconds.
constexpr int kMostLookups = 16;
struct Lookups {
  std::atomic<int> running{0};
};
PerProcess<Lookups> lookups;  // lookups of the parent never end in a child

std::string ErrnoText(int error) { return std::generic_category().message(error); }

struct AddrinfoFree {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

struct LookupAnswer {
  int error = 0;         // EAI_*
  int system_error = 0;  // errno of EAI_SYSTEM
  std::vector<Address> addresses;
};

LookupAnswer LookUp(const HostPort& endpoint, int flags) {
  LookupAnswer answer;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  errno = 0;
  answer.error =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
  answer.system_error = errno;
  const std::unique_ptr<addrinfo, AddrinfoFree> owner(answer.error == 0 ? list : nullptr);
  for (const addrinfo* entry = owner.get(); entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address& address = answer.addresses.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
  }
  if (answer.error == 0 && answer.addresses.empty()) answer.error = EAI_NONAME;
  return answer;
}

/// Shared by the waiting thread and the detached one; the last one frees it.
struct Lookup {
  explicit Lookup(HostPort wanted) : endpoint(std::move(wanted)) {}
  const HostPort endpoint;
  WakeFd done;
  std::mutex mutex;  // guards answer
  LookupAnswer answer;
};

void RunLookup(const std::shared_ptr<Lookup>& lookup) noexcept {
  LookupAnswer answer;
  try {
    answer = LookUp(lookup->endpoint, AI_ADDRCONFIG);
    // AI_ADDRCONFIG does not count loopback addresses: without a network, "localhost" needs a
    // second try. Names in /etc/hosts have no dot at the end.
    if (answer.error != 0) {
      const auto& [host, port] = lookup->endpoint;
      LookupAnswer second = LookUp({WithoutFinalDot(host), port}, 0);
      if (second.error == 0) answer = std::move(second);
    }
  } catch (...) {
    answer.error = EAI_MEMORY;
  }
  {
    const std::lock_guard<std::mutex> lock(lookup->mutex);
    lookup->answer = std::move(answer);
  }
  lookup->done.Signal();
  lookups.Get().running.fetch_sub(1);
}

Status StartLookup(const std::shared_ptr<Lookup>& lookup) {
  std::atomic<int>& running = lookups.Get().running;
  if (running.fetch_add(1) >= kMostLookups) {
    running.fetch_sub(1);
    return {Code::kUnavailable, "too many earlier lookups still wait for the name server"};
  }
  try {
    StartThread("dsmsg-lookup", [lookup] { RunLookup(lookup); }).detach();
  } catch (const std::system_error& error) {
    running.fetch_sub(1);
    return {Code::kUnavailable, error.what()};
  }
  return {};
}

Status LookupFailed(const HostPort& endpoint, Code code, const std::string& why,
                    const std::string& hint = {}) {
  return {code, "name lookup: cannot find broker host \"" + endpoint.host + "\": " + why + hint};
}

// getaddrinfo does not always report that it could not open a file or a socket.
bool OutOfDescriptors() {
  const UniqueFd trial(::eventfd(0, EFD_CLOEXEC));
  return !trial.valid() && (errno == EMFILE || errno == ENFILE);
}

Result<std::vector<Address>> ToResult(const HostPort& endpoint, LookupAnswer answer,
                                      Answered answered) {
  if (answer.error == 0) return std::move(answer.addresses);
  if (OutOfDescriptors()) {
    const int error = errno;
    return LookupFailed(endpoint, Code::kUnavailable, ErrnoText(error),
                        std::string(LimitAdvice(error)));
  }
  if (answer.error == EAI_SYSTEM) {
    return LookupFailed(endpoint, Code::kUnavailable, ErrnoText(answer.system_error));
  }
  // The name server does not answer, or answers no query at all.
  const bool away = answer.error == EAI_AGAIN || answer.error == EAI_FAIL;
  const bool memory = answer.error == EAI_MEMORY;
  const Situation situation = away ? Situation::kNameServerAway : Situation::kNameUnknown;
  return LookupFailed(endpoint, Code::kUnavailable, ::gai_strerror(answer.error),
                      memory ? std::string() : Hint(situation, {.answered = answered}));
}

Status ConnectFailed(const HostPort& endpoint, Code code, const std::string& why,
                     const std::string& hint = {}) {
  return {code, "cannot reach broker " + endpoint.ToString() + ": " + why + hint};
}

Status ConnectError(const HostPort& endpoint, int error, Answered answered) {
  const auto failed = [&](Code code, const std::string& why, Situation situation) {
    return ConnectFailed(endpoint, code, why, Hint(situation, {.answered = answered}));
  };
  switch (error) {
    case ECONNREFUSED:
      return failed(Code::kUnavailable, "connection refused", Situation::kRefused);
    case ETIMEDOUT:
      return failed(Code::kTimeout, "no answer", Situation::kNoAnswer);
    case ENETUNREACH:
    case EHOSTUNREACH:
      return failed(Code::kUnavailable, ErrnoText(error), Situation::kUnreachable);
    case EACCES:
    case EPERM:
      return failed(Code::kUnavailable, ErrnoText(error), Situation::kFirewall);
    case EADDRNOTAVAIL:
      return failed(Code::kUnavailable, ErrnoText(error), Situation::kNoAddress);
    case EMFILE:
    case ENFILE:
      return ConnectFailed(endpoint, Code::kUnavailable, ErrnoText(error),
                           std::string(LimitAdvice(error)));
    default:
      return ConnectFailed(endpoint, Code::kUnavailable, ErrnoText(error));
  }
}

void SetOption(int fd, int level, int name, int value) {
  // Best effort: the connection works without any of them.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

// If nothing listens on a port of the ephemeral range, the kernel may pick it for our own end: TCP
// then connects the socket to itself, which looks like a broker that echoes.
bool ConnectedToItself(int fd) {
  sockaddr_storage own{}, peer{};
  socklen_t own_length = sizeof own, peer_length = sizeof peer;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_length) != 0) return false;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) return false;
  return own_length == peer_length && std::memcmp(&own, &peer, own_length) == 0;
}

Result<UniqueFd> ConnectTo(const HostPort& endpoint, const Address& address, Deadline deadline,
                           int cancel_fd, Answered answered) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    const int error = errno;
    return ConnectFailed(endpoint, Code::kUnavailable,
                         "cannot create a socket: " + ErrnoText(error),
                         std::string(LimitAdvice(error)));
  }
  CloseInChildren(fd.get());
  SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
  const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
  int error = ::connect(fd.get(), target, address.length) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    switch (WaitFor(fd.get(), POLLOUT, deadline, cancel_fd)) {
      case Code::kOk:
        break;
      case Code::kCancelled:
        return ConnectFailed(endpoint, Code::kCancelled, "cancelled");
      case Code::kTimeout:
        return ConnectError(endpoint, ETIMEDOUT, answered);
      default:
        return ConnectError(endpoint, errno, answered);
    }
    socklen_t length = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  }
  // Accepted and closed at once: the protocol layer says what that means.
  if (error == ECONNRESET || error == EPIPE) error = 0;
  if (error == 0 && ConnectedToItself(fd.get())) error = ECONNREFUSED;
  if (error != 0) return ConnectError(endpoint, error, answered);
  return fd;
}

}  // namespace

Code WaitFor(int fd, short events, Deadline deadline, int cancel_fd) {
  for (;;) {
    pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};
    const int count = ::poll(fds, 2, PollTimeout(deadline));
    if (count < 0 && errno != EINTR) return Code::kInternal;
    if (count > 0 && fds[1].revents != 0) return Code::kCancelled;
    if (count > 0 && fds[0].revents != 0) return Code::kOk;
    if (Clock::now() >= deadline) return Code::kTimeout;
  }
}

Result<std::vector<Address>> Resolve(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                                     Answered answered) {
  LookupAnswer numeric = LookUp(endpoint, AI_NUMERICHOST);
  if (numeric.error == 0) return std::move(numeric.addresses);

  std::shared_ptr<Lookup> lookup;
  try {
    lookup = std::make_shared<Lookup>(endpoint);
  } catch (const std::system_error& error) {
    return LookupFailed(endpoint, Code::kUnavailable, error.what());
  }
  if (const Status status = StartLookup(lookup); !status.ok()) {
    return LookupFailed(endpoint, status.code(), status.message());
  }
  switch (WaitFor(lookup->done.fd(), POLLIN, deadline, cancel_fd)) {
    case Code::kOk:
      break;
    case Code::kCancelled:
      return LookupFailed(endpoint, Code::kCancelled, "cancelled");
    case Code::kTimeout:
      return LookupFailed(endpoint, Code::kTimeout, "no answer in time",
                          Hint(Situation::kNameServerAway));
    default:
      return LookupFailed(endpoint, Code::kInternal, ErrnoText(errno));
  }
  const std::lock_guard<std::mutex> lock(lookup->mutex);
  return ToResult(endpoint, std::move(lookup->answer), answered);
}

Status ConnectFailure(const HostPort& endpoint, int error, Answered answered) {
  if (error == ECANCELED) return ConnectFailed(endpoint, Code::kCancelled, "cancelled");
  return ConnectError(endpoint, error, answered);
}

Result<UniqueFd> DialTcp(const HostPort& endpoint, Deadline deadline, int cancel_fd,
                         Answered answered) {
  const Result<std::vector<Address>> addresses = Resolve(endpoint, deadline, cancel_fd, answered);
  if (!addresses.ok()) return addresses.status();
  Status status(Code::kTimeout, "");
  const std::vector<Address>& list = addresses.value();
  for (size_t i = 0; i < list.size(); ++i) {
    // An address that does not answer must leave time for the others.
    const auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    const auto tries = static_cast<Clock::rep>(list.size() - i);
    const Deadline until = tries == 1 ? deadline : Clock::now() + left / tries;
    Result<UniqueFd> fd = ConnectTo(endpoint, list[i], until, cancel_fd, answered);
    if (fd.ok() || fd.status().code() == Code::kCancelled) return fd;
    status = fd.status();
  }
  return status;
}

int DialUnix(const std::string& path, UniqueFd* fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  path.copy(address.sun_path, path.size());
  socklen_t length = sizeof address;
  if (path.front() == '@') {  // an abstract name: begins with a NUL, and its length counts
    address.sun_path[0] = '\0';
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  *fd = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd->valid()) return errno;
  const bool connected =
      ::connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
  return connected ? 0 : errno;
}

Result<std::string> AskUnix(const std::string& path, std::string_view request, size_t most,
                            Deadline deadline, int cancel_fd) {
  const auto failed = [](int error) { return Status(Code::kUnavailable, ErrnoText(error)); };
  const auto stopped = [](Code code) {
    return Status(code, code == Code::kCancelled ? "cancelled" : "no answer in time");
  };
  UniqueFd fd;
  if (const int error = DialUnix(path, &fd); error != 0) return failed(error);
  while (!request.empty()) {
    const ssize_t sent = ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      request.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return failed(errno);
    const Code ready = WaitFor(fd.get(), POLLOUT, deadline, cancel_fd);
    if (ready != Code::kOk) return stopped(ready);
  }
  std::string answer;
  char buffer[4096];
  while (answer.size() <= most) {
    const Code ready = WaitFor(fd.get(), POLLIN, deadline, cancel_fd);
    if (ready != Code::kOk) return stopped(ready);
    const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
    if (size == 0) return answer;
    if (size > 0) answer.append(buffer, static_cast<size_t>(size));
    if (size < 0 && errno != EAGAIN && errno != EINTR) return failed(errno);
  }
  return Status(Code::kTooLarge, "the answer has more than " + std::to_string(most) + " bytes");
}

}  // namespace dsmsg
