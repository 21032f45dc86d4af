// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/producer.h"

#include <strings.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

#include "adaptors/nats/errors.h"
#include "adaptors/nats/subject.h"
#include "core/base/time.h"

namespace dsmsg::nats {
namespace {

// How much a slowly reading server can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
constexpr Millis kLookAround{500}, kIdleLookAround{5000};
// What a stream counts beside subject, headers and payload (file storage).
constexpr size_t kStoredBeside = 34;
// An election among servers takes 4 to 9 seconds.
constexpr Millis kElection{15'000};
constexpr size_t kMostUnheard = 1000;
constexpr std::string_view kMessageId = "Nats-Msg-Id";

void AppendHeader(std::string_view name, std::string_view value, std::string* out) {
  out->append(name).append(": ").append(value).append("\r\n");
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

NatsProducer::NatsProducer(const NatsSettings& settings, NatsConnection& connection,
                           DriverHost& host)
    : settings_(settings),
      connection_(connection),
      host_(host),
      streams_(settings, connection, host.log()),
      ring_(std::bit_ceil(settings.pipeline)) {}

void NatsProducer::Reset() {
  head_ = marked_ = tail_;
  window_.Reset(settings_.pipeline);
  broken_ = Status();
  streams_.Reset();
  last_topic_.clear();
  last_route_ = nullptr;
  markers_.clear();
  probe_ = 0;
}

Status NatsProducer::Refused(std::string_view topic, const Status& why) const {
  return {why.code(),
          "\"" + std::string(topic) + "\" at " + connection_.name() + ": " + why.message()};
}

// Also finds out, once, where messages of that topic go. kWouldBlock: not yet known.
Status NatsProducer::CheckTopic(std::string_view topic) {
  if (topic == last_topic_ && (last_route_ != nullptr || !settings_.jetstream)) return {};
  if (Status status = CheckSubject(topic, /*wildcards=*/false); !status.ok()) return status;
  if (settings_.jetstream) {
    last_route_ = streams_.Find(topic);
    if (last_route_ == nullptr) return {Code::kWouldBlock, {}};
  }
  last_topic_ = topic;
  return {};
}

Status NatsProducer::CheckSize(const Message& message) const {
  const size_t size = PublishedSize(headers_, message.payload);
  if (size > connection_.info().max_payload) {
    return {Code::kTooLarge, "a message of " + std::to_string(size) +
                                 " bytes (payload and headers) is larger than max_payload of " +
                                 connection_.name() + " (" +
                                 std::to_string(connection_.info().max_payload) + ")"};
  }
  if (!settings_.jetstream || last_route_->state != Route::State::kFound) return {};
  const StreamFacts& stream = last_route_->stream;
  if (stream.no_ack) {
    return {Code::kRejected, "stream \"" + stream.name +
                                 "\" acknowledges nothing (no_ack): change it, or set jetstream=0"};
  }
  const size_t stored = size + message.topic.size() + kStoredBeside;
  if (stream.max_bytes < 0 || stored <= static_cast<size_t>(stream.max_bytes)) return {};
  return {Code::kTooLarge, "a message of " + std::to_string(stored) +
                               " bytes is larger than stream \"" + stream.name +
                               "\" may be (max_bytes " + std::to_string(stream.max_bytes) + ")"};
}

Status NatsProducer::BuildHeaders(const Message& message) {
  headers_.clear();
  bool has_id = false;
  for (const auto& [name, value] : message.headers) {
    if (Status status = CheckHeader(name, value); !status.ok()) return status;
    // The server knows its headers in one spelling only.
    const bool id = SameName(name, kMessageId);
    has_id = has_id || id;
    AppendHeader(id ? kMessageId : name, value, &headers_);
  }
  if (message.has_key) {
    if (Status status = CheckHeader("key", message.key); !status.ok()) return status;
    AppendHeader("key", message.key, &headers_);
  }
  if (!settings_.jetstream) return {};
  if (!settings_.stream.empty()) AppendHeader("Nats-Expected-Stream", settings_.stream, &headers_);
  if (has_id || message.id.empty()) return {};
  headers_.append(kMessageId).append(": ");
  message.id.AppendTo(&headers_);
  headers_.append("\r\n");
  return {};
}

Status NatsProducer::Submit(const Message& message, Token token) {
  if (!window_.Takes(under_way(), broken_.ok())) return {Code::kWouldBlock, {}};
  if (connection_.unsent() >= SendWindow::kFlushAt) {
    broken_ = connection_.Flush();
    if (!broken_.ok() || connection_.unsent() >= kMaxUnsent) return {Code::kWouldBlock, {}};
  }
  if (Status status = CheckTopic(message.topic); !status.ok()) return status;
  if (Status status = BuildHeaders(message); !status.ok()) return status;
  if (Status status = CheckSize(message); !status.ok()) return status;
  reply_.clear();
  if (settings_.jetstream) {
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits, tail_).ptr;
    reply_.append(connection_.inbox()).append(".");
    reply_.append(digits, static_cast<size_t>(end - digits));
  }
  AppendPublish(message.topic, reply_, headers_, message.payload, &connection_.out());
  At(tail_++) = {token, message.topic, message.attempt, Clock::now()};
  return {};
}

void NatsProducer::Complete(uint64_t number, const Status& status) {
  // The slot is free before its message is completed.
  const Token token = std::exchange(At(number).token, 0);
  while (head_ != tail_ && At(head_).token == 0) ++head_;
  if (token != 0) host_.Complete(token, status);
}

// A user who may not ask JetStream: a stream that is without a leader for a moment looks like none.
bool NatsProducer::MayBeElecting(std::string_view topic) {
  if (!connection_.info().clustered) return false;
  if (unheard_.size() >= kMostUnheard) unheard_.clear();
  const auto since = unheard_.try_emplace(std::string(topic), Clock::now()).first;
  return Clock::now() - since->second < kElection;
}

// Nothing takes the subject: for good only if JetStream itself says so. A server that shuts down,
// or a stream without leader, answers in the same way.
Status NatsProducer::NoStream(const Slot& slot) {
  constexpr uint32_t kTries = 2;
  constexpr auto kSilent = Route::State::kSilent;
  const Route* route = streams_.Find(slot.topic);
  const bool found = route != nullptr && route->state == Route::State::kFound;
  const bool none = route != nullptr && route->state == Route::State::kNone;
  const std::string said = "503 no responders";
  if (found) {
    return {Code::kUnavailable,
            said + ": stream \"" + route->stream.name + "\" is not there now (has it a leader?)"};
  }
  const bool silent = route != nullptr && route->state == kSilent;
  if (silent) {
    return {Code::kUnavailable,
            said + ", and JetStream does not answer (do its servers have a majority?)"};
  }
  if (!none && (slot.attempt < kTries || MayBeElecting(slot.topic)))
    return {Code::kUnavailable, said};
  unheard_.erase(std::string(slot.topic));
  return {Code::kUnknownTopic, said +
                                   ": no stream has that subject (nats stream add makes one; is "
                                   "JetStream enabled? jetstream=0 sends without one)"};
}

void NatsProducer::TakeMessage(const Op& op) {
  const std::string& inbox = connection_.inbox();
  if (op.subject.size() <= inbox.size() + 1) return;
  const std::string_view name = op.subject.substr(inbox.size() + 1);
  if (streams_.TakeAnswer(name, op)) return;
  uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  if (number < head_ || number >= tail_ || At(number).token == 0) return;  // answered twice
  bool is_answer = false;
  Status status = PublishOutcome(op, &is_answer);
  if (!is_answer) return;  // of another subscriber to the subject
  if (status.ok()) {
    if (!unheard_.empty()) unheard_.erase(std::string(At(number).topic));
    return Complete(number, status);
  }
  const Slot slot = At(number);
  if (status.code() == Code::kUnknownTopic) status = NoStream(slot);
  streams_.Forget(slot.topic);
  last_route_ = nullptr;
  Complete(number, Refused(slot.topic, status));
}

void NatsProducer::TakeForbidden(std::string_view subject, std::string_view words) {
  streams_.TakeForbidden(subject);
  const uint64_t end = settings_.jetstream || markers_.empty() ? tail_ : markers_.front().end;
  for (uint64_t number = head_; number < end; ++number) {
    if (At(number).token == 0 || At(number).topic != subject) continue;
    const Status why(Code::kAuth, std::string(words) + " (grant the user that right)");
    Complete(number, Refused(subject, why));
  }
}

void NatsProducer::TakePong() {
  while (!markers_.empty() && markers_.front().ping <= connection_.pongs()) {
    const uint64_t end = markers_.front().end;
    markers_.pop_front();
    for (uint64_t number = head_; number < end; ++number) {
      if (At(number).token != 0) Complete(number, Status());
    }
  }
}

// The server answers PINGs, but no stream acknowledges: it may be busy, or nothing but a plain
// subscriber may have the subject. The next try asks again where it goes.
void NatsProducer::CheckOverdue() {
  if (!settings_.jetstream) return;
  if (head_ == tail_ || (probe_ != 0 && head_ >= probe_end_)) probe_ = 0;
  if (head_ == tail_) return;
  const Deadline now = Clock::now();
  if (probe_ == 0) {
    if (now - At(head_).sent_at < settings_.ack_timeout) return;
    probe_ = connection_.Ping();
    probe_end_ = tail_;
    probe_answered_ = {};
    return;
  }
  if (connection_.pongs() < probe_) return;
  if (probe_answered_ == Deadline()) probe_answered_ = now;
  if (now - probe_answered_ < settings_.ack_timeout) return;
  probe_ = 0;
  for (uint64_t number = head_; number < probe_end_; ++number) {
    const Slot slot = At(number);
    if (slot.token == 0) continue;
    const Route* route = streams_.Find(slot.topic);
    const bool none = route != nullptr && route->state == Route::State::kNone;
    const Status why = none ? Status(Code::kUnknownTopic,
                                     "no stream has that subject; only plain subscribers take it "
                                     "(nats stream add, or jetstream=0)")
                            : Status(Code::kTimeout,
                                     "not acknowledged within ack-timeout; sent "
                                     "again under the same Nats-Msg-Id");
    Complete(number, Refused(slot.topic, why));
  }
  streams_.Reset();
  last_route_ = nullptr;
}

Status NatsProducer::ReadAnswers(bool* got) {
  Status status = connection_.Receive(got);
  if (!status.ok() || !*got) return status;
  for (;;) {
    Op op;
    if (status = connection_.Next(&op); !status.ok()) return status;
    if (op.kind == Op::Kind::kNone) return {};
    if (op.kind == Op::Kind::kMsg) TakeMessage(op);
    if (op.kind == Op::Kind::kPong) TakePong();
    if (op.kind == Op::Kind::kErr) TakeForbidden(ForbiddenPublish(op.text), op.text);
  }
}

Status NatsProducer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  if (!settings_.jetstream && marked_ != tail_) {
    marked_ = tail_;
    markers_.push_back({connection_.Ping(), tail_});
  }
  CheckOverdue();
  if (Status status = connection_.Flush(); !status.ok()) return status;

  const Deadline deadline = Clock::now() + budget;
  // With many messages under way there is most likely something to read already.
  bool try_read = under_way() > 16;
  for (;;) {
    bool got = false;
    if (try_read) {
      if (Status status = ReadAnswers(&got); !status.ok()) return status;
    }
    if (Status status = connection_.Flush(); !status.ok()) return status;
    if (streams_.Answered() || window_.Reopens(under_way())) return {};
    if (got && !window_.full()) return {};
    const Millis left(PollTimeout(deadline));
    const bool expecting = under_way() > 0 || streams_.asking();
    const unsigned ready =
        connection_.Wait(std::min(left, expecting ? kLookAround : kIdleLookAround), wake_fd);
    try_read = (ready & NatsConnection::kReadable) != 0;
    if (try_read) continue;
    if (Status status = connection_.Tend(expecting); !status.ok()) return status;
    CheckOverdue();
    if ((ready & NatsConnection::kWoken) != 0 || left.count() == 0) return {};
    if ((ready & NatsConnection::kWritable) != 0 && !window_.full()) return connection_.Flush();
  }
}

}  // namespace dsmsg::nats
