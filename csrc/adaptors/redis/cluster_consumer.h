// SPDX-License-Identifier: Apache-2.0
// Receives from a Redis Cluster. A command may only name keys of one slot, and one that waits for
// messages occupies its connection; so the topics of each slot are read over a connection of their
// own, to the slot's master ("part"). Pub/Sub channels are the same on all nodes: one part.
//
// A part that loses its node, or whose slot moves, is opened again by itself, after a pause, while
// the others go on (a stream or list that is alone in its slot is read at the new node as soon as
// it is there); what the core has not acknowledged yet stays valid meanwhile. The link as a whole
// is lost when a part finds no node of the cluster any more.
//
// Threads: the connection's I/O thread only; parts are opened on threads of their own (Background).
// Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_CLUSTER_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_CLUSTER_CONSUMER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adaptors/redis/connection.h"
#include "adaptors/redis/consumer.h"
#include "adaptors/redis/settings.h"
#include "core/base/background.h"
#include "core/base/backoff.h"
#include "core/base/fd.h"
#include "core/driver/driver.h"

namespace dsmsg::redis {

class ClusterConsumer {
 public:
  ClusterConsumer(const RedisSettings& settings, DriverHost& host)
      : settings_(settings), host_(host) {}
  ~ClusterConsumer() { Close(Deadline{}, -1); }

  /// A new link. `nodes`: where to look for the owners of slots.
  void Open(std::vector<HostPort> nodes);
  /// See Driver::Subscribe.
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  Status Poll(Millis budget, int wake_fd);
  void Ack(AckToken token) noexcept;
  void Release(AckToken token, InMessage&& message) noexcept;
  /// Sends the acknowledgements that are due, until `drain`.
  void Close(Deadline drain, int cancel_fd) noexcept;

 private:
  using Topics = std::vector<std::string>;
  using Slots = std::map<int, Topics>;

  /// Gives a part's names of messages the part's number.
  class PartHost final : public DriverHost {
   public:
    PartHost(DriverHost& host, uint64_t number) : host_(host), number_(number) {}
    void Complete(Token, const Status&) noexcept override {}
    Status Deliver(InMessage&& message, AckToken token) noexcept override {
      return host_.Deliver(std::move(message), (number_ << kNumberShift) | token);
    }
    void LinkUp() noexcept override {}
    void LinkDown(const Status&) noexcept override {}
    Logger& log() noexcept override { return host_.log(); }

   private:
    DriverHost& host_;
    const uint64_t number_;
  };

  struct Part {
    Part(int slot, uint64_t number, const RedisSettings& settings, DriverHost& host, WakeFd& ended);
    const int slot;  // or RedisConnection::kAnySlot
    const uint64_t number;
    PartHost host;
    RedisConnection connection;
    std::unique_ptr<RedisConsumer> consumer;
    const bool follows_asks;  // its commands name one key for each topic
    Background work;
    Backoff backoff;
    Deadline retry_at{}, opened_at{};
    Topics topics;  // in force
    bool open = false;
    // For `consumer`, while `work` has it.
    std::vector<AckToken> acks;
    std::vector<std::pair<AckToken, InMessage>> releases;
  };
  using Parts = std::map<int, std::unique_ptr<Part>>;

  Slots BySlot(std::span<const std::string> topics) const;
  Part& PartOf(int slot);
  Part* Find(AckToken token);
  static void Change(Part& part, const Topics& topics, Deadline deadline);
  Status ChangeAll(const Slots& wanted, Deadline deadline, int cancel_fd);
  void Stop(Part& part);
  static std::string NameOf(const Part& part);
  static Status OpenPart(Part& part, const Topics& topics, Deadline deadline, int cancel_fd);
  void TakeBack(Part& part);
  void Lose(Part& part, const Status& reason);
  Status TakeWork();
  void TendParts(Deadline now);
  void AwaitParts(Millis budget, int wake_fd);

  static constexpr int kNumberShift = 40;
  static constexpr AckToken kTokenMask = (AckToken{1} << kNumberShift) - 1;

  const RedisSettings& settings_;
  DriverHost& host_;
  WakeFd ended_;  // a Background has ended
  std::vector<HostPort> nodes_;
  Parts parts_;  // by slot
  uint64_t last_number_ = 0;
  Deadline looked_at_{};
  Status broken_;  // Subscribe could not restore the previous topics; Poll reports it
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CLUSTER_CONSUMER_H_
