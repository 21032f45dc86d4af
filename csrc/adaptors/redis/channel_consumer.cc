// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/channel_consumer.h"
#include "core/base/time.h"

#include <algorithm>
#include <iterator>

namespace dsmsg::redis {

// Additions first: if one is refused, the existing subscriptions stay as they are.
Status ChannelConsumer::Begin(std::span<const std::string> topics, Deadline deadline,
                              int cancel_fd) {
  const Names wanted(topics.begin(), topics.end());
  Names added, gone, taken, left;
  std::set_difference(wanted.begin(), wanted.end(), subscribed_.begin(), subscribed_.end(),
                      std::inserter(added, added.end()));
  std::set_difference(subscribed_.begin(), subscribed_.end(), wanted.begin(), wanted.end(),
                      std::inserter(gone, gone.end()));
  Status refused, ignored;
  const char* const subscribe = sharded() ? "SSUBSCRIBE" : "SUBSCRIBE";
  const char* const unsubscribe = sharded() ? "SUNSUBSCRIBE" : "UNSUBSCRIBE";
  Status status = Request(subscribe, "PSUBSCRIBE", added, deadline, cancel_fd, &taken, &refused);
  if (!status.ok()) return status;
  status = Request(unsubscribe, "PUNSUBSCRIBE", refused.ok() ? gone : taken, deadline, cancel_fd,
                   &left, &ignored);
  if (!status.ok()) return status;
  if (refused.ok()) subscribed_ = wanted;
  std::erase_if(pending_, [this](const Pending& pending) {
    return std::none_of(subscribed_.begin(), subscribed_.end(), [&](const std::string& filter) {
      return sharded() ? filter == pending.message.topic
                       : MatchesChannel(filter, pending.message.topic);
    });
  });
  return refused;
}

Status ChannelConsumer::Request(const char* channel_command, const char* pattern_command,
                                const Names& topics, Deadline deadline, int cancel_fd, Names* taken,
                                Status* refused) {
  for (const std::string& topic : topics) {
    connection_.out().Command({TakesPattern(topic) ? pattern_command : channel_command, topic});
  }
  // Answers come in the order of the commands, with messages in between.
  for (auto topic = topics.begin(); topic != topics.end();) {
    if (Status status = connection_.Call(deadline, cancel_fd, channel_command); !status.ok()) {
      return status;
    }
    const Reply& reply = connection_.reply();
    if (TakeMessage(reply) || TakePong(reply)) continue;
    if (reply.is(Reply::Type::kError)) {
      if (refused->ok()) *refused = ReplyError("subscribe to \"" + *topic + "\"", reply.text());
    } else {
      // An unsolicited one (a channel removed by an ACL) is not ours.
      if (reply.count() != 3 || reply.text(reply.At(0, 1)) != *topic) continue;
      taken->insert(*topic);
    }
    ++topic;
  }
  return {};
}

void ChannelConsumer::Reset(bool keep_tokens) {
  RedisConsumer::Reset(keep_tokens);
  subscribed_.clear();
}

bool ChannelConsumer::TakePong(const Reply& reply) {
  const bool pong = reply.is(Reply::Type::kStatus) ||
                    (reply.count() == 2 && reply.text(Reply::First(0)) == "pong");
  if (pong && !asked_.empty()) asked_.pop_front();
  return pong;
}

bool ChannelConsumer::TakeMessage(const Reply& reply) {
  const size_t count = reply.count();
  if (count < 3) return false;
  const std::string_view kind = reply.text(Reply::First(0));
  size_t channel = 0;
  if ((kind == "message" || kind == "smessage") && count == 3) channel = 1;
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
  if (reply.count() == 3 && reply.text(Reply::First(0)) == "sunsubscribe") {
    return {Code::kUnavailable, connection_.name() + " has ended the subscription to \"" +
                                    std::string(reply.text(reply.At(0, 1))) +
                                    "\" (its slot moves to another node of the cluster)"};
  }
  // Confirmations of (un)subscriptions can also be unsolicited (a channel removed by an ACL); PONG
  // is ours.
  (void)TakePong(reply);
  return {};
}

}  // namespace dsmsg::redis
