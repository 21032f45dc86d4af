// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_payload.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace dsmsg::msgconv {

MapValue NumberOf(std::string_view text) {
  const char* const end = text.data() + text.size();
  if (text.find_first_not_of("+-.0123456789eE") != text.npos) return {};
  if (text.find_first_of(".eE") == text.npos) {
    int64_t whole = 0;
    if (const auto [last, error] = std::from_chars(text.data(), end, whole);
        error == std::errc() && last == end) {
      return MapValue::Int(whole);
    }
    uint64_t natural = 0;
    if (const auto [last, error] = std::from_chars(text.data(), end, natural);
        error == std::errc() && last == end) {
      return MapValue::Uint(natural);
    }
  }
  double real = 0;
  const auto [last, error] = std::from_chars(text.data(), end, real);
  if (error != std::errc() || last != end || !std::isfinite(real)) return {};
  return MapValue::Double(real);
}

MapValue PayloadValue(const JsonPayload& payload, JsonPayload::Place place) {
  switch (payload.KindOf(place)) {
    case JsonPayload::Kind::kNull:
      return {};
    case JsonPayload::Kind::kTrue:
      return MapValue::Bool(true);
    case JsonPayload::Kind::kFalse:
      return MapValue::Bool(false);
    case JsonPayload::Kind::kNumber: {
      MapValue value = NumberOf(payload.Raw(place));
      value.text = payload.Raw(place);
      return value;
    }
    case JsonPayload::Kind::kText:
      return MapValue::Text(payload.Text(place));
    case JsonPayload::Kind::kObject:
    case JsonPayload::Kind::kArray:
      return MapValue::Json(place);
  }
  return {};
}

MapValue PayloadAt(const MapScope& scope, const MapExpression::Node& node) {
  const JsonPayload& payload = scope.received->payload;
  JsonPayload::Place place = node.op == MapOp::kItemPath ? scope.item : JsonPayload::kRoot;
  if (payload.empty()) {
    const DsmsgReceived& message = scope.received->message;
    if (node.op == MapOp::kItemPath || !node.path.empty() || message.payload_len == 0) return {};
    return MapValue::Text({reinterpret_cast<const char*>(message.payload), message.payload_len});
  }
  for (const MapStep& step : node.path) {
    place = step.element ? payload.Element(place, step.index) : payload.Member(place, step.name);
    if (place == JsonPayload::kNone) return {};
  }
  return PayloadValue(payload, place);
}

MapValue TopicPart(const MapScope& scope, int index) {
  const std::string_view topic = scope.received->message.topic;
  const char separator = scope.received->separator;
  if (index < 0) index += 1 + static_cast<int>(std::count(topic.begin(), topic.end(), separator));
  if (index < 0) return {};
  size_t begin = 0;
  for (; index > 0; --index) {
    begin = topic.find(separator, begin);
    if (begin == topic.npos) return {};
    ++begin;
  }
  return MapValue::Text(topic.substr(begin, topic.find(separator, begin) - begin));
}

MapValue HeaderOf(const MapScope& scope, std::string_view name) {
  const DsmsgReceived& message = scope.received->message;
  for (size_t i = message.num_headers; i-- > 0;) {
    const DsmsgReceivedHeader& header = message.headers[i];
    if (name != header.name) continue;
    return MapValue::Text({reinterpret_cast<const char*>(header.value), header.value_len});
  }
  return {};
}

}  // namespace dsmsg::msgconv
