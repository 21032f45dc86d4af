// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/consumer.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "adaptors/amqp/errors.h"
#include "core/base/time.h"

namespace dsmsg::amqp {
namespace {

constexpr Millis kLookAround{1000};
constexpr int kGenerationShift = 48;      // delivery tags never get that far
constexpr char kConsumerTag[] = "dsmsg";  // unique on its channel
constexpr uint64_t kTagMask = (uint64_t{1} << kGenerationShift) - 1;

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t begin = 0, end = 0; end != text.npos; begin = end + 1) {
    end = text.find('.', begin);
    words.push_back(text.substr(begin, end - begin));
  }
  return words;
}

}  // namespace

void AmqpConsumer::Reset() {
  queue_.clear();
  bound_.clear();
  kept_.clear();
  settled_.clear();
  delivered_.clear();
  if (!named()) left_.clear();  // its queue has gone
  consuming_ = false;
  pending_.clear();
  acked_ = ack_due_ = 0;
  ++generation_;
  broken_ = Status();
}

Status AmqpConsumer::Start(Deadline deadline, int cancel_fd) {
  Reset();
  if (Status status = connection_.DeclareExchange(deadline, cancel_fd); !status.ok()) return status;
  amqp_basic_qos_t qos{};
  qos.prefetch_count = settings_.prefetch;
  return connection_.Call(AMQP_BASIC_QOS_METHOD, &qos, AMQP_BASIC_QOS_OK_METHOD, "set the prefetch",
                          deadline, cancel_fd);
}

std::string AmqpConsumer::QueueName() const {
  return settings_.queue.empty() ? "a private queue" : "the queue \"" + settings_.queue + "\"";
}

AmqpConnection::OtherEvents AmqpConsumer::Others() {
  return [this](AmqpEvent& event) {
    Status status = OnEvent(event);
    if (broken_.ok()) broken_ = std::move(status);
  };
}

// `side`: a refusal by the broker does no harm.
Status AmqpConsumer::Call(amqp_method_number_t id, const void* method, amqp_method_number_t answer,
                          const std::string& what, Deadline deadline, int cancel_fd, bool side) {
  uint16_t channel = AmqpConnection::kChannel;
  if (side) {
    const Result<uint16_t> opened = connection_.OpenSide(deadline, cancel_fd, Others());
    if (!opened.ok()) return opened.status();
    channel = opened.value();
  }
  return connection_.Call(id, method, answer, what, deadline, cancel_fd, Others(), channel);
}

Status AmqpConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                               int cancel_fd) {
  if (settings_.exchange.empty()) {
    return {
        Code::kNotSupported,
        "subscribing needs an exchange that a queue can be bound to; the default exchange takes "
        "no bindings (set exchange, for example to amq.topic)"};
  }
  for (const std::string& topic : topics) {
    if (topic.size() <= kMaxName) continue;
    return {Code::kInvalidArgument, "a topic of " + std::to_string(topic.size()) +
                                        " bytes is too long: AMQP allows 255 for a routing key"};
  }
  Status status = Change(Topics(topics.begin(), topics.end()), deadline, cancel_fd);
  if (!status.ok() && !status.permanent()) broken_ = status;
  return status;
}

// Additions first: if one is refused, the existing bindings stay as they are.
Status AmqpConsumer::Change(const Topics& wanted, Deadline deadline, int cancel_fd) {
  if (wanted.empty()) return Cancel(deadline, cancel_fd);
  Topics added;
  Status status = BindAll(wanted, &added, deadline, cancel_fd);
  if (status.ok() && !consuming_) status = Consume(deadline, cancel_fd);
  if (!status.ok() && !status.permanent()) {
    // A binding without an answer may exist nevertheless, and a named queue keeps it.
    std::set_difference(wanted.begin(), wanted.end(), bound_.begin(), bound_.end(),
                        std::inserter(left_, left_.end()));
  }
  if (status.permanent()) {
    // A binding of a named queue may be older than this connection: it stays, and so do the
    // messages that the queue gets through it.
    left_.insert(added.begin(), added.end());
    const bool whole = consuming_ && connection_.has_side();  // the receiving channel is
    Status undone = named() || !whole ? Status() : Unbind(added, deadline, cancel_fd);
    if (!whole || !undone.ok()) undone = Reopen(deadline, cancel_fd);
    if (!undone.ok()) broken_ = undone;
  }
  if (!status.ok()) return status;
  Topics gone;
  std::set_difference(bound_.begin(), bound_.end(), wanted.begin(), wanted.end(),
                      std::inserter(gone, gone.end()));
  left_.insert(gone.begin(), gone.end());
  for (const std::string& topic : wanted) left_.erase(topic);
  bound_ = wanted;
  if (status = Unbind(gone, deadline, cancel_fd); !status.ok() && !status.permanent()) {
    return status;
  }
  std::deque<Pending> kept;
  for (Pending& pending : pending_) {
    if (GivenUp(pending.message.topic)) {
      TurnAway(pending.tag);
    } else {
      kept.push_back(std::move(pending));
    }
  }
  pending_.swap(kept);
  GiveBackKept();
  return {};
}

// Nothing has been consumed yet, or the channel is closed: a new connection ends anything half
// done.
Status AmqpConsumer::Reopen(Deadline deadline, int cancel_fd) {
  if (consuming_) return {Code::kUnavailable, "subscribing to the previous topics again"};
  connection_.Close();
  Status status = connection_.Open("receive", deadline, cancel_fd);
  return status.ok() ? Start(deadline, cancel_fd) : status;
}

Status AmqpConsumer::Consume(Deadline deadline, int cancel_fd) {
  amqp_basic_consume_t consume{};
  consume.queue = ToBytes(queue_);
  consume.consumer_tag = ToBytes(kConsumerTag);
  Status status = Call(AMQP_BASIC_CONSUME_METHOD, &consume, AMQP_BASIC_CONSUME_OK_METHOD,
                       "read " + QueueName(), deadline, cancel_fd, /*side=*/false);
  consuming_ = status.ok();
  return status;
}

// No topic is wanted any more. A private queue disappears with its consumer.
Status AmqpConsumer::Cancel(Deadline deadline, int cancel_fd) {
  if (!consuming_) return {};
  amqp_basic_cancel_t cancel{};
  cancel.consumer_tag = ToBytes(kConsumerTag);
  Status status = Call(AMQP_BASIC_CANCEL_METHOD, &cancel, AMQP_BASIC_CANCEL_OK_METHOD,
                       "stop reading " + QueueName(), deadline, cancel_fd, /*side=*/false);
  if (!status.ok()) return status;
  consuming_ = false;
  for (const Pending& pending : pending_) TurnAway(pending.tag);
  pending_.clear();
  left_.insert(bound_.begin(), bound_.end());
  bound_.clear();
  if (!named()) queue_.clear();
  return {};
}

bool AmqpConsumer::Matches(std::string_view filter, std::string_view topic) {
  const std::vector<std::string_view> wanted = Words(filter), words = Words(topic);
  constexpr size_t kNone = ~size_t{0};
  size_t at = 0, hash = kNone, resume = 0;  // the last # seen, and the first word not covered by it
  for (size_t word = 0; word < words.size();) {
    if (at < wanted.size() && wanted[at] == "#") {
      hash = at++;
      resume = word;
    } else if (at < wanted.size() && (wanted[at] == "*" || wanted[at] == words[word])) {
      ++at;
      ++word;
    } else if (hash != kNone) {
      at = hash + 1;
      word = ++resume;
    } else {
      return false;
    }
  }
  while (at < wanted.size() && wanted[at] == "#") ++at;
  return at == wanted.size();
}

bool AmqpConsumer::GivenUp(const std::string& topic) const {
  const auto in = [&](const Topics& topics) {
    return std::any_of(topics.begin(), topics.end(),
                       [&](const std::string& filter) { return Matches(filter, topic); });
  };
  return !left_.empty() && in(left_) && !in(bound_);
}

void AmqpConsumer::TurnAway(uint64_t tag) {
  if (named() && kept_.size() < settings_.prefetch / 2U) {
    kept_.insert(tag);
    return;
  }
  settled_.insert(tag);
  if (!named()) {
    amqp_basic_ack_t ack{};
    ack.delivery_tag = tag;
    (void)connection_.Send(AMQP_BASIC_ACK_METHOD, &ack);
    return;
  }
  amqp_basic_reject_t reject{};
  reject.delivery_tag = tag;
  (void)connection_.Send(AMQP_BASIC_REJECT_METHOD, &reject);
  host_.log().Limited(LogLevel::kWarn, "given up",
                      QueueName() +
                          " holds messages of topics that are no longer subscribed to; they are "
                          "rejected (a dead-letter exchange of the queue gets them)");
}

// A topic may be wanted again: keep only what is still unwanted.
void AmqpConsumer::GiveBackKept() {
  for (const uint64_t tag : kept_) {
    amqp_basic_reject_t reject{};
    reject.delivery_tag = tag;
    reject.requeue = 1;
    (void)connection_.Send(AMQP_BASIC_REJECT_METHOD, &reject);
  }
  settled_.merge(kept_);
}

void AmqpConsumer::TakeMessage(AmqpEvent& event) {
  if (GivenUp(event.routing_key)) return TurnAway(event.delivery_tag);
  InMessage message;
  message.topic = std::move(event.routing_key);
  message.payload = std::move(event.body);
  message.id = std::move(event.message_id);
  message.timestamp_ms = event.timestamp_ms;
  if (event.timestamp_ms >= 0) message.timestamp_type = DSMSG_TIMESTAMP_CREATE;
  message.redelivered = event.redelivered;
  for (auto& [name, value] : event.headers) {
    if (name == "key") {  // where the sending half writes it
      message.key = value;
      message.has_key = true;
    } else {
      message.headers.emplace_back(std::move(name), std::move(value));
    }
  }
  pending_.push_back({std::move(message), event.delivery_tag});
}

void AmqpConsumer::DeliverPending() {
  while (!pending_.empty()) {
    Pending& next = pending_.front();
    const AckToken token = generation_ << kGenerationShift | (next.tag & kTagMask);
    const Status status = host_.Deliver(std::move(next.message), token);
    if (status.code() == Code::kWouldBlock) return;
    if (!status.ok()) {
      // The connection is being closed: the remaining messages stay with the broker.
      pending_.clear();
      return;
    }
    delivered_.push_back(next.tag);
    pending_.pop_front();
  }
}

// Messages of an earlier connection are delivered again, under new numbers.
bool AmqpConsumer::TakeDelivered(AckToken token) {
  if (token >> kGenerationShift != (generation_ & (~uint64_t{0} >> kGenerationShift))) return false;
  const auto found = std::lower_bound(delivered_.begin(), delivered_.end(), token & kTagMask);
  if (found == delivered_.end() || *found != (token & kTagMask)) return false;
  delivered_.erase(found);
  return true;
}

void AmqpConsumer::Ack(AckToken token) noexcept {
  const uint64_t tag = token & kTagMask;
  if (!TakeDelivered(token)) return;
  if (delivered_.empty() || delivered_.front() > tag) {
    ack_due_ = std::max(ack_due_, tag);  // all up to here are done
    return;
  }
  // Out of order, by a host that acknowledges by itself.
  settled_.insert(tag);
  amqp_basic_ack_t ack{};
  ack.delivery_tag = tag;
  (void)connection_.Send(AMQP_BASIC_ACK_METHOD, &ack);
}

void AmqpConsumer::Release(AckToken token) noexcept {
  if (TakeDelivered(token)) TurnAway(token & kTagMask);
}

// Everything up to ack_due_ is done, except for what was rejected or answered by itself.
void AmqpConsumer::SendAcks() {
  if (ack_due_ <= acked_) return;
  amqp_basic_ack_t ack{};
  const bool all = kept_.empty() || *kept_.begin() > ack_due_;
  ack.multiple = all ? 1 : 0;
  for (uint64_t tag = all ? ack_due_ : acked_ + 1; tag <= ack_due_; ++tag) {
    if (kept_.contains(tag) || (!all && settled_.contains(tag))) continue;
    ack.delivery_tag = tag;
    if (!connection_.Send(AMQP_BASIC_ACK_METHOD, &ack).ok()) return;
    acked_ = tag;
  }
  settled_.erase(settled_.begin(), settled_.upper_bound(acked_));
}

Status AmqpConsumer::OnEvent(AmqpEvent& event) {
  switch (event.id) {
    case AMQP_BASIC_DELIVER_METHOD:
      TakeMessage(event);
      return {};
    case AMQP_BASIC_CANCEL_METHOD:
      return {Code::kUnavailable, connection_.name() + " ends the subscription: " + QueueName() +
                                      " was deleted, or its node went away"};
    case AMQP_CHANNEL_CLOSE_METHOD: {
      if (event.channel == AmqpConnection::kSideChannel) return {};  // reopened when needed
      const auto* close = static_cast<const amqp_channel_close_t*>(event.method);
      const std::string_view text = ToView(close->reply_text);
      return {Code::kUnavailable, connection_.name() +
                                      " closes the channel: " + ReplyText(close->reply_code, text) +
                                      std::string(ReplyAdvice(close->reply_code, text))};
    }
    default:
      return {};
  }
}

Status AmqpConsumer::ReadEvents(bool* got) {
  if (Status status = connection_.Receive(got); !status.ok()) return status;
  for (AmqpEvent event;;) {
    bool have = false;
    if (Status status = connection_.Next(&event, &have); !status.ok()) return status;
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
    if (Status status = connection_.Flush(); !status.ok()) return status;
    if (Status status = connection_.ServeHeartbeat(); !status.ok()) return status;
    const Millis left(PollTimeout(deadline));
    const unsigned ready = connection_.Wait(std::min(left, kLookAround), wake_fd);
    if ((ready & AmqpConnection::kReadable) != 0) {
      bool got = false;
      if (Status status = ReadEvents(&got); !status.ok()) return status;
      DeliverPending();
      if (got) return {};
    } else if (!connection_.out().unsent().empty()) {
      if (Status status = connection_.CheckSilence(); !status.ok()) return status;
    }
    if ((ready & AmqpConnection::kWoken) != 0 || left.count() == 0) return {};
  }
}

void AmqpConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  SendAcks();
  while (connection_.Flush().ok() && !connection_.out().unsent().empty() &&
         PollTimeout(deadline) > 0) {
    const unsigned ready = connection_.Wait(Millis(PollTimeout(deadline)), cancel_fd);
    if ((ready & AmqpConnection::kWoken) != 0) return;
    bool got = false;
    if ((ready & AmqpConnection::kReadable) != 0 && !ReadEvents(&got).ok()) return;
  }
}

}  // namespace dsmsg::amqp
