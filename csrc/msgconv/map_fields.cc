// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_fields.h"

#include <charconv>
#include <functional>

#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

Value TextOrNone(std::string_view text) { return text.empty() ? Value() : Value::Text(text); }

Value Positive(uint64_t value) { return value == 0 ? Value() : Value::Uint(value); }

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

Value ObjectId(const Scope& scope) {
  if (!scope.object->id_text.empty()) return Value::Text(scope.object->id_text);
  return scope.object->id ? Value::Uint(*scope.object->id) : Value();
}

Value Part(const std::optional<Triple>& triple, size_t index) {
  return triple ? Value::Double((*triple)[index]) : Value();
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

/// nullptr: the object has no such picture.
const Evidence* PictureOf(const Scope& scope, bool whole_frame) {
  for (const Evidence& each : Frame::Part(scope.frame.evidence, scope.object->evidence)) {
    if (!whole_frame || each.whole_frame) return &each;
  }
  return nullptr;
}

template <class Member>
Value OfPicture(const Scope& scope, Member member, bool whole_frame = false) {
  const Evidence* const picture = PictureOf(scope, whole_frame);
  return picture == nullptr ? Value() : TextOrNone(std::invoke(member, *picture));
}

Value SizeOf(const Evidence* picture) {
  return picture == nullptr ? Value() : Positive(picture->size);
}

Box BoxOf(const Scope& scope) { return ScaledBox(scope.frame, *scope.object); }

constexpr MapField kFields[] = {
    {"message.id", kText, "a random UUID, the same in the whole message",
     [](const Scope& s) {
       return Value::Text({s.scratch.id.data(), s.scratch.id.size()});
     }},
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
    {"frame.objects", kNumber, "how many objects it has",
     [](const Scope& s) { return Value::Uint(s.frame.objects.size()); }},
    {"frame.video_path", kText, "recording that the frame is in",
     [](const Scope& s) { return TextOrNone(s.frame.video_path); }},
    {"sensor.id", kText, "of the configuration, else the source's own name, else its number",
     SensorId},
    {"sensor.type", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::type); }},
    {"sensor.description", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::description); }},
    {"place.id", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::id); }},
    {"place.name", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::name); }},
    {"place.type", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::type); }},
    {"location.lat", kNumber, "latitude of the object, else of the configuration's sensor",
     [](const Scope& s) { return LocationPart(s, 0); }},
    {"location.lon", kNumber, "longitude, likewise",
     [](const Scope& s) { return LocationPart(s, 1); }},
    {"location.alt", kNumber, "altitude, likewise",
     [](const Scope& s) { return LocationPart(s, 2); }},
    {"object.index", kNumber, "place in the frame's list, from 0",
     [](const Scope& s) { return Value::Uint(s.index); }},
    {"object.id", kAny, "the tracker's: a number, or a text where an application gave one",
     ObjectId},
    {"object.label", kText, "class name",
     [](const Scope& s) { return TextOrNone(s.object->label); }},
    {"object.label_id", kNumber, "class number",
     [](const Scope& s) { return s.object->label_id ? Value::Int(*s.object->label_id) : Value(); }},
    {"object.confidence", kNumber, "0 to 1; missing where only the tracker saw the object",
     [](const Scope& s) {
       const auto& confidence = s.object->confidence;
       return confidence && *confidence >= 0 ? Value::Float(*confidence) : Value();
     }},
    {"object.box.left", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).left); }},
    {"object.box.top", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).top); }},
    {"object.box.width", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).width); }},
    {"object.box.height", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).height); }},
    {"object.box.right", kNumber, "left + width",
     [](const Scope& s) {
       const Box box = BoxOf(s);
       return Value::Float(box.left + box.width);
     }},
    {"object.box.bottom", kNumber, "top + height",
     [](const Scope& s) {
       const Box box = BoxOf(s);
       return Value::Float(box.top + box.height);
     }},
    {"object.rotation", kNumber, "of the box around its middle, degrees",
     [](const Scope& s) { return Value::Float(s.object->rotation); }},
    {"object.speed", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->speed); }},
    {"object.direction", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->direction); }},
    {"object.orientation", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->orientation); }},
    {"object.event", kText, "entry, exit, moving, stopped, ...; missing without an event",
     [](const Scope& s) { return TextOrNone(EventTypeOf(*s.object)); }},
    {"object.event_id", kText, "that an application gave",
     [](const Scope& s) { return TextOrNone(s.object->event_id); }},
    {"object.heading", kText, "direction in words, of an analysis",
     [](const Scope& s) { return TextOrNone(s.object->heading); }},
    {"object.state", kText, "of an analysis",
     [](const Scope& s) { return TextOrNone(s.object->state); }},
    {"object.pose", kText, "kind of its pose: pose2D, pose25D, pose3D",
     [](const Scope& s) { return TextOrNone(s.object->pose_type); }},
    {"object.zones", kTexts, "zones that it is in",
     [](const Scope& s) { return Value::Texts(s.object->zones); }},
    {"object.crowded_zones", kTexts, "crowded zones that it is in",
     [](const Scope& s) { return Value::Texts(s.object->crowded_zones); }},
    {"object.lines", kTexts, "lines that it crosses",
     [](const Scope& s) { return Value::Texts(s.object->lines); }},
    {"object.evidence.state", kText,
     "of its picture (the crop, if there is one): stored, or lost; missing without evidence",
     [](const Scope& s) { return OfPicture(s, StateOf); }},
    {"object.evidence.reason", kText, "why it is lost",
     [](const Scope& s) { return OfPicture(s, &Evidence::reason); }},
    {"object.evidence.uri", kText, "where it is",
     [](const Scope& s) { return OfPicture(s, &Evidence::uri); }},
    {"object.evidence.digest", kText, "its SHA-256, 64 hexadecimal digits",
     [](const Scope& s) { return OfPicture(s, &Evidence::digest); }},
    {"object.evidence.size", kNumber, "its size, bytes",
     [](const Scope& s) { return SizeOf(PictureOf(s, false)); }},
    {"object.evidence.frame.state", kText, "the same of the picture of the whole frame",
     [](const Scope& s) { return OfPicture(s, StateOf, true); }},
    {"object.evidence.frame.reason", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::reason, true); }},
    {"object.evidence.frame.uri", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::uri, true); }},
    {"object.evidence.frame.digest", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::digest, true); }},
    {"object.evidence.frame.size", kNumber, "likewise",
     [](const Scope& s) { return SizeOf(PictureOf(s, true)); }},
    {"object.attributes", kTable, "what classifiers found: an object of names and values",
     [](const Scope& s) {
       return Value::Table({s.object->first_attribute, s.object->attribute_count});
     }},
};

}  // namespace

std::span<const MapField> MapFields() { return kFields; }

const MapField* FindMapField(std::string_view name) {
  for (const MapField& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

}  // namespace dsmsg::msgconv
