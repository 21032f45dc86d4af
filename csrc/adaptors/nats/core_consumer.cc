// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/core_consumer.h"

#include <set>

#include "adaptors/nats/errors.h"

namespace dsmsg::nats {

void CoreConsumer::Reset() {
  NatsConsumer::Reset();
  subscriptions_.clear();
}

Status CoreConsumer::Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) {
  std::map<uint64_t, std::string> next;
  std::set<std::string_view> wanted(topics.begin(), topics.end());
  for (const auto& [sid, topic] : subscriptions_) {
    if (wanted.erase(topic) > 0) next.emplace(sid, topic);
  }
  const uint64_t first = last_sid_ + 1;
  for (const std::string_view topic : wanted) {
    const std::string sid = std::to_string(++last_sid_);
    const std::string group = settings_.queue_group.empty() ? "" : settings_.queue_group + " ";
    connection_.out() += "SUB " + std::string(topic) + " " + group + sid + "\r\n";
    next.emplace(last_sid_, topic);
  }
  // What comes for the new ones from here on is kept, and dropped if one of them is refused.
  subscriptions_.insert(next.begin(), next.end());
  forbidden_.clear();
  Status status = connection_.AwaitPong(deadline, cancel_fd, handler());
  if (status.ok() && !forbidden_.empty()) {
    status = {Code::kAuth, connection_.name() + ": " + forbidden_ + " (grant the user that right)"};
    next = subscriptions_;
    std::erase_if(next, [&](const auto& each) { return each.first >= first; });
  }
  if (status.retryable() || status.code() == Code::kCancelled) return status;
  for (const auto& [sid, topic] : subscriptions_) {
    if (!next.contains(sid)) connection_.out() += "UNSUB " + std::to_string(sid) + "\r\n";
  }
  subscriptions_ = std::move(next);
  std::erase_if(pending_, [&](const Pending& each) { return !subscriptions_.contains(each.sid); });
  return status;
}

Status CoreConsumer::Take(const Op& op) {
  if (op.kind == Op::Kind::kErr) forbidden_ = op.text;
  if (op.kind != Op::Kind::kMsg || !subscriptions_.contains(op.sid)) return {};
  pending_.push_back({MessageOf(op), op.sid, {}});
  return {};
}

}  // namespace dsmsg::nats
