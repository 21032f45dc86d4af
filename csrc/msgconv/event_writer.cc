// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_writer.h"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include "msgconv/deepstream_layout.h"
#include "msgconv/event_meta.h"
#include "msgconv/joint_names.h"
#include "msgconv/model_parts.h"
#include "msgconv/object_class.h"

namespace dsmsg::msgconv {
namespace {

template <class T>
void Put(char* block, size_t offset, const T& value) {
  std::memcpy(block + offset, &value, sizeof(value));
}

NvDsEventType TypeOf(const Object& object) {
  if (!object.event_type.empty()) return NVDS_EVENT_CUSTOM;
  switch (object.event) {
    case EventType::kEntry:
      return NVDS_EVENT_ENTRY;
    case EventType::kExit:
      return NVDS_EVENT_EXIT;
    case EventType::kMoving:
      return NVDS_EVENT_MOVING;
    case EventType::kStopped:
      return NVDS_EVENT_STOPPED;
    case EventType::kParked:
      return NVDS_EVENT_PARKED;
    case EventType::kEmpty:
      return NVDS_EVENT_EMPTY;
    case EventType::kReset:
      return NVDS_EVENT_RESET;
    case EventType::kNone:
      break;
  }
  return NVDS_EVENT_RESERVED;
}

unsigned AgeOf(std::string_view text) {
  unsigned age = 0;
  std::from_chars(text.data(), text.data() + text.size(), age);
  return age;
}

float FloatOf(std::string_view text) {
  float value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

char* NeverNull(char* text) {
  static char empty[1] = "";
  return text == nullptr ? empty : text;
}

int Int(uint64_t value) { return static_cast<int>(std::min<uint64_t>(value, INT32_MAX)); }

/// The value of the attribute with this name, or "".
std::string_view ValueOf(std::span<const Attribute> attributes, std::string_view name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [name](const Attribute& each) { return each.name == name; });
  return found == attributes.end() ? std::string_view() : found->value;
}

int PoseTypeNumber(std::string_view type) {
  for (size_t i = 0; i < std::size(kPoseTypes); ++i) {
    if (type == kPoseTypes[i]) return static_cast<int>(i);
  }
  return 0;
}

}  // namespace

struct _GList* EventWriter::MakeMask(const Frame& frame, const Object& object) {
  const auto outlines = frame.Part(frame.outlines, object.outlines);
  auto* const nodes = arena_.Make<GList>(outlines.size());
  auto* const arrays = arena_.Make<GArray>(outlines.size());
  for (size_t i = 0; i < outlines.size(); ++i) {
    const auto points = frame.Part(frame.points, outlines[i]);
    auto* const values = arena_.Make<double>(2 * points.size());
    for (size_t p = 0; p < points.size(); ++p) {
      values[2 * p] = static_cast<double>(points[p].x);
      values[2 * p + 1] = static_cast<double>(points[p].y);
    }
    arrays[i].data = reinterpret_cast<gchar*>(values);
    arrays[i].len = static_cast<guint>(2 * points.size());
    nodes[i].data = &arrays[i];
    nodes[i].prev = i > 0 ? &nodes[i - 1] : nullptr;
    nodes[i].next = i + 1 < outlines.size() ? &nodes[i + 1] : nullptr;
  }
  return nodes;
}

/// NvDsBbox3dObject, of 8.0 and later.
EventWriter::Class EventWriter::MakeBox3d(const Frame& frame, const Object& object) {
  namespace layout = deepstream::box3d;
  const Box3d& box = frame.boxes3d[object.box3d.first];
  const auto attributes = frame.AttributesOf(object);
  char* const out = arena_.Block(tail_.box3d_size);
  Put(out, 0, box.values);
  Put(out, layout::kScore, box.confidence);
  Put(out, layout::kLabel, arena_.Text(object.label));
  Put(out, layout::kConfidence, FloatOf(ValueOf(attributes, "classConfidence")));
  Put(out, layout::kId, static_cast<uint32_t>(object.id.value_or(0)));
  const auto vector = frame.Part(frame.numbers, box.embedding);
  auto* const features = arena_.Make<NvDsEmbedding>(1);
  *features = {const_cast<float*>(vector.data()), box.embedding.count};
  if (!vector.empty()) Put(out, layout::kFeatures, features);
  if (tail_.box3d_size > layout::kText) {
    Put(out, layout::kText, arena_.Text(ValueOf(attributes, "ocrId")));
  }
  return {kObject3d, out, tail_.box3d_size};
}

EventWriter::Class EventWriter::MakeClass(const Frame& frame, const Object& object) {
  if (tail_.findings && IsInSpace(object)) return MakeBox3d(frame, object);
  const ObjectClass& object_class = ClassOf(object);
  const ClassValues values = ValuesOf(object_class, object.label, frame.AttributesOf(object));
  // In the order of the class's fields, see object_class.cc.
  const auto text = [&](size_t field) { return NeverNull(arena_.Text(values.text[field])); };
  GList* const mask = MakeMask(frame, object);
  const bool masked = mask != nullptr;
  switch (object_class.kind) {
    case ClassKind::kVehicle: {
      auto* const out = arena_.Make<NvDsVehicleObjectExt>(1);
      *out = {text(0), text(1), text(2), text(3), text(4), text(5), mask};
      return {masked ? NVDS_OBJECT_TYPE_VEHICLE_EXT : NVDS_OBJECT_TYPE_VEHICLE, out,
              masked ? sizeof(NvDsVehicleObjectExt) : sizeof(NvDsVehicleObject)};
    }
    case ClassKind::kPerson: {
      auto* const out = arena_.Make<NvDsPersonObjectExt>(1);
      *out = {text(1), text(2), text(3), text(4), AgeOf(values.text[0]), mask};
      return {masked ? NVDS_OBJECT_TYPE_PERSON_EXT : NVDS_OBJECT_TYPE_PERSON, out,
              masked ? sizeof(NvDsPersonObjectExt) : sizeof(NvDsPersonObject)};
    }
    case ClassKind::kFace: {
      auto* const out = arena_.Make<NvDsFaceObjectExt>(1);
      *out = {text(1), text(2), text(3), text(4), text(5), text(6), text(7), AgeOf(values.text[0]),
              mask};
      return {masked ? NVDS_OBJECT_TYPE_FACE_EXT : NVDS_OBJECT_TYPE_FACE, out,
              masked ? sizeof(NvDsFaceObjectExt) : sizeof(NvDsFaceObject)};
    }
    case ClassKind::kProduct: {
      if (tail_.product < 0) return {};
      auto* const out = arena_.Make<NvDsProductObjectExt>(1);
      *out = {text(0), text(1), text(2), mask};
      return {masked ? tail_.product_ext : tail_.product, out,
              masked ? sizeof(NvDsProductObjectExt) : sizeof(NvDsProductObject)};
    }
    case ClassKind::kOther:
      break;
  }
  return {};
}

NvDsJoints EventWriter::MakePose(const Frame& frame, const Object& object) {
  const auto keypoints = frame.Part(frame.keypoints, object.keypoints);
  if (keypoints.empty()) return {};
  NvDsJoints pose{};
  pose.pose_type = PoseTypeNumber(object.pose_type);
  // Joints are identified by number there: those not in the list of names cannot be expressed.
  const auto names = JointNames(pose.pose_type);
  pose.num_joints = static_cast<int>(names.size());
  pose.joints = arena_.Make<NvDsJoint>(names.size());
  for (size_t i = 0; i < keypoints.size(); ++i) {
    const Keypoint& from = keypoints[i];
    const auto named = std::find(names.begin(), names.end(), from.name);
    const size_t at =
        from.name.empty() ? i : static_cast<size_t>(std::distance(names.begin(), named));
    if (at >= names.size()) continue;
    pose.joints[at] = {static_cast<float>(from.position[0]), static_cast<float>(from.position[1]),
                       static_cast<float>(from.position[2]), from.confidence};
  }
  return pose;
}

/// What its tracker knows of the object's place in the world.
NvDs3DTracking EventWriter::MakeTrack(const Frame& frame, const Object& object) {
  const Track3d& track = frame.tracks3d[object.track3d.first];
  const auto hull = frame.Part(frame.points, track.hull);
  auto* const points = arena_.Make<int>(2 * hull.size());
  for (size_t i = 0; i < hull.size(); ++i) {
    points[2 * i] = static_cast<int>(hull[i].x);
    points[2 * i + 1] = static_cast<int>(hull[i].y);
  }
  return {{track.ground.x, track.ground.y},
          {track.feet.x, track.feet.y},
          track.visibility,
          {points, track.hull.count}};
}

/// What only the releases from 8.0 on have.
void EventWriter::FillRecent(const Frame& frame, const Object& object, const NvDs3DTracking& track,
                             char* bytes) {
  if (object.findings.count > 0) {
    findings_.Write(frame, frame.findings[object.findings.first], bytes);
  }
  if (!tail_.findings) return;
  if (!frame.sources.empty()) findings_.WriteSources(frame, bytes);
  // Of 9.0 and 9.1, which have it in different places, the release must be known.
  if (object.track3d.count == 0 || tail_.visibility == kNotThere) return;
  Put(bytes, tail_.has_track, true);
  Put(bytes, tail_.feet, track.ptWorldFeet);
  Put(bytes, tail_.feet + sizeof(track.ptWorldFeet), track.ptImgFeet);
  Put(bytes, tail_.visibility, track.visibility);
  Put(bytes, tail_.hull, track.convexHull);
  if (object.box3d.count == 0 || IsInSpace(object)) return;
  const Box3d& box = frame.boxes3d[object.box3d.first];
  Put(bytes, tail_.box3d, box.values);
  Put(bytes, tail_.box3d + deepstream::box3d::kScore, box.confidence);
}

void EventWriter::Fill(const Frame& frame, const Object& object, Block* block) {
  const Groups groups = GroupsOf(frame, object);
  const Class object_class = MakeClass(frame, object);
  NvDsEventMsgMeta meta{};
  meta.type = TypeOf(object);
  meta.objType = static_cast<NvDsObjectType>(object_class.object_type);
  meta.bbox = {object.box.top, object.box.left, object.box.width, object.box.height};
  if (object.location) {
    meta.location = {(*object.location)[0], (*object.location)[1], (*object.location)[2]};
  }
  if (object.coordinate) {
    meta.coordinate = {(*object.coordinate)[0], (*object.coordinate)[1], (*object.coordinate)[2]};
  }
  const auto signature = frame.Part(frame.signatures, object.signature);
  meta.objSignature = {const_cast<double*>(signature.data()), object.signature.count};
  meta.objClassId = static_cast<int>(object.label_id.value_or(0));
  meta.sensorId = Int(groups.sensor);
  meta.moduleId = Int(groups.analytics);
  meta.placeId = Int(groups.place);
  meta.componentId = object.component_id == kAnyComponent ? 0 : Int(object.component_id);
  meta.frameId = Int(frame.number);
  meta.confidence = static_cast<double>(object.confidence.value_or(0.0F));
  meta.trackingId = object.id.value_or(UINT64_MAX);
  meta.ts = arena_.Text(object.timestamp.empty() ? time_.Format(frame.time_ns) : object.timestamp);
  meta.objectId = NeverNull(arena_.Text(object.label));
  meta.sensorStr = arena_.Text(frame.sensor_id);
  const auto custom = frame.Part(frame.texts, object.custom_messages);
  char* const other = custom.empty() ? nullptr : arena_.Text(custom.front());
  char* const video = NeverNull(arena_.Text(VideoPathOf(frame, object)));
  const NvDsJoints pose = MakePose(frame, object);
  const auto vector = frame.Part(frame.numbers, object.embedding);
  const NvDsEmbedding embedding = {const_cast<float*>(vector.data()), object.embedding.count};

  if (object.track3d.count > 0) {
    meta.has3DTracking = true;
    meta.singleView3DTracking = MakeTrack(frame, object);
  }

  char* const bytes = block->bytes.data();
  std::fill(block->bytes.begin() + finding::kSourceCount, block->bytes.end(), '\0');
  std::memcpy(bytes, &meta, sizeof(meta));
  for (const EventTail& tail : {kTail7, kTail8}) {
    Put(bytes, tail.other_attrs, other);
    Put(bytes, tail.video_path, video);
    Put(bytes, tail.ext_msg, object_class.data);
    Put(bytes, tail.ext_msg_size, static_cast<unsigned>(object_class.size));
    Put(bytes, tail.pose, pose);
    Put(bytes, tail.embedding, embedding);
  }
  FillRecent(frame, object, meta.singleView3DTracking, bytes);
}

std::span<NvDsEvent> EventWriter::Make(const Frame& frame) {
  arena_.Clear();
  findings_.Clear();
  while (blocks_.size() < frame.objects.size()) blocks_.push_back(std::make_unique<Block>());
  events_.resize(frame.objects.size());
  for (size_t i = 0; i < events_.size(); ++i) {
    Fill(frame, frame.objects[i], blocks_[i].get());
    events_[i].eventType = TypeOf(frame.objects[i]);
    events_[i].metadata = reinterpret_cast<NvDsEventMsgMeta*>(blocks_[i]->bytes.data());
  }
  return events_;
}

}  // namespace dsmsg::msgconv
