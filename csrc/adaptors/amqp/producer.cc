// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/producer.h"
#include "core/base/time.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <random>

namespace dsmsg::amqp {
namespace {

// How much a slowly reading broker can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
constexpr Millis kLookAround{1000}, kIdleLookAround{5000};

std::string RandomPrefix() {
  std::random_device device;
  char text[32];
  std::snprintf(text, sizeof text, "%08x%08x-", device(), device());
  return text;
}

std::string_view ContentType(std::string_view payload) {
  const bool json = !payload.empty() && (payload.front() == '{' || payload.front() == '[');
  return json ? "application/json" : "application/octet-stream";
}

amqp_table_entry_t HeaderEntry(std::string_view name, std::string_view value) {
  amqp_table_entry_t entry{};
  entry.key = ToBytes(name);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = ToBytes(value);
  return entry;
}

}  // namespace

AmqpProducer::AmqpProducer(const AmqpSettings& settings, AmqpConnection& link, DriverHost& host)
    : settings_(settings),
      connection_(link),
      host_(host),
      id_prefix_(RandomPrefix()),
      ring_(std::bit_ceil(settings.confirm_window + 1)) {}

void AmqpProducer::Reset() {
  oldest_ = next_ = 1;
  again_.clear();
  rejected_.clear();
  asked_ = answered_ = 0;
  written_.clear();
  body_ = {};
  ready_ = false;
  window_.Reset(settings_.confirm_window);
  broken_ = Status();
}

Status AmqpProducer::Start(Deadline deadline, int cancel_fd) {
  Reset();
  if (Status status = connection_.DeclareExchange(deadline, cancel_fd); !status.ok()) return status;
  if (settings_.confirm) {
    const amqp_confirm_select_t select{};
    Status status =
        connection_.Call(AMQP_CONFIRM_SELECT_METHOD, &select, AMQP_CONFIRM_SELECT_OK_METHOD,
                         "enable publisher confirms", deadline, cancel_fd);
    if (!status.ok()) return status;
  }
  ready_ = true;
  return {};
}

Status AmqpProducer::Check(const Message& message) const {
  if (message.topic.empty() && settings_.exchange.empty()) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  if (message.topic.size() > kMaxName) {
    return {Code::kRejected, "a topic of " + std::to_string(message.topic.size()) +
                                 " bytes is too long: AMQP allows 255 for a routing key"};
  }
  for (const auto& [name, value] : message.headers) {
    if (name.size() > kMaxName) {
      return {Code::kRejected, "a header's name is longer than the 255 bytes that AMQP allows"};
    }
  }
  return {};
}

bool AmqpProducer::room() const {
  return ready_ && again_.empty() && body_.empty() && !connection_.blocked() && broken_.ok();
}

Status AmqpProducer::Submit(const Message& message, Token token) {
  if (Status status = Check(message); !status.ok()) return status;
  if (!window_.Takes(unconfirmed(), room())) return {Code::kWouldBlock, {}};
  if (connection_.out().unsent().size() >= SendWindow::kFlushAt) {
    broken_ = connection_.Flush();
    if (!broken_.ok() || connection_.out().unsent().size() >= kMaxUnsent) {
      window_.Fill();
      return {Code::kWouldBlock, {}};
    }
  }
  if (Publish(message, token)) return {};
  return {Code::kTooLarge, "topic \"" + std::string(message.topic) +
                               "\": the headers do not fit into one frame of " +
                               std::to_string(connection_.out().frame_max()) +
                               " bytes (amqp-framesize, and frame_max in rabbitmq.conf)"};
}

bool AmqpProducer::Publish(const Message& message, Token token) {
  FrameWriter& out = connection_.out();
  const size_t before = out.unsent().size();
  amqp_basic_publish_t publish{};
  publish.exchange = ToBytes(settings_.exchange);
  publish.routing_key = ToBytes(message.topic);
  publish.mandatory = settings_.mandatory ? 1 : 0;
  if (!connection_.Send(AMQP_BASIC_PUBLISH_METHOD, &publish).ok() || !AddHeader(message, token)) {
    out.Truncate(before);
    return false;
  }
  body_ = message.payload;
  AddBody();
  if (!settings_.confirm) {
    const size_t frames = (body_.size() + out.body_max() - 1) / out.body_max();
    written_.push_back({connection_.added() + body_.size() + frames * kFrameExtra, token});
    return true;
  }
  if (unconfirmed() == 0) connection_.BeginExpecting();
  Slot& slot = At(next_++);
  slot.token = token;
  slot.message = message;
  slot.done = false;
  slot.returned = Status();
  return true;
}

bool AmqpProducer::AddHeader(const Message& message, Token token) {
  char id[64];
  const size_t prefix = id_prefix_.copy(id, sizeof id - 20);
  const char* id_end = std::to_chars(id + prefix, id + sizeof id, token, 16).ptr;
  headers_.clear();
  bool own_key = message.has_key;
  for (const auto& [name, value] : message.headers) {
    headers_.push_back(HeaderEntry(name, value));
    if (name == "key") own_key = false;  // the user's own takes precedence
  }
  if (own_key) headers_.push_back(HeaderEntry("key", message.key));

  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.content_type = ToBytes(settings_.content_type.empty() ? ContentType(message.payload)
                                                                   : settings_.content_type);
  properties.delivery_mode =
      settings_.persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
  properties.message_id = ToBytes({id, static_cast<size_t>(id_end - id)});
  properties.timestamp = static_cast<uint64_t>(std::max<int64_t>(0, message.timestamp_ms)) / 1000;
  if (!headers_.empty()) {
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = {static_cast<int>(headers_.size()), headers_.data()};
  }
  return connection_.out().ContentHeader(AmqpConnection::kChannel, message.payload.size(),
                                         properties);
}

void AmqpProducer::AddBody() {
  FrameWriter& out = connection_.out();
  while (!body_.empty() && out.unsent().size() < kMaxUnsent) {
    const std::string_view part = body_.substr(0, out.body_max());
    out.Body(AmqpConnection::kChannel, part);
    body_.remove_prefix(part.size());
  }
}

void AmqpProducer::SendAgain() {
  if (again_.empty() || !ready_ || connection_.blocked() || unconfirmed() > 0 || !body_.empty())
    return;
  const Slot next = std::move(again_.front());
  again_.pop_front();
  Publish(next.message, next.token);  // it did fit before
}

void AmqpProducer::CompleteWritten() {
  while (!written_.empty() && written_.front().end <= connection_.sent()) {
    const Token token = written_.front().token;
    written_.pop_front();
    host_.Complete(token, Status());
  }
}

Status AmqpProducer::ReadEvents(bool* got) {
  if (Status status = connection_.Receive(got); !status.ok()) return status;
  for (AmqpEvent event;;) {
    bool have = false;
    if (Status status = connection_.Next(&event, &have); !status.ok())
      return OnConnectionClose(status);
    if (!have) return {};
    *got = true;
    if (Status status = OnEvent(event); !status.ok()) return status;
  }
}

Status AmqpProducer::CheckSilence() {
  bool quiet = false;
  Status status = connection_.CheckSilence(&quiet);
  // Nothing else may be sent on the channel between the parts of a message.
  if (!status.ok() || !quiet || !ready_ || !body_.empty()) return status;
  return Ask();
}

Status AmqpProducer::Ask() {
  ++asked_;
  const amqp_basic_qos_t qos{};  // irrelevant for a channel that only sends
  return connection_.Send(AMQP_BASIC_QOS_METHOD, &qos);
}

Status AmqpProducer::AskAboutRejected() {
  if (rejected_.empty() || rejected_.back().question <= asked_ || !ready_ || !body_.empty()) {
    return {};
  }
  return Ask();
}

Status AmqpProducer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  const Deadline deadline = Clock::now() + budget;
  // With many messages in flight there is most likely something to read already, so poll is not
  // called first.
  bool try_read = unconfirmed() > 16;
  for (;;) {
    bool got = false;
    if (try_read) {
      if (Status status = ReadEvents(&got); !status.ok()) return status;
    }
    if (Status status = AskAboutRejected(); !status.ok()) return status;
    SendAgain();
    AddBody();
    if (Status status = connection_.Flush(); !status.ok()) return status;
    CompleteWritten();
    if (Status status = connection_.ServeHeartbeat(); !status.ok()) return status;
    const bool small = connection_.out().unsent().size() < SendWindow::kFlushAt;
    if (window_.Reopens(unconfirmed(), room() && small)) return {};
    if (got && !window_.full()) return {};
    const Millis left(PollTimeout(deadline));
    // The rest of a large message is sent as long as the socket takes it, with reads in between.
    const bool more = !body_.empty() && connection_.out().unsent().empty();
    // At most as long as it takes to notice a silent broker.
    const Millis longest = more ? Millis(0) : expecting() ? kLookAround : kIdleLookAround;
    const unsigned ready = connection_.Wait(std::min(left, longest), wake_fd);
    try_read = (ready & AmqpConnection::kReadable) != 0;
    if (try_read) continue;
    if (expecting() && !more) {
      if (Status status = CheckSilence(); !status.ok()) return status;
    }
    if ((ready & AmqpConnection::kWoken) != 0 || left.count() == 0) return {};
  }
}

}  // namespace dsmsg::amqp
