// SPDX-License-Identifier: Apache-2.0
// The consumer's queue and its bindings.
#include <charconv>
#include <vector>

#include "adaptors/amqp/consumer.h"

namespace dsmsg::amqp {
namespace {

amqp_field_value_t FieldValue(const std::string& text) {
  amqp_field_value_t value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value.value.i64);
  if (error == std::errc() && rest == end) {
    value.kind = AMQP_FIELD_KIND_I64;
  } else if (text == "true" || text == "false") {
    value.kind = AMQP_FIELD_KIND_BOOLEAN;
    value.value.boolean = text == "true" ? 1 : 0;
  } else {
    value.kind = AMQP_FIELD_KIND_UTF8;
    value.value.bytes = ToBytes(text);
  }
  return value;
}

/// Arguments of a queue to be created. The texts belong to the settings.
std::vector<amqp_table_entry_t> Arguments(const AmqpSettings& settings) {
  std::vector<amqp_table_entry_t> arguments;
  for (const auto& [name, value] : settings.queue_arguments) {
    arguments.push_back({ToBytes(name), FieldValue(value)});
  }
  if (!settings.queue_type.empty()) {
    arguments.push_back({ToBytes("x-queue-type"), FieldValue(settings.queue_type)});
  }
  return arguments;
}

}  // namespace

Status AmqpConsumer::BindAll(const Topics& wanted, Topics* added, Deadline deadline,
                             int cancel_fd) {
  if (queue_.empty()) {
    if (Status status = FindQueue(deadline, cancel_fd); !status.ok()) return status;
  }
  for (const std::string& topic : wanted) {
    if (bound_.contains(topic)) continue;
    amqp_queue_bind_t bind{};
    bind.queue = ToBytes(queue_);
    bind.exchange = ToBytes(settings_.exchange);
    bind.routing_key = ToBytes(topic);
    Status status = Call(
        AMQP_QUEUE_BIND_METHOD, &bind, AMQP_QUEUE_BIND_OK_METHOD,
        "bind " + QueueName() + " to \"" + topic + "\" of exchange \"" + settings_.exchange + "\"",
        deadline, cancel_fd, /*side=*/true);
    if (!status.ok()) return status;
    added->insert(topic);
  }
  return {};
}

Status AmqpConsumer::Unbind(const Topics& topics, Deadline deadline, int cancel_fd) {
  for (const std::string& topic : topics) {
    amqp_queue_unbind_t unbind{};
    unbind.queue = ToBytes(queue_);
    unbind.exchange = ToBytes(settings_.exchange);
    unbind.routing_key = ToBytes(topic);
    Status status =
        Call(AMQP_QUEUE_UNBIND_METHOD, &unbind, AMQP_QUEUE_UNBIND_OK_METHOD,
             "unbind " + QueueName() + " from \"" + topic + "\"", deadline, cancel_fd, true);
    if (!status.ok()) return status;
  }
  return {};
}

Status AmqpConsumer::FindQueue(Deadline deadline, int cancel_fd) {
  if (named()) {
    const Status found = DeclareQueue(/*passive=*/true, deadline, cancel_fd);
    if (found.code() != Code::kUnknownTopic) return found;
    if (!connection_.has_side()) {  // the refusal has closed the only channel
      if (Status status = Reopen(deadline, cancel_fd); !status.ok()) return status;
    }
  }
  return DeclareQueue(/*passive=*/false, deadline, cancel_fd);
}

// `passive`: kUnknownTopic when it does not exist.
Status AmqpConsumer::DeclareQueue(bool passive, Deadline deadline, int cancel_fd) {
  amqp_queue_declare_t declare{};
  declare.queue = ToBytes(settings_.queue);
  declare.passive = passive ? 1 : 0;
  declare.durable = named() ? 1 : 0;
  declare.exclusive = declare.auto_delete = named() ? 0 : 1;
  std::vector<amqp_table_entry_t> arguments;
  if (!passive) arguments = Arguments(settings_);
  declare.arguments = {static_cast<int>(arguments.size()), arguments.data()};
  const std::string what = (passive ? "look for " : "declare ") + QueueName();
  const Result<uint16_t> channel = connection_.OpenSide(deadline, cancel_fd, Others());
  if (!channel.ok()) return channel.status();
  Status status = connection_.Send(AMQP_QUEUE_DECLARE_METHOD, &declare, channel.value());
  if (!status.ok()) return status;
  AmqpEvent event;
  status = connection_.WaitFor(AMQP_QUEUE_DECLARE_OK_METHOD, what, deadline, cancel_fd, &event,
                               Others(), channel.value());
  if (!status.ok()) return status;
  queue_ = ToView(static_cast<const amqp_queue_declare_ok_t*>(event.method)->queue);
  return {};
}

}  // namespace dsmsg::amqp
