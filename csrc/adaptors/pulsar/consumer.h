// SPDX-License-Identifier: Apache-2.0
// Receives through subscriptions, at least once: a message is acknowledged after its callback, a
// batch after those of all its messages, or in part at the end. The broker sends ahead only what it
// was permitted to.
//
// Threads: the link's I/O thread only. Settings, brokers and host outlive it.
#ifndef DSMSG_ADAPTORS_PULSAR_CONSUMER_H_
#define DSMSG_ADAPTORS_PULSAR_CONSUMER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adaptors/pulsar/brokers.h"
#include "adaptors/pulsar/chunks.h"
#include "adaptors/pulsar/lookup.h"
#include "adaptors/pulsar/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::pulsar {

class PulsarConsumer {
 public:
  PulsarConsumer(const PulsarSettings& settings, Brokers& brokers, DriverHost& host);

  /// Replaces the topics (driver.h).
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  Status Poll(Millis budget, int wake_fd);
  void Ack(AckToken token) noexcept;
  /// Its consumer was closed, so the broker gives it to another one.
  void Release(AckToken token) noexcept { held_.erase(token); }
  /// Acknowledges what is due and closes the consumers.
  void Drain(Deadline deadline, int cancel_fd) noexcept;
  /// The link was opened or closed.
  void Reset();

 private:
  /// A consumer of the broker: of a topic, or of one of its partitions.
  struct Source {
    std::string topic;  // as given
    std::string name;
    int32_t partition = -1;
    PulsarConnection* connection = nullptr;
    uint32_t spent = 0;  // permits of messages that the core has taken
    std::vector<MessageId> acks;
  };
  using Sources = std::map<uint64_t, Source>;  // by id
  /// What the broker wants acknowledged at once: a message or a batch.
  struct Entry {
    uint64_t source;
    MessageId id;
    size_t left = 1;                // messages without a returned callback
    std::vector<MessageId> before;  // of a message in chunks: the others
    uint32_t size = 1;              // messages in the batch
    std::vector<uint64_t> open;     // of a batch, bits: not acknowledged
    bool touched = false;           // the callback of one has returned
  };
  struct Place {
    std::shared_ptr<Entry> entry;
    uint32_t index = 0;  // in the batch
  };
  /// A message that waits for room in the core.
  struct Pending {
    InMessage message;
    Place place;
    uint64_t source;
  };
  /// What becomes of the topics that are to be joined.
  struct Joining {
    Sources sources;
    size_t open = 0;  // questions without an answer
    Status problem;
  };

  void Join(const std::string& topic, Joining* joining);
  void JoinSource(Source source, Joining* joining);
  void AskSubscription(uint64_t id, Source* source, Joining* joining);
  void Leave(uint64_t id, const Source& source);
  void Forget(const Sources& sources);
  Status Take(const Command& command);
  void TakeMessage(const Command& command, uint64_t id, Source* source);
  /// Joins chunks and undoes compression. Whether *payload is whole.
  bool Unpack(const Command& command, const Metadata& metadata, uint64_t id, std::string* payload,
              std::vector<MessageId>* before);
  void AddBatch(const Command& command, const Metadata& frame, std::string_view payload,
                const InMessage& common, const std::shared_ptr<Entry>& entry);
  void Keep(InMessage message, const Metadata& metadata, Place place, uint64_t source);
  void AckParts();
  void Unreadable(uint64_t source, uint32_t messages, const std::string& why);
  bool DeliverPending();
  void Spend(uint64_t source);
  void SendAcks();

  const PulsarSettings& settings_;
  Brokers& brokers_;
  DriverHost& host_;
  const Lookup lookup_;
  const std::string own_name_;  // of a subscription that the broker does not keep

  Sources sources_;
  ChunkJoiner chunks_;
  uint64_t last_id_ = 0;
  std::deque<Pending> pending_;
  size_t pending_bytes_ = 0;
  std::map<AckToken, Place> held_;  // with the core
  AckToken last_token_ = 0;
  std::map<std::string, MessageId> reached_;  // without a subscription: the last that the core took
  Status broken_;                             // Subscribe lost the link; Poll reports it
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_CONSUMER_H_
