// SPDX-License-Identifier: Apache-2.0
// Writes the message of a map (map.h) as JSON, for one scope. No allocation once its buffers are
// large enough. One thread at a time.
#ifndef DSMSG_MSGCONV_MAP_WRITER_H_
#define DSMSG_MSGCONV_MAP_WRITER_H_

#include <span>
#include <string>
#include <string_view>

#include "msgconv/json_writer.h"
#include "msgconv/map.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

inline bool Holds(const MapExpression& condition, const MapScope& scope) {
  return condition.empty() || condition.Holds(scope);
}

class MapWriter {
 public:
  /// Valid until the next call.
  std::string_view Message(const Map& map, const MapScope& scope);
  /// One part of a message, likewise; "": it has no value.
  std::string_view Part(const Map::Element& element, const MapScope& scope);

 private:
  using Element = Map::Element;
  /// Writes `lead` and the element. False, with nothing written: it has no value.
  bool Write(std::string_view lead, const Element& element, const MapScope& scope);
  bool WriteValue(std::string_view lead, const Element& element, const MapScope& scope);
  bool WriteTemplate(std::string_view lead, const Element& element, const MapScope& scope);
  bool WriteJsonText(std::string_view lead, const Element& element, const MapScope& scope);
  bool WriteSettled(std::string_view lead, const Element& element, const MapScope& scope);
  void WriteObject(const Element& element, const MapScope& scope);
  void WriteMembers(const Element& element, const MapScope& scope);
  void WriteArray(const Element& element, const MapScope& scope);
  void WriteEach(const Element& element, const MapScope& scope);
  void WriteValue(const MapValue& value, const MapScope& scope);
  void WriteNumber(const MapValue& value);
  void WriteTable(const MapValue& value, const Frame& frame);
  void WriteList(const MapValue& value, const Frame& frame);
  void WritePoints(std::span<const Point> points, const Frame& frame);

  JsonWriter out_;
};

/// The text of a kTemplate in its place of the scratch; nullptr: a value in it is missing.
const std::string* MapTemplate(const Map::Element& element, const MapScope& scope);

/// Calls `with` with the scope of each element of the list that `element`, a kEach, is for.
template <typename Do>
void ForEachOf(const Map::Element& element, const MapScope& scope, const Do& with) {
  const auto each = [&](const MapScope& inner) {
    if (Holds(element.when, inner)) with(inner);
  };
  MapScope inner = scope;
  if (element.list == nullptr) {  // of a payload
    const MapValue list = element.value.Evaluate(scope);
    if (list.kind != MapValue::Kind::kJson) return;
    const JsonPayload& payload = scope.received->payload;
    const auto array = static_cast<JsonPayload::Place>(list.natural);
    for (auto at = payload.First(array); at != JsonPayload::kNone; at = payload.Next(array, at)) {
      inner.item = at;
      each(inner);
    }
  } else if (element.list->gives == MapContext::kObject) {
    for (size_t i = 0; i < scope.frame.objects.size(); ++i) {
      inner.object = &scope.frame.objects[i];
      inner.index = i;
      if (!element.events || !EventTypeOf(*inner.object).empty()) each(inner);
    }
  } else if (element.list->gives == MapContext::kTrack) {
    for (const TrackSummary& track : scope.frame.tracks) {
      inner.track = &track;
      each(inner);
    }
  } else {
    const Range range = element.list->range(scope);
    uint32_t& at = scope.scratch.elements[static_cast<size_t>(element.list->gives)];
    for (uint32_t i = 0; i < range.count; ++i) {
      at = range.first + i;
      each(inner);
    }
  }
}

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_WRITER_H_
