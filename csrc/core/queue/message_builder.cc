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
  char* at() const { return at_; }

 private:
  char* at_;
};

// The text of a JSON object behind its opening brace; empty if the payload is not an object. Only
// its first and last characters are checked.
std::string_view MembersOf(std::string_view payload) {
  const std::string_view text = Trimmed(payload);
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return {};
  return Trimmed(text.substr(1));
}

}  // namespace

Result<MessageBuilder> MessageBuilder::Create(const Settings& settings,
                                              const MessageBuilder* before,
                                              std::shared_ptr<Ledger> ledger) {
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
  builder.ledger_ = std::move(ledger);
  if (builder.ledger_ != nullptr) {
    if (Status status = builder.AddLedgerSource(config); !status.ok()) return status;
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

// ---------------------------------------------------------------- ledger

Status MessageBuilder::AddLedgerSource(const Config& config) {
  Result<std::optional<Template>> option = CompileOption(config, "ledger-source");
  if (!option.ok()) return option.status();
  ledger_source_ = std::move(option.value());
  for (const char* path : {"sensor.id", "sensorId"}) {
    if (const Result<size_t> added = ledger_fields_.Add(path); !added.ok()) return added.status();
  }
  key_is_source_ = !ledger_source_ && !key_ && config.Has("partition-key") &&
                   config.GetString("partition-key") == "sensor.id";
  return {};
}

// `field_key`: the key, if it was just read from the payload.
Ledger::Source& MessageBuilder::LedgerSourceOf(const SendRequest& request, std::string_view topic,
                                               const std::string* field_key) const {
  if (key_is_source_ && field_key != nullptr) return ledger_->SourceOf(*field_key);
  thread_local std::string name;  // keeps its memory
  name.clear();
  const bool found = ledger_source_ ? ledger_source_->Render(request.payload, topic, &name)
                                    : ledger_fields_.ExtractFirst(request.payload, &name);
  return ledger_->SourceOf(found && !name.empty() ? name : topic);
}

// Null: the message gets no number here.
Ledger::Source* MessageBuilder::NumberingOf(const SendRequest& request, std::string_view topic,
                                            const std::string* field_key, Logger& logger) const {
  if (ledger_ == nullptr || ledger_->IsMarked({request.headers, request.payload})) return nullptr;
  if (!ledger_->field().empty() && MembersOf(request.payload).empty()) {
    ledger_->CountUnnumbered();
    logger.Limited(LogLevel::kWarn, "unnumbered",
                   "ledger: a payload is no JSON object, so that it has no place for a number "
                   "(ledger-field): it is sent as it is, and dsmsg audit will not miss it");
    return nullptr;
  }
  return &LedgerSourceOf(request, topic, field_key);
}

Status MessageBuilder::Unbuilt(const SendRequest& request, std::string_view topic,
                               Status status) const {
  if (ledger_ == nullptr) return status;
  const Ledger::Carrier carrier{request.headers, request.payload};
  if (!ledger_->IsMarked(carrier)) {
    ledger_->EndedUnbuilt(LedgerSourceOf(request, topic, nullptr), status);
  } else if (status.code() == Code::kTooLarge) {
    ledger_->Dropped(carrier, DropReason::kTooLarge);
  } else {
    ledger_->Refused(carrier, status);
  }
  return status;
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
    return Unbuilt(request, topic,
                   {Code::kTooLarge, "a payload of " + std::to_string(request.payload.size()) +
                                         " bytes is larger than max-message-bytes (" +
                                         std::to_string(max_bytes_) + ")"});
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
  Ledger::Source* const source =
      NumberingOf(request, topic, has_key && !request.has_key ? &key : nullptr, logger);
  size_t size = request.payload.size() + topic.size() + 1 + key.size() + header_text.size();
  if (source != nullptr) size += ledger_->field().size() + source->mark.size() + 2;
  for (const auto& [name, value] : request.headers) size += name.size() + value.size();
  outgoing->buffer = pool_->Get(size);
  if (!outgoing->buffer) {
    return Unbuilt(
        request, topic,
        {Code::kInternal, "no memory for a message of " + std::to_string(size) + " bytes"});
  }

  Cursor cursor(outgoing->buffer.data());
  Message& message = outgoing->message;
  const bool in_payload = source != nullptr && !ledger_->field().empty();
  if (in_payload) {
    const std::string_view members = MembersOf(request.payload);
    const char* const start = cursor.Append(ledger_->field()).data();
    outgoing->ledger_mark = cursor.at();
    cursor.Append(source->mark);
    cursor.Append(members.front() == '}' ? "\"" : "\",");
    const std::string_view last = cursor.Append(members);
    message.payload = {start, static_cast<size_t>(last.data() + last.size() - start)};
  } else {
    message.payload = cursor.Append(request.payload);
  }
  message.topic = cursor.Append(topic);
  cursor.Terminate();
  message.key = cursor.Append(key);
  message.has_key = has_key;
  outgoing->ledger_source = source;
  if (source != nullptr && !in_payload) {
    outgoing->headers.reserve(1 + headers_.size() + request.headers.size());
    outgoing->ledger_mark = cursor.at();
    outgoing->headers.emplace_back(Ledger::kHeader, cursor.Append(source->mark));
  }
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
