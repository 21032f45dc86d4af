// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_reader.h"

#include <glib.h>

#include <array>
#include <cstring>

#include "msgconv/box3d_reader.h"
#include "msgconv/deepstream_layout.h"
#include "msgconv/event_meta.h"
#include "msgconv/findings_reader.h"
#include "msgconv/identity.h"
#include "msgconv/joint_names.h"

namespace dsmsg::msgconv {
namespace {

// Marks an object that no tracker follows.
constexpr uint64_t kUntracked = UINT64_MAX;
// More than any sane length, so that a bogus structure is not walked to its end.
constexpr unsigned kMostValues = 1U << 20;

/// "" for NULL, and for a number that an event with the wrong objType has there.
std::string_view View(const char* text) {
  return reinterpret_cast<uintptr_t>(text) < 4096 ? std::string_view() : std::string_view(text);
}

// The tail moves between releases: read by offset, not through the structure.
template <class T>
T At(const char* meta, size_t offset) {
  T value{};
  // A pointer is a value like any other: NOLINTNEXTLINE(bugprone-sizeof-expression)
  if (offset != kNotThere) std::memcpy(&value, meta + offset, sizeof(T));
  return value;
}

template <class T>
T Copy(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Not as an enumeration, which may not have just any value.
int ObjectTypeOf(const NvDsEventMsgMeta& meta) {
  return Copy<int>(reinterpret_cast<const char*>(&meta) + offsetof(NvDsEventMsgMeta, objType));
}

EventType EventOf(int type) {
  switch (type) {
    case NVDS_EVENT_ENTRY:
      return EventType::kEntry;
    case NVDS_EVENT_EXIT:
      return EventType::kExit;
    case NVDS_EVENT_MOVING:
      return EventType::kMoving;
    case NVDS_EVENT_STOPPED:
      return EventType::kStopped;
    case NVDS_EVENT_EMPTY:
      return EventType::kEmpty;
    case NVDS_EVENT_PARKED:
      return EventType::kParked;
    case NVDS_EVENT_RESET:
      return EventType::kReset;
    default:
      return EventType::kNone;
  }
}

struct KindName {
  ObjectKind kind;
  std::string_view label;
};

KindName KindOf(int type, const EventTail& tail) {
  switch (type) {
    case NVDS_OBJECT_TYPE_VEHICLE:
    case NVDS_OBJECT_TYPE_VEHICLE_EXT:
      return {ObjectKind::kVehicle, "Vehicle"};
    case NVDS_OBJECT_TYPE_PERSON:
    case NVDS_OBJECT_TYPE_PERSON_EXT:
      return {ObjectKind::kPerson, "Person"};
    case NVDS_OBJECT_TYPE_FACE:
    case NVDS_OBJECT_TYPE_FACE_EXT:
      return {ObjectKind::kFace, "Face"};
    case NVDS_OBJECT_TYPE_BAG:
      return {ObjectKind::kOther, "Bag"};
    case NVDS_OBJECT_TYPE_BICYCLE:
      return {ObjectKind::kOther, "Bicycle"};
    case NVDS_OBJECT_TYPE_ROADSIGN:
      return {ObjectKind::kOther, "RoadSign"};
    case NVDS_OBJECT_TYPE_CUSTOM:
      return {ObjectKind::kOther, "Custom"};
    case NVDS_OBJECT_TYPE_UNKNOWN:
      return {ObjectKind::kOther, "Unknown"};
    default:
      break;
  }
  if (type >= 0 && (type == tail.product || type == tail.product_ext)) {
    return {ObjectKind::kProduct, "Product"};
  }
  return {ObjectKind::kByLabel, "Unknown"};
}

std::optional<Triple> TripleUnlessZero(double a, double b, double c) {
  if (a == 0 && b == 0 && c == 0) return std::nullopt;
  return Triple{a, b, c};
}

/// Field `index` of a class (object_class.h) is `value`.
void AddText(unsigned index, const char* name, const char* value, Frame* frame) {
  if (View(value).data() == nullptr) {
    frame->event_metas.back().null_fields |= static_cast<uint16_t>(1U << index);
  } else if (*value != '\0') {
    frame->attributes.push_back({name, value, {}});
  }
}

void AddMask(const GList* polygons, Frame* frame, Object* object) {
  object->outlines.first = static_cast<uint32_t>(frame->outlines.size());
  for (const GList* node = polygons; node != nullptr; node = node->next) {
    const auto* polygon = static_cast<const GArray*>(node->data);
    if (polygon == nullptr || polygon->len > kMostValues) continue;
    if (polygon->data == nullptr && polygon->len > 0) continue;
    Range outline{static_cast<uint32_t>(frame->points.size()), polygon->len / 2};
    for (uint32_t i = 0; i < outline.count; ++i) {
      double pair[2];
      std::memcpy(pair, polygon->data + i * sizeof(pair), sizeof(pair));
      frame->points.push_back({static_cast<float>(pair[0]), static_cast<float>(pair[1])});
    }
    frame->outlines.push_back(outline);
    ++object->outlines.count;
  }
}

void AddPose(const NvDsJoints& pose, Frame* frame, Object* object) {
  const auto names = JointNames(pose.pose_type);
  if (pose.joints == nullptr || pose.num_joints <= 0) return;
  if (!names.empty()) object->pose_type = kPoseTypes[pose.pose_type];
  object->keypoints.first = static_cast<uint32_t>(frame->keypoints.size());
  for (size_t i = 0; i < static_cast<size_t>(pose.num_joints) && i < kMostValues; ++i) {
    const NvDsJoint& joint = pose.joints[i];
    const Triple position = {static_cast<double>(joint.x), static_cast<double>(joint.y),
                             static_cast<double>(joint.z)};
    frame->keypoints.push_back(
        {i < names.size() ? names[i] : std::string_view(), position, joint.confidence, {}});
    ++object->keypoints.count;
  }
}

template <class T>
Range Append(const T* values, unsigned count, std::vector<T>* list) {
  if (values == nullptr || count > kMostValues) return {};
  const Range range{static_cast<uint32_t>(list->size()), count};
  list->insert(list->end(), values, values + count);
  return range;
}

// Size of the structure without its mask, and the offset of the mask.
struct ClassShape {
  ObjectKind kind;
  size_t size, mask;
};

constexpr ClassShape kShapes[] = {
    {ObjectKind::kVehicle, sizeof(NvDsVehicleObject), offsetof(NvDsVehicleObjectExt, mask)},
    {ObjectKind::kPerson, sizeof(NvDsPersonObject), offsetof(NvDsPersonObjectExt, mask)},
    {ObjectKind::kFace, sizeof(NvDsFaceObject), offsetof(NvDsFaceObjectExt, mask)},
    {ObjectKind::kProduct, sizeof(NvDsProductObject), offsetof(NvDsProductObjectExt, mask)},
};

bool HasMask(int type, const EventTail& tail) {
  return type == NVDS_OBJECT_TYPE_VEHICLE_EXT || type == NVDS_OBJECT_TYPE_PERSON_EXT ||
         type == NVDS_OBJECT_TYPE_FACE_EXT || (type >= 0 && type == tail.product_ext);
}

}  // namespace

void EventReader::AddNumber(const char* name, unsigned number, Frame* frame) {
  if (number == 0) return;
  frame->attributes.push_back({name, texts_.emplace_back(std::to_string(number)), {}});
}

void EventReader::ReadClass(const char* ext, unsigned size, int object_type, Frame* frame) {
  const ClassShape* shape = nullptr;
  const ObjectKind kind = KindOf(object_type, tail_).kind;
  for (const ClassShape& each : kShapes) {
    if (each.kind == kind) shape = &each;
  }
  if (shape == nullptr) return;  // the application's own structure, unknown here
  const bool mask = HasMask(object_type, tail_);
  if (size < (mask ? shape->mask + sizeof(void*) : shape->size)) {
    note_ = "extMsgSize=" + std::to_string(size) + " is too small for the structure of objType " +
            std::to_string(object_type) + " (" + std::to_string(shape->size) +
            " bytes): it is not read; set extMsgSize to the structure's size";
    return;
  }
  if (kind == ObjectKind::kVehicle) {
    const auto vehicle = Copy<NvDsVehicleObject>(ext);
    AddText(0, "type", vehicle.type, frame);
    AddText(1, "make", vehicle.make, frame);
    AddText(2, "model", vehicle.model, frame);
    AddText(3, "color", vehicle.color, frame);
    AddText(4, "licenseState", vehicle.region, frame);
    AddText(5, "license", vehicle.license, frame);
  } else if (kind == ObjectKind::kPerson) {
    const auto person = Copy<NvDsPersonObject>(ext);
    AddNumber("age", person.age, frame);
    AddText(1, "gender", person.gender, frame);
    AddText(2, "hair", person.hair, frame);
    AddText(3, "cap", person.cap, frame);
    AddText(4, "apparel", person.apparel, frame);
  } else if (kind == ObjectKind::kFace) {
    const auto face = Copy<NvDsFaceObject>(ext);
    AddNumber("age", face.age, frame);
    AddText(1, "gender", face.gender, frame);
    AddText(2, "hair", face.hair, frame);
    AddText(3, "cap", face.cap, frame);
    AddText(4, "glasses", face.glasses, frame);
    AddText(5, "facialhair", face.facialhair, frame);
    AddText(6, "name", face.name, frame);
    AddText(7, "eyecolor", face.eyecolor, frame);
  } else {
    const auto product = Copy<NvDsProductObject>(ext);
    AddText(0, "brand", product.brand, frame);
    AddText(1, "type", product.type, frame);
    AddText(2, "shape", product.shape, frame);
  }
  if (mask) AddMask(At<const GList*>(ext, shape->mask), frame, &frame->objects.back());
}

void EventReader::ReadTail(const char* meta, int object_type, Frame* frame, Object* object) {
  object->video_path = View(At<const char*>(meta, tail_.video_path));
  if (const std::string_view other = View(At<const char*>(meta, tail_.other_attrs));
      !other.empty()) {
    object->custom_messages = {static_cast<uint32_t>(frame->texts.size()), 1};
    frame->texts.push_back(other);
  }
  object->first_attribute = static_cast<uint32_t>(frame->attributes.size());
  const auto* ext = At<const char*>(meta, tail_.ext_msg);
  const auto size = At<unsigned>(meta, tail_.ext_msg_size);
  frame->event_metas.back().has_ext = ext != nullptr && size > 0;
  if (ext != nullptr && size > 0) ReadClass(ext, size, object_type, frame);
  object->attribute_count =
      static_cast<uint32_t>(frame->attributes.size()) - object->first_attribute;
  if (ext != nullptr && IsInSpace(object_type) && size >= tail_.box3d_size &&
      !ReadBox3d(ext, tail_.box3d_size, &texts_, frame, object))
    note_ = "the object in space at extMsg does not look right: its features are not read";
  AddPose(At<NvDsJoints>(meta, tail_.pose), frame, object);
  const auto embedding = At<NvDsEmbedding>(meta, tail_.embedding);
  object->embedding =
      Append<float>(embedding.embedding_vector, embedding.embedding_length, &frame->numbers);
  ReadTrack(meta, frame, object);
  if (tail_.findings && !ReadFindings(meta, frame, object))
    note_ = "what an event says about its scene does not look right: it is not read";
}

/// The type has that number since 8.0; products had it before.
bool EventReader::IsInSpace(int object_type) const {
  return tail_.product == kTail8.product && object_type == kObject3d;
}

/// The box and the feet of a body that is tracked in space.
void EventReader::ReadTrack(const char* meta, Frame* frame, Object* object) const {
  // In 9.1 it stands alone, before that it is a part of the track.
  const bool tracked = tail_.has_track != kNotThere && At<uint8_t>(meta, tail_.has_track) != 0;
  frame->event_metas.back().visibility = At<float>(meta, tail_.visibility);
  if (!tracked) return;
  Track3d track;
  track.ground = At<Point>(meta, tail_.feet);
  track.feet = At<Point>(meta, tail_.feet + sizeof(Point));
  track.visibility = frame->event_metas.back().visibility;
  const auto hull = At<NvDsConvexHull>(meta, tail_.hull);
  if (hull.points != nullptr && hull.numFilled <= kMostValues / 2) {
    track.hull = {static_cast<uint32_t>(frame->points.size()), hull.numFilled};
    for (size_t i = 0; i < hull.numFilled; ++i) {
      frame->points.push_back(
          {static_cast<float>(hull.points[2 * i]), static_cast<float>(hull.points[2 * i + 1])});
    }
  }
  object->track3d = {static_cast<uint32_t>(frame->tracks3d.size()), 1};
  frame->tracks3d.push_back(track);
  if (tail_.box3d == kNotThere) return;
  Box3d box;
  box.values = At<std::array<float, 12>>(meta, tail_.box3d);
  box.confidence = At<float>(meta, tail_.box3d + deepstream::box3d::kScore);
  if (box.values == std::array<float, 12>{}) return;  // only the feet are known
  object->box3d = {static_cast<uint32_t>(frame->boxes3d.size()), 1};
  frame->boxes3d.push_back(box);
}

void EventReader::AddMeta(const NvDsEventMsgMeta& meta, Frame* frame, Object* object) const {
  EventMeta event;
  event.object_type = ObjectTypeOf(meta);
  if (tail_.product >= 0 && event.object_type == tail_.product) {
    event.object_type = kTail8.product;
  } else if (tail_.product >= 0 && event.object_type == tail_.product_ext) {
    event.object_type = kTail8.product_ext;
  }
  event.frame_id = meta.frameId;
  event.confidence = meta.confidence;
  event.object_id = View(meta.objectId);
  event.sensor_str = View(meta.sensorStr);
  object->is_event = true;
  object->event_meta = {static_cast<uint32_t>(frame->event_metas.size()), 1};
  frame->event_metas.push_back(event);
}

void EventReader::ReadEvent(const NvDsEventMsgMeta& meta, Frame* frame) {
  const int object_type = ObjectTypeOf(meta);
  const KindName kind = KindOf(object_type, tail_);
  frame->objects.emplace_back();
  Object* const object = &frame->objects.back();
  AddMeta(meta, frame, object);
  object->kind = kind.kind;
  object->label = View(meta.objectId).empty() ? kind.label : View(meta.objectId);
  object->label_id = meta.objClassId;
  if (meta.trackingId != kUntracked) object->id = meta.trackingId;
  object->confidence = static_cast<float>(meta.confidence);
  object->box = {meta.bbox.left, meta.bbox.top, meta.bbox.width, meta.bbox.height};
  const auto type = Copy<int>(reinterpret_cast<const char*>(&meta));
  object->event = EventOf(type);
  if (type == NVDS_EVENT_CUSTOM) object->event_type = "custom";
  object->location = TripleUnlessZero(meta.location.lat, meta.location.lon, meta.location.alt);
  object->coordinate = TripleUnlessZero(meta.coordinate.x, meta.coordinate.y, meta.coordinate.z);
  object->signature =
      Append<double>(meta.objSignature.signature, meta.objSignature.size, &frame->signatures);
  object->timestamp = View(meta.ts);
  object->sensor_group = meta.sensorId;
  object->place_group = meta.placeId;
  object->analytics_group = meta.moduleId;
  if (meta.componentId > 0) object->component_id = static_cast<uint32_t>(meta.componentId);
  ReadTail(reinterpret_cast<const char*>(&meta), object_type, frame, object);
}

Status EventReader::Read(std::span<const NvDsEvent> events, Frame* frame) {
  frame->Clear();
  texts_.clear();
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].metadata == nullptr) {
      return {Code::kInvalidArgument, "event " + std::to_string(i) + " of " +
                                          std::to_string(events.size()) +
                                          " has no metadata (NvDsEvent::metadata is NULL)"};
    }
    ReadEvent(*events[i].metadata, frame);
  }
  if (events.empty()) return {};
  const NvDsEventMsgMeta& first = *events.front().metadata;
  frame->source_id = static_cast<uint32_t>(first.sensorId < 0 ? 0 : first.sensorId);
  frame->number = static_cast<uint64_t>(first.frameId < 0 ? 0 : first.frameId);
  frame->sensor_id = View(first.sensorStr);
  frame->time_ns = ParseTime(View(first.ts)).value_or(NowNs());
  if (tail_.findings) {
    const auto* const meta = reinterpret_cast<const char*>(&first);
    if (!ReadSources(meta + finding::kSources, At<int32_t>(meta, finding::kSourceCount), frame))
      note_ = "an event's list of sources does not look right: it is not read";
  }
  return {};
}

}  // namespace dsmsg::msgconv
