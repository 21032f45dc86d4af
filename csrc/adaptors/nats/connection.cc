// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/connection.h"

#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "adaptors/nats/errors.h"

namespace dsmsg::nats {
namespace {

constexpr size_t kReceiveSize = size_t{64} << 10;
// An answer that is due and does not come is asked for this often, an idle server that often.
constexpr Millis kAskInterval{1000}, kIdleInterval{15000};

std::string RandomName() {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<unsigned char, 22> bytes;
  for (size_t filled = 0; filled < bytes.size();) {
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  std::string name;
  for (const unsigned char byte : bytes) name += kLetters[byte % kLetters.size()];
  return name;
}

}  // namespace

NatsConnection::NatsConnection(const NatsSettings& settings, Logger& log)
    : settings_(settings),
      log_(log),
      servers_(settings.hosts, "servers"),
      silence_(settings.silence_limit),
      inbox_(settings.inbox_prefix + "." + RandomName()) {}

void NatsConnection::Close() {
  stream_.Close();
  out_.clear();
  sent_ = 0;
  reader_.Reset();
}

Peer NatsConnection::peer() const {
  return {"a NATS server", servers_.AnsweredBy(name_, greeted_), !settings_.tls.enabled};
}

Status NatsConnection::Lost(const std::string& why) const {
  return {Code::kUnavailable, "lost the connection to " + name_ + ": " + why +
                                  (opening_ ? Hint(Situation::kClosed, peer())
                                            : " (is it restarting? its log says why)")};
}

Status NatsConnection::Broken() const {
  const Status error = stream_.error();
  return error.code() == Code::kAuth ? error : Lost(error.message());
}

// For a connection that accepts nothing more. Unsent bytes would cause the same error again.
bool NatsConnection::SomethingToRead() {
  bool got = false;
  if (!Receive(&got).ok() || !got) return false;
  out_.clear();
  sent_ = 0;
  return true;
}

Status NatsConnection::Flush() {
  while (unsent() > 0) {
    size_t done = 0;
    switch (stream_.Send(out_.data() + sent_, unsent(), &done)) {
      case Stream::Io::kOk:
        sent_ += done;
        break;
      case Stream::Io::kWouldBlock:
        return {};
      case Stream::Io::kClosed:
      case Stream::Io::kError: {
        const Status status = Broken();
        return SomethingToRead() ? Status() : status;
      }
    }
  }
  out_.clear();
  sent_ = 0;
  return {};
}

unsigned NatsConnection::Wait(Millis budget, int wake_fd, bool read) {
  const short read_events = stream_.read_events(), write_events = stream_.write_events();
  std::array<pollfd, 2> fds{};
  fds[0].fd = stream_.fd();
  fds[0].events = static_cast<short>((read ? read_events : 0) | (unsent() > 0 ? write_events : 0));
  // Without any requested events, a closed connection would still report POLLHUP again and again.
  if (fds[0].events == 0) fds[0].fd = -1;
  fds[1].fd = wake_fd;
  fds[1].events = POLLIN;
  const bool buffered = read && stream_.buffered();
  const int64_t timeout = buffered ? 0 : std::clamp<int64_t>(budget.count(), 0, 60'000);
  unsigned result = buffered ? kReadable : 0U;
  if (poll(fds.data(), fds.size(), static_cast<int>(timeout)) <= 0) return result;
  if (read && (fds[0].revents & (read_events | POLLHUP | POLLERR)) != 0) result |= kReadable;
  if ((fds[0].revents & (write_events | POLLHUP | POLLERR)) != 0) result |= kWritable;
  if (fds[1].revents != 0) result |= kWoken;
  return result;
}

Status NatsConnection::Receive(bool* got) {
  *got = false;
  size_t done = 0;
  switch (stream_.Receive(reader_.Space(kReceiveSize), kReceiveSize, &done)) {
    case Stream::Io::kOk:
      reader_.Filled(done);
      silence_.Heard();
      *got = true;
      return {};
    case Stream::Io::kWouldBlock:
      return {};
    case Stream::Io::kClosed:
    case Stream::Io::kError:
      return Broken();
  }
  return {};
}

Status NatsConnection::Next(Op* op) {
  for (;;) {
    *op = reader_.Next();
    switch (op->kind) {
      case Op::Kind::kPing:
        out_ += "PONG\r\n";
        break;
      case Op::Kind::kInfo:
        greeted_ = true;
        if (!ReadInfo(op->text, &info_)) {
          return {Code::kUnavailable, name_ + " sends an INFO that is no JSON"};
        }
        break;
      case Op::Kind::kPong:
        ++pongs_;
        return {};
      case Op::Kind::kErr:
        if (!ForbiddenPublish(op->text).empty() || !ForbiddenSubscription(op->text).empty()) {
          return {};
        }
        return TakeError(op->text);
      case Op::Kind::kBroken:
        return {Code::kUnavailable,
                name_ + " does not speak the NATS protocol: " +
                    ForeignAnswer(reader_.unread().substr(0, 16), peer(), op->text)};
      case Op::Kind::kNone:
      case Op::Kind::kMsg:
        return {};
    }
  }
}

uint64_t NatsConnection::Ping() {
  if (pings_ == pongs_) silence_.BeginExpecting();
  out_ += "PING\r\n";
  return ++pings_;
}

Status NatsConnection::Tend(bool expecting) {
  if (pings_ != pongs_) return silence_.Check(stream_.fd(), name_);
  const Millis interval = expecting ? kAskInterval : kIdleInterval;
  if (Clock::now() - silence_.heard() < interval) return {};
  Ping();
  return Flush();
}

Status NatsConnection::Pump(Deadline deadline, int cancel_fd, const char* step,
                            const std::function<bool()>& done, const Handler& handler) {
  for (;;) {
    for (;;) {
      Op op;
      if (Status status = Next(&op); !status.ok()) return status;
      if (op.kind == Op::Kind::kNone) break;
      if (Status status = handler(op); !status.ok()) return status;
    }
    if (done()) return {};
    if (Status status = Flush(); !status.ok()) return status;
    const int left = PollTimeout(deadline);
    const unsigned ready = Wait(Millis(left), cancel_fd);
    if ((ready & kWoken) != 0) return {Code::kCancelled, std::string(step) + " was cancelled"};
    if ((ready & kReadable) != 0) {
      bool got = false;
      if (Status status = Receive(&got); !status.ok()) return status;
    } else if (left == 0) {
      return {Code::kTimeout, "no answer to " + std::string(step) + " from " + name_ + " in time" +
                                  Hint(Situation::kSilent, peer())};
    }
  }
}

Status NatsConnection::AwaitPong(Deadline deadline, int cancel_fd, const Handler& other) {
  const uint64_t ping = Ping();
  return Pump(
      deadline, cancel_fd, "PING", [&] { return pongs_ >= ping; }, other);
}

Status NatsConnection::Ask(const std::string& subject, std::string_view body, Deadline deadline,
                           int cancel_fd, const Handler& other, std::string* json, int* number) {
  const std::string reply = inbox_ + ".r" + std::to_string(++requests_);
  AppendPublish(subject, reply, {}, body, &out_);
  bool answered = false;
  Status outcome;
  const auto handler = [&](const Op& op) -> Status {
    if (op.kind == Op::Kind::kMsg && op.subject == reply) {
      answered = true;
      outcome = ApiOutcome(op, number);
      *json = op.payload;
      return {};
    }
    if (op.kind == Op::Kind::kErr && ForbiddenPublish(op.text) == subject) {
      answered = true;
      outcome = {Code::kAuth, std::string(op.text) + " (grant the user that right)"};
      return {};
    }
    return other(op);
  };
  const Status status = Pump(
      deadline, cancel_fd, subject.c_str(), [&] { return answered; }, handler);
  return status.ok() ? outcome : status;
}

}  // namespace dsmsg::nats
