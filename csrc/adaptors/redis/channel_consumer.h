// SPDX-License-Identifier: Apache-2.0
// Receives from Pub/Sub channels (command=publish). A topic with * ? or [ is a pattern. What is
// published while the connection is down is lost: that is Pub/Sub.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_

#include "redis_consumer.h"

namespace dsmsg {

class ChannelConsumer final : public RedisConsumer {
 public:
  ChannelConsumer(const RedisSettings& settings, RedisLink& link, DriverHost& host)
      : RedisConsumer(settings, link, host) {}

  void Reset(bool keep_tokens) override;

 private:
  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  void Ask(bool) override {}
  Status Answer(const Asked&, const Reply&) override { return {}; }
  Status OnReply(const Reply& reply) override;
  // The server holds what it cannot write to us; beyond its limit (client-output-buffer-limit) it
  // ends the connection.
  bool reads_when_full() const override { return false; }

  /// True if it was a message: then it is in pending_.
  bool TakeMessage(const Reply& reply);

  bool subscribed_ = false;  // on this connection
};

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_REDIS_CHANNEL_CONSUMER_H_
