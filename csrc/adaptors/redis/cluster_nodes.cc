// SPDX-License-Identifier: Apache-2.0
// ClusterProducer's nodes: opening, losing and waiting for them, and the map of the cluster.
#include <poll.h>

#include <algorithm>
#include <functional>

#include "adaptors/redis/cluster_producer.h"
#include "adaptors/redis/errors.h"

namespace dsmsg::redis {
namespace {

constexpr size_t kMostOpenings = 8;  // at a time
constexpr Millis kLookAround{1000};
constexpr Millis kMapPause{300};  // between two questions for the map
constexpr size_t kMostProblems = 3;

}  // namespace

ClusterProducer::Node::Node(HostPort where, const RedisSettings& settings, Logger& log,
                            WakeFd& ended, uint64_t seed)
    : address(std::move(where)),
      connection(settings, log),
      opening(ended),
      backoff(settings.reconnect_interval, std::min(settings.reconnect_max_interval, Millis(4000)),
              seed) {}

ClusterProducer::Node& ClusterProducer::NodeAt(const HostPort& address) {
  std::unique_ptr<Node>& node = nodes_[address.ToString()];
  if (node == nullptr) {
    const uint64_t seed = static_cast<uint64_t>(Clock::now().time_since_epoch().count()) + ++seed_;
    node = std::make_unique<Node>(address, settings_, host_.log(), opened_, seed);
  }
  return *node;
}

void ClusterProducer::Adopt(const ClusterMap& map) {
  for (const auto& [name, node] : nodes_) node->wanted = false;
  for (const HostPort& master : map.masters()) NodeAt(master).wanted = true;
  const HostPort* last = nullptr;
  Node* node = nullptr;
  for (int slot = 0; slot < kSlots; ++slot) {
    const HostPort* const owner = map.OwnerOf(slot);
    if (owner != last) node = owner == nullptr ? nullptr : &NodeAt(*owner);
    last = owner;
    owners_[static_cast<size_t>(slot)] = node;
  }
}

void ClusterProducer::Follow(const Redirect& redirect, Item* item) {
  Node& node = NodeAt(redirect.node);
  node.wanted = true;
  item->ask = redirect.ask ? &node : nullptr;
  if (!redirect.ask) {
    owners_[static_cast<size_t>(redirect.slot)] = &node;
    map_wanted_ = true;
  }
  const Deadline now = Clock::now();
  if (!node.open && !node.opening.running() && now >= node.retry_at) {
    StartOpening(node, now + settings_.connect_timeout);
  }
}

void ClusterProducer::StartOpening(Node& node, Deadline deadline) {
  node.opening.Start([&node, deadline](int cancel_fd) {
    return node.connection.OpenAt(node.address, deadline, cancel_fd);
  });
}

void ClusterProducer::TakeOpenings(bool tell) {
  opened_.Drain();
  for (const auto& [name, node] : nodes_) {
    Status status;
    if (!node->opening.Take(&status)) continue;
    node->open = status.ok();
    node->problem = status;
    if (status.ok()) {
      node->answered = false;
      node->broken = {};
      node->window.Reset(settings_.pipeline);
      host_.log().Info("connected to the cluster's node " + name);
      continue;
    }
    node->retry_at = Clock::now() + node->backoff.Next() +
                     (status.permanent() ? settings_.reconnect_max_interval / 2 : Millis(0));
    map_wanted_ = true;
    if (tell) TellAway(*node);
  }
}

void ClusterProducer::TellAway(const Node& node) {
  host_.log().Limited(LogLevel::kWarn, "node " + node.address.ToString(),
                      "a node of the cluster is away, and what is for it waits: " +
                          node.problem.message() + AnnouncedBy(said_by_, node.problem));
}

Status ClusterProducer::Open(const ClusterMap& map, const std::string& said_by, Deadline deadline,
                             int cancel_fd) {
  Close();
  said_by_ = said_by;
  Adopt(map);
  const Deadline begun = Clock::now();
  const Deadline half = begun + (deadline - begun) / 2;
  const Deadline node_deadline = begun + (deadline - begun) * 3 / 4;
  for (;;) {
    TakeOpenings(/*tell=*/false);
    size_t running = CountOpenings();
    for (const auto& [name, node] : nodes_) {
      const bool untried = !node->open && node->problem.ok() && !node->opening.running();
      if (!untried || running >= kMostOpenings) continue;
      StartOpening(*node, node_deadline);
      ++running;
    }
    const Deadline now = Clock::now();
    if (running == 0 || now >= deadline || (now >= half && CountOpen() > 0)) break;
    pollfd fds[2] = {{opened_.fd(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    poll(fds, 2, PollTimeout(now < half ? half : deadline));
    if (fds[1].revents != 0) {
      Close();
      return {Code::kCancelled, "connecting to the nodes of the cluster was cancelled"};
    }
  }
  if (CountOpen() == 0) return Problems();
  for (const auto& [name, node] : nodes_) {
    if (!node->problem.ok()) TellAway(*node);
  }
  return {};
}

void ClusterProducer::Close() noexcept {
  nodes_.clear();  // ends what is being opened
  std::fill(owners_.begin(), owners_.end(), nullptr);
  backlog_.clear();
  lanes_.clear();
  last_lane_ = nullptr;
  map_wanted_ = map_asked_ = false;
  map_at_ = {};
  fatal_ = {};
}

size_t ClusterProducer::CountOpen() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(),
                                           [](const auto& each) { return each.second->open; }));
}

size_t ClusterProducer::CountOpenings() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& each) {
    return each.second->opening.running();
  }));
}

Status ClusterProducer::Problems() const {
  Code code = Code::kUnavailable;
  std::string text;
  size_t told = 0, more = 0;
  for (const auto& [name, node] : nodes_) {
    if (node->problem.ok()) continue;
    if (told == 0 || node->problem.retryable()) code = node->problem.code();
    if (told == kMostProblems) {
      ++more;
      continue;
    }
    text += (told++ == 0 ? "" : "; ") + node->problem.message();
  }
  if (more > 0) text += "; and " + std::to_string(more) + " more";
  if (told == 0) text = "none has answered in time";
  return {code, "no master of the Redis Cluster can be reached: " + text +
                    AnnouncedBy(said_by_, Status(code, {}))};
}

// Its messages have an unknown fate and are sent again, to whoever has their slots then.
void ClusterProducer::Lose(Node& node, const Status& reason) {
  bool messages = false;
  for (Sent& sent : node.sent) {
    if (sent.kind == Kind::kMap) map_asked_ = false;
    if (sent.kind != Kind::kMessage) continue;
    messages = true;
    --sent.lane->under_way;
    sent.item.ask = nullptr;
    Return(*sent.lane, std::move(sent.item), /*pause=*/false);
  }
  node.sent.clear();
  node.connection.Close();
  node.open = false;
  node.broken = {};
  node.problem = reason;
  node.retry_at = Clock::now() + node.backoff.Next();
  map_wanted_ = true;
  host_.log().Limited(
      LogLevel::kWarn, "lost " + node.connection.name(),
      "a node of the cluster is away, and what is for it waits: " + reason.message());
  if (!messages || node.answered) return;
  // A server that accepts connections and ends them over what is sent: the core finds the message.
  if (++node.barren >= 2) fatal_ = reason;
}

void ClusterProducer::AskForMap(Deadline now) {
  if (!map_wanted_ || map_asked_ || now < map_at_) return;
  // Another node each time: one may know less than the others.
  const size_t open = CountOpen();
  if (open == 0) return;
  size_t skip = map_questions_++ % open;
  for (const auto& [name, node] : nodes_) {
    if (!node->open || skip-- > 0) continue;
    node->connection.out().Command({"CLUSTER", "SLOTS"});
    Push(*node, {Kind::kMap, nullptr, {}});
    break;
  }
  map_wanted_ = false;
  map_asked_ = true;
  map_at_ = now + kMapPause;
}

void ClusterProducer::TendNodes(Deadline now) {
  size_t running = CountOpenings();
  for (const auto& [name, node] : nodes_) {
    if (node->open) {
      if (node->answered) node->backoff.Reset();
      if (!node->sent.empty()) continue;
      if (!node->wanted) {
        node->connection.Close();
        node->open = false;
      } else if (node->connection.PingDue()) {
        node->connection.out().Command({"PING"});
        Push(*node, {Kind::kPing, nullptr, {}});
      }
    } else if (node->wanted && !node->opening.running() && now >= node->retry_at &&
               running < kMostOpenings) {
      StartOpening(*node, now + settings_.connect_timeout);
      ++running;
    }
  }
}

void ClusterProducer::Flush() {
  for (const auto& [name, node] : nodes_) {
    if (!node->open) continue;
    Status status = node->broken;
    if (status.ok() && node->connection.out().size() > 0) status = node->connection.Flush();
    if (!status.ok()) Lose(*node, status);
  }
}

Deadline ClusterProducer::NextWork() const {
  Deadline next = map_wanted_ && !map_asked_ ? map_at_ : Deadline::max();
  if (CountOpenings() < kMostOpenings) {
    for (const auto& [name, node] : nodes_) {
      const bool due = node->wanted && !node->open && !node->opening.running();
      if (due) next = std::min(next, node->retry_at);
    }
  }
  for (const Lane* lane : backlog_) {
    if (!lane->returned.empty() && lane->under_way == 0) next = std::min(next, lane->not_before);
  }
  return next;
}

// Waits for the nodes, and reads what they answered.
void ClusterProducer::AwaitNodes(Millis budget, int wake_fd) {
  constexpr unsigned kWant = RedisConnection::kReadable | RedisConnection::kWritable;
  std::vector<pollfd> fds = {{wake_fd, POLLIN, 0}, {opened_.fd(), POLLIN, 0}};
  std::vector<Node*> open;
  budget = std::min(budget, Millis(PollTimeout(NextWork())));
  for (const auto& [name, node] : nodes_) {
    if (!node->open) continue;
    fds.push_back(node->connection.WaitsFor(kWant));
    open.push_back(node.get());
    if (node->connection.buffered()) budget = Millis(0);
    if (!node->sent.empty()) budget = std::min(budget, kLookAround);
  }
  poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(budget.count(), 0, 60'000)));
  for (size_t n = 0; n < open.size(); ++n) {
    Node& node = *open[n];
    const unsigned found = node.connection.Found(fds[n + 2], kWant);
    Status status;
    if ((found & RedisConnection::kReadable) != 0 || node.connection.buffered()) {
      status = ReadReplies(node);
      (void)node.window.Reopens(node.sent.size());
    } else if (!node.sent.empty()) {
      status = node.connection.CheckSilence();
    }
    if (!status.ok()) Lose(node, status);
  }
}

Status ClusterProducer::Poll(Millis budget, int wake_fd) {
  TakeOpenings(/*tell=*/true);
  const Deadline now = Clock::now();
  TendNodes(now);
  Pump();
  AskForMap(now);
  Flush();
  if (CountOpen() > 0) {
    AwaitNodes(budget, wake_fd);
    Pump();
    Flush();
  }
  if (!fatal_.ok()) return fatal_;
  return CountOpen() > 0 ? Status() : Problems();
}

}  // namespace dsmsg::redis
