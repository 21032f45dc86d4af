// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/consumer.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>

#include "adaptors/redis/channel_consumer.h"
#include "adaptors/redis/errors.h"
#include "adaptors/redis/list_consumer.h"
#include "adaptors/redis/stream_consumer.h"
#include "adaptors/redis/tail_consumer.h"
#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg::redis {
namespace {

// A server that honours BLOCK does not answer sooner if there is nothing to read. One that ignores
// it (fakeredis) is asked only this often.
constexpr Millis kTooSoon{25}, kPause{100};

}  // namespace

EntryId EntryId::Parse(std::string_view text) {
  EntryId id;
  const char* end = text.data() + text.size();
  const char* dash = std::from_chars(text.data(), end, id.ms).ptr;
  if (dash < end) std::from_chars(dash + 1, end, id.sequence);
  return id;
}

std::unique_ptr<RedisConsumer> RedisConsumer::Create(const RedisSettings& settings,
                                                     RedisConnection& link, DriverHost& host) {
  switch (settings.command) {
    case RedisSettings::Command::kPublish:
    case RedisSettings::Command::kSpublish:
      return std::make_unique<ChannelConsumer>(settings, link, host);
    case RedisSettings::Command::kRpush:
      return std::make_unique<ListConsumer>(settings, link, host);
    case RedisSettings::Command::kSet:  // refused by the driver
    case RedisSettings::Command::kXadd:
      break;
  }
  if (settings.group.empty()) return std::make_unique<TailConsumer>(settings, link, host);
  return std::make_unique<StreamConsumer>(settings, link, host);
}

void RedisConsumer::Reset(bool) {
  asked_.clear();
  reads_ = 0;
  read_due_ = {};
  broken_ = Status();
}

// The payload is the field `payloadkey`, otherwise `value` (DeepStream 9's layout), otherwise the
// first one, so that entries from other programs are shown too. `key` is the key, others are
// headers.
InMessage RedisConsumer::MessageOf(std::string_view stream, const EntryId& id, const Reply& reply,
                                   size_t fields) const {
  InMessage message;
  message.topic = stream;
  message.id = id.ToString();
  message.timestamp_ms = static_cast<int64_t>(id.ms);
  message.timestamp_type = DSMSG_TIMESTAMP_APPEND;
  const size_t count = reply.count(fields) / 2;
  size_t payload = 0, node = Reply::First(fields);
  for (size_t i = 0; i < count; ++i) {
    const std::string_view name = reply.text(node);
    node = reply.Next(reply.Next(node));
    if (name == "value" && payload == 0) payload = i;
    if (name != settings_.payload_key) continue;
    payload = i;
    break;
  }
  node = Reply::First(fields);
  for (size_t i = 0; i < count; ++i) {
    const std::string_view name = reply.text(node);
    node = reply.Next(node);
    const std::string_view value = reply.text(node);
    node = reply.Next(node);
    if (i == payload) {
      message.payload = value;
    } else if (name == "key" && !message.has_key) {
      message.key = value;
      message.has_key = true;
    } else {
      message.headers.emplace_back(name, value);
    }
  }
  return message;
}

void RedisConsumer::Push(Kind kind, size_t count) {
  if (asked_.empty()) connection_.BeginExpecting();
  if (kind == Kind::kRead) {
    ++reads_;
    read_asked_ = Clock::now();
  }
  asked_.push_back({kind, count});
}

Status RedisConsumer::ReplyError(const std::string& what, std::string_view text) const {
  if (connection_.follows_slot() && IsRedirect(text)) {
    return {Code::kUnavailable, "cannot " + what + " at " + connection_.name() + ": " +
                                    std::string(text) + " (its slot moves; it is followed)"};
  }
  return {ErrorReplyCode(text), "cannot " + what + " at " + connection_.name() + ": " +
                                    std::string(text) + std::string(ErrorReplyAdvice(text))};
}

bool RedisConsumer::IsPattern(const std::string& topic) {
  return topic.find_first_of("*?[") != std::string::npos;
}

bool RedisConsumer::MatchesChannel(const std::string& filter, const std::string& topic) {
  return filter == topic || (IsPattern(filter) && fnmatch(filter.c_str(), topic.c_str(), 0) == 0);
}

bool RedisConsumer::Matches(const Config& config, const std::string& filter,
                            const std::string& topic) {
  return config.GetString("command") == "publish" ? MatchesChannel(filter, topic) : filter == topic;
}

Status RedisConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                                int cancel_fd) {
  Status status;
  // A blocked read would delay the new topics: opening a new connection is quicker than waiting for
  // it.
  if (!asked_.empty() && may_interrupt()) {
    connection_.Close();
    Reset(/*keep_tokens=*/true);
    status = connection_.Open(deadline, cancel_fd);
    if (!status.ok()) return broken_ = status;
  }
  status = Begin(topics, deadline, cancel_fd);
  if (status.retryable() || status.code() == Code::kCancelled) broken_ = status;
  return status;
}

bool RedisConsumer::DeliverPending() {
  while (!pending_.empty()) {
    Pending& next = pending_.front();
    const Status status = host_.Deliver(std::move(next.message), NextToken());
    if (status.code() == Code::kWouldBlock) return false;
    if (!status.ok()) {
      // The connection is being closed: the rest stays with the server where possible.
      pending_.clear();
      return false;
    }
    Delivered(next);
    pending_.pop_front();
  }
  return true;
}

Status RedisConsumer::OnReply(const Reply& reply) {
  if (asked_.empty()) {
    return {Code::kUnavailable, connection_.name() + " sent a reply that no command asked for: " +
                                    std::string(reply.text())};
  }
  const Asked asked = asked_.front();
  asked_.pop_front();
  if (asked.kind == Kind::kRead) {
    --reads_;
    const bool nothing = !reply.is(Reply::Type::kError) && reply.count() == 0;
    const Deadline now = Clock::now();
    if (nothing && now - read_asked_ < kTooSoon) read_due_ = now + kPause;
  }
  if (reply.is(Reply::Type::kError) && IsLoginLost(reply.text())) {
    return ReplyError("read", reply.text());
  }
  return asked.kind == Kind::kPing ? Status() : Answer(asked, reply);
}

Status RedisConsumer::ReadReplies(bool* got) {
  Status status = connection_.Receive(got);
  while (status.ok() && *got) {
    bool have = false;
    status = connection_.NextReply(&have);
    if (!status.ok() || !have) break;
    status = OnReply(connection_.reply());
  }
  return status;
}

void RedisConsumer::AskForMore(bool room) { Ask(room && Clock::now() >= read_due_); }

Status RedisConsumer::Prepare(Millis* budget, unsigned* want) {
  if (!broken_.ok()) return broken_;
  room_ = DeliverPending();
  AskForMore(room_);
  if (asked_.empty() && connection_.PingDue()) {
    connection_.out().Command({"PING"});
    Push(Kind::kPing);
  }
  if (Status status = connection_.Flush(); !status.ok()) return status;
  if (const Millis pause(PollTimeout(read_due_)); pause.count() > 0) {
    *budget = std::min(*budget, pause);
  }
  *budget = std::min(*budget, kBlock);
  *want =
      RedisConnection::kWritable | (room_ || reads_when_full() ? RedisConnection::kReadable : 0U);
  return {};
}

Status RedisConsumer::Process(unsigned ready) {
  if ((ready & RedisConnection::kWritable) != 0) {
    if (Status status = connection_.Flush(); !status.ok()) return status;
  }
  if ((ready & RedisConnection::kReadable) != 0) {
    bool got = false;
    if (Status status = ReadReplies(&got); !status.ok()) return status;
    // The next read is sent before the core processes what came.
    room_ = DeliverPending();
    AskForMore(room_);
    return connection_.Flush();
  }
  if (asked_.empty() || !(room_ || reads_when_full())) return {};
  return connection_.CheckSilence(reading() ? kBlock : Millis(0));
}

Status RedisConsumer::Poll(Millis budget, int wake_fd) {
  unsigned want = 0;
  if (Status status = Prepare(&budget, &want); !status.ok()) return status;
  return Process(connection_.Wait(budget, wake_fd, want));
}

}  // namespace dsmsg::redis
