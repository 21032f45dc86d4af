// SPDX-License-Identifier: Apache-2.0
// Receives from streams through a consumer group, at least once. After every (re)connect, entries
// delivered to this consumer but not acknowledged are read first, then new ones.
//
// Acknowledgements share the connection with the reads. The server answers nothing else while it
// blocks a read, so while acknowledgements are expected it is asked to block for a short time only;
// a second connection would cost every consumer a socket and a login to gain these 50 ms.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_REDIS_STREAM_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_STREAM_CONSUMER_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adaptors/redis/consumer.h"
#include "core/base/time.h"

namespace dsmsg::redis {

class StreamConsumer final : public RedisConsumer {
 public:
  StreamConsumer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
      : RedisConsumer(settings, link, host) {}

  void Ack(AckToken token) noexcept override;
  /// It stays unacknowledged and assigned to this consumer, and is read again with the next
  /// subscription to its stream.
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Drain(Deadline deadline, int cancel_fd) noexcept override;
  void Reset(bool keep_tokens) override;
  bool settled() const override {
    return RedisConsumer::settled() && delivered_.empty() && to_ack_.empty() && acks_sent_.empty();
  }

 private:
  struct Stream {
    const std::string* name;
    /// Where to continue among the entries delivered but not acknowledged; ">": new entries.
    std::string cursor;
  };
  struct Entry {
    const std::string* stream = nullptr;
    EntryId id;
    bool acked = false, released = false;
  };

  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  void Ask(bool room) override;
  Status Answer(const Asked& asked, const Reply& reply) override;
  AckToken NextToken() override { return first_token_ + delivered_.size(); }
  void Delivered(const Pending& pending) override;

  void ReadFrom(std::span<const std::string> topics);
  Entry* Find(AckToken token);
  void ForgetSettled();
  void AppendCreateGroup(const std::string& stream);
  void AppendRead();
  void AppendAcks();
  Status TakeEntries(const Reply& reply);
  void TakeEntry(const Reply& reply, size_t entry, Stream& stream);
  const std::string* Intern(std::string_view name);

  std::set<std::string> names_;          // every stream ever subscribed to: entries point here
  std::set<const std::string*> joined_;  // those whose group existed once
  std::vector<std::string> topics_;      // in force; outlives a connection that Subscribe reopened
  std::vector<Stream> streams_;
  bool recovering_ = false;  // the pending read is for entries delivered before

  std::deque<Entry> delivered_;  // not acknowledged by the core, in order of delivery
  AckToken first_token_ = 1;     // the name of delivered_.front()
  std::set<std::pair<const std::string*, EntryId>>
      held_;  // delivered before the recovery: not again
  std::vector<Entry> to_ack_;
  std::deque<Entry> acks_sent_;  // not confirmed by the server
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_STREAM_CONSUMER_H_
