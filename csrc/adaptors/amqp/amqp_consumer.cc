// SPDX-License-Identifier: Apache-2.0
#include "amqp_consumer.h"

#include <algorithm>
#include <vector>

#include "amqp_errors.h"

namespace dsmsg {
namespace {

constexpr Millis kLookAround{1000};
constexpr int kGenerationShift = 48;  // delivery tags never get that far
constexpr uint64_t kTagMask = (uint64_t{1} << kGenerationShift) - 1;

}  // namespace

void AmqpConsumer::Reset() {
  queue_.clear();
  bound_.clear();
  consuming_ = false;
  pending_.clear();
  acked_ = ack_due_ = 0;
  ++generation_;
  broken_ = Status();
}

Status AmqpConsumer::Start(Deadline deadline, int cancel_fd) {
  Reset();
  if (Status status = link_.DeclareExchange(deadline, cancel_fd); !status.ok()) return status;
  amqp_basic_qos_t qos{};
  qos.prefetch_count = settings_.prefetch;
  return link_.Call(AMQP_BASIC_QOS_METHOD, &qos, AMQP_BASIC_QOS_OK_METHOD, "set the prefetch",
                    deadline, cancel_fd);
}

std::string AmqpConsumer::QueueName() const {
  return settings_.queue.empty() ? "a private queue" : "the queue \"" + settings_.queue + "\"";
}

Status AmqpConsumer::Call(amqp_method_number_t id, const void* method, amqp_method_number_t answer,
                          const std::string& what, Deadline deadline, int cancel_fd) {
  return link_.Call(id, method, answer, what, deadline, cancel_fd, [this](AmqpEvent& event) {
    Status status = OnEvent(event);
    if (broken_.ok()) broken_ = std::move(status);
  });
}

Status AmqpConsumer::Subscribe(std::span<const std::string> topics, int cancel_fd) {
  if (settings_.exchange.empty()) {
    return {
        Code::kNotSupported,
        "subscribing needs an exchange that a queue can be bound to; the default exchange takes "
        "no bindings (set exchange, for example to amq.topic)"};
  }
  for (const std::string& topic : topics) {
    if (topic.size() <= kMaxName) continue;
    return {Code::kInvalidArgument, "a topic of " + std::to_string(topic.size()) +
                                        " bytes is too long: AMQP has 255 for a routing key"};
  }
  const Deadline deadline = Clock::now() + settings_.connect_timeout;
  Status status = Bind(topics, deadline, cancel_fd);
  if (status.permanent()) {
    // The channel is closed, and a half-bound queue left behind: a new connection ends both.
    link_.Close();
    broken_ = link_.Open("receive", deadline, cancel_fd);
    if (broken_.ok()) broken_ = Start(deadline, cancel_fd);
  } else if (!status.ok()) {
    broken_ = status;
  }
  return status;
}

Status AmqpConsumer::Bind(std::span<const std::string> topics, Deadline deadline, int cancel_fd) {
  if (queue_.empty()) {
    if (Status status = DeclareQueue(deadline, cancel_fd); !status.ok()) return status;
  }
  const std::set<std::string> wanted(topics.begin(), topics.end());
  for (const std::string& topic : wanted) {
    if (bound_.contains(topic)) continue;
    amqp_queue_bind_t bind{};
    bind.queue = ToBytes(queue_);
    bind.exchange = ToBytes(settings_.exchange);
    bind.routing_key = ToBytes(topic);
    Status status = Call(
        AMQP_QUEUE_BIND_METHOD, &bind, AMQP_QUEUE_BIND_OK_METHOD,
        "bind " + QueueName() + " to \"" + topic + "\" of exchange \"" + settings_.exchange + "\"",
        deadline, cancel_fd);
    if (!status.ok()) return status;
    bound_.insert(topic);
  }
  for (auto old = bound_.begin(); old != bound_.end();) {
    if (wanted.contains(*old)) {
      ++old;
      continue;
    }
    amqp_queue_unbind_t unbind{};
    unbind.queue = ToBytes(queue_);
    unbind.exchange = ToBytes(settings_.exchange);
    unbind.routing_key = ToBytes(*old);
    Status status = Call(AMQP_QUEUE_UNBIND_METHOD, &unbind, AMQP_QUEUE_UNBIND_OK_METHOD,
                         "unbind " + QueueName() + " from \"" + *old + "\"", deadline, cancel_fd);
    if (!status.ok()) return status;
    old = bound_.erase(old);
  }
  return consuming_ ? Status() : Consume(deadline, cancel_fd);
}

Status AmqpConsumer::DeclareQueue(Deadline deadline, int cancel_fd) {
  amqp_queue_declare_t declare{};
  declare.queue = ToBytes(settings_.queue);
  const bool named = !settings_.queue.empty();
  declare.durable = named ? 1 : 0;
  declare.exclusive = declare.auto_delete = named ? 0 : 1;
  const std::string what = "declare " + QueueName();
  if (Status status = link_.Send(AMQP_QUEUE_DECLARE_METHOD, &declare); !status.ok()) return status;
  AmqpEvent event;
  Status status = link_.WaitFor(AMQP_QUEUE_DECLARE_OK_METHOD, what, deadline, cancel_fd, &event);
  if (!status.ok()) return status;
  queue_ = ToView(static_cast<const amqp_queue_declare_ok_t*>(event.method)->queue);
  return {};
}

Status AmqpConsumer::Consume(Deadline deadline, int cancel_fd) {
  amqp_basic_consume_t consume{};
  consume.queue = ToBytes(queue_);
  Status status = Call(AMQP_BASIC_CONSUME_METHOD, &consume, AMQP_BASIC_CONSUME_OK_METHOD,
                       "read " + QueueName(), deadline, cancel_fd);
  consuming_ = status.ok();
  return status;
}

void AmqpConsumer::TakeMessage(AmqpEvent& event) {
  InMessage message;
  message.topic = std::move(event.routing_key);
  message.payload = std::move(event.body);
  pending_.push_back({std::move(message), event.delivery_tag});
}

void AmqpConsumer::DeliverPending() {
  while (!pending_.empty()) {
    Pending& next = pending_.front();
    const AckToken token = generation_ << kGenerationShift | (next.tag & kTagMask);
    const Status status = host_.Deliver(std::move(next.message), token);
    if (status.code() == Code::kWouldBlock) return;
    if (!status.ok()) {
      // The connection is being closed: what is left stays with the broker.
      pending_.clear();
      return;
    }
    pending_.pop_front();
  }
}

void AmqpConsumer::Ack(AckToken token) noexcept {
  // Messages of an earlier connection come again, under new numbers.
  if (token >> kGenerationShift != (generation_ & (~uint64_t{0} >> kGenerationShift))) return;
  ack_due_ = std::max(ack_due_, token & kTagMask);
}

// The host's callback gets one message after the other, so that everything up to the last one is
// done.
void AmqpConsumer::SendAcks() {
  if (ack_due_ <= acked_) return;
  amqp_basic_ack_t ack{};
  ack.delivery_tag = ack_due_;
  ack.multiple = 1;
  if (link_.Send(AMQP_BASIC_ACK_METHOD, &ack).ok()) acked_ = ack_due_;
}

Status AmqpConsumer::OnEvent(AmqpEvent& event) {
  switch (event.id) {
    case AMQP_BASIC_DELIVER_METHOD:
      TakeMessage(event);
      return {};
    case AMQP_BASIC_CANCEL_METHOD:
      return {Code::kUnavailable, link_.name() + " ends the subscription: " + QueueName() +
                                      " was deleted, or its node went away"};
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto* close = static_cast<const amqp_channel_close_t*>(event.method);
      const std::string_view text = ToView(close->reply_text);
      return {Code::kUnavailable, link_.name() +
                                      " closes the channel: " + ReplyText(close->reply_code, text) +
                                      std::string(ReplyAdvice(close->reply_code, text))};
    }
    default:
      return {};
  }
}

Status AmqpConsumer::ReadEvents(bool* got) {
  if (Status status = link_.Receive(got); !status.ok()) return status;
  for (AmqpEvent event;;) {
    bool have = false;
    if (Status status = link_.Next(&event, &have); !status.ok()) return status;
    if (!have) return {};
    *got = true;
    if (Status status = OnEvent(event); !status.ok()) return status;
  }
}

Status AmqpConsumer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  const Deadline deadline = Clock::now() + budget;
  for (;;) {
    DeliverPending();
    SendAcks();
    if (Status status = link_.Flush(); !status.ok()) return status;
    if (Status status = link_.ServeHeartbeat(); !status.ok()) return status;
    const Millis left(PollTimeout(deadline));
    const unsigned ready = link_.Wait(std::min(left, kLookAround), wake_fd);
    if ((ready & AmqpLink::kReadable) != 0) {
      bool got = false;
      if (Status status = ReadEvents(&got); !status.ok()) return status;
      DeliverPending();
      if (got) return {};
    } else if (!link_.out().unsent().empty()) {
      if (Status status = link_.CheckSilence(); !status.ok()) return status;
    }
    if ((ready & AmqpLink::kWoken) != 0 || left.count() == 0) return {};
  }
}

void AmqpConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  SendAcks();
  while (link_.Flush().ok() && !link_.out().unsent().empty() && PollTimeout(deadline) > 0) {
    const unsigned ready = link_.Wait(Millis(PollTimeout(deadline)), cancel_fd);
    if ((ready & AmqpLink::kWoken) != 0) return;
    bool got = false;
    if ((ready & AmqpLink::kReadable) != 0 && !ReadEvents(&got).ok()) return;
  }
}

}  // namespace dsmsg
