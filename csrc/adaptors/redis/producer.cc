// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/producer.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "adaptors/redis/errors.h"
#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

// How much a slowly reading server can make us hold beyond the core's own buffers.
constexpr size_t kMaxUnsent = size_t{1} << 20;
constexpr Millis kLookAround{1000}, kIdleLookAround{5000};

int64_t NowMs() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const char* CommandName(RedisSettings::Command command) {
  switch (command) {
    case RedisSettings::Command::kPublish:
      return "PUBLISH";
    case RedisSettings::Command::kRpush:
      return "RPUSH";
    case RedisSettings::Command::kXadd:
      break;
  }
  return "XADD";
}

}  // namespace

RedisProducer::RedisProducer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
    : settings_(settings),
      connection_(link),
      host_(host),
      ring_(std::bit_ceil(settings.pipeline + 1)) {  // one more for a PING
  if (settings.sensor_id_fields) {
    (void)sensor_reader_.Add("sensor.id");
    (void)sensor_reader_.Add("sensorId");
  }
}

void RedisProducer::Reset() {
  head_ = tail_ = 0;
  window_.Reset(settings_.pipeline);
  broken_ = Status();
}

void RedisProducer::Push(Token token, std::string_view topic) {
  if (unanswered() == 0) connection_.BeginExpecting();
  ring_[tail_++ & (ring_.size() - 1)] = {token, topic};
}

Status RedisProducer::Submit(const Message& message, Token token) {
  if (message.topic.empty()) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  if (!window_.Takes(unanswered(), broken_.ok())) return {Code::kWouldBlock, {}};
  if (connection_.out().size() >= SendWindow::kFlushAt) {
    broken_ = connection_.Flush();
    if (!broken_.ok() || connection_.out().size() >= kMaxUnsent) return {Code::kWouldBlock, {}};
  }
  if (settings_.command == RedisSettings::Command::kXadd) {
    AppendXadd(message);
  } else {
    connection_.out().Command({CommandName(settings_.command), message.topic, message.payload});
  }
  Push(token, message.topic);
  return {};
}

// XADD <topic> [MAXLEN|MINID ~ <limit>] * as RESP, without the number of arguments.
void RedisProducer::AppendCachedStart(std::string_view topic) {
  RespWriter writer;
  writer.Argument("XADD");
  writer.Argument(topic);
  start_arguments_ = 3;
  if (settings_.stream_size > 0 || settings_.stream_max_age.count() > 0) {
    const bool by_size = settings_.stream_size > 0;
    writer.Argument(by_size ? "MAXLEN" : "MINID");
    writer.Argument("~");
    writer.Number(by_size
                      ? settings_.stream_size
                      : std::max<int64_t>(0, start_made_ms_ - settings_.stream_max_age.count()));
    start_arguments_ += 3;
  }
  writer.Argument("*");
  start_.assign(writer.view());
  start_topic_.assign(topic);
}

void RedisProducer::AppendXadd(const Message& message) {
  bool stale = start_.empty() || start_topic_ != message.topic;
  if (settings_.stream_max_age.count() > 0) {
    const int64_t now = NowMs();
    stale = stale || now - start_made_ms_ > 1000 || now < start_made_ms_;
    if (stale) start_made_ms_ = now;
  }
  if (stale) AppendCachedStart(message.topic);

  RespWriter& out = connection_.out();
  const size_t own_pairs =
      settings_.sensor_id_fields ? 3 : 1 + (message.has_key ? 1 : 0) + message.headers.size();
  out.Begin(start_arguments_ + 2 * (own_pairs + settings_.fields.size()));
  out.Raw(start_);
  if (settings_.sensor_id_fields) {
    AppendSensorFields(message);
  } else {
    out.Argument(settings_.payload_key);
    out.Argument(message.payload);
    if (message.has_key) {
      out.Argument("key");
      out.Argument(message.key);
    }
    for (const auto& [name, value] : message.headers) {
      out.Argument(name);
      out.Argument(value);
    }
  }
  for (const auto& [name, text] : settings_.fields) {
    scratch_.clear();
    if (!text.Render(message.payload, message.topic, &scratch_)) {
      host_.log().Limited(
          LogLevel::kWarn, "field:" + name,
          "fields: a payload has no value for \"" + name + "\"; \"unknown\" is sent");
    }
    out.Argument(name);
    out.Argument(scratch_);
  }
}

// DeepStream 9's layout, which its consumers expect: key, value, headers (a JSON object).
void RedisProducer::AppendSensorFields(const Message& message) {
  RespWriter& out = connection_.out();
  sensor_reader_.Extract(message.payload, &sensor_values_);
  std::string_view id = settings_.default_sensor_id;
  for (const FieldValue& value : sensor_values_) {
    if (!value.found) continue;
    id = value.text;
    break;
  }
  out.Argument("key");
  out.Argument(id);
  out.Argument("value");
  out.Argument(message.payload);
  headers_text_.Clear();
  headers_json_.Reset(headers_text_);
  headers_json_.StartObject();
  for (const auto& [name, value] : message.headers) {
    headers_json_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    headers_json_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  headers_json_.EndObject();
  out.Argument("headers");
  out.Argument({headers_text_.GetString(), headers_text_.GetSize()});
}

Status RedisProducer::Answer(const Slot& slot, const Reply& reply) {
  if (!reply.is(Reply::Type::kError)) {
    if (slot.token != 0) host_.Complete(slot.token, Status());
    return {};
  }
  const std::string_view text = reply.text();
  if (slot.token == 0) {
    return IsLoginLost(text)
               ? Status(Code::kAuth, "PING at " + connection_.name() + ": " + std::string(text))
               : Status();
  }
  const Code code = ErrorReplyCode(text);
  std::string what = std::string(CommandName(settings_.command)) + " to \"" +
                     std::string(slot.topic) + "\" was refused by " + connection_.name() + ": " +
                     std::string(text) + std::string(ErrorReplyAdvice(text));
  if (IsLoginLost(text)) {
    // This message is not to blame: it waits, and the connection must log in again.
    host_.Complete(slot.token, Status(Code::kUnavailable, what));
    return {Code::kAuth, std::move(what)};
  }
  // If there are several servers, another one may be the master.
  const bool choice = settings_.hosts.size() > 1 || !settings_.sentinel_master.empty();
  const bool replica = ErrorReplyName(text) == "READONLY" && choice;
  host_.Complete(slot.token, Status(code, what));
  // After a protocol error the server reads nothing more, so the link ends.
  const bool last = text.starts_with("ERR Protocol error");
  return replica || last ? Status(Code::kUnavailable, std::move(what)) : Status();
}

Status RedisProducer::ReadReplies(bool* got) {
  Status status = connection_.Receive(got);
  if (!status.ok() || !*got) return status;
  Status fatal;
  for (;;) {
    bool have = false;
    status = connection_.NextReply(&have);
    if (!status.ok()) return status;
    if (!have) return fatal;
    if (unanswered() == 0) {
      return {Code::kUnavailable, connection_.name() + " sent a reply that no command asked for: " +
                                      std::string(connection_.reply().text())};
    }
    // The slot is free before its message is completed.
    const Slot slot = ring_[head_++ & (ring_.size() - 1)];
    status = Answer(slot, connection_.reply());
    // The replies after it are still worth reading: they are acknowledgements.
    if (fatal.ok()) fatal = std::move(status);
  }
}

Status RedisProducer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  if (unanswered() == 0 && connection_.PingDue()) {
    connection_.out().Command({"PING"});
    Push(0, {});
  }
  if (Status status = connection_.Flush(); !status.ok()) return status;

  const Deadline deadline = Clock::now() + budget;
  // With many commands in flight there is most likely something to read already, so poll is not
  // called first.
  bool try_read = unanswered() > 16;
  for (;;) {
    bool got = false;
    if (try_read) {
      if (Status status = ReadReplies(&got); !status.ok()) return status;
    }
    if (connection_.out().size() > 0) {
      if (Status status = connection_.Flush(); !status.ok()) return status;
    }
    if (window_.Reopens(unanswered())) return {};
    if (got && !window_.full()) return {};
    const Millis left(PollTimeout(deadline));
    // At most as long as it takes to notice a silent server, or until a PING is due.
    const unsigned ready =
        connection_.Wait(std::min(left, unanswered() > 0 ? kLookAround : kIdleLookAround), wake_fd);
    try_read = (ready & RedisConnection::kReadable) != 0;
    if (try_read) continue;
    if (unanswered() > 0) {
      if (Status status = connection_.CheckSilence(); !status.ok()) return status;
    }
    if ((ready & RedisConnection::kWoken) != 0 || left.count() == 0) return {};
    if ((ready & RedisConnection::kWritable) != 0 && !window_.full()) return connection_.Flush();
  }
}

}  // namespace dsmsg::redis
