// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/producer.h"

#include <algorithm>
#include <bit>

#include "adaptors/redis/errors.h"
#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

// How much a slowly reading server can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
constexpr Millis kLookAround{1000}, kIdleLookAround{5000};

}  // namespace

RedisProducer::RedisProducer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
    : settings_(settings),
      connection_(link),
      host_(host),
      commands_(settings, host.log()),
      ring_(std::bit_ceil(settings.pipeline + 1)) {}  // one more for a PING

void RedisProducer::Reset() {
  head_ = tail_ = 0;
  window_.Reset(settings_.pipeline);
  broken_ = Status();
}

void RedisProducer::Push(Token token, std::string_view topic) {
  if (unanswered() == 0) connection_.BeginExpecting();
  ring_[tail_++ & (ring_.size() - 1)] = {token, topic};
}

Status RedisProducer::Submit(const Message& message, Token token) {
  if (message.topic.empty()) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  if (!window_.Takes(unanswered(), broken_.ok())) return {Code::kWouldBlock, {}};
  if (connection_.out().size() >= SendWindow::kFlushAt) {
    broken_ = connection_.Flush();
    if (!broken_.ok() || connection_.out().size() >= kMaxUnsent) return {Code::kWouldBlock, {}};
  }
  commands_.Append(message, connection_.out());
  Push(token, message.topic);
  return {};
}

Status RedisProducer::Answer(const Slot& slot, const Reply& reply) {
  if (!reply.is(Reply::Type::kError)) {
    if (slot.token != 0) host_.Complete(slot.token, Status());
    return {};
  }
  const std::string_view text = reply.text();
  if (slot.token == 0) {
    return IsLoginLost(text)
               ? Status(Code::kAuth, "PING at " + connection_.name() + ": " + std::string(text))
               : Status();
  }
  const Code code = ErrorReplyCode(text);
  std::string what = std::string(commands_.name()) + " to \"" + std::string(slot.topic) +
                     "\" was refused by " + connection_.name() + ": " + std::string(text) +
                     std::string(ErrorReplyAdvice(text));
  if (IsLoginLost(text)) {
    // This message is not to blame: it waits, and the connection must log in again.
    host_.Complete(slot.token, Status(Code::kUnavailable, what));
    return {Code::kAuth, std::move(what)};
  }
  // If there are several servers, another one may be the master.
  const bool choice = settings_.hosts.size() > 1 || !settings_.sentinel_master.empty();
  const bool replica = ErrorReplyName(text) == "READONLY" && choice;
  host_.Complete(slot.token, Status(code, what));
  // After a protocol error the server reads nothing more, so the link ends.
  const bool last = text.starts_with("ERR Protocol error");
  return replica || last ? Status(Code::kUnavailable, std::move(what)) : Status();
}

Status RedisProducer::ReadReplies(bool* got) {
  Status status = connection_.Receive(got);
  if (!status.ok() || !*got) return status;
  Status fatal;
  for (;;) {
    bool have = false;
    status = connection_.NextReply(&have);
    if (!status.ok()) return status;
    if (!have) return fatal;
    if (unanswered() == 0) {
      return {Code::kUnavailable, connection_.name() + " sent a reply that no command asked for: " +
                                      std::string(connection_.reply().text())};
    }
    // The slot is free before its message is completed.
    const Slot slot = ring_[head_++ & (ring_.size() - 1)];
    status = Answer(slot, connection_.reply());
    // The replies after it are still worth reading: they are acknowledgements.
    if (fatal.ok()) fatal = std::move(status);
  }
}

Status RedisProducer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  if (unanswered() == 0 && connection_.PingDue()) {
    connection_.out().Command({"PING"});
    Push(0, {});
  }
  if (Status status = connection_.Flush(); !status.ok()) return status;

  const Deadline deadline = Clock::now() + budget;
  // With many commands in flight there is most likely something to read already, so poll is not
  // called first.
  bool try_read = unanswered() > 16;
  for (;;) {
    bool got = false;
    if (try_read) {
      if (Status status = ReadReplies(&got); !status.ok()) return status;
    }
    if (connection_.out().size() > 0) {
      if (Status status = connection_.Flush(); !status.ok()) return status;
    }
    if (window_.Reopens(unanswered())) return {};
    if (got && !window_.full()) return {};
    const Millis left(PollTimeout(deadline));
    // At most as long as it takes to notice a silent server, or until a PING is due.
    const unsigned ready =
        connection_.Wait(std::min(left, unanswered() > 0 ? kLookAround : kIdleLookAround), wake_fd);
    try_read = (ready & RedisConnection::kReadable) != 0;
    if (try_read) continue;
    if (unanswered() > 0) {
      if (Status status = connection_.CheckSilence(); !status.ok()) return status;
    }
    if ((ready & RedisConnection::kWoken) != 0 || left.count() == 0) return {};
    if ((ready & RedisConnection::kWritable) != 0 && !window_.full()) return connection_.Flush();
  }
}

}  // namespace dsmsg::redis
