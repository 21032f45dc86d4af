// SPDX-License-Identifier: Apache-2.0
#include "msgconv/protobuf.h"

#include <array>
#include <optional>

#include "msgconv/model_parts.h"
#include "msgconv/protobuf_parts.h"
#include "msgconv/space_members.h"

namespace dsmsg::msgconv {
namespace {

using protobuf::Corners;
using protobuf::Element;
using protobuf::Embedding;
using protobuf::EvidenceInfo;
using protobuf::ExtendedBox;
using protobuf::ExtendedFrame;
using protobuf::ExtendedObject;
using protobuf::Float;
using protobuf::Joint;
using protobuf::Map;
using protobuf::MapEntry;
using protobuf::NumberText;
using protobuf::pbf_writer;
using protobuf::Point3;
using protobuf::Text;
using protobuf::Time;
using protobuf::TrackInfo;
using protobuf::VisibilityInfo;

uint64_t TimeOf(const Frame& frame, const Object* object) {
  if (object == nullptr || object->timestamp.empty()) return frame.time_ns;
  return ParseTime(object->timestamp).value_or(frame.time_ns);
}

void Pose(pbf_writer* out, const std::string& buffer, const Frame& frame, const Object& object) {
  if (object.keypoints.count == 0 && object.actions.count == 0 && object.pose_type.empty()) return;
  const Scale scale = InPicture(object.pose_type) ? ScaleOf(frame) : Scale();
  pbf_writer pose(*out, 7);
  Text(&pose, 1, object.pose_type);
  for (const Keypoint& keypoint : frame.Part(frame.keypoints, object.keypoints)) {
    if (IsSeen(object, keypoint)) Joint(&pose, keypoint, scale, false);
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
                 const Object& object, std::string_view embedding_filter) {
  if (!object.id_text.empty()) {
    Text(out, 1, object.id_text);
  } else if (object.id) {
    NumberText(out, 1, *object.id);
  }
  {
    pbf_writer bbox(*out, 2);
    Corners(&bbox, ScaledBox(frame, object));
    ExtendedBox(&bbox, frame, object);
  }
  Text(out, 3, object.label);
  Float(out, 4, KnownConfidence(object));
  Map(out, 5, frame.AttributesOf(object));
  EvidenceInfo(out, frame, object);
  if (object.track3d.count > 0) {
    VisibilityInfo(out, frame.tracks3d[object.track3d.first].visibility);
  }
  TrackInfo(out, frame, object);
  Embedding(out, 6, frame.Part(frame.numbers, object.embedding),
            frame.Part(frame.attributes, object.embedding_info));
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
  if (IsExtended(object)) ExtendedObject(out, frame, object, embedding_filter);
  if (HasSpace(object)) SpaceInfo(out, frame, object, ScaleOf(frame));
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
  if (const std::string_view given = GivenSensorId(frame); !given.empty()) return given;
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
  Time(&out, 3, TimeOf(frame, first));
  Text(&out, 4, SensorId(frame, first == nullptr ? Object() : *first));
  for (const Object& object : frame.objects) {
    Element(&out, out_, 5, [&](pbf_writer* element) {
      WriteObject(element, out_, frame, object, embedding_filter_);
    });
  }
  ExtendedFrame(&out, out_, frame);
  return out_;
}

std::string_view ProtobufWriter::Message(const msgconv::Frame& frame, const Object& object) {
  std::array<char, UuidGenerator::kLength> id;
  out_.clear();
  pbf_writer out(out_);
  uuid_.Next(id.data());
  out.add_string(1, id.data(), id.size());
  Text(&out, 2, "1.0");
  Time(&out, 3, TimeOf(frame, &object));
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
    WriteObject(&part, out_, frame, object, embedding_filter_);
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
