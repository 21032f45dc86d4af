// SPDX-License-Identifier: Apache-2.0
// Handles the broker's answers about AmqpProducer's messages.
#include <algorithm>
#include <charconv>
#include <iterator>

#include "adaptors/amqp/errors.h"
#include "adaptors/amqp/producer.h"

namespace dsmsg::amqp {
namespace {

constexpr char kRejected[] =
    " could not take the message (basic.nack: is a queue full, or has it lost its leader?)";

}  // namespace

void AmqpProducer::OnReturn(const AmqpEvent& event) {
  if (!event.message_id.starts_with(id_prefix_)) return;
  Token token = 0;
  const char* end = event.message_id.data() + event.message_id.size();
  std::from_chars(event.message_id.data() + id_prefix_.size(), end, token, 16);
  const Status returned(ReplyCode(event.reply_code, event.reply_text),
                        ReplyText(event.reply_code, event.reply_text) +
                            std::string(ReplyAdvice(event.reply_code, event.reply_text)));
  const auto rejected =
      std::find_if(rejected_.begin(), rejected_.end(),
                   [token](const Rejected& each) { return each.slot.token == token; });
  if (rejected != rejected_.end()) {
    Slot slot = std::move(rejected->slot);
    rejected_.erase(rejected);
    slot.returned = returned;
    CompleteReturned(slot);
    return;
  }
  for (uint64_t tag = oldest_; tag != next_; ++tag) {
    Slot& slot = At(tag);
    if (slot.token != token || slot.done) continue;
    slot.returned = returned;
    return;
  }
}

void AmqpProducer::Refuse(const Slot& slot, Code code, const std::string& why) {
  // The refusal does not concern this connection's login.
  if (code == Code::kAuth) code = Code::kRejected;
  host_.Complete(slot.token, {code, "topic \"" + std::string(slot.message.topic) +
                                        "\", exchange \"" + settings_.exchange + "\": " + why});
}

void AmqpProducer::CompleteReturned(const Slot& slot) {
  Refuse(slot, slot.returned.code(),
         connection_.name() + " returned the message: " + slot.returned.message());
}

void AmqpProducer::GiveBack(const Slot& slot, const std::string& why) {
  Refuse(slot, Code::kUnavailable, connection_.name() + why);
}

void AmqpProducer::Confirm(uint64_t tag, bool taken) {
  Slot& slot = At(tag);
  if (slot.done) return;
  slot.done = true;
  if (!slot.returned.ok()) {
    CompleteReturned(slot);
  } else if (taken) {
    host_.Complete(slot.token, Status());
  } else if (settings_.mandatory) {
    rejected_.push_back({slot, asked_ + 1});
  } else {
    GiveBack(slot, kRejected);
  }
}

void AmqpProducer::OnAnswer() {
  ++answered_;
  while (!rejected_.empty() && rejected_.front().question <= answered_) {
    GiveBack(rejected_.front().slot, kRejected);
    rejected_.pop_front();
  }
}

void AmqpProducer::GiveBackRejected() {
  for (const Rejected& rejected : rejected_) GiveBack(rejected.slot, kRejected);
  rejected_.clear();
}

void AmqpProducer::OnConfirm(uint64_t tag, bool multiple, bool taken) {
  if (tag == 0 && multiple) tag = next_ - 1;  // all
  if (tag < oldest_ || tag >= next_) return;
  for (uint64_t each = multiple ? oldest_ : tag; each <= tag; ++each) Confirm(each, taken);
  while (oldest_ != next_ && At(oldest_).done) ++oldest_;
}

Status AmqpProducer::OnEvent(const AmqpEvent& event) {
  switch (event.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<const amqp_basic_ack_t*>(event.method);
      OnConfirm(ack->delivery_tag, ack->multiple != 0, true);
      return {};
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* nack = static_cast<const amqp_basic_nack_t*>(event.method);
      OnConfirm(nack->delivery_tag, nack->multiple != 0, false);
      return {};
    }
    case AMQP_BASIC_RETURN_METHOD:
      OnReturn(event);
      return {};
    case AMQP_BASIC_QOS_OK_METHOD:
      OnAnswer();
      return {};
    case AMQP_CHANNEL_OPEN_OK_METHOD:
      ready_ = ready_ || !settings_.confirm;
      return {};
    case AMQP_CONFIRM_SELECT_OK_METHOD:
      ready_ = true;
      return {};
    case AMQP_CHANNEL_CLOSE_METHOD:
      return OnChannelClose(*static_cast<const amqp_channel_close_t*>(event.method));
    default:
      return {};
  }
}

Status AmqpProducer::OnChannelClose(const amqp_channel_close_t& close) {
  const std::string_view text = ToView(close.reply_text);
  const std::string why =
      ReplyText(close.reply_code, text) + std::string(ReplyAdvice(close.reply_code, text));
  const Code code = ReplyCode(close.reply_code, text);
  if (!ready_) {  // no message was sent on it, so the next channel would end the same way
    return {Code::kUnavailable, connection_.name() + " closes the channel at once: " + why};
  }
  body_ = {};
  GiveBackRejected();
  std::deque<Slot> open;
  for (; oldest_ != next_; ++oldest_) {
    if (!At(oldest_).done) open.push_back(std::move(At(oldest_)));
  }
  if (!settings_.confirm) {
    host_.log().Limited(LogLevel::kWarn, "channel-closed",
                        connection_.name() +
                            " refused a message, and with it all messages in flight; with "
                            "confirm=0 it cannot tell which one: " +
                            why);
  }
  const bool passing = code == Code::kUnavailable;
  if (open.size() == 1 || passing) {
    for (const Slot& slot : open)
      Refuse(slot, code, connection_.name() + " closes the channel: " + why);
  } else {
    again_.insert(again_.begin(), std::make_move_iterator(open.begin()),
                  std::make_move_iterator(open.end()));
  }
  Reopen();
  return {};
}

void AmqpProducer::Reopen() {
  ready_ = false;
  oldest_ = next_ = 1;
  asked_ = answered_ = 0;
  const amqp_channel_open_t open{};
  const amqp_confirm_select_t select{};
  (void)connection_.Send(AMQP_CHANNEL_OPEN_METHOD, &open);
  if (settings_.confirm) (void)connection_.Send(AMQP_CONFIRM_SELECT_METHOD, &select);
  connection_.BeginExpecting();
}

Status AmqpProducer::OnConnectionClose(const Status& status) {
  GiveBackRejected();
  if (connection_.close_code() == AMQP_CONNECTION_FORCED) {
    // The broker is being stopped: no message is to blame, however often that happens.
    for (; oldest_ != next_; ++oldest_) {
      if (!At(oldest_).done) GiveBack(At(oldest_), " was stopped before it confirmed the message");
    }
  }
  if (!status.permanent()) return status;
  const Code code = status.code();
  const bool refusal = connection_.close_code() == AMQP_ACCESS_REFUSED || code == Code::kTooLarge ||
                       code == Code::kUnknownTopic;
  if (refusal && unconfirmed() == 1) Refuse(At(oldest_++), code, status.message());
  return {Code::kUnavailable, status.message()};
}

}  // namespace dsmsg::amqp
