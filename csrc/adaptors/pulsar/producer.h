// SPDX-License-Identifier: Apache-2.0
// Sends messages in batches, each under a sequence number that stays the same on every try: a
// namespace with deduplication then stores none twice. The broker compares the first number of a
// batch only, so a repeated message is sent alone, never in a batch of another cut.
//
// Threads: the link's I/O thread only. Settings, brokers and host outlive it.
#ifndef DSMSG_ADAPTORS_PULSAR_PRODUCER_H_
#define DSMSG_ADAPTORS_PULSAR_PRODUCER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adaptors/pulsar/brokers.h"
#include "adaptors/pulsar/lookup.h"
#include "adaptors/pulsar/settings.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::pulsar {

class PulsarProducer {
 public:
  PulsarProducer(const PulsarSettings& settings, Brokers& brokers, DriverHost& host)
      : settings_(settings), brokers_(brokers), host_(host), lookup_(settings, brokers) {}

  /// Call it after the link was opened or closed: nothing is under way then. Tokens not completed
  /// stay with the core; their sequence numbers are remembered.
  void Reset();
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);

 private:
  enum class State { kUnknown, kAsked, kReady };

  /// A frame under way: sequence numbers `first` and up, one for each token.
  struct Group {
    uint64_t first = 0;
    std::vector<Token> tokens;
    bool repeated = false;
    Deadline sent_at{};
  };
  struct Waiting {
    Message message;
    Token token;
  };
  struct Topic;
  /// A producer of the broker: of a topic, or of one of its partitions.
  struct Partition {
    Topic* topic = nullptr;
    uint32_t index = 0;
    std::string name;
    State state = State::kUnknown;
    Status problem;       // the last attempt's, until one succeeds
    Deadline ask_at{};    // not before
    Deadline asked_at{};  // kAsked
    PulsarConnection* connection = nullptr;
    uint64_t id = 0;            // on this link
    std::string producer_name;  // the same on every link
    uint64_t epoch = 0, next = 0;
    bool sent = false;  // something, on this link: then all numbers below `next` are too old
    uint64_t last_sent = 0;
    std::deque<Group> under_way;
    // The broker has closed the producer, and tells until then what it had stored before.
    Deadline closing{};
    std::vector<Waiting> batch;  // not yet in a frame
    size_t batch_bytes = 0;
  };
  struct Topic {
    std::string name;
    State state = State::kUnknown;
    Status problem;
    Deadline ask_at{}, asked_at{};
    uint32_t partitions = 0;  // at least 1 when kReady
    uint32_t turn = 0;        // partition of the next message without a key
    std::vector<std::unique_ptr<Partition>> made;
  };
  struct Repeat {
    Partition* partition;
    uint64_t sequence;
  };

  // producer_topics.cc
  Result<Topic*> FindTopic(std::string_view topic);
  void AskTopic(Topic* topic);
  Status Choose(Topic* topic, const Message& message, const Repeat* repeat, Partition** found);
  Status MakeReady(Partition* partition);
  void CreateProducer(Partition* partition);
  template <class Asked>
  void Refuse(Asked* asked, const Status& why);
  template <class Asked>
  Status NotReady(Asked* asked) const;
  Status TakeClosed(const Command& command);
  void GiveUpBatch(Partition* partition);
  Status EndClosed();

  Status CheckMessage(const Message& message, const Partition& partition) const;
  void Seal(Partition* partition);
  void SealAll();
  void SendFrame(Partition* partition, const Message* single, std::string_view payload,
                 Group group);
  Status Take(const Command& command);
  Status TakeReceipt(const Command& command);
  Status TakeError(const Command& command);
  Partition* Find(uint64_t id) const;
  Status CheckOverdue() const;

  const PulsarSettings& settings_;
  Brokers& brokers_;
  DriverHost& host_;
  const Lookup lookup_;

  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;  // by full name
  std::string last_name_;                                              // as given
  Topic* last_topic_ = nullptr;
  std::unordered_map<uint64_t, Partition*> producers_;  // by id
  uint64_t last_id_ = 0;
  std::unordered_map<Token, Repeat> repeats_;  // sent on an earlier link, outcome unknown
  std::vector<Partition*> filling_;            // with a batch
  size_t under_way_ = 0;                       // messages
  SendWindow window_;
  bool answered_ = false;  // a topic or producer is ready, or refused
  Status broken_;          // a write in Submit failed; Poll reports it
  std::string metadata_, payload_;
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_PRODUCER_H_
