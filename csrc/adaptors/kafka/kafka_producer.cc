// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/kafka_producer.h"

#include <array>
#include <cstdint>

#include "adaptors/kafka/kafka_errors.h"

namespace dsmsg::kafka {
namespace {

constexpr size_t kMaxTopics = 4096;
constexpr size_t kBatch = 256;

rd_kafka_headers_t* NewHeaders(std::span<const Header> headers) {
  rd_kafka_headers_t* out = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers) {
    // Only fails for read-only headers, which these are not.
    rd_kafka_header_add(out, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return out;
}

}  // namespace

Producer::~Producer() { DropTopics(); }

void Producer::DropTopics() {
  for (const auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
  topics_.clear();
}

rd_kafka_topic_t* Producer::Topic(const Message& message) {
  const auto found = topics_.find(message.topic);
  if (found != topics_.end()) return found->second;
  if (topics_.size() >= kMaxTopics) DropTopics();  // messages on their way hold their own reference
  rd_kafka_topic_t* topic = rd_kafka_topic_new(rk_, message.topic.data(), nullptr);
  if (topic != nullptr) topics_.emplace(message.topic, topic);
  return topic;
}

Status Producer::Submit(const Message& message, Token token) {
  rd_kafka_topic_t* topic = Topic(message);
  if (topic == nullptr) {
    return Status(Code::kRejected, "topic '" + std::string(message.topic) +
                                       "' refused: " + rd_kafka_err2str(rd_kafka_last_error()) +
                                       " (letters, digits, '.', '_', '-', at most 249)");
  }
  // An empty payload is an empty value; without an address it would be a null value, a deletion
  // mark.
  const char* payload = message.payload.data() != nullptr ? message.payload.data() : "";
  std::array<rd_kafka_vu_t, 7> args{};
  size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> auto& {
    args[count].vtype = type;
    return args[count++].u;
  };
  add(RD_KAFKA_VTYPE_RKT).rkt = topic;
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
  if (error == nullptr) return {};
  if (headers != nullptr) rd_kafka_headers_destroy(headers);
  const rd_kafka_resp_err_t err = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  // After a fatal error the next Poll ends this producer, and the next one takes the message.
  if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL || err == RD_KAFKA_RESP_ERR__FATAL) {
    return Status(Code::kWouldBlock, {});
  }
  return MessageStatus(err, message.topic);
}

bool Producer::OnDelivery(rd_kafka_event_t* event) {
  static const Status kOk;
  bool answered = false;
  std::array<const rd_kafka_message_t*, kBatch> batch{};
  while (const size_t count = rd_kafka_event_message_array(event, batch.data(), batch.size())) {
    for (size_t i = 0; i < count; ++i) {
      const rd_kafka_message_t& report = *batch[i];
      const auto token = static_cast<Token>(reinterpret_cast<uintptr_t>(report._private));
      if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        answered = true;
        host_.Complete(token, kOk);
      } else if (!IsPurge(report.err) &&
                 rd_kafka_fatal_error(rk_, nullptr, 0) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        // After a fatal error nobody knows the fate of the rest: it stays with the core for the
        // next producer.
        host_.Complete(token, MessageStatus(report.err, rd_kafka_topic_name(report.rkt)));
      }
    }
  }
  return answered;
}

void Producer::Purge() {
  rd_kafka_purge(
      rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace dsmsg::kafka
