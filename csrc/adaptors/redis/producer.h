// SPDX-License-Identifier: Apache-2.0
// Sends messages as pipelined XADD, PUBLISH or RPUSH commands. Many commands are in flight at a
// time; replies come in order and are matched using a ring of tokens.
//
// Threads: the connection's I/O thread only. Settings, link and host outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_PRODUCER_H_
#define DSMSG_ADAPTORS_REDIS_PRODUCER_H_

#include <string_view>
#include <vector>

#include "adaptors/redis/commands.h"
#include "adaptors/redis/connection.h"
#include "adaptors/redis/settings.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::redis {

class RedisProducer {
 public:
  RedisProducer(const RedisSettings& settings, RedisConnection& link, DriverHost& host);

  /// Call it after the link was opened or closed: nothing is unanswered then. Tokens not completed
  /// stay with the core.
  void Reset();
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);

 private:
  /// A command that was not answered yet. Token 0, which the core never uses, stands for our own
  /// PING.
  struct Slot {
    Token token = 0;
    std::string_view topic;  // the message's: valid until it is completed
  };

  void Push(Token token, std::string_view topic);
  Status ReadReplies(bool* got);
  Status Answer(const Slot& slot, const Reply& reply);
  size_t unanswered() const { return tail_ - head_; }

  const RedisSettings& settings_;
  RedisConnection& connection_;
  DriverHost& host_;
  Commands commands_;

  std::vector<Slot> ring_;  // a power of two long; head_ and tail_ only grow
  size_t head_ = 0, tail_ = 0;
  SendWindow window_;
  Status broken_;  // a write in Submit failed; Poll reports it
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_PRODUCER_H_
