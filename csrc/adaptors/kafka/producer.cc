// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/producer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "adaptors/kafka/errors.h"

namespace dsmsg::kafka {
namespace {

constexpr size_t kMaxTopics = 4096;
constexpr size_t kBatch = 256;
constexpr Millis kAskPause{500};
constexpr size_t kCareful = 1000;

rd_kafka_headers_t* NewHeaders(std::span<const Header> headers) {
  rd_kafka_headers_t* out = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers) {
    // Only fails for read-only headers, which these are not.
    rd_kafka_header_add(out, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return out;
}

std::string ValueOf(rd_kafka_t* rk, const char* name) {
  char value[64] = "";
  size_t size = sizeof value;
  const rd_kafka_conf_t* conf = rd_kafka_conf(rk);
  return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK ? value : "";
}

size_t NumberOf(rd_kafka_t* rk, const char* name) {
  return static_cast<size_t>(std::strtoull(ValueOf(rk, name).c_str(), nullptr, 10));
}

// What counts against its topic's bound, the same before and after.
size_t Weight(size_t key, size_t payload) {
  constexpr size_t kRecord = 64;
  return kRecord + key + payload;
}

}  // namespace

KafkaProducer::KafkaProducer(KafkaConnection& connection, DriverHost& host, LossWatch& losses,
                             Bounds& bounds)
    : rk_(connection.get()),
      host_(host),
      losses_(losses),
      bounds_(bounds),
      idempotent_(ValueOf(rk_, "enable.idempotence") == "true"),
      longest_answer_(connection.longest_answer()),
      topic_patience_(NumberOf(rk_, "topic.metadata.propagation.max.ms")),
      partitioner_(connection.partitioner()),
      partitions_(rk_) {}

KafkaProducer::~KafkaProducer() { DropTopics(true); }

void KafkaProducer::DropTopics(bool all) {
  last_topic_ = {};
  std::erase_if(topics_, [this, all](const auto& entry) {
    if (!all && entry.second.bound.under_way().messages > 0) return false;
    if (!all) partitions_.Forget(entry.second.load);
    rd_kafka_topic_destroy(entry.second.handle);
    return true;
  });
}

KafkaProducer::TopicEntry* KafkaProducer::Known(std::string_view name) {
  if (name == last_topic_.first) return last_topic_.second;
  const auto found = topics_.find(name);
  if (found == topics_.end()) return nullptr;
  last_topic_ = {found->first, &found->second};
  return last_topic_.second;
}

KafkaProducer::TopicEntry* KafkaProducer::Topic(std::string_view name) {
  if (TopicEntry* known = Known(name); known != nullptr) return known;
  if (topics_.size() >= kMaxTopics) DropTopics(false);
  const std::string terminated(name);
  rd_kafka_topic_t* topic =
      rd_kafka_topic_new(rk_, terminated.c_str(), partitioner_.NewTopicConf(rk_));
  if (topic == nullptr) return nullptr;
  TopicEntry& entry = topics_.try_emplace(terminated, topic).first->second;
  if (const auto bound = bounds_.bytes.find(terminated); bound != bounds_.bytes.end()) {
    entry.bound.Refused({2, 2 * bound->second}, true, Clock::now());
  }
  return &entry;
}

// librdkafka calls a topic unknown if it was not found in time, for example because of an outage.
// Here it is unknown if the broker itself has said so for as long as creating a topic may take.
Status KafkaProducer::Undelivered(std::string_view topic, rd_kafka_resp_err_t err) {
  TopicEntry* entry = IsUnknownTopic(err) ? Topic(topic) : nullptr;
  if (entry == nullptr) return MessageStatus(err, topic);
  if (Clock::now() >= entry->ask_again) {
    const rd_kafka_resp_err_t said = AskTopic(rk_, entry->handle, longest_answer_);
    // librdkafka's own errors are negative.
    const bool there = said == RD_KAFKA_RESP_ERR_NO_ERROR ||
                       said == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || said < 0;
    if (there) {
      entry->unknown_since.reset();
    } else if (!entry->unknown_since) {
      entry->unknown_since = Clock::now();
    }
    entry->ask_again = Clock::now() + std::min(kAskPause, topic_patience_);
  }
  if (entry->unknown_since && Clock::now() - *entry->unknown_since >= topic_patience_) {
    return MessageStatus(err, topic);
  }
  return {Code::kUnavailable, "the broker does not know topic '" + std::string(topic) + "' yet"};
}

Millis KafkaProducer::Tick(Millis budget) {
  now_ = Clock::now();
  ++round_;
  NoteLate();
  return partitions_.Tick(now_, budget);
}

void KafkaProducer::NoteLate() {
  for (const auto& [where, messages] : partitioner_.TakeLate()) {
    if (TopicEntry* topic = Known(where.first)) {
      partitions_.Took(topic->load, where.second, messages, now_);
    }
  }
}

// A topic's first messages must be answered before others follow: a broker that has just become a
// partition's leader may refuse one request and accept the next, because it has no sequence number
// to compare it with. A topic that is still to be made does not hold up the others for long.
bool KafkaProducer::MustWaitForFirst(TopicEntry& topic) {
  constexpr Millis kPatience{200};
  if (topic.known || !idempotent_) return false;
  if (topic.bound.under_way().messages == 0) {
    topic.first_round = round_;
    topic.first_at = now_;
  }
  return topic.first_round != round_ && now_ < topic.first_at + kPatience;
}

Status KafkaProducer::Submit(const Message& message, Token token) {
  TopicEntry* topic = Topic(message.topic);
  if (topic == nullptr) {
    return Status(Code::kRejected, "topic '" + std::string(message.topic) +
                                       "' refused: " + rd_kafka_err2str(rd_kafka_last_error()) +
                                       " (letters, digits, '.', '_', '-', at most 249)");
  }
  const size_t weight = Weight(message.key.size(), message.payload.size());
  const bool careful = now_ < bounds_.careful_until && outstanding_ >= kCareful;
  if (careful || MustWaitForFirst(*topic) || !topic->bound.Admits(weight, now_)) {
    return Status(Code::kWouldBlock, {});
  }
  const Partitioner::Choice choice;
  rd_kafka_error_t* error = Produce(message, token, *topic);
  if (error == nullptr) {
    partitions_.Took(topic->load, choice.partition(), 1, now_);
    topic->bound.Took(weight);
    ++outstanding_;
    return {};
  }
  const rd_kafka_resp_err_t err = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  // After a fatal error, the next Poll ends this producer, and the next producer takes the message.
  if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL || err == RD_KAFKA_RESP_ERR__FATAL) {
    return Status(Code::kWouldBlock, {});
  }
  const Status status = Undelivered(message.topic, err);
  // It is offered again in its turn: if it were returned, the next message of a topic found
  // meanwhile would overtake it.
  return status.retryable() ? Status(Code::kWouldBlock, {}) : status;
}

rd_kafka_error_t* KafkaProducer::Produce(const Message& message, Token token, TopicEntry& topic) {
  // An empty payload is an empty value; with a null pointer it would be a null value, i.e. a
  // tombstone.
  const char* payload = message.payload.data() != nullptr ? message.payload.data() : "";
  std::array<rd_kafka_vu_t, 7> args{};
  size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> auto& {
    args[count].vtype = type;
    return args[count++].u;
  };
  add(RD_KAFKA_VTYPE_RKT).rkt = topic.handle;
  auto& value = add(RD_KAFKA_VTYPE_VALUE).mem;
  value.ptr = const_cast<char*>(payload);  // NOLINT(*-const-cast): never written to without F_FREE
  value.size = message.payload.size();
  add(RD_KAFKA_VTYPE_MSGFLAGS).i = 0;  // neither copied nor freed; never blocks
  add(RD_KAFKA_VTYPE_OPAQUE).ptr = reinterpret_cast<void*>(static_cast<uintptr_t>(token));
  if (message.timestamp_ms > 0) add(RD_KAFKA_VTYPE_TIMESTAMP).i64 = message.timestamp_ms;
  if (message.has_key) {
    auto& key = add(RD_KAFKA_VTYPE_KEY).mem;
    key.ptr = const_cast<char*>(message.key.data());  // NOLINT(*-const-cast): copied
    key.size = message.key.size();
  }
  rd_kafka_headers_t* headers = nullptr;
  if (!message.headers.empty()) {
    headers = NewHeaders(message.headers);
    add(RD_KAFKA_VTYPE_HEADERS).headers = headers;
  }
  rd_kafka_error_t* error = rd_kafka_produceva(rk_, args.data(), count);
  if (error != nullptr && headers != nullptr) rd_kafka_headers_destroy(headers);
  return error;
}

// nullopt: the outcome is unknown, and the core keeps the message for the next producer.
std::optional<Status> KafkaProducer::OutcomeOf(const rd_kafka_message_t& report, bool alone) {
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (!idempotent_ || report.offset >= 0) return Status();
    // Without an offset, no broker has answered for this message: librdkafka infers from an answer
    // to later ones that it has arrived. But a broker that was not yet the partition's leader
    // refuses the first and accepts later ones, and then the first is lost.
    return Status(Code::kUnavailable,
                  "the broker acknowledged later messages but not this one (was the partition just "
                  "created?)");
  }
  if (IsPurge(report.err) || rd_kafka_fatal_error(rk_, nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  const std::string_view topic = rd_kafka_topic_name(report.rkt);
  if (!alone && MayBeAnothers(report.err)) return BatchStatus(report.err, topic);
  return Undelivered(topic, report.err);
}

bool KafkaProducer::OnDelivery(rd_kafka_event_t* event) {
  // The messages of one event belong to one partition and, if a broker refused them, to one batch.
  const bool alone = rd_kafka_event_message_count(event) == 1;
  bool answered = false, refused = false, for_size = false;
  TopicEntry* topic = nullptr;
  int32_t partition = Partitioner::kNotYet;
  BatchBound::Amount batch;
  std::array<const rd_kafka_message_t*, kBatch> reports{};
  while (const size_t count = rd_kafka_event_message_array(event, reports.data(), reports.size())) {
    if (topic == nullptr) topic = Known(rd_kafka_topic_name(reports[0]->rkt));
    partition = reports[0]->partition;
    if (reports[0]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      losses_.OnAnswer(rd_kafka_topic_name(reports[0]->rkt), partition);
    }
    for (size_t i = 0; i < count; ++i) {
      const rd_kafka_message_t& report = *reports[i];
      if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic != nullptr) topic->known = true;
      refused = refused || (!alone && MayBeAnothers(report.err));
      for_size = for_size || IsTooLarge(report.err);
      batch.bytes += Weight(report.key_len, report.len);
      if (const std::optional<Status> outcome = OutcomeOf(report, alone)) {
        answered = answered || outcome->ok();
        host_.Complete(static_cast<Token>(reinterpret_cast<uintptr_t>(report._private)), *outcome);
      }
    }
    batch.messages += count;
  }
  outstanding_ -= batch.messages;
  if (topic == nullptr) return answered;
  NoteLate();  // it may be among these
  partitions_.Ended(topic->load, partition, batch.messages, now_);
  topic->bound.Ended(batch);
  if (refused) {
    topic->bound.Refused(batch, for_size, now_);
  } else {
    topic->bound.Decided();
  }
  return answered;
}

void KafkaProducer::TooMuchOf(const std::string& topic) {
  bounds_.careful_until = Clock::now() + BatchBound::kKeepSize;
  const TopicEntry* entry = Known(topic);
  if (entry == nullptr || entry->bound.under_way().messages < 2) return;
  if (bounds_.bytes.size() >= kMaxTopics) bounds_.bytes.clear();
  const size_t batch = std::min(NumberOf(rk_, "batch.size"), NumberOf(rk_, "message.max.bytes"));
  bounds_.bytes.insert_or_assign(topic, std::min(batch, entry->bound.under_way().bytes) / 2);
}

void KafkaProducer::Purge() {
  rd_kafka_purge(
      rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace dsmsg::kafka
