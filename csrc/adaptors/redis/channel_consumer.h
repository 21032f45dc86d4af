// SPDX-License-Identifier: Apache-2.0
// Receives from Pub/Sub channels (command=publish), where a topic with *, ? or [ is a pattern, and
// from sharded ones (command=spublish), which have no patterns. Messages published while the
// connection is down are lost, as usual with Pub/Sub.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_

#include <set>
#include <string>

#include "adaptors/redis/consumer.h"
#include "core/base/time.h"

namespace dsmsg::redis {

class ChannelConsumer final : public RedisConsumer {
 public:
  ChannelConsumer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
      : RedisConsumer(settings, link, host) {}

  void Reset(bool keep_tokens) override;

 private:
  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  void Ask(bool) override {}
  Status Answer(const Asked&, const Reply&) override { return {}; }
  Status OnReply(const Reply& reply) override;
  // The server buffers what it cannot write to us; beyond its limit (client-output-buffer-limit) it
  // ends the connection.
  bool reads_when_full() const override { return false; }
  // Messages published while there is no connection are lost.
  bool may_interrupt() const override { return false; }

  using Names = std::set<std::string>;
  /// Sends one command per topic and waits for the answers. `taken`: topics that were accepted;
  /// `refused`: the first refusal. Not ok: the link is lost.
  Status Request(const char* channel_command, const char* pattern_command, const Names& topics,
                 Deadline deadline, int cancel_fd, Names* taken, Status* refused);

  bool sharded() const { return settings_.command == RedisSettings::Command::kSpublish; }
  bool TakesPattern(const std::string& topic) const { return !sharded() && IsPattern(topic); }

  /// True if it was a message: then it is in pending_.
  bool TakeMessage(const Reply& reply);
  bool TakePong(const Reply& reply);

  Names subscribed_;  // on this connection
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_
