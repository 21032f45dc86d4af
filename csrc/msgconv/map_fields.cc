// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_fields.h"

#include <algorithm>
#include <array>

#include "msgconv/map_field_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;

struct Prefix {
  std::string_view name;
  MapContext context;
};
constexpr Prefix kPrefixes[] = {
    {"frame", MapContext::kFrame},
    {"sensor", MapContext::kFrame},
    {"place", MapContext::kFrame},
    {"analytics", MapContext::kFrame},
    {"location", MapContext::kFrame},
    {"object", MapContext::kObject},
    {"track", MapContext::kTrack},
    {"dwell", MapContext::kDwell},
    {"space", MapContext::kSpace},
    {"attribute", MapContext::kAttribute},
    {"keypoint", MapContext::kKeypoint},
    {"action", MapContext::kAction},
    {"count", MapContext::kCount},
    {"group", MapContext::kGroup},
    {"conversation", MapContext::kConversation},
    {"embedding", MapContext::kEmbedding},
    {"camera", MapContext::kCamera},
    {"topic", MapContext::kReceived},
    {"key", MapContext::kReceived},
    {"timestamp", MapContext::kReceived},
    {"offset", MapContext::kReceived},
    {"partition", MapContext::kReceived},
    {"id", MapContext::kReceived},
    {"payload", MapContext::kReceived},
    {"headers", MapContext::kReceived},
    {"item", MapContext::kItem},
};

MapValue Number(int64_t value) { return value < 0 ? MapValue() : MapValue::Int(value); }

constexpr MapField kReceivedFields[] = {
    {"topic", kText, "that the message was sent to",
     [](const MapScope& s) { return TextOrNone(s.received->message.topic); }},
    {"key", kText, "of the message",
     [](const MapScope& s) {
       const DsmsgReceived& message = s.received->message;
       if (message.key == nullptr) return MapValue();
       return MapValue::Text({reinterpret_cast<const char*>(message.key), message.key_len});
     }},
    {"timestamp", kTime, "the sender's or the broker's",
     [](const MapScope& s) {
       const int64_t ms = s.received->message.timestamp_ms;
       return ms < 0 || ms > INT64_MAX / 1'000'000
                  ? MapValue()
                  : MapValue::Time(static_cast<uint64_t>(ms) * 1'000'000);
     }},
    {"offset", kNumber, "Kafka",
     [](const MapScope& s) { return Number(s.received->message.offset); }},
    {"partition", kNumber, "Kafka",
     [](const MapScope& s) { return Number(s.received->message.partition); }},
    {"id", kText, "Redis: entry id, AMQP: message-id",
     [](const MapScope& s) { return TextOrNone(s.received->message.id); }},
};

void AppendRow(std::string* out, std::string_view name, std::string_view type,
               std::string_view about) {
  out->append("| `").append(name).append("` | ").append(type).append(" | ").append(about);
  out->append(" |\n");
}

}  // namespace

MapContext MapField::context() const {
  const std::string_view first = name.substr(0, name.find('.'));
  for (const Prefix& each : kPrefixes) {
    if (each.name == first) return each.context;
  }
  return MapContext::kAlways;
}

std::string_view PrefixOf(MapContext context) {
  for (const Prefix& each : kPrefixes) {
    if (each.context == context) return each.name;
  }
  return "";
}

std::string_view NameOf(MapType type) {
  switch (type) {
    case kBool:
      return "a condition (true or false)";
    case kNumber:
      return "a number";
    case kText:
      return "a text";
    case kTime:
      return "a time";
    case kTexts:
      return "a list of texts";
    case kNumbers:
      return "a list of numbers";
    case kShapes:
      return "a list of points";
    case kTable:
      return "a table";
    case kAny:
      break;
  }
  return "a value";
}

std::span<const MapField> MapReceivedFields() { return kReceivedFields; }

std::span<const std::span<const MapField>> MapFields() {
  static const std::array<std::span<const MapField>, 7> all = {
      MapFrameFields(),    MapConfigurationFields(), MapObjectFields(),  MapShapeFields(),
      MapEvidenceFields(), MapElementFields(),       MapReceivedFields()};
  return all;
}

const MapField* FindMapField(std::string_view name) {
  for (const auto& group : MapFields()) {
    for (const MapField& field : group) {
      if (field.name == name) return &field;
    }
  }
  return nullptr;
}

bool IsOfConfiguration(const MapField& field) {
  const auto all = MapConfigurationFields();
  return std::any_of(all.begin(), all.end(), [&](const MapField& each) { return &each == &field; });
}

std::string MapTables() {
  std::string out = "| value | type | what it is |\n|---|---|---|\n";
  for (const auto& group : MapFields()) {
    for (const MapField& field : group)
      AppendRow(&out, field.name, NameOf(field.type), field.about);
  }
  AppendRow(&out, std::string(kMapAttributes) + "NAME", NameOf(kText), "one of the attributes");
  AppendRow(&out, std::string(kMapCounts) + "NAME", NameOf(kNumber),
            "objects in the zone of this name, or of this class, or crossings of a line since the "
            "start (`gate.in`); missing if the frame has no such count");
  out +=
      "\n### Lists\n\nFor `$each`; in `$item` their elements have values that begin as the second "
      "column says.\n\n| list | its elements | what it is |\n|---|---|---|\n";
  for (const MapList& list : MapLists())
    AppendRow(&out, list.name, "`" + std::string(PrefixOf(list.gives)) + ".`", list.about);
  return out;
}

}  // namespace dsmsg::msgconv
