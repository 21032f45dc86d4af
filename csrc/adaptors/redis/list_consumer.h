// SPDX-License-Identifier: Apache-2.0
// Receives from lists (command=rpush) with BLPOP, one element at a time, because an element leaves
// the server when it is read: elements not given to the host when the connection or the process
// ends are lost, except those waiting here at an orderly Close, which are put back.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_REDIS_LIST_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_LIST_CONSUMER_H_

#include <deque>
#include <string>
#include <vector>

#include "adaptors/redis/consumer.h"
#include "core/base/time.h"

namespace dsmsg::redis {

class ListConsumer final : public RedisConsumer {
 public:
  ListConsumer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
      : RedisConsumer(settings, link, host) {}

  void Drain(Deadline deadline, int cancel_fd) noexcept override;
  /// Returns it to where it came from: the head of its list.
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Reset(bool keep_tokens) override;
  bool settled() const override {
    return RedisConsumer::settled() && released_.empty() && giving_back_.empty();
  }

 private:
  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  void Ask(bool room) override;
  Status Answer(const Asked& asked, const Reply& reply) override;
  bool may_interrupt() const override { return false; }

  Status FinishReads(Deadline deadline, int cancel_fd);
  Status CheckAllowed(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  void AppendRead(std::span<const std::string> topics);
  void CollectReleased();

  std::vector<std::string> topics_;
  std::vector<InMessage> released_;    // in the order of their list
  std::deque<InMessage> giving_back_;  // in the order of the commands; leave when confirmed
  size_t given_back_ = 0;              // of these: sent
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_LIST_CONSUMER_H_
