// SPDX-License-Identifier: Apache-2.0
// The consuming half of the driver: subscribes, hands messages over, and stores offsets in the
// order of delivery once the host's callback has returned. I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_CONSUMER_H_
#define DSMSG_ADAPTORS_KAFKA_CONSUMER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adaptors/kafka/connection.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

/// Whether a subscription to `filter` includes `topic`: the same name, or a pattern (^...) that
/// matches it. Patterns are extended regular expressions, as in librdkafka.
bool Matches(const std::string& filter, const std::string& topic);

class KafkaConsumer {
 public:
  /// Acknowledgement tokens are `first_token` and up, so that those of an earlier connection are
  /// recognised.
  KafkaConsumer(rd_kafka_t* rk, DriverHost& host, AckToken first_token)
      : rk_(rk), host_(host), base_(first_token) {}
  KafkaConsumer(const KafkaConsumer&) = delete;
  KafkaConsumer& operator=(const KafkaConsumer&) = delete;

  /// On an error nothing has changed. Messages of topics no longer subscribed to may still arrive
  /// for a while: they are dropped here, and their offsets stay uncommitted.
  Status Subscribe(std::span<const std::string> topics);
  /// A RD_KAFKA_EVENT_FETCH. Call it only while !held().
  void OnFetch(rd_kafka_event_t* event);
  /// The core had no room for a message: nothing else may be read.
  bool held() const { return held_.has_value(); }
  void OfferHeld();

  void Ack(AckToken token);
  /// Its offset must not be stored.
  void Release(AckToken token);
  /// Hands the offsets of acknowledged messages to librdkafka, which commits them.
  void StoreOffsets();
  AckToken next_token() const { return base_ + pending_.size(); }

 private:
  struct Partition {
    std::string topic;
    int32_t id = 0;
    int64_t next = -1;  // offset to store, -1: nothing new
    bool wanted = true;
  };
  struct Pending {
    uint32_t partition = 0;  // index
    bool settled = false;    // acknowledged, or released
    bool released = false;
    int64_t offset = 0;
  };
  uint32_t PartitionIndex(const char* topic, int32_t id);
  void OnError(const rd_kafka_message_t& message);
  bool Wanted(const std::string& topic) const;
  void Settle(AckToken token, bool released);
  void Offer(InMessage&& message, AckToken token);

  rd_kafka_t* const rk_;
  DriverHost& host_;
  std::vector<std::string> topics_;
  std::vector<Partition> partitions_;
  uint32_t last_partition_ = 0;
  bool dirty_ = false;  // some Partition::next is set
  AckToken base_;       // token of pending_.front()
  std::deque<Pending>
      pending_;  // delivered, in order; an entry leaves when it and all before it are acknowledged
  std::optional<InMessage> held_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_CONSUMER_H_
