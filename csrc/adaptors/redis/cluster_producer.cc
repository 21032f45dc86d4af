// SPDX-License-Identifier: Apache-2.0
// The messages and their slots; cluster_nodes.cc has the nodes.
#include "adaptors/redis/cluster_producer.h"

#include <algorithm>
#include <iterator>

#include "adaptors/redis/errors.h"

namespace dsmsg::redis {
namespace {

// How much a slowly reading node can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
// A slot that moves sends its messages on at once, unless they are sent in a circle.
constexpr int kRoundsAtOnce = 2;

}  // namespace

ClusterProducer::ClusterProducer(const RedisSettings& settings, DriverHost& host)
    : settings_(settings), host_(host), commands_(settings, host.log()) {}

ClusterProducer::~ClusterProducer() { Close(); }

ClusterProducer::Lane& ClusterProducer::LaneOf(std::string_view topic) {
  if (last_lane_ != nullptr && last_topic_ == topic) return *last_lane_;
  const int slot = KeySlot(topic);
  last_topic_.assign(topic);
  last_lane_ = &lanes_.try_emplace(slot, slot, ++seed_).first->second;
  return *last_lane_;
}

Status ClusterProducer::Submit(const Message& message, Token token) {
  if (message.topic.empty()) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  Lane& lane = LaneOf(message.topic);
  Item item{token, message, ++last_number_};
  if (lane.waiting.empty() && lane.returned.empty()) {
    Node* const node = TargetOf(&item, lane);
    if (node != nullptr && Takes(*node)) {
      Send(*node, lane, std::move(item));
      return {};
    }
  }
  lane.waiting.push_back(std::move(item));
  List(lane);
  return {};
}

void ClusterProducer::List(Lane& lane) {
  if (lane.listed) return;
  lane.listed = true;
  backlog_.push_back(&lane);
}

ClusterProducer::Node* ClusterProducer::OwnerOf(const Lane& lane) {
  Node* const owner = owners_[static_cast<size_t>(lane.slot)];
  if (owner != nullptr && owner->open) return owner;
  map_wanted_ = true;
  if (settings_.command != RedisSettings::Command::kPublish) return nullptr;
  for (const auto& [name, node] : nodes_) {  // any node takes it
    if (node->open) return node.get();
  }
  return nullptr;
}

// null: it has to wait.
ClusterProducer::Node* ClusterProducer::TargetOf(Item* item, const Lane& lane) {
  if (item->ask != nullptr && !item->ask->open) {
    if (item->ask->opening.running()) return nullptr;
    item->ask = nullptr;
  }
  Node* const target = item->ask != nullptr ? item->ask : OwnerOf(lane);
  return lane.under_way > 0 && lane.at != target ? nullptr : target;
}

bool ClusterProducer::Takes(Node& node) {
  if (!node.open || !node.window.Takes(node.sent.size(), node.broken.ok())) return false;
  if (node.connection.out().size() < SendWindow::kFlushAt) return true;
  node.broken = node.connection.Flush();
  return node.broken.ok() && node.connection.out().size() < kMaxUnsent;
}

void ClusterProducer::Push(Node& node, Sent&& sent) {
  if (node.sent.empty()) node.connection.BeginExpecting();
  node.sent.push_back(std::move(sent));
}

void ClusterProducer::Send(Node& node, Lane& lane, Item&& item) {
  if (item.ask != nullptr) {
    node.connection.out().Command({"ASKING"});
    Push(node, {Kind::kAsking, nullptr, {}});
  }
  commands_.Append(item.message, node.connection.out());
  ++lane.under_way;
  lane.at = &node;
  Push(node, {Kind::kMessage, &lane, std::move(item)});
}

// `pause`: the server could not take it now; otherwise another server may at once.
void ClusterProducer::Return(Lane& lane, Item&& item, bool pause) {
  lane.returned.push_back(std::move(item));
  lane.pause = lane.pause || pause;
  List(lane);
}

// Whether the lane may send: what was returned is back in its place, before what waits. All that
// was under way is older than what waits, so it belongs to the front.
bool ClusterProducer::Resume(Lane& lane, Deadline now) {
  if (lane.returned.empty()) return true;
  if (lane.under_way > 0) return false;
  if (lane.not_before == Deadline{}) {
    const bool pause = lane.pause || ++lane.rounds > kRoundsAtOnce;
    lane.not_before = pause ? now + lane.backoff.Next() : now;
  }
  if (now < lane.not_before) return false;
  std::sort(lane.returned.begin(), lane.returned.end(),
            [](const Item& a, const Item& b) { return a.number < b.number; });
  lane.waiting.insert(lane.waiting.begin(), std::make_move_iterator(lane.returned.begin()),
                      std::make_move_iterator(lane.returned.end()));
  lane.returned.clear();
  lane.pause = false;
  lane.not_before = {};
  return true;
}

// Lanes take turns, so that one with much to send does not fill its node's window alone.
void ClusterProducer::Pump() {
  const Deadline now = Clock::now();
  for (bool more = true; more;) {
    more = false;
    for (size_t left = backlog_.size(); left-- > 0;) {
      Lane& lane = *backlog_.front();
      backlog_.pop_front();
      size_t burst = Resume(lane, now) ? SendWindow::kBurst : 0;
      while (burst > 0 && !lane.waiting.empty()) {
        Node* const node = TargetOf(&lane.waiting.front(), lane);
        if (node == nullptr || !Takes(*node)) break;
        Send(*node, lane, std::move(lane.waiting.front()));
        lane.waiting.pop_front();
        more = --burst == 0 || more;
      }
      lane.listed = !lane.waiting.empty() || !lane.returned.empty();
      if (lane.listed) backlog_.push_back(&lane);
    }
  }
}

Status ClusterProducer::AnswerMessage(Node& node, Sent&& sent, const Reply& reply) {
  Lane& lane = *sent.lane;
  --lane.under_way;
  node.answered = true;
  node.barren = 0;
  if (!reply.is(Reply::Type::kError)) {
    if (lane.rounds > 0) {
      lane.rounds = 0;
      lane.backoff.Reset();
    }
    host_.Complete(sent.item.token, Status());
    return {};
  }
  const std::string_view error = reply.text();
  if (const auto redirect = ReadRedirect(error, node.address)) {
    Follow(*redirect, &sent.item);
    Return(lane, std::move(sent.item), /*pause=*/false);
    return {};
  }
  sent.item.ask = nullptr;
  const Code code = ErrorReplyCode(error);
  std::string what = std::string(commands_.name()) + " to \"" +
                     std::string(sent.item.message.topic) + "\" was refused by " +
                     node.connection.name() + ": " + std::string(error) +
                     std::string(ErrorReplyAdvice(error));
  if (IsLoginLost(error)) {  // this message is not to blame
    Return(lane, std::move(sent.item), /*pause=*/false);
    return {Code::kAuth, std::move(what)};
  }
  Status status(code, std::move(what));
  if (status.retryable()) {
    host_.log().Limited(LogLevel::kWarn, CodeName(code),
                        "not accepted, will be sent again: " + status.message());
    map_wanted_ = true;
    Return(lane, std::move(sent.item), /*pause=*/true);
    return {};
  }
  host_.Complete(sent.item.token, status);
  // After a protocol error the server reads nothing more.
  const bool last = error.starts_with("ERR Protocol error");
  return last ? Status(Code::kUnavailable, status.message()) : Status();
}

Status ClusterProducer::Answer(Node& node, Sent&& sent, const Reply& reply) {
  const bool error = reply.is(Reply::Type::kError);
  switch (sent.kind) {
    case Kind::kMessage:
      return AnswerMessage(node, std::move(sent), reply);
    case Kind::kMap:
      map_asked_ = false;
      if (ClusterMap map = ClusterMap::Read(reply, node.address); !map.empty()) {
        said_by_ = node.connection.name();
        Adopt(map);
      }
      return {};
    case Kind::kPing:
      if (!error || !IsLoginLost(reply.text())) return {};
      return {Code::kAuth, "PING at " + node.connection.name() + ": " + std::string(reply.text())};
    case Kind::kAsking:
      break;  // if it was refused, the next command tells
  }
  return {};
}

Status ClusterProducer::ReadReplies(Node& node) {
  bool got = false;
  Status status = node.connection.Receive(&got);
  if (!status.ok() || !got) return status;
  Status fatal;
  for (;;) {
    bool have = false;
    status = node.connection.NextReply(&have);
    if (!status.ok()) return status;
    if (!have) return fatal;
    const Reply& reply = node.connection.reply();
    if (node.sent.empty()) {
      return {Code::kUnavailable,
              node.connection.name() +
                  " sent a reply that no command asked for: " + std::string(reply.text())};
    }
    Sent sent = std::move(node.sent.front());
    node.sent.pop_front();
    status = Answer(node, std::move(sent), reply);
    if (fatal.ok()) fatal = std::move(status);  // the replies after it are acknowledgements
  }
}

}  // namespace dsmsg::redis
