// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/api.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "adaptors/nats/errors.h"
#include "core/options/settings.h"

namespace dsmsg::nats {
namespace {

using rapidjson::Document;
using rapidjson::Value;

const Value* Member(const Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}
std::string Text(const Value& object, const char* name) {
  const Value* value = Member(object, name);
  return value != nullptr && value->IsString()
             ? std::string(value->GetString(), value->GetStringLength())
             : std::string();
}
int64_t Number(const Value& object, const char* name, int64_t otherwise) {
  const Value* value = Member(object, name);
  return value != nullptr && value->IsInt64() ? value->GetInt64() : otherwise;
}
bool Flag(const Value& object, const char* name) {
  const Value* value = Member(object, name);
  return value != nullptr && value->IsBool() && value->GetBool();
}

Document Read(std::string_view json) {
  Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  return document;
}

Status ErrorIn(const Document& document, int* number) {
  const Value* error = Member(document, "error");
  if (error == nullptr) return {};
  const int code = static_cast<int>(Number(*error, "code", 500));
  const int err_code = static_cast<int>(Number(*error, "err_code", 0));
  if (number != nullptr) *number = err_code;
  return JetStreamError(code, err_code, Text(*error, "description"));
}

std::string Rfc3339(int64_t ms) {
  const time_t seconds = ms / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  text[std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts)] = '\0';
  std::array<char, 8> fraction;
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(ms % 1000));
  return std::string(text.data()) + fraction.data();
}

/// A JSON object, written member by member.
class Object {
 public:
  Object() { json_.StartObject(); }
  Object& Set(const char* name, std::string_view value) {
    json_.Key(name);
    json_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    return *this;
  }
  Object& SetIf(const char* name, std::string_view value) {
    return value.empty() ? *this : Set(name, value);
  }
  Object& Number(const char* name, uint64_t value) {
    json_.Key(name);
    json_.Uint64(value);
    return *this;
  }
  Object& Time(const char* name, Millis value) {  // JetStream counts nanoseconds
    return Number(name, static_cast<uint64_t>(std::chrono::nanoseconds(value).count()));
  }
  Object& Flag(const char* name, bool value) {
    json_.Key(name);
    json_.Bool(value);
    return *this;
  }
  Object& Begin(const char* name) {
    json_.Key(name);
    json_.StartObject();
    return *this;
  }
  Object& End() {
    json_.EndObject();
    return *this;
  }
  std::string text() {
    json_.EndObject();
    return {text_.GetString(), text_.GetSize()};
  }

 private:
  rapidjson::StringBuffer text_;
  rapidjson::Writer<rapidjson::StringBuffer> json_{text_};
};

}  // namespace

Status PublishOutcome(const Op& op, bool* is_answer) {
  constexpr int kNoResponders = 503;
  *is_answer = true;
  if (op.status() == kNoResponders) return {Code::kUnknownTopic, "503 no responders"};
  // Nearly all are {"stream":"S","seq":7}.
  const bool error = op.payload.find("\"error\"") != op.payload.npos;
  if (!error && op.payload.starts_with("{\"stream\":") &&
      op.payload.find("\"seq\":") != op.payload.npos) {
    return {};
  }
  const Document document = Read(op.payload);
  Status status = ErrorIn(document, nullptr);
  *is_answer = !status.ok() || Member(document, "seq") != nullptr;
  return status;
}

Status ApiOutcome(const Op& op, int* number) {
  if (number != nullptr) *number = 0;
  if (op.status() != 0) return {Code::kUnavailable, "JetStream does not answer"};
  const Document document = Read(op.payload);
  if (!document.IsObject()) return {Code::kUnavailable, "the answer is not JetStream's"};
  return ErrorIn(document, number);
}

std::string NamesRequest(std::string_view subject) {
  return Object().Set("subject", subject).text();
}

std::vector<std::string> NamesOf(std::string_view json) {
  const Document document = Read(json);
  std::vector<std::string> names;
  const Value* streams = Member(document, "streams");
  if (streams == nullptr || !streams->IsArray()) return names;
  for (const Value& name : streams->GetArray()) {
    if (name.IsString()) names.emplace_back(name.GetString(), name.GetStringLength());
  }
  return names;
}

StreamFacts FactsOf(std::string_view json) {
  const Document document = Read(json);
  StreamFacts facts;
  const Value* config = Member(document, "config");
  if (config == nullptr) return facts;
  facts.name = Text(*config, "name");
  facts.max_bytes = Number(*config, "max_bytes", -1);
  facts.no_ack = Flag(*config, "no_ack");
  facts.interest = Text(*config, "retention") == "interest";
  return facts;
}

ConsumerFacts ConsumerOf(std::string_view json) {
  const Document document = Read(json);
  ConsumerFacts facts;
  const Value* config = Member(document, "config");
  if (config == nullptr) return facts;
  facts.filter = Text(*config, "filter_subject");
  const std::chrono::nanoseconds wait(Number(*config, "ack_wait", 0));
  if (wait.count() > 0) facts.ack_wait = std::chrono::duration_cast<Millis>(wait);
  return facts;
}

std::string CreateRequest(const ConsumerRequest& request) {
  constexpr Millis kForgotten{300'000};
  Object object;
  object.Set("stream_name", request.stream).Begin("config").Set("name", request.name);
  if (request.durable) {
    object.Set("durable_name", request.name);
  } else {
    object.Time("inactive_threshold", kForgotten);
  }
  object.Set("filter_subject", request.subject).Set("ack_policy", "explicit");
  object.Time("ack_wait", request.ack_wait);
  if (request.since_ms >= 0) {
    object.Set("deliver_policy", "by_start_time").Set("opt_start_time", Rfc3339(request.since_ms));
  } else {
    object.Set("deliver_policy", request.deliver);
  }
  return object.End().text();
}

std::string PullRequest(size_t batch, Millis expires, Millis heartbeat) {
  return Object()
      .Number("batch", batch)
      .Time("expires", expires)
      .Time("idle_heartbeat", heartbeat)
      .text();
}

// $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<its own>.<time>.<pending>, newer servers put
// <domain>.<account> in front of the stream and may add a token at the end.
Delivery DeliveryOf(std::string_view reply) {
  constexpr size_t kShort = 9, kLong = 11;
  std::array<std::string_view, kLong> tokens;
  size_t count = 0;
  while (!reply.empty() && count < tokens.size()) {
    const size_t end = std::min(reply.find('.'), reply.size());
    tokens[count++] = reply.substr(0, end);
    reply.remove_prefix(std::min(end + 1, reply.size()));
  }
  Delivery delivery;
  if (count < kShort) return delivery;
  const size_t first = count == kShort ? 4 : 6;
  const auto number = [&](size_t at, auto* value) {
    std::from_chars(tokens[at].data(), tokens[at].data() + tokens[at].size(), *value);
  };
  int64_t nanoseconds = -1;
  number(first, &delivery.delivered);
  number(first + 1, &delivery.sequence);
  number(first + 3, &nanoseconds);
  if (nanoseconds >= 0) delivery.timestamp_ms = nanoseconds / 1'000'000;
  return delivery;
}

bool ReadInfo(std::string_view json, ServerInfo* info) {
  const Document document = Read(json);
  if (!document.IsObject()) return false;
  info->max_payload =
      static_cast<size_t>(Number(document, "max_payload", static_cast<int64_t>(info->max_payload)));
  info->headers = Flag(document, "headers");
  info->auth_required = Flag(document, "auth_required");
  info->tls_required = Flag(document, "tls_required");
  info->tls_available = Flag(document, "tls_available");
  info->lame_duck = Flag(document, "ldm");
  info->clustered = !Text(document, "cluster").empty();
  info->nonce = Text(document, "nonce");
  info->version = Text(document, "version");
  return true;
}

std::string ConnectJson(const ConnectRequest& request) {
  return Object()
      .Flag("verbose", false)
      .Flag("pedantic", false)
      .Flag("tls_required", request.tls)
      .Set("name", "dsmsg")
      .Set("lang", "dsmsg")
      .Set("version", kContractVersion)
      .Number("protocol", 1)
      .Flag("headers", true)
      .Flag("no_responders", true)
      .SetIf("user", request.user)
      .SetIf("pass", request.password)
      .SetIf("auth_token", request.token)
      .SetIf("jwt", request.jwt)
      .SetIf("nkey", request.public_key)
      .SetIf("sig", request.signature)
      .text();
}

}  // namespace dsmsg::nats
