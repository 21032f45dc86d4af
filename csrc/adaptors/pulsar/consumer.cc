// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/consumer.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "adaptors/pulsar/codec.h"
#include "adaptors/pulsar/errors.h"
#include "adaptors/pulsar/topic.h"
#include "core/base/encoding.h"

namespace dsmsg::pulsar {
namespace {

constexpr Millis kLookAround{500};
// More is not read from the socket.
constexpr size_t kMostPendingBytes = size_t{64} << 20;

std::string RandomName() {
  std::array<char, 8> bytes{};
  for (size_t filled = 0; filled < bytes.size();) {
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return "dsmsg-" + ToHex({bytes.data(), bytes.size()});
}

Status CannotSubscribe(const std::string& topic, const std::string& at, const Status& why) {
  return {why.code(), "cannot subscribe to \"" + topic + "\" at " + at + ": " + why.message()};
}

}  // namespace

PulsarConsumer::PulsarConsumer(const PulsarSettings& settings, Brokers& brokers, DriverHost& host)
    : settings_(settings),
      brokers_(brokers),
      host_(host),
      lookup_(settings, brokers),
      own_name_(RandomName()) {}

void PulsarConsumer::Reset() {
  sources_.clear();
  pending_.clear();
  pending_bytes_ = 0;
  chunks_.Clear();
  held_.clear();
  broken_ = Status();
}

Status PulsarConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                                 int cancel_fd) {
  if (!broken_.ok()) return broken_;
  const std::set<std::string> wanted(topics.begin(), topics.end());
  std::set<std::string> known;
  for (const auto& [id, source] : sources_) known.insert(source.topic);
  for (const std::string& topic : wanted) {
    const Result<std::string> name = FullName(topic, settings_.name_space);
    if (!name.ok()) return name.status();
  }
  Joining joining;
  for (const std::string& topic : wanted) {
    if (!known.contains(topic)) Join(topic, &joining);
  }
  Status status = brokers_.Pump(
      deadline, cancel_fd, "subscribe", [&] { return joining.open == 0; },
      [this](const Command& command) { return Take(command); });
  if (!status.ok()) {  // answers to `joining` may still come, so the link ends
    brokers_.Close();
    broken_ = status;
    return status;
  }
  if (!joining.problem.ok()) {
    for (const auto& [id, source] : joining.sources) Leave(id, source);
    if (joining.problem.retryable()) broken_ = joining.problem;
    return joining.problem;
  }
  Sources given_up;
  for (auto each = sources_.begin(); each != sources_.end();) {
    const auto next = std::next(each);
    if (!wanted.contains(each->second.topic)) given_up.insert(sources_.extract(each));
    each = next;
  }
  for (const auto& [id, source] : given_up) Leave(id, source);
  Forget(given_up);
  for (const auto& [id, source] : joining.sources) {
    AppendFlow(id, settings_.receiver_queue, &source.connection->out());
  }
  sources_.merge(joining.sources);
  return {};
}

void PulsarConsumer::Join(const std::string& topic, Joining* joining) {
  Source source;
  source.topic = topic;
  source.name = FullName(topic, settings_.name_space).value();
  ++joining->open;
  lookup_.Partitions(source.name, [this, source, joining](const Status& status, uint32_t count) {
    --joining->open;
    if (!status.ok()) {
      joining->problem = CannotSubscribe(source.topic, brokers_.service().name(), status);
    } else if (count == 0) {
      JoinSource(source, joining);
    }
    for (uint32_t index = 0; status.ok() && index < count; ++index) {
      Source part = source;
      part.name = Lookup::PartitionName(source.name, index);
      part.partition = static_cast<int32_t>(index);
      JoinSource(std::move(part), joining);
    }
  });
}

void PulsarConsumer::JoinSource(Source source, Joining* joining) {
  ++joining->open;
  const std::string name = source.name;
  const auto found = [this, source = std::move(source), joining](const Status& status,
                                                                 PulsarConnection* connection) {
    --joining->open;
    if (!status.ok()) {
      joining->problem = CannotSubscribe(source.topic, brokers_.service().name(), status);
      return;
    }
    Source joined = source;
    joined.connection = connection;
    const uint64_t id = ++last_id_;
    AskSubscription(id, &joining->sources.emplace(id, std::move(joined)).first->second, joining);
  };
  lookup_.Broker(name, found);
}

void PulsarConsumer::AskSubscription(uint64_t id, Source* source, Joining* joining) {
  ++joining->open;
  const auto take = [this, source, joining, id](const Status& status, const Command&) {
    --joining->open;
    if (status.ok()) return;
    if (status.code() == Code::kTimeout) Leave(id, *source);  // it may be made yet
    joining->problem = CannotSubscribe(source->topic, source->connection->name(), status);
    joining->sources.erase(id);
  };
  SubscribeRequest request;
  request.topic = source->name;
  request.subscription = settings_.subscription.empty() ? own_name_ : settings_.subscription;
  request.consumer_name = settings_.consumer_name;
  request.type = settings_.subscription.empty() ? 0 : settings_.subscription_type;
  request.id = id;
  request.request = brokers_.Ask(take);
  request.durable = !settings_.subscription.empty();
  request.earliest = settings_.earliest;
  const auto reached = reached_.find(source->name);
  if (!request.durable && reached != reached_.end()) request.after = &reached->second;
  AppendSubscribe(request, &source->connection->out());
}

// What it has not acknowledged goes to another consumer of the subscription, or waits for one.
void PulsarConsumer::Leave(uint64_t id, const Source& source) {
  if (!source.acks.empty()) AppendAck(id, source.acks, &source.connection->out());
  AppendClose(Type::kCloseConsumer, id, brokers_.Ask({}), &source.connection->out());
}

void PulsarConsumer::Forget(const Sources& sources) {
  std::erase_if(pending_, [&](const Pending& each) {
    if (!sources.contains(each.source)) return false;
    pending_bytes_ -= each.message.Size();
    return true;
  });
  for (const auto& [id, source] : sources) {
    chunks_.Forget(id);
    reached_.erase(source.name);
  }
}

Status PulsarConsumer::Take(const Command& command) {
  const auto found = sources_.find(command.id);
  if (found == sources_.end()) return {};
  Source& source = found->second;
  if (command.type == Type::kMessage) TakeMessage(command, command.id, &source);
  if (command.type == Type::kCloseConsumer) {
    return {Code::kUnavailable, source.name + ": " + source.connection->name() +
                                    " has closed the consumer (does the topic move to another "
                                    "broker?)"};
  }
  return {};
}

// It is not acknowledged, and its permits go back.
void PulsarConsumer::Unreadable(uint64_t id, uint32_t messages, const std::string& why) {
  const std::string& name = sources_.at(id).name;
  host_.log().Limited(LogLevel::kWarn, "unreadable:" + name,
                      "a message of " + name + " is not delivered and not acknowledged: " + why);
  for (uint32_t i = 0; i < messages; ++i) Spend(id);
}

bool PulsarConsumer::Unpack(const Command& command, const Metadata& metadata, uint64_t id,
                            std::string* payload, std::vector<MessageId>* before) {
  std::string_view bytes = command.payload;
  ChunkJoiner::Joined joined;
  if (metadata.chunks > 1) {
    std::string problem;
    switch (chunks_.Add(id, metadata, command.message, bytes, &joined, &problem)) {
      case ChunkJoiner::Outcome::kMore:
        Spend(id);
        return false;
      case ChunkJoiner::Outcome::kBroken:
        Unreadable(id, 1, problem);
        return false;
      case ChunkJoiner::Outcome::kWhole:
        break;
    }
    bytes = joined.payload;
    *before = std::move(joined.ids);
  }
  if (metadata.compression == 0) {
    *payload = bytes;
    return true;
  }
  Result<std::string> plain = Decompress(metadata.compression, bytes, metadata.uncompressed_size);
  if (!plain.ok()) {
    Unreadable(id, metadata.count, plain.status().message());
    return false;
  }
  *payload = std::move(plain.value());
  return true;
}

void PulsarConsumer::TakeMessage(const Command& command, uint64_t id, Source* source) {
  Metadata metadata;
  if (!ReadMetadata(command.metadata, &metadata)) {
    return Unreadable(id, 1, "its metadata is no protobuf message");
  }
  if (metadata.encrypted) return Unreadable(id, metadata.count, "it is encrypted");
  if (const auto reached = reached_.find(source->name);
      reached != reached_.end() && command.message <= reached->second) {
    for (uint32_t i = 0; i < metadata.count; ++i) Spend(id);  // the broker begins with it
    return;
  }
  const auto entry = std::make_shared<Entry>();
  entry->source = id;
  entry->id = command.message;
  InMessage message;
  if (!Unpack(command, metadata, id, &message.payload, &entry->before)) return;
  message.topic = source->topic;
  message.partition = source->partition;
  message.redelivered = command.redeliveries > 0;
  message.timestamp_type = DSMSG_TIMESTAMP_CREATE;
  message.timestamp_ms = static_cast<int64_t>(metadata.publish_time);
  message.id = std::to_string(command.message.ledger) + ":" + std::to_string(command.message.entry);
  if (!metadata.batch) return Keep(std::move(message), metadata, {entry}, id);
  const std::string batch = std::exchange(message.payload, {});
  AddBatch(command, metadata, batch, message, entry);
}

void PulsarConsumer::AddBatch(const Command& command, const Metadata& frame,
                              std::string_view payload, const InMessage& common,
                              const std::shared_ptr<Entry>& entry) {
  const uint64_t id = entry->source;
  entry->left = 0;
  entry->size = frame.count;
  entry->open.resize((frame.count + 63) / 64);
  for (uint32_t index = 0; index < frame.count; ++index) {
    Metadata metadata;
    std::string_view bytes;
    if (!NextInBatch(&payload, &metadata, &bytes)) {
      ++entry->left;  // so that it is never acknowledged
      return Unreadable(id, frame.count - index, "it is in a batch that is broken");
    }
    const size_t word = index / 64;
    const bool acknowledged =
        !command.unacked.empty() &&
        (word >= command.unacked.size() || (command.unacked[word] >> (index % 64) & 1) == 0);
    if (acknowledged || metadata.compacted_out) {
      Spend(id);
      continue;
    }
    InMessage message = common;
    message.id += ":" + std::to_string(index);
    message.payload = bytes;
    ++entry->left;
    entry->open[word] |= uint64_t{1} << (index % 64);
    Keep(std::move(message), metadata, {entry, index}, id);
  }
  if (entry->left == 0) sources_.at(id).acks.push_back(entry->id);  // nothing is left of it
}

void PulsarConsumer::Keep(InMessage message, const Metadata& metadata, Place place,
                          uint64_t source) {
  for (const auto& [name, value] : metadata.properties) message.headers.emplace_back(name, value);
  message.has_key = metadata.has_key;
  if (metadata.has_key) {
    message.key = metadata.key;
    if (metadata.base64_key) message.key = FromBase64(metadata.key).value_or(message.key);
  }
  if (metadata.event_time > 0) message.timestamp_ms = static_cast<int64_t>(metadata.event_time);
  pending_bytes_ += message.Size();
  pending_.push_back({std::move(message), std::move(place), source});
}

bool PulsarConsumer::DeliverPending() {
  while (!pending_.empty()) {
    Pending& next = pending_.front();
    const size_t size = next.message.Size();
    const AckToken token = last_token_ + 1;
    const Status status = host_.Deliver(std::move(next.message), token);
    if (status.code() == Code::kWouldBlock) return false;
    // Not ok: the connection is being closed, and the message stays unacknowledged.
    if (status.ok()) {
      last_token_ = token;
      held_.emplace(token, next.place);
      Spend(next.source);
    }
    pending_bytes_ -= size;
    const bool whole = pending_.size() == 1 || pending_[1].place.entry != next.place.entry;
    const auto source = sources_.find(next.source);
    const bool position = settings_.subscription.empty() && !chunks_.waiting(next.source);
    if (status.ok() && whole && position && source != sources_.end()) {
      reached_[source->second.name] = next.place.entry->id;
    }
    pending_.pop_front();
  }
  return true;
}

// A message left the queue that the broker fills.
void PulsarConsumer::Spend(uint64_t id) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  Source& source = found->second;
  if (++source.spent < (settings_.receiver_queue + 1) / 2) return;
  AppendFlow(id, source.spent, &source.connection->out());
  source.spent = 0;
}

void PulsarConsumer::Ack(AckToken token) noexcept {
  const auto held = held_.extract(token);
  if (held.empty()) return;
  const auto& [entry, index] = held.mapped();
  if (!entry->open.empty()) entry->open[index / 64] &= ~(uint64_t{1} << (index % 64));
  entry->touched = true;
  if (--entry->left > 0) return;
  const auto source = sources_.find(entry->source);
  if (source == sources_.end()) return;
  std::vector<MessageId>& acks = source->second.acks;
  acks.insert(acks.end(), entry->before.begin(), entry->before.end());
  acks.push_back(entry->id);
}

// What is left of batches that are acknowledged in part comes again alone, if the broker has
// acknowledgmentAtBatchIndexLevelEnabled; else with all of the batch.
void PulsarConsumer::AckParts() {
  std::set<Entry*> parts;
  for (const auto& [token, place] : held_) parts.insert(place.entry.get());
  for (const Pending& each : pending_) parts.insert(each.place.entry.get());
  for (const Entry* entry : parts) {
    const auto source = sources_.find(entry->source);
    if (!entry->touched || source == sources_.end()) continue;
    AppendBatchAck(entry->source, entry->id, entry->open, entry->size,
                   &source->second.connection->out());
  }
}

void PulsarConsumer::SendAcks() {
  for (auto& [id, source] : sources_) {
    if (source.acks.empty()) continue;
    AppendAck(id, source.acks, &source.connection->out());
    source.acks.clear();
  }
}

Status PulsarConsumer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  bool room = DeliverPending();
  SendAcks();
  if (Status status = brokers_.Flush(); !status.ok()) return status;
  const bool read = room || pending_bytes_ < kMostPendingBytes;
  const unsigned ready = brokers_.Wait(std::min(budget, kLookAround), wake_fd, read);
  if (read && (ready & Brokers::kReadable) != 0) {
    bool got = false;
    const auto take = [this](const Command& command) { return Take(command); };
    if (Status status = brokers_.Receive(take, &got); !status.ok()) return status;
    DeliverPending();
  } else if (Status status = brokers_.Tend(!sources_.empty(), read); !status.ok()) {
    return status;
  }
  brokers_.Expire();
  return brokers_.Flush();
}

void PulsarConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  if (!broken_.ok()) return;
  SendAcks();
  AckParts();
  Sources ended;
  ended.swap(sources_);
  for (const auto& [id, source] : ended) Leave(id, source);
  // The last answer says that all acknowledgements before it were processed.
  (void)brokers_.Pump(
      deadline, cancel_fd, "closing the consumers", [this] { return !brokers_.asking(); },
      [](const Command&) { return Status(); });
}

}  // namespace dsmsg::pulsar
