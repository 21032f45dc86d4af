// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/tail_consumer.h"

#include <algorithm>

#include "adaptors/redis/errors.h"
#include "core/base/time.h"

namespace dsmsg::redis {

void TailConsumer::Reset(bool keep_tokens) {
  RedisConsumer::Reset(keep_tokens);
  pending_.clear();  // read again: the stream continues after what was handed over
  for (Stream& stream : streams_) stream.last_read = positions_[*stream.name];
}

Status TailConsumer::Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) {
  Positions positions;
  for (const std::string& topic : topics) {
    const auto known = positions_.find(topic);
    EntryId& last = positions[topic];
    if (known != positions_.end()) {
      last = known->second;
    } else if (settings_.start != "$") {
      last = EntryId::Parse(settings_.start);
    } else if (Status status = LastEntry(topic, deadline, cancel_fd, &last); !status.ok()) {
      return status;
    }
  }
  pending_.clear();
  streams_.clear();
  positions_.swap(positions);
  for (const auto& [name, last] : positions_) streams_.push_back({&name, last});
  return {};
}

/// The newest entry of a stream; 0-0 if it is empty.
Status TailConsumer::LastEntry(const std::string& topic, Deadline deadline, int cancel_fd,
                               EntryId* id) {
  connection_.out().Command({"XREVRANGE", topic, "+", "-", "COUNT", "1"});
  if (Status status = connection_.Call(deadline, cancel_fd, "XREVRANGE"); !status.ok())
    return status;
  const Reply& reply = connection_.reply();
  if (reply.is(Reply::Type::kError))
    return ReplyError("read stream \"" + topic + "\"", reply.text());
  *id = {};
  if (reply.count() > 0) *id = EntryId::Parse(reply.text(Reply::First(Reply::First(0))));
  return {};
}

void TailConsumer::Ask(bool room) {
  if (reading() || !room || streams_.empty()) return;
  RespWriter& out = connection_.out();
  out.Begin(6 + 2 * streams_.size());
  out.Argument("XREAD");
  out.Argument("COUNT");
  out.Number(settings_.batch_read);
  out.Argument("BLOCK");
  out.Number(kBlock.count());
  out.Argument("STREAMS");
  for (const Stream& stream : streams_) out.Argument(*stream.name);
  for (const Stream& stream : streams_) out.Argument(stream.last_read.ToString());
  Push(Kind::kRead);
}

Status TailConsumer::Answer(const Asked& asked, const Reply& reply) {
  if (asked.kind != Kind::kRead) return {};
  if (!reply.is(Reply::Type::kError)) {
    TakeEntries(reply);
    return {};
  }
  if (ErrorReplyName(reply.text()) == "UNBLOCKED") return {};  // the stream was deleted
  Status status = ReplyError("read streams", reply.text());
  // Wrong topics show when subscribing; from here on, an error restarts the link.
  return status.code() == Code::kRejected ? Status(Code::kUnavailable, status.message()) : status;
}

// [[stream, [[id, [field, value, ...]], ...]], ...], or nil if nothing came in time.
void TailConsumer::TakeEntries(const Reply& reply) {
  if (!reply.is(Reply::Type::kArray)) return;
  size_t part = Reply::First(0);
  for (size_t n = reply.count(); n-- > 0; part = reply.Next(part)) {
    if (reply.count(part) != 2) continue;
    const std::string_view name = reply.text(Reply::First(part));
    const auto stream = std::find_if(streams_.begin(), streams_.end(),
                                     [name](const Stream& s) { return *s.name == name; });
    if (stream == streams_.end()) continue;
    const size_t entries = reply.At(part, 1);
    size_t entry = Reply::First(entries);
    for (size_t left = reply.count(entries); left-- > 0; entry = reply.Next(entry)) {
      if (reply.count(entry) != 2) continue;
      Pending pending;
      pending.stream = stream->name;
      pending.id = stream->last_read = EntryId::Parse(reply.text(Reply::First(entry)));
      pending.message = MessageOf(*stream->name, pending.id, reply, reply.At(entry, 1));
      pending_.push_back(std::move(pending));
    }
  }
}

void TailConsumer::Delivered(const Pending& pending) { positions_[*pending.stream] = pending.id; }

}  // namespace dsmsg::redis
