// SPDX-License-Identifier: Apache-2.0
// Receives from streams without a consumer group (consumergroup=""): every subscriber gets every
// entry, from stream-start on, and the server keeps no position. After a reconnect it continues
// after the last entry handed over; after a restart it begins at stream-start again.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_REDIS_TAIL_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_TAIL_CONSUMER_H_

#include <map>
#include <string>
#include <vector>

#include "adaptors/redis/consumer.h"
#include "core/base/time.h"

namespace dsmsg::redis {

class TailConsumer final : public RedisConsumer {
 public:
  TailConsumer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
      : RedisConsumer(settings, link, host) {}

  void Reset(bool keep_tokens) override;

 private:
  /// Stream and the last entry of it that was handed over.
  using Positions = std::map<std::string, EntryId>;
  struct Stream {
    const std::string* name;  // a key of positions_
    EntryId last_read;        // handed over or pending
  };

  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  void Ask(bool room) override;
  Status Answer(const Asked& asked, const Reply& reply) override;
  void Delivered(const Pending& pending) override;

  Status LastEntry(const std::string& topic, Deadline deadline, int cancel_fd, EntryId* id);
  void TakeEntries(const Reply& reply);

  Positions positions_;
  std::vector<Stream> streams_;  // as subscribed
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_TAIL_CONSUMER_H_
