// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/consumer.h"

#include <regex.h>

#include <algorithm>
#include <memory>

namespace dsmsg::kafka {
namespace {

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using ListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

ListPtr NewList(size_t size) {
  return ListPtr(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

InMessage MessageOf(const rd_kafka_message_t& message) {
  InMessage in;
  if (message.payload != nullptr) {
    in.payload.assign(static_cast<const char*>(message.payload), message.len);
  }
  in.has_key = message.key != nullptr;
  if (in.has_key) in.key.assign(static_cast<const char*>(message.key), message.key_len);
  in.partition = message.partition;
  in.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  in.timestamp_ms = rd_kafka_message_timestamp(&message, &type);  // -1: none
  if (type == RD_KAFKA_TIMESTAMP_CREATE_TIME) in.timestamp_type = DSMSG_TIMESTAMP_CREATE;
  if (type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) in.timestamp_type = DSMSG_TIMESTAMP_APPEND;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return in;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    in.headers.emplace_back(
        name, std::string(static_cast<const char*>(value), value == nullptr ? 0 : size));
  }
  return in;
}

}  // namespace

bool Matches(const std::string& filter, const std::string& topic) {
  if (!filter.starts_with('^')) return filter == topic;
  regex_t pattern;
  if (regcomp(&pattern, filter.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool matches = regexec(&pattern, topic.c_str(), 0, nullptr, 0) == 0;
  regfree(&pattern);
  return matches;
}

Status KafkaConsumer::Subscribe(std::span<const std::string> topics) {
  StoreOffsets();
  const ListPtr list = NewList(topics.size());
  std::string names;
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    names += (names.empty() ? "" : ", ") + topic;
  }
  const rd_kafka_resp_err_t err =
      topics.empty() ? rd_kafka_unsubscribe(rk_) : rd_kafka_subscribe(rk_, list.get());
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Status(err == RD_KAFKA_RESP_ERR__FATAL ? Code::kUnavailable : Code::kInvalidArgument,
                  "cannot subscribe to " + names + ": " + rd_kafka_err2str(err));
  }
  topics_.assign(topics.begin(), topics.end());
  for (Partition& partition : partitions_) partition.wanted = Wanted(partition.topic);
  // A message of a topic no longer subscribed to is not delivered; its offset stays uncommitted.
  if (held_ && !Wanted(held_->topic)) {
    held_.reset();
    pending_.pop_back();
  }
  return {};
}

bool KafkaConsumer::Wanted(const std::string& topic) const {
  return std::any_of(topics_.begin(), topics_.end(),
                     [&](const std::string& filter) { return Matches(filter, topic); });
}

void KafkaConsumer::OnFetch(rd_kafka_event_t* event) {
  // librdkafka puts one message into each such event.
  while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      OnError(*message);
      continue;
    }
    const char* topic = rd_kafka_topic_name(message->rkt);
    const uint32_t partition = PartitionIndex(topic, message->partition);
    if (!partitions_[partition].wanted) continue;
    InMessage in = MessageOf(*message);
    in.topic = topic;
    const AckToken token = next_token();
    pending_.push_back({partition, false, false, message->offset});
    Offer(std::move(in), token);
  }
}

void KafkaConsumer::Offer(InMessage&& message, AckToken token) {
  const Status status = host_.Deliver(std::move(message), token);
  if (status.code() == Code::kWouldBlock) {
    held_ = std::move(message);  // NOLINT(bugprone-use-after-move): kWouldBlock left it unchanged
    return;
  }
  held_.reset();
}

void KafkaConsumer::OfferHeld() {
  if (!held_) return;
  InMessage message = std::move(*held_);
  held_.reset();
  Offer(std::move(message), next_token() - 1);  // always the last one
}

void KafkaConsumer::OnError(const rd_kafka_message_t& message) {
  const std::string text = std::string("cannot read topic '") +
                           (message.rkt != nullptr ? rd_kafka_topic_name(message.rkt) : "?") +
                           "': " + rd_kafka_message_errstr(&message);
  host_.log().Limited(LogLevel::kWarn, "fetch-error", text);
}

uint32_t KafkaConsumer::PartitionIndex(const char* topic, int32_t id) {
  const auto same = [&](const Partition& p) { return p.id == id && p.topic == topic; };
  if (last_partition_ < partitions_.size() && same(partitions_[last_partition_])) {
    return last_partition_;  // messages come in runs of one partition
  }
  const auto found = std::find_if(partitions_.begin(), partitions_.end(), same);
  last_partition_ = static_cast<uint32_t>(found - partitions_.begin());
  if (found == partitions_.end()) partitions_.push_back({topic, id, -1, Wanted(topic)});
  return last_partition_;
}

void KafkaConsumer::Ack(AckToken token) { Settle(token, false); }

void KafkaConsumer::Release(AckToken token) { Settle(token, true); }

void KafkaConsumer::Settle(AckToken token, bool released) {
  if (token < base_ || token >= next_token()) return;  // of an earlier connection
  pending_[token - base_].settled = true;
  pending_[token - base_].released = released;
  while (!pending_.empty() && pending_.front().settled) {
    const Pending& done = pending_.front();
    if (!done.released) {
      partitions_[done.partition].next = done.offset + 1;
      dirty_ = true;
    }
    pending_.pop_front();
    ++base_;
  }
}

void KafkaConsumer::StoreOffsets() {
  if (!dirty_) return;
  dirty_ = false;
  const ListPtr list = NewList(partitions_.size());
  for (Partition& partition : partitions_) {
    if (partition.next < 0) continue;
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.id)->offset =
        partition.next;
    partition.next = -1;
  }
  // A partition that moved to another member of the group is rightly refused: that member reads it
  // again from the last commit.
  (void)rd_kafka_offsets_store(rk_, list.get());
}

}  // namespace dsmsg::kafka
