// SPDX-License-Identifier: Apache-2.0
// PulsarProducer's topics: their partitions, brokers and producers.
#include <utility>

#include "adaptors/pulsar/errors.h"
#include "adaptors/pulsar/producer.h"
#include "adaptors/pulsar/topic.h"

namespace dsmsg::pulsar {
namespace {

// A refusal that may end is asked about again after this time; until then messages hear it at once,
// so that those of other topics go on.
constexpr Millis kAskAgain{500};
// So long all messages wait for an answer about one topic; afterwards only those of that topic do.
constexpr Millis kPatience{1000};
// A broker that has closed a producer gets this long to acknowledge what it had stored before.
constexpr Millis kLastReceipts{1000};

Status AtTopic(const std::string& topic, const Status& why) {
  return {why.code(), topic + ": " + why.message()};
}

}  // namespace

Result<PulsarProducer::Topic*> PulsarProducer::FindTopic(std::string_view topic) {
  if (last_topic_ == nullptr || topic != last_name_) {
    Result<std::string> name = FullName(topic, settings_.name_space);
    if (!name.ok()) return name.status();
    std::unique_ptr<Topic>& found = topics_[name.value()];
    if (found == nullptr) {
      found = std::make_unique<Topic>();
      found->name = name.value();
    }
    last_name_ = topic;
    last_topic_ = found.get();
  }
  Topic* const found = last_topic_;
  if (found->state == State::kReady) return found;
  if (found->problem.permanent()) return std::exchange(found->problem, {});  // asked anew next time
  if (found->state == State::kUnknown && Clock::now() >= found->ask_at) AskTopic(found);
  return NotReady(found);
}

template <class Asked>
Status PulsarProducer::NotReady(Asked* asked) const {
  if (!asked->problem.ok()) return asked->problem;
  if (Clock::now() - asked->asked_at < kPatience) return {Code::kWouldBlock, {}};
  return AtTopic(asked->name, {Code::kUnavailable, "the broker has not told about it yet"});
}

template <class Asked>
void PulsarProducer::Refuse(Asked* asked, const Status& why) {
  asked->state = State::kUnknown;
  asked->problem = AtTopic(asked->name, why);
  asked->ask_at = Clock::now() + kAskAgain;
  if (why.permanent()) asked->ask_at = {};
}

void PulsarProducer::AskTopic(Topic* topic) {
  topic->state = State::kAsked;
  topic->asked_at = Clock::now();
  lookup_.Partitions(topic->name, [this, topic](const Status& status, uint32_t partitions) {
    answered_ = true;
    if (!status.ok()) return Refuse(topic, status);
    topic->problem = {};
    topic->state = State::kReady;
    const bool whole = partitions == 0;
    topic->partitions = whole ? 1 : partitions;
    for (uint32_t index = static_cast<uint32_t>(topic->made.size()); index < topic->partitions;
         ++index) {
      auto made = std::make_unique<Partition>();
      made->topic = topic;
      made->index = index;
      made->producer_name = settings_.producer_name;
      topic->made.push_back(std::move(made));
    }
    for (uint32_t index = 0; index < topic->partitions; ++index) {
      topic->made[index]->name = whole ? topic->name : Lookup::PartitionName(topic->name, index);
    }
  });
}

Status PulsarProducer::Choose(Topic* topic, const Message& message, const Repeat* repeat,
                              Partition** found) {
  uint32_t index = topic->turn % topic->partitions;
  if (repeat != nullptr) {
    index = repeat->partition->index;
  } else if (message.has_key && topic->partitions > 1) {
    const uint32_t hash = settings_.murmur3 ? Murmur3(message.key) : JavaHash(message.key);
    index = hash % topic->partitions;
  }
  *found = topic->made[index].get();
  return MakeReady(*found);
}

Status PulsarProducer::MakeReady(Partition* partition) {
  if (partition->closing != Deadline{}) return {Code::kWouldBlock, {}};
  if (partition->state == State::kReady) return {};
  if (partition->problem.permanent()) return std::exchange(partition->problem, {});
  if (partition->state == State::kUnknown && Clock::now() >= partition->ask_at) {
    partition->state = State::kAsked;
    partition->asked_at = Clock::now();
    const auto found = [this, partition](const Status& status, PulsarConnection* connection) {
      if (status.ok()) {
        partition->connection = connection;
        return CreateProducer(partition);
      }
      answered_ = true;
      Refuse(partition, status);
    };
    lookup_.Broker(partition->name, found);
  }
  return NotReady(partition);
}

void PulsarProducer::CreateProducer(Partition* partition) {
  partition->id = ++last_id_;
  producers_[partition->id] = partition;
  const auto take = [this, partition](const Status& status, const Command& command) {
    answered_ = true;
    if (!status.ok()) {
      if (status.code() == Code::kTimeout) {  // it may be made yet, and would keep its name
        AppendClose(Type::kCloseProducer, partition->id, brokers_.Ask({}),
                    &partition->connection->out());
      }
      producers_.erase(partition->id);
      return Refuse(partition, status);
    }
    partition->problem = {};
    partition->state = State::kReady;
    partition->producer_name = command.producer_name;
    // What an earlier process with this name has sent.
    if (command.last_sequence >= 0) {
      partition->next = std::max(partition->next, static_cast<uint64_t>(command.last_sequence) + 1);
    }
  };
  ProducerRequest request;
  request.topic = partition->name;
  request.name = partition->producer_name;
  request.id = partition->id;
  request.request = brokers_.Ask(take);
  request.epoch = partition->epoch++;
  request.own_name = !settings_.producer_name.empty();
  AppendProducer(request, &partition->connection->out());
}

// The topic moves to another broker, or its quota is used up: asking again tells. The broker still
// acknowledges what it had stored before; the rest, which it drops, is sent again on a new link.
Status PulsarProducer::TakeClosed(const Command& command) {
  Partition* const partition = Find(command.id);
  if (partition == nullptr || partition->closing != Deadline{}) return {};
  partition->closing = Clock::now() + kLastReceipts;
  GiveUpBatch(partition);
  return EndClosed();
}

void PulsarProducer::GiveUpBatch(Partition* partition) {
  for (const Waiting& each : partition->batch) {
    --under_way_;
    host_.Complete(each.token, {Code::kUnavailable, partition->name + ": the producer was closed"});
  }
  partition->batch.clear();
  partition->batch_bytes = 0;
  std::erase(filling_, partition);
}

Status PulsarProducer::EndClosed() {
  for (auto each = producers_.begin(); each != producers_.end();) {
    Partition* const partition = each->second;
    if (partition->closing == Deadline{}) {
      ++each;
    } else if (partition->under_way.empty()) {
      partition->closing = {};
      partition->state = partition->topic->state = State::kUnknown;
      each = producers_.erase(each);
    } else if (Clock::now() >= partition->closing) {
      return {Code::kUnavailable, partition->name + ": " + partition->connection->name() +
                                      " has closed the producer (does the topic move to another "
                                      "broker? is its backlog quota used up?)"};
    } else {
      ++each;
    }
  }
  return {};
}

}  // namespace dsmsg::pulsar
