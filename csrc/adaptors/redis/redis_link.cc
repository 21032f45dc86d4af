// SPDX-License-Identifier: Apache-2.0
#include "redis_link.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "redis_errors.h"

namespace dsmsg {

RedisLink::RedisLink(const RedisSettings& settings, Logger& log)
    : settings_(settings), log_(log), received_(new char[kReceiveSize]) {}

void RedisLink::Close() {
  transport_.Close();
  out_.Clear();
  reader_.Reset();
  received_begin_ = received_end_ = 0;
}

Status RedisLink::Open(Deadline deadline, int cancel_fd) {
  const size_t count = settings_.hosts.size();
  std::string failures;
  Code code = Code::kInternal;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = (first_ + i) % count;
    // A server that does not answer must leave time for the others.
    const auto left = deadline - Clock::now();
    const Deadline share = Clock::now() + left / static_cast<int64_t>(count - i);
    Status status = OpenOne(settings_.hosts[index], share, cancel_fd);
    if (status.ok()) {
      first_ = index;
      return status;
    }
    Close();
    if (status.code() == Code::kCancelled || count == 1) return status;
    // One server that may come back makes the whole attempt worth repeating soon.
    if (failures.empty() || status.retryable()) code = status.code();
    failures += (failures.empty() ? "" : "; ") + status.message();
  }
  return {code, "none of " + std::to_string(count) + " servers can be used: " + failures};
}

Status RedisLink::OpenOne(const HostPort& host, Deadline deadline, int cancel_fd) {
  Close();
  name_ = host.ToString();
  Result<UniqueFd> fd = DialTcp(host, deadline, cancel_fd);
  if (!fd.ok()) return fd.status();
  transport_ = Transport(std::move(fd.value()));
  last_receive_ = Clock::now();

  if (Status status = Authenticate(deadline, cancel_fd); !status.ok()) return status;
  if (settings_.database != 0) {
    out_.Command({"SELECT", std::to_string(settings_.database)});
    if (Status status = Call(deadline, cancel_fd, "SELECT"); !status.ok()) return status;
    if (reply().is(Reply::Type::kError)) return StepError("select the database");
  }
  out_.Command({"PING"});
  if (Status status = Call(deadline, cancel_fd, "PING"); !status.ok()) return status;
  // A user who may not PING is logged in all the same.
  if (reply().is(Reply::Type::kError) && ErrorReplyName(reply().text()) != "NOPERM") {
    return StepError("get an answer to PING");
  }
  return settings_.stream_max_age.count() > 0 ? CheckVersion(deadline, cancel_fd) : Status();
}

Status RedisLink::Authenticate(Deadline deadline, int cancel_fd) {
  if (settings_.user.empty() && settings_.password.empty()) return {};
  if (settings_.user.empty()) {
    out_.Command({"AUTH", settings_.password});
  } else {
    out_.Command({"AUTH", settings_.user, settings_.password});
  }
  if (Status status = Call(deadline, cancel_fd, "AUTH"); !status.ok()) return status;
  if (!reply().is(Reply::Type::kError)) return {};
  const std::string_view text = reply().text();
  const bool none_wanted = text.find("no password is set") != text.npos ||
                           text.find("without any password configured") != text.npos;
  if (none_wanted && settings_.user.empty()) {
    log_.Limited(LogLevel::kWarn, "auth-unwanted",
                 name_ + " asks for no password although one is set; going on without");
    return {};
  }
  Status error = StepError("log in");
  // Before Redis 6: "ERR wrong number of arguments for 'auth' command" for a user name.
  return error.retryable() ? error : Status(Code::kAuth, error.message());
}

// MINID is a syntax error for an older server, which would then refuse every message for good.
Status RedisLink::CheckVersion(Deadline deadline, int cancel_fd) {
  out_.Command({"INFO", "server"});
  if (Status status = Call(deadline, cancel_fd, "INFO"); !status.ok()) return status;
  const std::string text(reply().text());
  const size_t at = text.find("redis_version:");
  int major = 0;
  int minor = 0;
  if (at == text.npos ||
      std::sscanf(text.c_str() + at, "redis_version:%d.%d", &major, &minor) != 2) {
    return {};  // INFO may be forbidden; XADD will tell
  }
  if (major > 6 || (major == 6 && minor >= 2)) return {};
  return {Code::kNotSupported, "stream-max-age needs Redis 6.2 or newer, and " + name_ + " is " +
                                   std::to_string(major) + "." + std::to_string(minor) +
                                   " (use streamsize instead)"};
}

Status RedisLink::StepError(const char* step) const {
  const std::string_view text = reply().text();
  Code code = ErrorReplyCode(text);
  std::string message = "cannot " + std::string(step) + " at " + name_ + ": " + std::string(text) +
                        std::string(ErrorReplyAdvice(text));
  return {code, std::move(message)};
}

Status RedisLink::Lost(const std::string& why) const {
  return {Code::kUnavailable, "lost the connection to " + name_ + ": " + why};
}

Status RedisLink::Flush() {
  while (out_.size() > 0) {
    size_t done = 0;
    switch (transport_.Send(out_.data(), out_.size(), &done)) {
      case Transport::Io::kOk:
        out_.Consume(done);
        break;
      case Transport::Io::kWouldBlock:
        return {};
      case Transport::Io::kClosed:
      case Transport::Io::kError:
        return Lost(transport_.ErrorText());
    }
  }
  return {};
}

unsigned RedisLink::Wait(Millis budget, int wake_fd, unsigned want) {
  const bool read = (want & kReadable) != 0;
  const bool write = (want & kWritable) != 0 && out_.size() > 0;
  pollfd fds[2] = {};
  fds[0].fd = transport_.fd();
  fds[0].events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
  // Without an interest in it, an ended connection would still report POLLHUP, again and again.
  if (fds[0].events == 0) fds[0].fd = -1;
  fds[1].fd = wake_fd;
  fds[1].events = POLLIN;
  const int64_t timeout = std::clamp<int64_t>(budget.count(), 0, 60'000);
  if (poll(fds, 2, static_cast<int>(timeout)) <= 0) return 0;
  unsigned result = 0;
  if (read && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) result |= kReadable;
  if ((fds[0].revents & (POLLOUT | POLLHUP | POLLERR)) != 0) result |= kWritable;
  if (fds[1].revents != 0) result |= kWoken;
  return result;
}

Status RedisLink::Receive(bool* got) {
  *got = false;
  if (received_begin_ != received_end_) {
    *got = true;  // what came before has not been looked at
    return {};
  }
  size_t done = 0;
  switch (transport_.Receive(received_.get(), kReceiveSize, &done)) {
    case Transport::Io::kOk:
      received_begin_ = 0;
      received_end_ = done;
      last_receive_ = Clock::now();
      *got = true;
      return {};
    case Transport::Io::kWouldBlock:
      return {};
    case Transport::Io::kClosed:
      return Lost("the server closed it");
    case Transport::Io::kError:
      return Lost(transport_.ErrorText());
  }
  return {};
}

Status RedisLink::NextReply(bool* have) {
  *have = false;
  for (;;) {
    switch (reader_.Get()) {
      case ReplyReader::Result::kReply:
        *have = true;
        return {};
      case ReplyReader::Result::kBroken:
        return {Code::kUnavailable,
                name_ + " does not speak the Redis protocol: " + reader_.ErrorText() +
                    " (is it a Redis server, without TLS?)"};
      case ReplyReader::Result::kNone:
        break;
    }
    if (received_begin_ == received_end_) return {};
    const size_t size = std::min(received_end_ - received_begin_, ReplyReader::kPiece);
    reader_.Feed(received_.get() + received_begin_, size);
    received_begin_ += size;
  }
}

Status RedisLink::Call(Deadline deadline, int cancel_fd, const char* step) {
  for (;;) {
    if (Status status = Flush(); !status.ok()) return status;
    bool have = false;
    if (Status status = NextReply(&have); !status.ok() || have) return status;
    const int left = PollTimeout(deadline);
    const unsigned ready = Wait(Millis(left), cancel_fd);
    if ((ready & kWoken) != 0) return {Code::kCancelled, std::string(step) + " was cancelled"};
    if ((ready & kReadable) != 0) {
      bool got = false;
      if (Status status = Receive(&got); !status.ok()) return status;
    } else if (left == 0) {
      return {Code::kTimeout,
              std::string("no answer to ") + step + " from " + name_ +
                  " in time (is the server frozen or overloaded, or is it no Redis server?)"};
    }
  }
}

Status RedisLink::CheckSilence(Millis grace) const {
  const auto silent = Clock::now() - std::max(last_receive_, expecting_since_);
  const Millis limit = settings_.silence_limit + grace;
  if (silent <= limit) return {};
  return {Code::kTimeout, name_ + " has not answered for " +
                              std::to_string(std::chrono::duration_cast<Millis>(silent).count()) +
                              " ms (is the server frozen, or the network cut?)"};
}

}  // namespace dsmsg
