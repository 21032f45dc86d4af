// SPDX-License-Identifier: Apache-2.0
// Sends messages, many at a time. To JetStream: each with a subject for its acknowledgement and a
// Nats-Msg-Id that stays the same on every try. Core NATS acknowledges nothing: a PING follows the
// messages, and its PONG says that the server has processed them.
//
// Threads: the connection's I/O thread only. Settings, connection and host outlive it.
#ifndef DSMSG_ADAPTORS_NATS_PRODUCER_H_
#define DSMSG_ADAPTORS_NATS_PRODUCER_H_

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/nats/connection.h"
#include "adaptors/nats/settings.h"
#include "adaptors/nats/streams.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::nats {

class NatsProducer {
 public:
  NatsProducer(const NatsSettings& settings, NatsConnection& connection, DriverHost& host);

  /// Call it after the link was opened or closed: nothing is under way then. Tokens not completed
  /// stay with the core.
  void Reset();
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);

 private:
  /// A message under way; its number is its place in the ring. Token 0: it was answered.
  struct Slot {
    Token token = 0;
    std::string_view topic;  // the message's: valid until it is completed
    uint32_t attempt = 0;
    Deadline sent_at{};
  };

  Status CheckTopic(std::string_view topic);
  bool MayBeElecting(std::string_view topic);
  Status CheckSize(const Message& message) const;
  Status BuildHeaders(const Message& message);
  Status ReadAnswers(bool* got);
  void TakeMessage(const Op& op);
  void TakeForbidden(std::string_view subject, std::string_view words);
  void TakePong();
  Status NoStream(const Slot& slot);
  void Complete(uint64_t number, const Status& status);
  void CheckOverdue();
  Slot& At(uint64_t number) { return ring_[number & (ring_.size() - 1)]; }
  size_t under_way() const { return static_cast<size_t>(tail_ - head_); }
  Status Refused(std::string_view topic, const Status& why) const;

  const NatsSettings& settings_;
  NatsConnection& connection_;
  DriverHost& host_;
  Streams streams_;

  std::vector<Slot> ring_;        // a power of two long
  uint64_t head_ = 0, tail_ = 0;  // never reset: an answer may come on a later connection
  SendWindow window_;
  Status broken_;  // a write in Submit failed; Poll reports it

  std::string last_topic_;  // checked already
  const Route* last_route_ = nullptr;
  std::string headers_, reply_;
  std::map<std::string, Deadline> unheard_;  // since when nothing takes a topic

  /// Core NATS: the PING behind the messages up to `end`.
  struct Marker {
    uint64_t ping, end;
  };
  std::deque<Marker> markers_;
  uint64_t marked_ = 0;

  // Whether messages up to probe_end_ are overdue: only what the server has processed can be.
  uint64_t probe_ = 0, probe_end_ = 0;  // number of the PING; 0: none
  Deadline probe_answered_{};
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_PRODUCER_H_
