// SPDX-License-Identifier: Apache-2.0
#include "bridge/message_template.h"

#include <glib.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include "core/base/encoding.h"

namespace dsmsg::bridge {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

std::string_view View(const uint8_t* data, size_t size) {
  return data == nullptr ? std::string_view()
                         : std::string_view(reinterpret_cast<const char*>(data), size);
}

std::string_view HeaderOf(const DsmsgReceived& message, std::string_view name) {
  for (size_t i = message.num_headers; i-- > 0;) {  // the last one of a name counts
    const DsmsgReceivedHeader& header = message.headers[i];
    if (name == header.name) return View(header.value, header.value_len);
  }
  return {};
}

std::string_view TopicPart(std::string_view topic, char separator, int index) {
  std::vector<std::string_view> parts;
  for (size_t start = 0; start <= topic.size();) {
    const size_t end = std::min(topic.find(separator, start), topic.size());
    parts.push_back(topic.substr(start, end - start));
    start = end + 1;
  }
  const auto count = static_cast<int>(parts.size());
  const int at = index < 0 ? count + index : index;
  return at < 0 || at >= count ? std::string_view() : parts[static_cast<size_t>(at)];
}

const char* TimeType(const DsmsgReceived& message) {
  constexpr size_t kNeeded = offsetof(DsmsgReceived, timestamp_type) + sizeof(int32_t);
  const int32_t type =
      message.size < kNeeded ? int32_t{DSMSG_TIMESTAMP_UNKNOWN} : message.timestamp_type;
  if (type == DSMSG_TIMESTAMP_CREATE) return "create";
  return type == DSMSG_TIMESTAMP_APPEND ? "append" : "undefined";
}

void AppendEncoded(std::string_view bytes, Encoding encoding, std::string* out) {
  if (encoding == Encoding::kNone || bytes.empty()) {
    out->append(bytes);
    return;
  }
  out->append(ToBase64(bytes));
}

/// JSON is text: what is not UTF-8, and a NUL, becomes U+FFFD.
void AddString(Json* json, std::string_view text) {
  const auto size = static_cast<gssize>(text.size());
  if (size == 0 || g_utf8_validate(text.data(), size, nullptr) != FALSE) {
    json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    return;
  }
  gchar* valid = g_utf8_make_valid(text.data(), size);
  json->String(valid);
  g_free(valid);
}

void AddBytes(Json* json, std::string_view bytes, Encoding encoding) {
  std::string text;
  AppendEncoded(bytes, encoding, &text);
  AddString(json, text);
}

void AddNumber(Json* json, int64_t number) {
  if (number < 0) {
    json->Null();
  } else {
    json->Int64(number);
  }
}

void AppendAll(const DsmsgReceived& message, const Rendering& how, std::string* out) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.StartObject();
  json.Key("value");
  AddBytes(&json, View(message.payload, message.payload_len), how.value);
  json.Key("ts_type");
  json.String(TimeType(message));
  json.Key("ts");
  AddNumber(&json, message.timestamp_ms);
  json.Key("topic");
  AddString(&json, message.topic);
  json.Key("offset");
  AddNumber(&json, message.offset);
  json.Key("key");
  AddBytes(&json, View(message.key, message.key_len), how.key);
  json.Key("headers");
  json.StartObject();
  for (size_t i = 0; i < message.num_headers; ++i) {
    const DsmsgReceivedHeader& header = message.headers[i];
    const std::string_view value = View(header.value, header.value_len);
    if (HeaderOf(message, header.name).data() != value.data()) continue;  // another one counts
    AddString(&json, header.name);
    AddString(&json, value);
  }
  json.EndObject();
  json.EndObject();
  out->append(buffer.GetString(), buffer.GetSize());
}

void AppendNumber(int64_t number, std::string* out) {
  if (number >= 0) out->append(std::to_string(number));
}

}  // namespace

Result<MessageTemplate> MessageTemplate::Compile(std::string_view text) {
  MessageTemplate compiled;
  for (size_t at = 0; at < text.size();) {
    const size_t dollar = std::min(text.find('$', at), text.size());
    compiled.AddText(text.substr(at, dollar - at));
    if (dollar == text.size()) break;
    const char next = dollar + 1 < text.size() ? text[dollar + 1] : '\0';
    if (next != '{') {
      compiled.AddText("$");
      at = dollar + (next == '$' ? 2 : 1);
      continue;
    }
    const size_t close = text.find('}', dollar);
    if (close == std::string_view::npos) {
      return Status(Code::kInvalidArgument,
                    "the ${ at position " + std::to_string(dollar) + " has no closing }");
    }
    Status added = compiled.AddField(text.substr(dollar + 2, close - dollar - 2), dollar);
    if (!added.ok()) return added;
    at = close + 1;
  }
  return compiled;
}

void MessageTemplate::AddText(std::string_view text) {
  if (text.empty()) return;
  if (!parts_.empty() && parts_.back().field == Field::kText) {
    parts_.back().text += text;
  } else {
    parts_.push_back({Field::kText, std::string(text)});
  }
}

Status MessageTemplate::AddField(std::string_view inside, size_t position) {
  static constexpr std::pair<std::string_view, Field> kNames[] = {{"value", Field::kValue},
                                                                  {"key", Field::kKey},
                                                                  {"topic", Field::kTopic},
                                                                  {"ts", Field::kTime},
                                                                  {"ts_type", Field::kTimeType},
                                                                  {"offset", Field::kOffset},
                                                                  {"id", Field::kId},
                                                                  {"partition", Field::kPartition}};
  const Status wrong(Code::kInvalidArgument,
                     "there is no field ${" + std::string(inside) + "} at position " +
                         std::to_string(position) +
                         " (there are ${.}, ${.value}, ${.value.PATH}, ${.key}, ${.headers.NAME}, "
                         "${.topic}, ${.topic[N]}, ${.ts}, ${.ts_type}, ${.offset}, ${.partition}, "
                         "${.id}; $$ is a dollar sign)");
  if (inside == ".") {
    parts_.push_back({Field::kAll});
    return {};
  }
  const std::string_view name = inside.substr(inside.starts_with('.') ? 1 : 0);
  for (const auto& [known, field] : kNames) {
    if (name != known) continue;
    parts_.push_back({field});
    return {};
  }
  if (name.starts_with("headers.") && name.size() > 8) {
    parts_.push_back({Field::kHeader, std::string(name.substr(8))});
    return {};
  }
  if (name.starts_with("value.") && name.size() > 6) {
    const Result<size_t> field = fields_.Add(name.substr(6));
    if (!field.ok()) return field.status();
    parts_.push_back({Field::kValueField, {}, static_cast<int>(field.value())});
    return {};
  }
  if (!name.starts_with("topic[") || !name.ends_with(']')) return wrong;
  const std::string_view digits = name.substr(6, name.size() - 7);
  int index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong;
  parts_.push_back({Field::kTopicPart, {}, index});
  return {};
}

void MessageTemplate::Render(const DsmsgReceived& message, const Rendering& how,
                             std::string* out) const {
  const std::string_view payload = View(message.payload, message.payload_len);
  std::vector<FieldValue> values;
  if (fields_.size() > 0) fields_.Extract(payload, &values);
  for (const Part& part : parts_) {
    switch (part.field) {
      case Field::kText:
        out->append(part.text);
        break;
      case Field::kAll:
        AppendAll(message, how, out);
        break;
      case Field::kValue:
        AppendEncoded(payload, how.value, out);
        break;
      case Field::kValueField:
        out->append(values[static_cast<size_t>(part.index)].text);
        break;
      case Field::kKey:
        AppendEncoded(View(message.key, message.key_len), how.key, out);
        break;
      case Field::kHeader:
        out->append(HeaderOf(message, part.text));
        break;
      case Field::kTopic:
        out->append(message.topic);
        break;
      case Field::kTopicPart:
        out->append(TopicPart(message.topic, how.separator, part.index));
        break;
      case Field::kTime:
        AppendNumber(message.timestamp_ms, out);
        break;
      case Field::kTimeType:
        out->append(TimeType(message));
        break;
      case Field::kOffset:
        AppendNumber(message.offset, out);
        break;
      case Field::kPartition:
        AppendNumber(message.partition, out);
        break;
      case Field::kId:
        out->append(message.id);
        break;
    }
  }
}

}  // namespace dsmsg::bridge
