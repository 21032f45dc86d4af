// SPDX-License-Identifier: Apache-2.0
// Values of a frame.
#include <charconv>

#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

Value SensorId(const Scope& scope) {
  const SensorInfo* const sensor = scope.Settled().sensor;
  if (sensor != nullptr && !sensor->id.empty()) return Value::Text(sensor->id);
  const std::string_view given = GivenSensorId(scope.frame);
  if (!given.empty()) return Value::Text(given);
  auto& digits = scope.scratch.source;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), scope.frame.source_id).ptr;
  return Value::Text({digits.data(), static_cast<size_t>(end - digits.data())});
}

Value LocationPart(const Scope& scope, size_t index) {
  if (scope.object != nullptr && scope.object->location) return Part(scope.object->location, index);
  const SensorInfo* const sensor = scope.Settled().sensor;
  return sensor == nullptr ? Value() : Part(sensor->location, index);
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
    {"frame.objects", kNumber,
     "how many objects it has; with `events` or `space` only those that messages are about",
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
