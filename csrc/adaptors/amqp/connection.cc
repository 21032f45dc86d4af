// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/connection.h"

#include <poll.h>

#include <algorithm>
#include <optional>

#include "adaptors/amqp/errors.h"
#include "core/net/hints.h"

namespace dsmsg::amqp {
namespace {

// How much of a message's body is reserved because the broker announced it; the rest is reserved as
// it comes.
constexpr uint64_t kReserve = uint64_t{1} << 20;

/// A header's value as text; nothing for tables, arrays and the like.
std::optional<std::string> TextOf(const amqp_field_value_t& field) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return std::string(ToView(field.value.bytes));
    case AMQP_FIELD_KIND_BOOLEAN:
      return field.value.boolean != 0 ? "true" : "false";
    case AMQP_FIELD_KIND_I8:
      return std::to_string(field.value.i8);
    case AMQP_FIELD_KIND_U8:
      return std::to_string(field.value.u8);
    case AMQP_FIELD_KIND_I16:
      return std::to_string(field.value.i16);
    case AMQP_FIELD_KIND_U16:
      return std::to_string(field.value.u16);
    case AMQP_FIELD_KIND_I32:
      return std::to_string(field.value.i32);
    case AMQP_FIELD_KIND_U32:
      return std::to_string(field.value.u32);
    case AMQP_FIELD_KIND_I64:
      return std::to_string(field.value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return std::to_string(field.value.u64);
    case AMQP_FIELD_KIND_F32:
      return std::to_string(field.value.f32);
    case AMQP_FIELD_KIND_F64:
      return std::to_string(field.value.f64);
    default:
      return std::nullopt;
  }
}

// Decoded properties live until the next frame, so they are copied. Seconds, as AMQP says; a sender
// that wrote milliseconds is recognised by a year beyond 5000.
void TakeProperties(const amqp_basic_properties_t& properties, AmqpEvent* event) {
  constexpr uint64_t kSecondsEnd = 100'000'000'000;
  if ((properties._flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0) {
    const uint64_t time = properties.timestamp;
    event->timestamp_ms = static_cast<int64_t>(time < kSecondsEnd ? time * 1000 : time);
  }
  if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) == 0) return;
  for (int i = 0; i < properties.headers.num_entries; ++i) {
    const amqp_table_entry_t& entry = properties.headers.entries[i];
    if (auto text = TextOf(entry.value)) {
      event->headers.emplace_back(ToView(entry.key), *std::move(text));
    }
  }
}

}  // namespace

Peer AmqpConnection::peer() const {
  return {"an AMQP 0-9-1 broker", servers_.AnsweredBy(name_, greeted_), !settings_.tls.enabled};
}

Status AmqpConnection::Lost(const std::string& why) const {
  return {Code::kUnavailable, "the connection to " + name_ + " is lost: " + why +
                                  (opened_ ? std::string() : Hint(Situation::kClosed, peer()))};
}

Status AmqpConnection::NotAmqp() const {
  std::string why = in_.error();
  // A broker that answers with its own version of AMQP has said everything.
  if (!greeted_ && !in_.unread().starts_with("AMQP")) {
    why = ForeignAnswer(in_.unread(), peer(), why);
  }
  return {Code::kUnavailable, name_ + ": " + why};
}

void AmqpConnection::Close() {
  stream_.Close();
  out_.Clear();
  in_.Clear();
  content_ = AmqpEvent();
  body_left_ = 0;
  greeted_ = opened_ = side_open_ = has_header_ = logged_in_ = blocked_ = broken_ = unread_ =
      quiet_ = false;
  close_code_ = 0;
  heartbeat_ = Millis(0);
  sent_ = 0;
}

// Without it, the broker logs that a client disconnected unexpectedly.
void AmqpConnection::Close(Deadline deadline, int cancel_fd) {
  // A broker that does not read would not answer either.
  bool polite = logged_in_ && !blocked_ && !broken_ && close_code_ == 0;
  polite = polite && Flush().ok() && out_.unsent().empty();
  if (polite) {
    amqp_connection_close_t close{};
    close.reply_code = AMQP_REPLY_SUCCESS;
    close.reply_text = ToBytes("goodbye");
    polite = out_.Method(0, AMQP_CONNECTION_CLOSE_METHOD, &close);
  }
  AmqpEvent event;
  if (polite) {
    (void)WaitFor(AMQP_CONNECTION_CLOSE_OK_METHOD, "say goodbye", deadline, cancel_fd, &event,
                  [](AmqpEvent&) {});
  }
  Close();
}

Status AmqpConnection::Send(amqp_method_number_t id, const void* method, uint16_t channel) {
  if (out_.Method(channel, id, method)) return {};
  return {Code::kInvalidArgument, std::string(amqp_method_name(id)) + " does not fit into a frame"};
}

Status AmqpConnection::Flush() {
  while (!out_.unsent().empty()) {
    size_t done = 0;
    const std::string_view unsent = out_.unsent();
    const Stream::Io io = stream_.Send(unsent.data(), unsent.size(), &done);
    if (io == Stream::Io::kClosed || io == Stream::Io::kError) {
      const std::string why = stream_.error().message();
      // The broker may have given a reason before it closed: Receive finds it.
      broken_ = true;
      bool got = false;
      if (Receive(&got).ok() && got) return {};
      return Lost(why);
    }
    if (done == 0) break;
    sent_ += done;
    out_.Sent(done);
    last_send_ = Clock::now();
  }
  return {};
}

unsigned AmqpConnection::Wait(Millis budget, int wake_fd) {
  if (unread_ || stream_.buffered()) return kReadable;
  const bool write = !out_.unsent().empty();
  if (heartbeat_.count() > 0) {
    const Deadline due = write ? silence_.heard() + 2 * heartbeat_ : last_send_ + heartbeat_ / 2;
    budget = std::min(budget, Millis(PollTimeout(due)));
  }
  pollfd fds[2] = {};
  fds[0].fd = stream_.fd();
  const short readable = stream_.read_events(), writable = stream_.write_events();
  fds[0].events = static_cast<short>(readable | (write ? writable : 0));
  fds[1].fd = wake_fd;
  fds[1].events = POLLIN;
  const int64_t timeout = std::clamp<int64_t>(budget.count(), 0, 60'000);
  if (poll(fds, 2, static_cast<int>(timeout)) <= 0) return 0;
  unsigned result = 0;
  if ((fds[0].revents & (readable | POLLHUP | POLLERR)) != 0) result |= kReadable;
  if (write && (fds[0].revents & (writable | POLLHUP | POLLERR)) != 0) result |= kWritable;
  if (fds[1].revents != 0) result |= kWoken;
  return result;
}

Status AmqpConnection::Receive(bool* got) {
  size_t size = 0, done = 0;
  char* space = in_.Space(&size);
  const Stream::Io io = stream_.Receive(space, size, &done);
  *got = done > 0;
  if (io == Stream::Io::kClosed || io == Stream::Io::kError) {
    const Status status = stream_.error();
    broken_ = true;
    *got = unread_;  // data that came before is read first: it may say why
    if (unread_) return {};
    if (status.code() != Code::kUnavailable) return status;
    return Lost(status.message());
  }
  if (!*got) return {};
  in_.Received(done);
  unread_ = true;
  quiet_ = false;
  silence_.Heard();
  return {};
}

Status AmqpConnection::Next(AmqpEvent* event, bool* have) {
  *have = false;
  for (AmqpFrame frame;;) {
    switch (in_.Next(&frame)) {
      case FrameReader::Result::kNone:
        unread_ = false;
        return {};
      case FrameReader::Result::kBroken:
        broken_ = true;
        return NotAmqp();
      case FrameReader::Result::kFrame:
        break;
    }
    if (frame.type == AMQP_FRAME_HEARTBEAT) continue;
    if (frame.channel == 0) {
      if (frame.type != AMQP_FRAME_METHOD) continue;
      if (Status status = OnConnectionMethod(frame, event, have); !status.ok() || *have) {
        return status;
      }
      continue;
    }
    if (frame.channel == kSideChannel) {  // these may come between the parts of a message
      if (frame.type != AMQP_FRAME_METHOD) continue;
      *event = AmqpEvent();
      event->id = frame.id;
      event->method = frame.method;
      *have = true;
    } else {
      *have = OnContent(frame, event);
      if (!*have) continue;
    }
    event->channel = frame.channel;
    if (event->id == AMQP_CHANNEL_CLOSE_METHOD) {
      const amqp_channel_close_ok_t ok{};
      (void)Send(AMQP_CHANNEL_CLOSE_OK_METHOD, &ok, frame.channel);
      if (frame.channel == kSideChannel) side_open_ = false;
    }
    return {};
  }
}

Status AmqpConnection::OnConnectionMethod(const AmqpFrame& frame, AmqpEvent* event, bool* have) {
  switch (frame.id) {
    case AMQP_CONNECTION_CLOSE_METHOD:
      return OnConnectionClose(*static_cast<const amqp_connection_close_t*>(frame.method));
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      const auto* blocked = static_cast<const amqp_connection_blocked_t*>(frame.method);
      blocked_ = true;
      log_.Warn(name_ + " accepts no messages at present: " + std::string(ToView(blocked->reason)) +
                " (the broker's memory or disk alarm; messages wait)");
      return {};
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_ = false;
      BeginExpecting();
      log_.Warn(name_ + " takes messages again");
      return {};
    default:
      *event = AmqpEvent();
      event->id = frame.id;
      event->method = frame.method;
      *have = true;
      return {};
  }
}

Status AmqpConnection::OnConnectionClose(const amqp_connection_close_t& close) {
  const std::string_view text = ToView(close.reply_text);
  Code code = ReplyCode(close.reply_code, text);
  if (logged_in_ && code == Code::kRejected) code = Code::kUnavailable;
  std::string said = ReplyText(close.reply_code, text);
  // LogIn says whose login was refused, and what to check.
  if (logged_in_ || close.reply_code != AMQP_ACCESS_REFUSED) {
    said =
        name_ + " ends the connection: " + said + std::string(ReplyAdvice(close.reply_code, text));
  }
  Status status(code, said);
  close_code_ = close.reply_code;
  const amqp_connection_close_ok_t ok{};
  if (out_.Method(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok)) (void)Flush();
  return status;
}

// A method with content consists of three kinds of frames; true when `event` is complete.
bool AmqpConnection::OnContent(const AmqpFrame& frame, AmqpEvent* event) {
  if (frame.type == AMQP_FRAME_METHOD) {
    *event = AmqpEvent();
    event->id = frame.id;
    event->method = frame.method;
    content_ = AmqpEvent();
    has_header_ = false;
    if (frame.id == AMQP_BASIC_DELIVER_METHOD) {
      const auto* deliver = static_cast<const amqp_basic_deliver_t*>(frame.method);
      content_.delivery_tag = deliver->delivery_tag;
      content_.routing_key = ToView(deliver->routing_key);
      content_.redelivered = deliver->redelivered != 0;
    } else if (frame.id == AMQP_BASIC_RETURN_METHOD) {
      const auto* returned = static_cast<const amqp_basic_return_t*>(frame.method);
      content_.reply_code = returned->reply_code;
      content_.reply_text = ToView(returned->reply_text);
      content_.routing_key = ToView(returned->routing_key);
    } else {
      return true;
    }
    content_.id = frame.id;
    return false;
  }
  if (content_.id == 0) return false;  // of a channel that was closed meanwhile
  const bool keep = content_.id == AMQP_BASIC_DELIVER_METHOD;
  if (frame.type == AMQP_FRAME_HEADER) {
    body_left_ = frame.body_size;
    has_header_ = true;
    if ((frame.properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) {
      content_.message_id = ToView(frame.properties->message_id);
    }
    if (keep) TakeProperties(*frame.properties, &content_);
    if (keep) content_.body.reserve(std::min(body_left_, kReserve));
  } else if (has_header_) {
    if (keep) content_.body.append(frame.body);
    body_left_ -= std::min<uint64_t>(body_left_, frame.body.size());
  }
  if (!has_header_ || body_left_ > 0) return false;
  *event = std::move(content_);
  content_ = AmqpEvent();
  has_header_ = false;
  return true;
}

Status AmqpConnection::WaitFor(amqp_method_number_t answer, const std::string& what,
                               Deadline deadline, int cancel_fd, AmqpEvent* event,
                               const OtherEvents& others, uint16_t channel) {
  for (;;) {
    bool have = false;
    if (Status status = Next(event, &have); !status.ok()) return status;
    if (have) {
      const bool ours = event->channel == channel || event->channel == 0;
      if (ours && event->id == answer) return {};
      if (ours && event->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto* close = static_cast<const amqp_channel_close_t*>(event->method);
        const std::string_view text = ToView(close->reply_text);
        Status refused(ReplyCode(close->reply_code, text),
                       "cannot " + what + " at " + name_ + ": " +
                           ReplyText(close->reply_code, text) +
                           std::string(ReplyAdvice(close->reply_code, text)));
        if (Status status = Flush(); !status.ok()) return status;
        return refused;
      }
      if (others) others(*event);
      continue;
    }
    if (Status status = Flush(); !status.ok()) return status;
    if (Status status = ServeHeartbeat(); !status.ok()) return status;
    const int left = PollTimeout(deadline);
    const unsigned ready = Wait(Millis(left), cancel_fd);
    if ((ready & kWoken) != 0) return {Code::kCancelled, "cancelled: " + what};
    if ((ready & kReadable) != 0) {
      bool got = false;
      if (Status status = Receive(&got); !status.ok()) return status;
    } else if (left == 0) {
      broken_ = true;
      return {Code::kTimeout, "cannot " + what + ": no answer from " + name_ + " in time" +
                                  Hint(opened_ ? Situation::kStalled : Situation::kSilent, peer())};
    }
  }
}

Status AmqpConnection::Call(amqp_method_number_t id, const void* method,
                            amqp_method_number_t answer, const std::string& what, Deadline deadline,
                            int cancel_fd, const OtherEvents& others, uint16_t channel) {
  if (Status status = Send(id, method, channel); !status.ok()) {
    return {status.code(), "cannot " + what + ": " + status.message()};
  }
  AmqpEvent event;
  return WaitFor(answer, what, deadline, cancel_fd, &event, others, channel);
}

Result<uint16_t> AmqpConnection::OpenSide(Deadline deadline, int cancel_fd,
                                          const OtherEvents& others) {
  if (channel_max_ == 1) return kChannel;
  if (side_open_) return kSideChannel;
  const amqp_channel_open_t open{};
  Status status = Call(AMQP_CHANNEL_OPEN_METHOD, &open, AMQP_CHANNEL_OPEN_OK_METHOD,
                       "open a channel", deadline, cancel_fd, others, kSideChannel);
  if (!status.ok()) return status;
  side_open_ = true;
  return kSideChannel;
}

Status AmqpConnection::DeclareExchange(Deadline deadline, int cancel_fd) {
  if (settings_.exchange_type.empty()) return {};
  amqp_exchange_declare_t declare{};
  declare.exchange = ToBytes(settings_.exchange);
  declare.type = ToBytes(settings_.exchange_type);
  declare.durable = 1;
  return Call(
      AMQP_EXCHANGE_DECLARE_METHOD, &declare, AMQP_EXCHANGE_DECLARE_OK_METHOD,
      "declare the exchange \"" + settings_.exchange + "\" of type " + settings_.exchange_type,
      deadline, cancel_fd);
}

// A heartbeat after unsent bytes would be useless: those bytes already show that we are alive.
Status AmqpConnection::ServeHeartbeat() {
  if (heartbeat_.count() == 0) return {};
  const Deadline now = Clock::now();
  if (out_.unsent().empty() && now - last_send_ >= heartbeat_ / 2) {
    out_.Heartbeat();
    last_send_ = now;
    if (Status status = Flush(); !status.ok()) return status;
  }
  if (now - silence_.heard() <= 2 * heartbeat_) return {};
  // Perhaps nothing was read for that long: check what has arrived.
  bool got = false;
  if (Status status = Receive(&got); !status.ok() || got) return status;
  broken_ = true;
  return {Code::kTimeout, name_ + " has sent no heartbeat for " +
                              std::to_string(2 * heartbeat_.count() / 1000) + " s" +
                              Hint(Situation::kStalled)};
}

Status AmqpConnection::CheckSilence(bool* quiet) {
  const Status status = silence_.Check(stream_.fd(), name_);
  broken_ = broken_ || !status.ok();
  const bool now_quiet = silence_.Look(stream_.fd()) > settings_.silence_limit / 2;
  if (quiet != nullptr) *quiet = now_quiet && !quiet_;
  quiet_ = quiet_ || now_quiet;
  return status;
}

}  // namespace dsmsg::amqp
