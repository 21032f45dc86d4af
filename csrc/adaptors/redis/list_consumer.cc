// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/list_consumer.h"
#include "adaptors/redis/errors.h"
#include "core/base/time.h"

#include <algorithm>
#include <iterator>

namespace dsmsg::redis {

// Waits for a pending read, at most kBlock, so that the element it returns is not lost.
Status ListConsumer::Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) {
  if (Status status = FinishReads(deadline, cancel_fd); !status.ok()) return status;
  if (Status status = CheckAllowed(topics, deadline, cancel_fd); !status.ok()) return status;
  topics_.assign(topics.begin(), topics.end());
  std::deque<Pending> kept;
  for (Pending& pending : pending_) {
    const std::string& topic = pending.message.topic;
    if (std::find(topics_.begin(), topics_.end(), topic) != topics_.end()) {
      kept.push_back(std::move(pending));
    } else {
      released_.push_back(std::move(pending.message));
    }
  }
  pending_.swap(kept);
  CollectReleased();  // before what the core returns, which is older
  return {};
}

Status ListConsumer::FinishReads(Deadline deadline, int cancel_fd) {
  while (!asked_.empty()) {
    bool got = false;
    if (Status status = ReadReplies(&got); !status.ok()) return status;
    if (asked_.empty()) break;
    const Millis left(PollTimeout(deadline));
    const unsigned ready = connection_.Wait(left, cancel_fd);
    if ((ready & RedisConnection::kWoken) != 0) return {Code::kCancelled, "BLPOP was cancelled"};
    if (Status status = connection_.Flush(); !status.ok()) return status;
    if (left.count() == 0) {
      return {Code::kTimeout, "no answer to BLPOP from " + connection_.name() +
                                  " in time (is the server frozen or overloaded?)"};
    }
  }
  return {};
}

// BLPOP would report missing permissions too late. In a discarded transaction, commands are checked
// but not run. A user who may not use transactions finds out with the first read, and so does one
// whose list is on its way to another node, since ASKING does not work in a transaction.
Status ListConsumer::CheckAllowed(std::span<const std::string> topics, Deadline deadline,
                                  int cancel_fd) {
  if (topics.empty() || connection_.asked()) return {};
  connection_.out().Command({"MULTI"});
  if (Status status = connection_.Call(deadline, cancel_fd, "MULTI"); !status.ok()) return status;
  if (connection_.reply().is(Reply::Type::kError)) return {};
  Status refused;
  for (const std::string& topic : topics) {  // the answer does not say which
    AppendRead({&topic, 1});
    if (Status status = connection_.Call(deadline, cancel_fd, "BLPOP"); !status.ok()) return status;
    if (!connection_.reply().is(Reply::Type::kError)) continue;
    refused = ReplyError("read the list \"" + topic + "\"", connection_.reply().text());
    break;
  }
  connection_.out().Command({"DISCARD"});
  if (Status status = connection_.Call(deadline, cancel_fd, "DISCARD"); !status.ok()) return status;
  return refused;
}

void ListConsumer::AppendRead(std::span<const std::string> topics) {
  RespWriter& out = connection_.out();
  out.Begin(2 + topics.size());
  out.Argument("BLPOP");
  for (const std::string& topic : topics) out.Argument(topic);
  out.Number(
      std::max<int64_t>(1, kBlock.count() / 1000));  // whole seconds: fractions came with Redis 6
}

void ListConsumer::Ask(bool room) {
  if (reading()) return;
  CollectReleased();
  for (; given_back_ < giving_back_.size(); ++given_back_) {
    const InMessage& message = giving_back_[given_back_];
    connection_.out().Command({"LPUSH", message.topic, message.payload});
    Push(Kind::kGiveBack);
  }
  if (!room || topics_.empty()) return;
  AppendRead(topics_);
  Push(Kind::kRead);
}

void ListConsumer::Release(AckToken /*token*/, InMessage&& message) noexcept {
  released_.push_back(std::move(message));
}

// The last of them is pushed first.
void ListConsumer::CollectReleased() {
  std::move(released_.rbegin(), released_.rend(), std::back_inserter(giving_back_));
  released_.clear();
}

void ListConsumer::Reset(bool keep_tokens) {
  RedisConsumer::Reset(keep_tokens);
  given_back_ = 0;
}

Status ListConsumer::Answer(const Asked& asked, const Reply& reply) {
  if (asked.kind == Kind::kGiveBack) {
    if (reply.is(Reply::Type::kError) && IsRedirect(reply.text()) && connection_.follows_slot()) {
      return ReplyError("put an element back", reply.text());  // again after the reopening
    }
    if (reply.is(Reply::Type::kError)) {
      host_.log().Limited(
          LogLevel::kWarn, "lpush",
          ReplyError("put an element back into the list \"" + giving_back_.front().topic + "\"",
                     reply.text())
              .message());
    }
    giving_back_.pop_front();
    --given_back_;
    return {};
  }
  if (reply.is(Reply::Type::kError)) {
    std::string lists;
    for (const std::string& topic : topics_) lists += (lists.empty() ? "\"" : ", \"") + topic + '"';
    Status status = ReplyError("read the lists " + lists, reply.text());
    return status.code() == Code::kRejected ? Status(Code::kUnavailable, status.message()) : status;
  }
  if (reply.count() != 2) return {};  // nothing came in time
  Pending pending;
  pending.message.topic = reply.text(reply.At(0, 0));
  pending.message.payload = reply.text(reply.At(0, 1));
  pending_.push_back(std::move(pending));
  return {};
}

void ListConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  bool got = false;
  while (!asked_.empty() && PollTimeout(deadline) > 0) {
    const unsigned ready = connection_.Wait(Millis(PollTimeout(deadline)), cancel_fd);
    if ((ready & RedisConnection::kWoken) != 0) return;
    if ((ready & RedisConnection::kReadable) != 0 && !ReadReplies(&got).ok()) return;
  }
  if (!asked_.empty()) return;
  for (; !pending_.empty() && PollTimeout(deadline) > 0; pending_.pop_back()) {
    const InMessage& last = pending_.back().message;
    connection_.out().Command({"LPUSH", last.topic, last.payload});
    if (!connection_.Call(deadline, cancel_fd, "LPUSH").ok()) return;
  }
  CollectReleased();
  for (; !giving_back_.empty() && PollTimeout(deadline) > 0; giving_back_.pop_front()) {
    connection_.out().Command({"LPUSH", giving_back_.front().topic, giving_back_.front().payload});
    if (!connection_.Call(deadline, cancel_fd, "LPUSH").ok()) return;
  }
}

}  // namespace dsmsg::redis
