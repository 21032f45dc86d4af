// SPDX-License-Identifier: Apache-2.0
// Sends messages to a Redis Cluster: each to the master of its topic's slot, over one pipelined
// connection for each master.
//
// What is sent or waits for a node is in flight for the core, which bounds it (half of its queue).
// A node that is away therefore holds up its own slots only, until as much waits for it. Messages
// of a slot keep their order: once one of them has to be sent again (the slot moved, the node was
// lost or could not take it), nothing of that slot is sent until all that is on its way is
// answered; then they go out again in the order of submission. Nor does a message go to another
// node before that.
//
// The core's rules apply where they can: a message that is refused ends, and if no node can be
// reached, or one ends connections without answering, the link as a whole is lost.
//
// Threads: the connection's I/O thread only; connections are opened on threads of their own
// (Background). Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_CLUSTER_PRODUCER_H_
#define DSMSG_ADAPTORS_REDIS_CLUSTER_PRODUCER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adaptors/redis/cluster_map.h"
#include "adaptors/redis/commands.h"
#include "adaptors/redis/connection.h"
#include "adaptors/redis/settings.h"
#include "core/base/background.h"
#include "core/base/backoff.h"
#include "core/base/fd.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::redis {

class ClusterProducer {
 public:
  ClusterProducer(const RedisSettings& settings, DriverHost& host);
  ~ClusterProducer();

  /// Connects to all masters of the map that `said_by` gave. Ok if one is reached: the others are
  /// tried again later.
  Status Open(const ClusterMap& map, const std::string& said_by, Deadline deadline, int cancel_fd);
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);
  void Close() noexcept;

 private:
  struct Node;
  struct Item {
    Token token = 0;
    Message message;
    uint64_t number = 0;  // in the order of submission
    Node* ask = nullptr;  // goes there, behind ASKING
  };
  /// The messages of a slot.
  struct Lane {
    explicit Lane(int which, uint64_t seed)
        : slot(which), backoff(Millis(50), Millis(1000), seed) {}
    const int slot;
    std::deque<Item> waiting;
    std::vector<Item> returned;  // to be sent again, before those that wait
    size_t under_way = 0;
    const Node* at = nullptr;  // the node that has those; never two at a time
    bool listed = false;       // in backlog_
    int rounds = 0;            // how often its messages were sent again since one was acknowledged
    bool pause = false;        // before the next round
    Backoff backoff;
    Deadline not_before{};  // the next round; 0: not decided
  };
  enum class Kind { kMessage, kAsking, kPing, kMap };
  /// A command without an answer.
  struct Sent {
    Kind kind;
    Lane* lane = nullptr;
    Item item;
  };
  struct Node {
    Node(HostPort where, const RedisSettings& settings, Logger& log, WakeFd& ended, uint64_t seed);
    const HostPort address;
    RedisConnection connection;
    Background opening;
    std::deque<Sent> sent;
    SendWindow window;
    Backoff backoff;
    Deadline retry_at{};
    bool open = false;
    bool wanted = false;    // it is a master, or something is to go there
    bool answered = false;  // since it was opened
    int barren = 0;         // connections in a row that ended without an answer to a message
    Status broken;          // a write in Submit failed; Poll deals with it
    Status problem;         // why it is not open
  };

  Node& NodeAt(const HostPort& address);
  void Adopt(const ClusterMap& map);
  Lane& LaneOf(std::string_view topic);
  Node* TargetOf(Item* item, const Lane& lane);
  Node* OwnerOf(const Lane& lane);
  bool Takes(Node& node);
  void Send(Node& node, Lane& lane, Item&& item);
  void List(Lane& lane);
  void Return(Lane& lane, Item&& item, bool pause);
  bool Resume(Lane& lane, Deadline now);
  void Pump();
  void Push(Node& node, Sent&& sent);

  void StartOpening(Node& node, Deadline deadline);
  void TakeOpenings(bool tell);
  void TellAway(const Node& node);
  void TendNodes(Deadline now);
  void AskForMap(Deadline now);
  void Lose(Node& node, const Status& reason);
  void Flush();
  Status ReadReplies(Node& node);
  Status Answer(Node& node, Sent&& sent, const Reply& reply);
  Status AnswerMessage(Node& node, Sent&& sent, const Reply& reply);
  void Follow(const Redirect& redirect, Item* item);
  void AwaitNodes(Millis budget, int wake_fd);
  size_t CountOpen() const;
  size_t CountOpenings() const;
  Deadline NextWork() const;
  Status Problems() const;

  const RedisSettings& settings_;
  DriverHost& host_;
  Commands commands_;
  WakeFd opened_;  // a Background has ended
  std::string said_by_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;  // by name; they stay until Close
  std::vector<Node*> owners_ = std::vector<Node*>(kSlots, nullptr);
  std::unordered_map<int, Lane> lanes_;  // by slot; references stay valid
  std::string last_topic_;
  Lane* last_lane_ = nullptr;  // of that topic
  std::deque<Lane*> backlog_;  // lanes whose messages wait
  uint64_t last_number_ = 0, seed_ = 0;
  bool map_wanted_ = false, map_asked_ = false;
  Deadline map_at_{};         // not before
  size_t map_questions_ = 0;  // so far
  Status fatal_;              // the link as a whole is lost
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CLUSTER_PRODUCER_H_
