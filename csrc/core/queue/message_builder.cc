// SPDX-License-Identifier: Apache-2.0
#include "core/queue/message_builder.h"
#include "core/options/config.h"

#include <cstring>

namespace dsmsg {
namespace {

Result<std::optional<Template>> CompileOption(const Config& config, const char* name) {
  const std::string text = config.GetString(name);
  if (text.empty()) return std::optional<Template>();
  Result<Template> compiled = Template::Compile(text);
  if (!compiled.ok())
    return Status(Code::kInvalidArgument, std::string(name) + ": " + compiled.status().message());
  return std::optional<Template>(std::move(compiled.value()));
}

int64_t NowMillis() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string_view Trimmed(std::string_view text) {
  constexpr char kBlanks[] = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Appends to the message's buffer and returns the position there.
class Cursor {
 public:
  explicit Cursor(uint8_t* at) : at_(reinterpret_cast<char*>(at)) {}
  std::string_view Append(std::string_view bytes) {
    char* start = at_;
    if (!bytes.empty()) std::memcpy(start, bytes.data(), bytes.size());
    at_ += bytes.size();
    return {start, bytes.size()};
  }
  void Terminate() { *at_++ = '\0'; }

 private:
  char* at_;
};

}  // namespace

Result<MessageBuilder> MessageBuilder::Create(const Settings& settings,
                                              const MessageBuilder* before) {
  const Config& config = settings.config;
  MessageBuilder builder;
  if (before != nullptr) builder.pool_ = before->pool_;
  for (auto& [name, compiled] :
       {std::pair("topic", &builder.default_topic_),
        std::pair("topic-template", &builder.topic_template_), std::pair("key", &builder.key_)}) {
    Result<std::optional<Template>> option = CompileOption(config, name);
    if (!option.ok()) return option.status();
    *compiled = std::move(option.value());
  }
  if (!builder.default_topic_ && !settings.endpoints.default_topic.empty()) {
    std::string literal;  // of the connection string: no template
    for (const char c : settings.endpoints.default_topic)
      literal.append(c == '$' ? "$$" : std::string(1, c));
    Result<Template> topic = Template::Compile(literal);
    if (!topic.ok()) return topic.status();
    builder.default_topic_ = std::move(topic.value());
  }
  if (!builder.key_ && config.Has("partition-key")) {
    const std::string path = config.GetString("partition-key");
    for (const std::string& each : {path, std::string(path == "sensor.id" ? "sensorId" : "")}) {
      if (each.empty()) continue;
      const Result<size_t> added = builder.key_fields_.Add(each);
      if (!added.ok()) {
        return Status(Code::kInvalidArgument, "partition-key: " + added.status().message());
      }
    }
  }
  for (const auto& [name, text] : config.GetPairs("headers")) {
    Result<Template> value = Template::Compile(text);
    if (!value.ok()) return Status(Code::kInvalidArgument, "headers: " + value.status().message());
    builder.headers_.emplace_back(name, std::move(value.value()));
  }
  builder.not_a_topic_ = settings.endpoints.not_a_topic;
  builder.max_bytes_ = settings.max_message_bytes;
  builder.topic_optional_ = settings.topic_optional;
  builder.third_is_topic_ = settings.third_is_topic;
  return builder;
}

// A host may pass the last field of the connection string, which is a port or a password, never a
// topic.
std::string_view MessageBuilder::UsableTopic(std::string_view given) const {
  return !not_a_topic_.empty() && Trimmed(given) == not_a_topic_ ? std::string_view() : given;
}

std::string MessageBuilder::NoTopic() const {
  return std::string("no topic: pass one to the call, give it ") +
         (third_is_topic_ ? "as the third field of the connection string (host;port;topic) or "
                          : "") +
         "as `topic` in the configuration";
}

Status MessageBuilder::CheckTopic(std::string_view topic) const {
  if (topic_optional_) return {};
  const bool named = !UsableTopic(topic).empty() || default_topic_.has_value();
  if (named || (topic_template_ && !topic_template_->needs_topic())) return {};
  std::string text = NoTopic();
  if (topic_template_) text += " (topic-template uses ${topic}, so it needs one too)";
  if (!topic.empty())
    text += " (the topic given is the last field of the connection string: its port or password)";
  return {Code::kInvalidArgument, text};
}

std::string_view MessageBuilder::RenderTopic(const SendRequest& request, std::string* room,
                                             bool* complete) const {
  std::string_view topic = UsableTopic(request.topic);
  if (topic.empty() && default_topic_) {
    *complete &= default_topic_->Render(request.payload, {}, room);
    topic = *room;
  }
  if (topic_template_) {
    std::string rendered;
    *complete &= topic_template_->Render(request.payload, topic, &rendered);
    *room = std::move(rendered);
    topic = *room;
  }
  return topic;
}

bool MessageBuilder::RenderKey(const SendRequest& request, std::string* key, bool* complete) const {
  if (request.has_key) {
    key->assign(request.key);
    return true;
  }
  if (key_) {
    if (key_->Render(request.payload, request.topic, key)) return true;
    *complete = false;
    return false;
  }
  return key_fields_.size() > 0 && key_fields_.ExtractFirst(request.payload, key);
}

Status MessageBuilder::Build(const SendRequest& request, Metrics& metrics, Logger& logger,
                             Outgoing* outgoing) const {
  struct Rendered {  // keeps its memory
    std::string topic, key, headers;
  };
  thread_local Rendered of_thread;
  auto& [topic_room, key, header_text] = of_thread;
  topic_room.clear();
  key.clear();
  header_text.clear();
  bool complete = true;
  const std::string_view topic = RenderTopic(request, &topic_room, &complete);
  if (topic.empty() && !topic_optional_) return {Code::kInvalidArgument, NoTopic()};
  if (max_bytes_ > 0 && request.payload.size() > max_bytes_) {
    outgoing->message.topic = topic;
    return {Code::kTooLarge, "a payload of " + std::to_string(request.payload.size()) +
                                 " bytes is larger than max-message-bytes (" +
                                 std::to_string(max_bytes_) + ")"};
  }
  const bool has_key = RenderKey(request, &key, &complete);
  std::vector<size_t> header_ends;
  for (const auto& [name, value] : headers_) {
    complete &= value.Render(request.payload, topic, &header_text);
    header_ends.push_back(header_text.size());
  }
  if (!complete) {
    Metrics::Add(metrics.missing_fields);
    logger.Limited(LogLevel::kWarn, "missing field",
                   "a field of a template is missing from the payload");
  }
  size_t size = request.payload.size() + topic.size() + 1 + key.size() + header_text.size();
  for (const auto& [name, value] : request.headers) size += name.size() + value.size();
  outgoing->buffer = pool_->Get(size);
  if (!outgoing->buffer)
    return {Code::kInternal, "no memory for a message of " + std::to_string(size) + " bytes"};

  Cursor cursor(outgoing->buffer.data());
  Message& message = outgoing->message;
  message.payload = cursor.Append(request.payload);
  message.topic = cursor.Append(topic);
  cursor.Terminate();
  message.key = cursor.Append(key);
  message.has_key = has_key;
  const std::string_view rendered = cursor.Append(header_text);
  for (size_t i = 0, start = 0; i < headers_.size(); start = header_ends[i++]) {
    outgoing->headers.emplace_back(headers_[i].first,
                                   rendered.substr(start, header_ends[i] - start));
  }
  for (const auto& [name, value] : request.headers) {
    const std::string_view own_name = cursor.Append(name);
    outgoing->headers.emplace_back(own_name, cursor.Append(value));
  }
  message.timestamp_ms = request.timestamp_ms != 0 ? request.timestamp_ms : NowMillis();
  outgoing->accepted_at = Clock::now();
  return {};
}

}  // namespace dsmsg
