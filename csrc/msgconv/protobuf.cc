// SPDX-License-Identifier: Apache-2.0
#include "msgconv/protobuf.h"

#include <array>
#include <charconv>
#include <optional>
#include <protozero/pbf_writer.hpp>

#include "msgconv/model_parts.h"
#include "msgconv/utf8.h"

namespace dsmsg::msgconv {
namespace {

using protozero::pbf_writer;

// Field numbers: include/nv.proto. What has its default value (0, "") is not written, as in proto3.
void Text(pbf_writer* out, protozero::pbf_tag_type tag, std::string_view text) {
  if (text.empty()) return;
  if (IsUtf8(text)) {
    out->add_string(tag, text.data(), text.size());
  } else {
    out->add_string(tag, Repaired(text));  // otherwise a reader would refuse the whole message
  }
}

void Float(pbf_writer* out, protozero::pbf_tag_type tag, float value) {
  if (value != 0) out->add_float(tag, value);
}

// Writes decimal digits without a temporary string.
void NumberText(pbf_writer* out, protozero::pbf_tag_type tag, uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out->add_string(tag, digits.data(), static_cast<size_t>(end - digits.data()));
}

void Time(pbf_writer* out, protozero::pbf_tag_type tag, const Frame& frame, const Object* object) {
  constexpr uint64_t kSecond = 1'000'000'000;
  uint64_t time_ns = frame.time_ns;
  if (object != nullptr && !object->timestamp.empty()) {
    time_ns = ParseTime(object->timestamp).value_or(time_ns);
  }
  pbf_writer time(*out, tag);
  if (time_ns >= kSecond) time.add_int64(1, static_cast<int64_t>(time_ns / kSecond));
  if (time_ns % kSecond != 0) time.add_int32(2, static_cast<int32_t>(time_ns % kSecond));
}

// An element of a repeated field. protozero drops an empty submessage, which is right for a single
// one (it then has its default value), but a list would lose an element.
template <class Body>
void Element(pbf_writer* parent, const std::string& buffer, protozero::pbf_tag_type tag,
             const Body& body) {
  const size_t before = buffer.size();
  {
    pbf_writer element(*parent, tag);
    body(&element);
  }
  if (buffer.size() == before) parent->add_message(tag, "", 0);
}

void MapEntry(pbf_writer* out, protozero::pbf_tag_type tag, std::string_view key,
              std::string_view value) {
  pbf_writer entry(*out, tag);
  Text(&entry, 1, key);
  Text(&entry, 2, value);
}

void Map(pbf_writer* out, protozero::pbf_tag_type tag, std::span<const Attribute> attributes) {
  for (size_t i = 0; i < attributes.size(); ++i) {
    // A reader uses the last of two equal keys, whereas everywhere else the first one counts.
    if (!SeenBefore(attributes, i)) MapEntry(out, tag, attributes[i].name, attributes[i].value);
  }
}

// For both Coordinate and Location.
void Point3(pbf_writer* out, protozero::pbf_tag_type tag, const std::optional<Triple>& triple) {
  if (!triple) return;
  pbf_writer point(*out, tag);
  for (size_t i = 0; i < triple->size(); ++i) {
    if ((*triple)[i] != 0) {
      point.add_double(static_cast<protozero::pbf_tag_type>(i + 1), (*triple)[i]);
    }
  }
}

void BoundingBox(pbf_writer* out, const Frame& frame, const Object& object) {
  const Box box = ScaledBox(frame, object);
  pbf_writer bbox(*out, 2);
  Float(&bbox, 1, box.left);
  Float(&bbox, 2, box.top);
  Float(&bbox, 3, box.left + box.width);
  Float(&bbox, 4, box.top + box.height);
}

void Embedding(pbf_writer* out, const Frame& frame, const Object& object) {
  if (object.embedding.count == 0 && object.embedding_info.count == 0) return;
  const auto vector = frame.Part(frame.numbers, object.embedding);
  pbf_writer embedding(*out, 6);
  embedding.add_packed_float(1, vector.begin(), vector.end());
  Map(&embedding, 2, frame.Part(frame.attributes, object.embedding_info));
}

void Joint(pbf_writer* pose, const Keypoint& keypoint, const Scale& scale) {
  const std::array<float, 4> coordinates = {
      static_cast<float>(keypoint.position[0]) * scale.x,
      static_cast<float>(keypoint.position[1]) * scale.y,
      static_cast<float>(keypoint.position[2]),
      keypoint.confidence,
  };
  pbf_writer joint(*pose, 2);
  Text(&joint, 1, keypoint.name);
  joint.add_packed_float(2, coordinates.begin(), coordinates.end());
  if (keypoint.quaternion) {
    joint.add_packed_float(3, keypoint.quaternion->begin(), keypoint.quaternion->end());
  }
}

void Pose(pbf_writer* out, const std::string& buffer, const Frame& frame, const Object& object) {
  if (object.keypoints.count == 0 && object.actions.count == 0 && object.pose_type.empty()) return;
  const Scale scale = InPicture(object.pose_type) ? ScaleOf(frame) : Scale();
  pbf_writer pose(*out, 7);
  Text(&pose, 1, object.pose_type);
  for (const Keypoint& keypoint : frame.Part(frame.keypoints, object.keypoints)) {
    Joint(&pose, keypoint, scale);
  }
  for (const Action& action : frame.Part(frame.actions, object.actions)) {
    Element(&pose, buffer, 3, [&](pbf_writer* part) {
      Text(part, 1, action.type);
      Float(part, 2, action.confidence);
    });
  }
}

void GazeOf(pbf_writer* out, const Gaze& gaze) {
  pbf_writer part(*out, 8);
  Float(&part, 1, gaze.x);
  Float(&part, 2, gaze.y);
  Float(&part, 3, gaze.z);
  Float(&part, 4, gaze.theta);
  Float(&part, 5, gaze.phi);
}

void Direction(pbf_writer* out, const Frame& frame, const Object& object) {
  if (object.directions.count > 0) {
    const auto parts = frame.Part(frame.numbers, object.directions);
    out->add_packed_float(11, parts.begin(), parts.end());
  } else if (object.direction != 0) {
    out->add_packed_float(11, &object.direction, &object.direction + 1);
  }
}

void WriteObject(pbf_writer* out, const std::string& buffer, const Frame& frame,
                 const Object& object) {
  if (!object.id_text.empty()) {
    Text(out, 1, object.id_text);
  } else if (object.id) {
    NumberText(out, 1, *object.id);
  }
  BoundingBox(out, frame, object);
  Text(out, 3, object.label);
  Float(out, 4, object.confidence.value_or(0.0F));
  Map(out, 5, frame.AttributesOf(object));
  Embedding(out, frame, object);
  Pose(out, buffer, frame, object);
  if (object.gaze) GazeOf(out, *object.gaze);
  if (!object.lip_activity.empty()) {
    pbf_writer lips(*out, 9);
    Text(&lips, 1, object.lip_activity);
  }
  Float(out, 10, object.speed);
  Direction(out, frame, object);
  Point3(out, 12, object.coordinate);
  Point3(out, 13, object.location);
}

void WritePlace(pbf_writer* parent, const PlaceInfo& place) {
  constexpr std::string_view kSubFields[] = {"place-sub-field1", "place-sub-field2",
                                             "place-sub-field3"};
  pbf_writer out(*parent, 4);
  Text(&out, 1, place.id);
  Text(&out, 2, place.name);
  Text(&out, 3, place.type);
  Point3(&out, 4, place.location);
  Point3(&out, 5, place.coordinate);
  for (size_t i = 0; i < place.sub_field.size(); ++i) {
    if (!place.sub_field[i].empty()) MapEntry(&out, 6, kSubFields[i], place.sub_field[i]);
  }
}

void WriteSensor(pbf_writer* parent, const SensorInfo& sensor) {
  pbf_writer out(*parent, 5);
  Text(&out, 1, sensor.id);
  Text(&out, 2, sensor.type);
  Text(&out, 3, sensor.description);
  Point3(&out, 4, sensor.location);
  Point3(&out, 5, sensor.coordinate);
}

void WriteAnalytics(pbf_writer* parent, const AnalyticsInfo& analytics) {
  pbf_writer out(*parent, 6);
  Text(&out, 1, analytics.id);
  Text(&out, 2, analytics.description);
  Text(&out, 3, analytics.source);
  Text(&out, 4, analytics.version);
}

// The schema has no field for custom messages, so they go into the event's map.
void CustomMessages(pbf_writer* event, const Frame& frame, const Object& object) {
  size_t number = 0;
  for (const Range range : {frame.custom_messages, object.custom_messages}) {
    for (const std::string_view text : frame.Part(frame.texts, range)) {
      MapEntry(event, 5, "customMessage" + std::to_string(number++), text);
    }
  }
}

}  // namespace

std::string_view ProtobufWriter::SensorId(const msgconv::Frame& frame, const Object& object) {
  if (!frame.sensor_id.empty()) return frame.sensor_id;
  const uint32_t group = GroupsOf(frame, object).sensor;
  const SensorInfo* sensor = config_->Sensor(group);
  if (sensor != nullptr && !sensor->id.empty()) return sensor->id;
  // A consumer must be able to tell cameras apart even without a configuration.
  sensor_number_ = std::to_string(group);
  return sensor_number_;
}

std::string_view ProtobufWriter::Frame(const msgconv::Frame& frame) {
  out_.clear();
  pbf_writer out(out_);
  Text(&out, 1, "4.0");
  NumberText(&out, 2, frame.number);
  const Object* const first = frame.objects.empty() ? nullptr : &frame.objects.front();
  Time(&out, 3, frame, first);
  Text(&out, 4, SensorId(frame, first == nullptr ? Object() : *first));
  for (const Object& object : frame.objects) {
    Element(&out, out_, 5, [&](pbf_writer* element) { WriteObject(element, out_, frame, object); });
  }
  return out_;
}

std::string_view ProtobufWriter::Message(const msgconv::Frame& frame, const Object& object) {
  std::array<char, UuidGenerator::kLength> id;
  out_.clear();
  pbf_writer out(out_);
  uuid_.Next(id.data());
  out.add_string(1, id.data(), id.size());
  Text(&out, 2, "1.0");
  Time(&out, 3, frame, &object);
  const Groups groups = GroupsOf(frame, object);
  if (const PlaceInfo* place = config_->Place(groups.place)) WritePlace(&out, *place);
  if (const SensorInfo* sensor = config_->Sensor(groups.sensor)) {
    WriteSensor(&out, *sensor);
  } else {
    pbf_writer named(out, 5);
    Text(&named, 1, SensorId(frame, object));
  }
  if (const AnalyticsInfo* analytics = config_->Analytics(groups.analytics)) {
    WriteAnalytics(&out, *analytics);
  }
  {
    pbf_writer part(out, 7);
    WriteObject(&part, out_, frame, object);
  }
  {
    pbf_writer event(out, 8);
    if (object.event_id.empty()) {
      uuid_.Next(id.data());
      event.add_string(1, id.data(), id.size());
    } else {
      Text(&event, 1, object.event_id);
    }
    Text(&event, 2, EventTypeOf(object));
    CustomMessages(&event, frame, object);
  }
  Text(&out, 9, VideoPathOf(frame, object));
  return out_;
}

}  // namespace dsmsg::msgconv
