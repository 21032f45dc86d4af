// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/connection.h"
#include "core/net/hints.h"

#include <poll.h>

#include <algorithm>

namespace dsmsg::redis {
namespace {

// Reasons why servers end a connection without giving one.
constexpr char kLimits[] =
    " (is it restarting? or did this client exceed one of its limits, such as "
    "client-query-buffer-limit, or client-output-buffer-limit, where a lower batch-read helps? its "
    "log says so)";

}  // namespace

RedisConnection::RedisConnection(const RedisSettings& settings, Logger& log)
    : settings_(settings),
      log_(log),
      seeds_(settings.hosts),
      hosts_(seeds_),
      servers_(hosts_, "servers"),
      silence_(settings.silence_limit),
      received_(new char[kReceiveSize]) {}

void RedisConnection::Close() {
  stream_.Close();
  out_.Clear();
  out_.SetAsking(false);
  asking_ = skip_reply_ = false;
  reader_.Reset();
  received_begin_ = received_end_ = 0;
}

Peer RedisConnection::peer() const {
  return {"a Redis server", servers_.AnsweredBy(name_, heard_), !settings_.tls.enabled};
}

Status RedisConnection::Lost(const std::string& why) const {
  return {Code::kUnavailable, "lost the connection to " + name_ + ": " + why +
                                  (opening_ ? Hint(Situation::kClosed, peer()) : kLimits)};
}

Status RedisConnection::Broken() const {
  const Status error = stream_.error();
  return error.code() == Code::kAuth ? error : Lost(error.message());
}

// For a connection that accepts nothing more. Unsent bytes would cause the same error again.
bool RedisConnection::SomethingToRead() {
  bool got = false;
  if (!Receive(&got).ok() || !got) return false;
  out_.Clear();
  return true;
}

Status RedisConnection::Flush() {
  while (out_.size() > 0) {
    size_t done = 0;
    switch (stream_.Send(out_.data(), out_.size(), &done)) {
      case Stream::Io::kOk:
        out_.Consume(done);
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
  return {};
}

pollfd RedisConnection::WaitsFor(unsigned want) const {
  const bool read = (want & kReadable) != 0;
  const bool write = (want & kWritable) != 0 && out_.size() > 0;
  pollfd fd{};
  fd.fd = stream_.fd();
  fd.events =
      static_cast<short>((read ? stream_.read_events() : 0) | (write ? stream_.write_events() : 0));
  // Without any requested events, a closed connection would still report POLLHUP again and again.
  if (fd.events == 0) fd.fd = -1;
  return fd;
}

unsigned RedisConnection::Found(const pollfd& fd, unsigned want) const {
  unsigned found = 0;
  if ((want & kReadable) != 0 && (fd.revents & (stream_.read_events() | POLLHUP | POLLERR)) != 0) {
    found |= kReadable;
  }
  if ((fd.revents & (stream_.write_events() | POLLHUP | POLLERR)) != 0) found |= kWritable;
  return found;
}

unsigned RedisConnection::Wait(Millis budget, int wake_fd, unsigned want) {
  pollfd fds[2] = {WaitsFor(want), {wake_fd, POLLIN, 0}};
  const bool ready = (want & kReadable) != 0 && buffered();
  const int64_t timeout = ready ? 0 : std::clamp<int64_t>(budget.count(), 0, 60'000);
  unsigned result = ready ? kReadable : 0U;
  if (poll(fds, 2, static_cast<int>(timeout)) <= 0) return result;
  result |= Found(fds[0], want);
  if (fds[1].revents != 0) result |= kWoken;
  return result;
}

Status RedisConnection::Receive(bool* got) {
  *got = false;
  if (received_begin_ != received_end_) {
    *got = true;  // earlier data has not been processed
    return {};
  }
  size_t done = 0;
  switch (stream_.Receive(received_.get(), kReceiveSize, &done)) {
    case Stream::Io::kOk:
      received_begin_ = 0;
      received_end_ = done;
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

Status RedisConnection::NextReply(bool* have) {
  *have = false;
  for (;;) {
    switch (reader_.Get()) {
      case ReplyReader::Result::kReply:
        heard_ = true;
        if (std::exchange(skip_reply_, false)) continue;
        skip_reply_ = asking_;
        if (follows_slot() && reader_.reply().is(Reply::Type::kError)) NoteAsk();
        *have = true;
        return {};
      case ReplyReader::Result::kBroken:
        return {Code::kUnavailable, name_ + " does not speak the Redis protocol: " +
                                        ForeignAnswer(first_bytes_, peer(), reader_.ErrorText())};
      case ReplyReader::Result::kNone:
        break;
    }
    if (received_begin_ == received_end_) return {};
    const size_t size = std::min(received_end_ - received_begin_, ReplyReader::kPiece);
    if (!heard_ && first_bytes_.size() < kFirstBytes) {
      first_bytes_.append(received_.get() + received_begin_, std::min(size, kFirstBytes));
    }
    reader_.Feed(received_.get() + received_begin_, size);
    received_begin_ += size;
  }
}

void RedisConnection::NoteAsk() {
  const auto redirect = ReadRedirect(reader_.reply().text(), address_);
  if (redirect && redirect->ask) ask_ = redirect->node;
}

Status RedisConnection::Call(Deadline deadline, int cancel_fd, const char* step) {
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
      return {Code::kTimeout, std::string("no answer to ") + step + " from " + name_ + " in time" +
                                  Hint(Situation::kSilent, peer())};
    }
  }
}

}  // namespace dsmsg::redis
