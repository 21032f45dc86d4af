// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_reader.h"

#include <glib.h>

#include <cstring>

#include "msgconv/identity.h"
#include "msgconv/joint_names.h"

namespace dsmsg::msgconv {
namespace {

// Marks an object that no tracker follows.
constexpr uint64_t kUntracked = UINT64_MAX;
// More than any sane length, so that a bogus structure is not walked to its end.
constexpr unsigned kMostValues = 1U << 20;

std::string_view View(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
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

void AddText(const char* name, const char* value, Frame* frame) {
  if (value != nullptr && *value != '\0') frame->attributes.push_back({name, value, {}});
}

void AddMask(const GList* polygons, Frame* frame, Object* object) {
  object->outlines.first = static_cast<uint32_t>(frame->outlines.size());
  for (const GList* node = polygons; node != nullptr; node = node->next) {
    const auto* polygon = static_cast<const GArray*>(node->data);
    if (polygon == nullptr || polygon->data == nullptr || polygon->len > kMostValues) continue;
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
    if (joint.confidence <= 0) continue;
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
    AddText("type", vehicle.type, frame);
    AddText("make", vehicle.make, frame);
    AddText("model", vehicle.model, frame);
    AddText("color", vehicle.color, frame);
    AddText("licenseState", vehicle.region, frame);
    AddText("license", vehicle.license, frame);
  } else if (kind == ObjectKind::kPerson) {
    const auto person = Copy<NvDsPersonObject>(ext);
    AddNumber("age", person.age, frame);
    AddText("gender", person.gender, frame);
    AddText("hair", person.hair, frame);
    AddText("cap", person.cap, frame);
    AddText("apparel", person.apparel, frame);
  } else if (kind == ObjectKind::kFace) {
    const auto face = Copy<NvDsFaceObject>(ext);
    AddNumber("age", face.age, frame);
    AddText("gender", face.gender, frame);
    AddText("hair", face.hair, frame);
    AddText("cap", face.cap, frame);
    AddText("glasses", face.glasses, frame);
    AddText("facialhair", face.facialhair, frame);
    AddText("name", face.name, frame);
    AddText("eyecolor", face.eyecolor, frame);
  } else {
    const auto product = Copy<NvDsProductObject>(ext);
    AddText("brand", product.brand, frame);
    AddText("type", product.type, frame);
    AddText("shape", product.shape, frame);
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
  if (ext != nullptr && size > 0) ReadClass(ext, size, object_type, frame);
  object->attribute_count =
      static_cast<uint32_t>(frame->attributes.size()) - object->first_attribute;
  AddPose(At<NvDsJoints>(meta, tail_.pose), frame, object);
  const auto embedding = At<NvDsEmbedding>(meta, tail_.embedding);
  object->embedding =
      Append<float>(embedding.embedding_vector, embedding.embedding_length, &frame->numbers);
}

void EventReader::ReadEvent(const NvDsEventMsgMeta& meta, Frame* frame) {
  const int object_type = meta.objType;
  const KindName kind = KindOf(object_type, tail_);
  frame->objects.emplace_back();
  Object* const object = &frame->objects.back();
  object->kind = kind.kind;
  object->label = View(meta.objectId).empty() ? kind.label : View(meta.objectId);
  object->label_id = meta.objClassId;
  if (meta.trackingId != kUntracked) object->id = meta.trackingId;
  object->confidence = static_cast<float>(meta.confidence);
  object->box = {meta.bbox.left, meta.bbox.top, meta.bbox.width, meta.bbox.height};
  object->event = EventOf(meta.type);
  if (static_cast<int>(meta.type) == NVDS_EVENT_CUSTOM) object->event_type = "custom";
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
  return {};
}

}  // namespace dsmsg::msgconv
