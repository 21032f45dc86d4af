// SPDX-License-Identifier: Apache-2.0
// Values of a frame, and of the configuration's groups for it.
#include <charconv>

#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

// Outside of objects, the groups are those of the source.
const Object& ObjectOf(const Scope& scope) {
  static const Object none;
  return scope.object == nullptr ? none : *scope.object;
}

const SensorInfo* SensorOf(const Scope& scope) {
  return scope.config.Sensor(GroupsOf(scope.frame, ObjectOf(scope)).sensor);
}

const PlaceInfo* PlaceOf(const Scope& scope) {
  return scope.config.Place(GroupsOf(scope.frame, ObjectOf(scope)).place);
}

Value SensorId(const Scope& scope) {
  const SensorInfo* const sensor = SensorOf(scope);
  if (sensor != nullptr && !sensor->id.empty()) return Value::Text(sensor->id);
  const std::string_view given = GivenSensorId(scope.frame);
  if (!given.empty()) return Value::Text(given);
  auto& digits = scope.scratch.source;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), scope.frame.source_id).ptr;
  return Value::Text({digits.data(), static_cast<size_t>(end - digits.data())});
}

Value OfPlace(const Scope& scope, std::string PlaceInfo::*member) {
  const PlaceInfo* const place = PlaceOf(scope);
  return place == nullptr ? Value() : TextOrNone(place->*member);
}

Value OfSensor(const Scope& scope, std::string SensorInfo::*member) {
  const SensorInfo* const sensor = SensorOf(scope);
  return sensor == nullptr ? Value() : TextOrNone(sensor->*member);
}

Value LocationPart(const Scope& scope, size_t index) {
  if (scope.object != nullptr && scope.object->location) return Part(scope.object->location, index);
  const SensorInfo* const sensor = SensorOf(scope);
  return sensor == nullptr ? Value() : Part(sensor->location, index);
}

Value OfAnalytics(const Scope& scope, std::string AnalyticsInfo::*member) {
  const AnalyticsInfo* const analytics =
      scope.config.Analytics(GroupsOf(scope.frame, ObjectOf(scope)).analytics);
  return analytics == nullptr ? Value() : TextOrNone(analytics->*member);
}

Value SensorPart(const Scope& scope, std::optional<Triple> SensorInfo::*member, size_t index) {
  const SensorInfo* const sensor = SensorOf(scope);
  return sensor == nullptr ? Value() : Part(sensor->*member, index);
}

Value PlacePart(const Scope& scope, std::optional<Triple> PlaceInfo::*member, size_t index) {
  const PlaceInfo* const place = PlaceOf(scope);
  return place == nullptr ? Value() : Part(place->*member, index);
}

Value PlaceSubField(const Scope& scope, size_t index) {
  const PlaceInfo* const place = PlaceOf(scope);
  return place == nullptr ? Value() : TextOrNone(place->sub_field[index]);
}

constexpr MapField kFields[] = {
    {"message.id", kText, "a random UUID, the same in the whole message",
     [](const Scope& s) {
       return Value::Text({s.scratch.id.data(), s.scratch.id.size()});
     }},
    {"now", kTime, "when the message is made",
     [](const Scope& s) { return Value::Time(s.scratch.now_ns); }},
    {"frame.source", kNumber, "number of the source",
     [](const Scope& s) { return Value::Uint(s.frame.source_id); }},
    {"frame.source_name", kText, "name that the source gave itself",
     [](const Scope& s) { return TextOrNone(s.frame.source_name); }},
    {"frame.number", kNumber, "counted from 0 for each source",
     [](const Scope& s) { return Value::Uint(s.frame.number); }},
    {"frame.time", kTime, "when the picture was taken",
     [](const Scope& s) { return Value::Time(s.frame.time_ns); }},
    {"frame.width", kNumber, "of the pipeline's picture, pixels",
     [](const Scope& s) { return Positive(s.frame.width); }},
    {"frame.height", kNumber, "of the pipeline's picture, pixels",
     [](const Scope& s) { return Positive(s.frame.height); }},
    {"frame.camera_width", kNumber, "of the camera's picture, which boxes are in, pixels",
     [](const Scope& s) {
       return Positive(s.frame.source_width > 0 ? s.frame.source_width : s.frame.width);
     }},
    {"frame.camera_height", kNumber, "likewise",
     [](const Scope& s) {
       return Positive(s.frame.source_height > 0 ? s.frame.source_height : s.frame.height);
     }},
    {"frame.objects", kNumber, "how many objects it has",
     [](const Scope& s) { return Value::Uint(s.frame.objects.size()); }},
    {"frame.video_path", kText, "recording that the frame is in",
     [](const Scope& s) { return TextOrNone(s.frame.video_path); }},
    {"frame.lost", kNumbers, "ids that the tracker has given up",
     [](const Scope& s) {
       return Value::List(Value::Kind::kIds, {0, static_cast<uint32_t>(s.frame.lost.size())});
     }},
    {"frame.custom_messages", kTexts, "texts that an application attached to the frame",
     [](const Scope& s) { return Value::List(Value::Kind::kTexts, s.frame.custom_messages); }},
    {"frame.segmentation.width", kNumber, "of the map of classes, pixels",
     [](const Scope& s) {
       return s.frame.segmentation ? Positive(s.frame.segmentation->width) : Value();
     }},
    {"frame.segmentation.height", kNumber, "likewise",
     [](const Scope& s) {
       return s.frame.segmentation ? Positive(s.frame.segmentation->height) : Value();
     }},
    {"frame.segmentation.classes", kNumbers, "class of each pixel, row by row",
     [](const Scope& s) {
       return s.frame.segmentation
                  ? Value::List(Value::Kind::kClasses, s.frame.segmentation->classes)
                  : Value();
     }},
    {"frame.segmentation.info", kTable, "what its model says of itself",
     [](const Scope& s) {
       return s.frame.segmentation ? Value::List(Value::Kind::kTable, s.frame.segmentation->info)
                                   : Value();
     }},
    {"sensor.id", kText, "of the configuration, else the source's own name, else its number",
     SensorId},
    {"sensor.type", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::type); }},
    {"sensor.description", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::description); }},
    {"sensor.location.lat", kNumber, "latitude, longitude, altitude; of the configuration",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 0); }},
    {"sensor.location.lon", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 1); }},
    {"sensor.location.alt", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 2); }},
    {"sensor.coordinate.x", kNumber, "of the configuration",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 0); }},
    {"sensor.coordinate.y", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 1); }},
    {"sensor.coordinate.z", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 2); }},
    {"place.id", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::id); }},
    {"place.name", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::name); }},
    {"place.type", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::type); }},
    {"place.location.lat", kNumber, "of the configuration",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 0); }},
    {"place.location.lon", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 1); }},
    {"place.location.alt", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 2); }},
    {"place.coordinate.x", kNumber, "of the configuration",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 0); }},
    {"place.coordinate.y", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 1); }},
    {"place.coordinate.z", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 2); }},
    {"place.sub_field1", kText, "place-sub-field1 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 0); }},
    {"place.sub_field2", kText, "place-sub-field2 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 1); }},
    {"place.sub_field3", kText, "place-sub-field3 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 2); }},
    {"analytics.id", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::id); }},
    {"analytics.description", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::description); }},
    {"analytics.source", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::source); }},
    {"analytics.version", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::version); }},
    {"location.lat", kNumber, "latitude of the object, else of the configuration's sensor",
     [](const Scope& s) { return LocationPart(s, 0); }},
    {"location.lon", kNumber, "longitude, likewise",
     [](const Scope& s) { return LocationPart(s, 1); }},
    {"location.alt", kNumber, "altitude, likewise",
     [](const Scope& s) { return LocationPart(s, 2); }},
};

}  // namespace

std::span<const MapField> MapFrameFields() { return kFields; }

}  // namespace dsmsg::msgconv
