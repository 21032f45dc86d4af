// SPDX-License-Identifier: Apache-2.0
#include "list_consumer.h"

#include <algorithm>

namespace dsmsg {

// Takes effect with the next BLPOP, at most kBlock from now: what is pushed meanwhile stays in the
// list.
Status ListConsumer::Begin(std::span<const std::string> topics, Deadline, int) {
  topics_.assign(topics.begin(), topics.end());
  return {};
}

void ListConsumer::Ask(bool room) {
  if (reading() || !room || topics_.empty()) return;
  RespWriter& out = link_.out();
  out.Begin(2 + topics_.size());
  out.Argument("BLPOP");
  for (const std::string& topic : topics_) out.Argument(topic);
  out.Number(
      std::max<int64_t>(1, kBlock.count() / 1000));  // whole seconds: fractions came with Redis 6
  Push(Kind::kRead);
}

Status ListConsumer::Answer(const Asked&, const Reply& reply) {
  if (reply.is(Reply::Type::kError)) {
    Status status = ReplyError("read lists", reply.text());
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
  while (reading() && PollTimeout(deadline) > 0) {
    const unsigned ready = link_.Wait(Millis(PollTimeout(deadline)), cancel_fd);
    if ((ready & RedisLink::kWoken) != 0) return;
    if ((ready & RedisLink::kReadable) != 0 && !ReadReplies(&got).ok()) return;
  }
  if (reading()) return;
  for (; !pending_.empty() && PollTimeout(deadline) > 0; pending_.pop_back()) {
    const InMessage& last = pending_.back().message;
    link_.out().Command({"LPUSH", last.topic, last.payload});
    if (!link_.Call(deadline, cancel_fd, "LPUSH").ok()) return;
  }
}

}  // namespace dsmsg
