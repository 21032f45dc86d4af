// SPDX-License-Identifier: Apache-2.0
#include "channel_consumer.h"

namespace dsmsg {

Status ChannelConsumer::Begin(std::span<const std::string> topics, Deadline deadline,
                              int cancel_fd) {
  pending_.clear();
  RespWriter& out = link_.out();
  size_t expected = topics.size();
  if (subscribed_) {
    out.Command({"UNSUBSCRIBE"});
    out.Command({"PUNSUBSCRIBE"});
  }
  for (const std::string& topic : topics) {
    out.Command({topic.find_first_of("*?[") == topic.npos ? "SUBSCRIBE" : "PSUBSCRIBE", topic});
  }
  subscribed_ = true;
  while (expected > 0) {
    if (Status status = link_.Call(deadline, cancel_fd, "SUBSCRIBE"); !status.ok()) return status;
    const Reply& reply = link_.reply();
    if (reply.is(Reply::Type::kError)) return ReplyError("subscribe", reply.text());
    if (TakeMessage(reply) || reply.count() != 3) continue;
    const std::string_view kind = reply.text(Reply::First(0));
    if (kind == "subscribe" || kind == "psubscribe") --expected;
  }
  return {};
}

void ChannelConsumer::Reset(bool keep_tokens) {
  RedisConsumer::Reset(keep_tokens);
  subscribed_ = false;
}

bool ChannelConsumer::TakeMessage(const Reply& reply) {
  const size_t count = reply.count();
  if (count < 3) return false;
  const std::string_view kind = reply.text(Reply::First(0));
  size_t channel = 0;
  if (kind == "message" && count == 3) channel = 1;
  if (kind == "pmessage" && count == 4) channel = 2;
  if (channel == 0) return false;
  Pending pending;
  pending.message.topic = reply.text(reply.At(0, channel));
  pending.message.payload = reply.text(reply.At(0, channel + 1));
  pending_.push_back(std::move(pending));
  return true;
}

Status ChannelConsumer::OnReply(const Reply& reply) {
  if (TakeMessage(reply)) return {};
  if (reply.is(Reply::Type::kError)) {
    if (!asked_.empty()) asked_.pop_front();
    return ReplyError("receive", reply.text());
  }
  // Confirmations of (un)subscriptions come unasked too (a channel removed by ACL); PONG is ours.
  const bool pong = reply.is(Reply::Type::kStatus) ||
                    (reply.count() == 2 && reply.text(Reply::First(0)) == "pong");
  if (pong && !asked_.empty()) asked_.pop_front();
  return {};
}

}  // namespace dsmsg
