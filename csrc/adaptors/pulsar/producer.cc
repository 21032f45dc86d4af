// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/producer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adaptors/pulsar/errors.h"
#include "adaptors/pulsar/topic.h"

namespace dsmsg::pulsar {
namespace {

// How much a slowly reading broker can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
constexpr Millis kLookAround{500}, kIdleLookAround{5000};
// At most what the metadata of a message has beside its key and headers, and of each header.
constexpr size_t kMetadataBeside = 512, kHeaderBeside = 32;

uint64_t NowMillis() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<Millis>(now).count());
}

// Not less than what it takes in a frame.
size_t RoughSize(const Message& message) {
  size_t size = message.payload.size() + message.key.size() + kMetadataBeside;
  for (const auto& [name, value] : message.headers) {
    size += name.size() + value.size() + kHeaderBeside;
  }
  return size;
}

}  // namespace

void PulsarProducer::Reset() {
  for (const auto& [name, topic] : topics_) {
    topic->state = State::kUnknown;
    topic->problem = {};
    topic->ask_at = {};
    for (const auto& partition : topic->made) {
      for (const Group& group : partition->under_way) {
        uint64_t sequence = group.first;
        for (const Token token : group.tokens) {
          repeats_[token] = {partition.get(), sequence++};
        }
      }
      partition->state = State::kUnknown;
      partition->problem = {};
      partition->ask_at = {};
      partition->connection = nullptr;
      partition->sent = false;
      partition->under_way.clear();
      partition->closing = {};
      partition->batch.clear();
      partition->batch_bytes = 0;
    }
  }
  producers_.clear();
  filling_.clear();
  under_way_ = 0;
  window_.Reset(settings_.pipeline);
  answered_ = false;
  broken_ = Status();
}

Status PulsarProducer::CheckMessage(const Message& message, const Partition& partition) const {
  if (message.has_key && !IsText(message.key)) {
    return {Code::kInvalidArgument, "the key is not UTF-8 text, which Pulsar needs"};
  }
  for (const auto& [name, value] : message.headers) {
    if (!name.empty() && IsText(name) && IsText(value)) continue;
    return {Code::kInvalidArgument, "the header \"" + std::string(IsText(name) ? name : "?") +
                                        "\" has no name or is not UTF-8 text, which Pulsar needs"};
  }
  const size_t limit = partition.connection->max_message_size();
  if (RoughSize(message) <= limit) return {};
  std::string metadata;
  BuildMetadata(partition.producer_name, {UINT64_MAX, UINT64_MAX, 1}, NowMillis(), &message,
                &metadata);
  const size_t size = metadata.size() + message.payload.size();
  if (size <= limit) return {};
  return {Code::kTooLarge,
          "a message of " + std::to_string(size) +
              " bytes (payload, key and headers) is larger than maxMessageSize of " +
              partition.connection->name() + " (" + std::to_string(limit) + ")"};
}

Status PulsarProducer::Submit(const Message& message, Token token) {
  if (!window_.Takes(under_way_, broken_.ok())) return {Code::kWouldBlock, {}};
  const Result<Topic*> topic = FindTopic(message.topic);
  if (!topic.ok()) return topic.status();
  const auto known = repeats_.find(token);
  const bool repeated = known != repeats_.end() &&
                        known->second.partition->topic == topic.value() &&
                        known->second.partition->index < topic.value()->partitions;
  Partition* partition = nullptr;
  Status status = Choose(topic.value(), message, repeated ? &known->second : nullptr, &partition);
  if (!status.ok()) return status;
  PulsarConnection& connection = *partition->connection;
  if (connection.unsent() >= SendWindow::kFlushAt) {
    broken_ = connection.Flush();
    if (!broken_.ok() || connection.unsent() >= kMaxUnsent) return {Code::kWouldBlock, {}};
  }
  if (status = CheckMessage(message, *partition); !status.ok()) return status;
  ++under_way_;
  // Numbers only rise: one below the last that was sent would count as stored.
  if (repeated && (!partition->sent || known->second.sequence > partition->last_sent)) {
    Seal(partition);
    Group group;
    group.first = known->second.sequence;
    group.tokens.push_back(token);
    group.repeated = true;
    repeats_.erase(known);
    SendFrame(partition, &message, message.payload, std::move(group));
    return {};
  }
  // The core submits what was under way before anything new: the rest will not come again.
  if (message.attempt == 0) {
    repeats_.clear();
  } else if (known != repeats_.end()) {
    repeats_.erase(known);
  }
  const size_t size = RoughSize(message);
  const size_t most = std::min(settings_.batch_bytes, connection.max_message_size());
  if (partition->batch_bytes + size > most) Seal(partition);
  if (partition->batch.empty()) filling_.push_back(partition);
  partition->batch.push_back({message, token});
  partition->batch_bytes += size;
  if (partition->batch.size() >= settings_.batch_messages) Seal(partition);
  return {};
}

void PulsarProducer::SendFrame(Partition* partition, const Message* single,
                               std::string_view payload, Group group) {
  Sequence sequence;
  sequence.first = group.first;
  sequence.count = static_cast<uint32_t>(group.tokens.size());
  sequence.last = group.first + sequence.count - 1;
  BuildMetadata(partition->producer_name, sequence, NowMillis(), single, &metadata_);
  AppendSend(partition->id, sequence, metadata_, payload, &partition->connection->out());
  partition->sent = true;
  partition->last_sent = sequence.last;
  partition->next = std::max(partition->next, sequence.last + 1);
  group.sent_at = Clock::now();
  partition->under_way.push_back(std::move(group));
}

// Makes a frame of the messages that wait for one.
void PulsarProducer::Seal(Partition* partition) {
  if (partition->batch.empty()) return;
  std::erase(filling_, partition);
  Group group;
  group.first = partition->next;
  group.tokens.reserve(partition->batch.size());
  for (const Waiting& each : partition->batch) group.tokens.push_back(each.token);
  if (partition->batch.size() == 1) {
    const Message& message = partition->batch.front().message;
    SendFrame(partition, &message, message.payload, std::move(group));
  } else {
    payload_.clear();
    uint64_t sequence = group.first;
    for (const Waiting& each : partition->batch) {
      AppendToBatch(each.message, sequence++, &payload_);
    }
    SendFrame(partition, nullptr, payload_, std::move(group));
  }
  partition->batch.clear();
  partition->batch_bytes = 0;
  if (partition->index == partition->topic->turn % partition->topic->partitions) {
    ++partition->topic->turn;
  }
}

void PulsarProducer::SealAll() {
  while (!filling_.empty()) Seal(filling_.back());
}

PulsarProducer::Partition* PulsarProducer::Find(uint64_t id) const {
  const auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : found->second;
}

Status PulsarProducer::Take(const Command& command) {
  switch (command.type) {
    case Type::kSendReceipt:
      return TakeReceipt(command);
    case Type::kSendError:
      return TakeError(command);
    case Type::kCloseProducer:
      return TakeClosed(command);
    default:
      return {};
  }
}

Status PulsarProducer::TakeReceipt(const Command& command) {
  Partition* const partition = Find(command.id);
  if (partition == nullptr || partition->under_way.empty()) return {};
  if (command.sequence < partition->under_way.front().first) return {};  // answered twice
  if (command.sequence > partition->under_way.front().first) {
    return {Code::kUnavailable, partition->name + ": " + partition->connection->name() +
                                    " acknowledges a message before an older one"};
  }
  const Group group = std::move(partition->under_way.front());
  partition->under_way.pop_front();
  under_way_ -= group.tokens.size();
  answered_ = answered_ || partition->closing != Deadline{};
  // Dropped as a duplicate. Of a message that was sent before, that is what deduplication is for;
  // any other is not stored.
  const bool dropped = command.message.ledger == kNoLedger;
  if (!dropped || group.repeated) {
    for (const Token token : group.tokens) host_.Complete(token, {});
    return {};
  }
  const Status why(Code::kUnavailable,
                   partition->name + ": " + partition->connection->name() +
                       " took a new message for a duplicate (does another process use the same "
                       "producer-name?); it is sent again under a new number");
  for (const Token token : group.tokens) host_.Complete(token, why);
  return why;  // opened anew, the producer learns the last number
}

Status PulsarProducer::TakeError(const Command& command) {
  Partition* const partition = Find(command.id);
  if (partition == nullptr || partition->under_way.empty()) return {};
  const Status error = ServerError(command.error, command.text);
  const Status why(error.code(), partition->name + " at " + partition->connection->name() + ": " +
                                     error.message());
  if (!AboutOneMessage(command.error) || partition->under_way.front().first != command.sequence) {
    return {Code::kUnavailable, why.message()};
  }
  const Group group = std::move(partition->under_way.front());
  partition->under_way.pop_front();
  under_way_ -= group.tokens.size();
  for (const Token token : group.tokens) host_.Complete(token, why);
  return {};
}

// The broker lives, but does not acknowledge. A new connection hears why.
Status PulsarProducer::CheckOverdue() const {
  const Deadline oldest = Clock::now() - settings_.ack_timeout;
  for (const auto& [id, partition] : producers_) {
    if (partition->under_way.empty() || partition->under_way.front().sent_at > oldest) continue;
    return {Code::kTimeout, partition->name + ": " + partition->connection->name() +
                                " has not acknowledged a message within ack-timeout"};
  }
  return {};
}

Status PulsarProducer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  SealAll();
  if (Status status = brokers_.Flush(); !status.ok()) return status;
  const auto take = [this](const Command& command) { return Take(command); };
  const Deadline deadline = Clock::now() + budget;
  // With many messages under way there is most likely something to read already.
  bool try_read = under_way_ > 16;
  for (;;) {
    bool got = false;
    if (try_read) {
      if (Status status = brokers_.Receive(take, &got); !status.ok()) return status;
    }
    brokers_.Expire();
    if (Status status = EndClosed(); !status.ok()) return status;
    if (Status status = brokers_.Flush(); !status.ok()) return status;
    if (std::exchange(answered_, false) || window_.Reopens(under_way_)) return {};
    if (got && !window_.full()) return {};
    const Millis left(PollTimeout(deadline));
    const bool expecting = under_way_ > 0 || brokers_.asking();
    const unsigned ready =
        brokers_.Wait(std::min(left, expecting ? kLookAround : kIdleLookAround), wake_fd);
    try_read = (ready & Brokers::kReadable) != 0;
    if (try_read) continue;
    if (Status status = brokers_.Tend(expecting); !status.ok()) return status;
    if (Status status = CheckOverdue(); !status.ok()) return status;
    if ((ready & Brokers::kWoken) != 0 || left.count() == 0) return {};
    if ((ready & Brokers::kWritable) != 0 && !window_.full()) return brokers_.Flush();
  }
}

}  // namespace dsmsg::pulsar
