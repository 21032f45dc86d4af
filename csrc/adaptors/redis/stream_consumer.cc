// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/stream_consumer.h"

#include <algorithm>

#include "adaptors/redis/errors.h"
#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

// How long the server may block a read while acknowledgements are expected: they wait at most this
// long.
constexpr Millis kShortBlock{50};
constexpr size_t kAcksPerCommand = 1000;

}  // namespace

const std::string* StreamConsumer::Intern(std::string_view name) {
  return &*names_.emplace(name).first;
}

void StreamConsumer::Reset(bool keep_tokens) {
  RedisConsumer::Reset(keep_tokens);
  pending_.clear();  // the server returns them again, as previously delivered entries
  // It is unknown whether the server got them; sending them twice does no harm.
  to_ack_.insert(to_ack_.begin(), acks_sent_.begin(), acks_sent_.end());
  acks_sent_.clear();
  recovering_ = false;
  streams_.clear();
  if (keep_tokens) return;
  topics_.clear();
  first_token_ += delivered_.size();
  delivered_.clear();
}

void StreamConsumer::AppendCreateGroup(const std::string& stream) {
  // A new group starts where the settings say. A group that has vanished (the stream was deleted,
  // the server lost its data) starts with everything there is, so that nothing written since is
  // lost.
  const bool vanished = joined_.contains(Intern(stream));
  connection_.out().Command(
      {"XGROUP", "CREATE", stream, settings_.group, vanished ? "0" : settings_.start, "MKSTREAM"});
}

// All groups before anything changes: if one is refused, reading continues where it was.
Status StreamConsumer::Begin(std::span<const std::string> topics, Deadline deadline,
                             int cancel_fd) {
  for (const std::string& topic : topics) {
    AppendCreateGroup(topic);
    Status status = connection_.Call(deadline, cancel_fd, "XGROUP CREATE");
    const Reply& reply = connection_.reply();
    if (status.ok() && reply.is(Reply::Type::kError) &&
        ErrorReplyName(reply.text()) != "BUSYGROUP") {
      status =
          ReplyError("join consumer group \"" + settings_.group + "\" of stream \"" + topic + "\"",
                     reply.text());
    }
    if (!status.ok()) {
      ReadFrom(topics_);
      return status;
    }
    joined_.insert(Intern(topic));
  }
  topics_.assign(topics.begin(), topics.end());
  ReadFrom(topics_);
  return {};
}

// Starts with what was delivered to this consumer before, except for what the core has.
void StreamConsumer::ReadFrom(std::span<const std::string> topics) {
  pending_.clear();
  streams_.clear();
  held_.clear();
  for (const Entry& entry : delivered_) {
    if (!entry.released) held_.emplace(entry.stream, entry.id);
  }
  for (const std::string& topic : topics) {
    const std::string* name = Intern(topic);
    const bool known = std::any_of(streams_.begin(), streams_.end(),
                                   [name](const Stream& stream) { return stream.name == name; });
    if (!known) streams_.push_back({name, "0"});
  }
}

void StreamConsumer::Ask(bool room) {
  // The server may be blocking a pending read, and it would not process acknowledgements sent after
  // it any sooner.
  if (reading()) return;
  AppendAcks();
  if (room && !streams_.empty()) AppendRead();
}

void StreamConsumer::AppendRead() {
  const auto before = [](const Stream& stream) { return stream.cursor != ">"; };
  recovering_ = std::any_of(streams_.begin(), streams_.end(), before);
  std::vector<const Stream*> asked;
  for (const Stream& stream : streams_) {
    if (!recovering_ || before(stream)) asked.push_back(&stream);
  }
  RespWriter& out = connection_.out();
  out.Begin((recovering_ ? 7 : 9) + 2 * asked.size());
  out.Argument("XREADGROUP");
  out.Argument("GROUP");
  out.Argument(settings_.group);
  out.Argument(settings_.consumer);
  out.Argument("COUNT");
  out.Number(settings_.batch_read);
  if (!recovering_) {  // reads of previously delivered entries are answered at once; fakeredis
                       // needs it this way
    out.Argument("BLOCK");
    out.Number((delivered_.empty() ? kBlock : kShortBlock).count());
  }
  out.Argument("STREAMS");
  for (const Stream* stream : asked) out.Argument(*stream->name);
  for (const Stream* stream : asked) out.Argument(stream->cursor);
  Push(Kind::kRead);
}

void StreamConsumer::AppendAcks() {
  if (to_ack_.empty()) return;
  std::stable_sort(to_ack_.begin(), to_ack_.end(),
                   [](const Entry& a, const Entry& b) { return a.stream < b.stream; });
  for (size_t i = 0; i < to_ack_.size();) {
    size_t end = i;
    while (end < to_ack_.size() && to_ack_[end].stream == to_ack_[i].stream &&
           end - i < kAcksPerCommand) {
      ++end;
    }
    RespWriter& out = connection_.out();
    out.Begin(3 + end - i);
    out.Argument("XACK");
    out.Argument(*to_ack_[i].stream);
    out.Argument(settings_.group);
    Push(Kind::kAck, end - i);
    for (; i < end; ++i) {
      out.Argument(to_ack_[i].id.ToString());
      acks_sent_.push_back(to_ack_[i]);
    }
  }
  to_ack_.clear();
}

Status StreamConsumer::Answer(const Asked& asked, const Reply& reply) {
  const bool error = reply.is(Reply::Type::kError);
  switch (asked.kind) {
    case Kind::kAck:
      if (error && IsRedirect(reply.text()) && connection_.follows_slot()) {
        return ReplyError("acknowledge entries", reply.text());  // sent again after the reopening
      }
      acks_sent_.erase(acks_sent_.begin(),
                       acks_sent_.begin() + static_cast<std::ptrdiff_t>(asked.count));
      if (error) {
        host_.log().Limited(LogLevel::kWarn, "xack",
                            ReplyError("acknowledge entries", reply.text()).message());
      }
      return {};
    case Kind::kCreateGroup:
      if (!error || ErrorReplyName(reply.text()) == "BUSYGROUP") return {};
      return ReplyError("create consumer group \"" + settings_.group + "\" again", reply.text());
    case Kind::kPing:
    case Kind::kGiveBack:
      return {};
    case Kind::kRead:
      break;
  }
  if (!error) return TakeEntries(reply);
  const std::string_view name = ErrorReplyName(reply.text());
  if (name != "NOGROUP" && name != "UNBLOCKED") {
    Status status = ReplyError("read streams", reply.text());
    // Wrong topics show when subscribing; from here on, an error restarts the link.
    return status.code() == Code::kRejected ? Status(Code::kUnavailable, status.message()) : status;
  }
  host_.log().Limited(LogLevel::kWarn, "nogroup",
                      "a stream or its consumer group \"" + settings_.group +
                          "\" was deleted; it is created again (" + std::string(reply.text()) +
                          ")");
  for (const Stream& stream : streams_) {
    AppendCreateGroup(*stream.name);
    Push(Kind::kCreateGroup);
  }
  return {};
}

// [[stream, [[id, [field, value, ...]], ...]], ...], or nil if nothing came in time.
Status StreamConsumer::TakeEntries(const Reply& reply) {
  if (!reply.is(Reply::Type::kArray)) return {};
  std::set<const std::string*> answered;
  size_t part = Reply::First(0);
  for (size_t n = reply.count(); n-- > 0; part = reply.Next(part)) {
    if (reply.count(part) != 2) continue;
    const std::string* name = Intern(reply.text(Reply::First(part)));
    const auto stream = std::find_if(streams_.begin(), streams_.end(),
                                     [name](const Stream& s) { return s.name == name; });
    if (stream == streams_.end()) continue;
    const size_t entries = reply.At(part, 1);
    if (reply.count(entries) > 0) answered.insert(name);
    size_t entry = Reply::First(entries);
    for (size_t left = reply.count(entries); left-- > 0; entry = reply.Next(entry)) {
      if (reply.count(entry) == 2) TakeEntry(reply, entry, *stream);
    }
  }
  if (!recovering_) return {};
  for (Stream& stream : streams_) {
    if (stream.cursor != ">" && !answered.contains(stream.name)) stream.cursor = ">";
  }
  return {};
}

void StreamConsumer::TakeEntry(const Reply& reply, size_t entry, Stream& stream) {
  const std::string_view id_text = reply.text(Reply::First(entry));
  const EntryId id = EntryId::Parse(id_text);
  if (recovering_) {
    stream.cursor.assign(id_text);
    if (held_.contains({stream.name, id})) return;
  }
  const size_t fields = reply.At(entry, 1);
  if (!reply.is(Reply::Type::kArray, fields)) {
    host_.log().Limited(LogLevel::kWarn, "trimmed",
                        "entries of stream \"" + *stream.name +
                            "\" were trimmed before they were acknowledged (raise streamsize)");
    to_ack_.push_back({stream.name, id});
    return;
  }
  Pending pending;
  pending.message = MessageOf(*stream.name, id, reply, fields);
  pending.message.redelivered = recovering_;
  pending.stream = stream.name;
  pending.id = id;
  pending_.push_back(std::move(pending));
}

void StreamConsumer::Delivered(const Pending& pending) {
  delivered_.push_back({pending.stream, pending.id});
}

void StreamConsumer::Ack(AckToken token) noexcept {
  Entry* entry = Find(token);
  if (entry == nullptr || entry->acked) return;
  entry->acked = true;
  to_ack_.push_back(*entry);
  ForgetSettled();
}

void StreamConsumer::Release(AckToken token, InMessage&& /*message*/) noexcept {
  Entry* entry = Find(token);
  if (entry == nullptr) return;
  entry->released = true;
  ForgetSettled();
}

StreamConsumer::Entry* StreamConsumer::Find(AckToken token) {
  if (token < first_token_ || token - first_token_ >= delivered_.size()) return nullptr;
  return &delivered_[token - first_token_];
}

void StreamConsumer::ForgetSettled() {
  while (!delivered_.empty() && (delivered_.front().acked || delivered_.front().released)) {
    delivered_.pop_front();
    ++first_token_;
  }
}

void StreamConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  while (!to_ack_.empty() || !acks_sent_.empty()) {
    Ask(/*room=*/false);
    bool got = false;
    if (!connection_.Flush().ok()) return;
    const int left = PollTimeout(deadline);
    const unsigned ready = connection_.Wait(Millis(left), cancel_fd);
    // Entries that come now stay unacknowledged and are read again next time.
    if ((ready & RedisConnection::kReadable) != 0) {
      if (!ReadReplies(&got).ok()) return;
      pending_.clear();
    }
    if ((ready & RedisConnection::kWoken) != 0 || left == 0) return;
  }
}

}  // namespace dsmsg::redis
