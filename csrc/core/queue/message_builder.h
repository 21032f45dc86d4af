// SPDX-License-Identifier: Apache-2.0
// Turns what a host hands over into an Outgoing: one copy of the payload, topic, key and headers
// rendered from the configured templates. Immutable after Create: any thread may build.
#ifndef DSMSG_CORE_QUEUE_MESSAGE_BUILDER_H_
#define DSMSG_CORE_QUEUE_MESSAGE_BUILDER_H_

#include <optional>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/observe/metrics.h"
#include "core/options/settings.h"
#include "core/options/topic_template.h"
#include "core/queue/outgoing.h"

namespace dsmsg {

/// One call of send; views of the caller's memory.
struct SendRequest {
  std::string_view topic;  // empty: the configured one
  std::string_view payload;
  std::string_view key;  // has_key: instead of the configured one
  bool has_key = false;
  std::vector<Header> headers;  // beside the configured ones
  int64_t timestamp_ms = 0;     // 0: now
};

class MessageBuilder {
 public:
  MessageBuilder() = default;
  /// `before`: the builder that this one takes over from, for the memory that it keeps; or null.
  /// `ledger`: numbers the messages, or null.
  static Result<MessageBuilder> Create(const Settings& settings,
                                       const MessageBuilder* before = nullptr,
                                       std::shared_ptr<Ledger> ledger = nullptr);

  /// kInvalidArgument: no topic (nothing was accepted). kTooLarge, kInternal (no memory): accepted
  /// messages that are to be completed with that status. The recipient is not touched.
  /// kTooLarge: message.topic is valid until this thread builds the next one. A message of those is
  /// in the ledger already.
  Status Build(const SendRequest& request, Metrics& metrics, Logger& logger,
               Outgoing* outgoing) const;

  /// Whether a message that is given `topic` (empty: none) has somewhere to go. kInvalidArgument
  /// says what to set.
  Status CheckTopic(std::string_view topic) const;

 private:
  std::string NoTopic() const;
  std::string_view UsableTopic(std::string_view given) const;
  /// Of `request`, or rendered into `room`.
  std::string_view RenderTopic(const SendRequest& request, std::string* room, bool* complete) const;
  bool RenderKey(const SendRequest& request, std::string* key, bool* complete) const;
  Status AddLedgerSource(const Config& config);
  Ledger::Source& LedgerSourceOf(const SendRequest& request, std::string_view topic,
                                 const std::string* field_key) const;
  Ledger::Source* NumberingOf(const SendRequest& request, std::string_view topic,
                              const std::string* field_key, Logger& logger) const;
  Status Unbuilt(const SendRequest& request, std::string_view topic, Status status) const;

  std::optional<Template> default_topic_, topic_template_, key_;
  FieldReader key_fields_;                 // the first one that the payload has is the key
  std::shared_ptr<Ledger> ledger_;         // null: none
  std::optional<Template> ledger_source_;  // none: ledger_fields_, then the topic
  FieldReader ledger_fields_;
  bool key_is_source_ = false;  // key_fields_ are ledger_fields_
  std::vector<std::pair<std::string, Template>> headers_;
  std::string not_a_topic_;
  size_t max_bytes_ = 0;
  bool topic_optional_ = false, third_is_topic_ = true;
  mutable std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_MESSAGE_BUILDER_H_
