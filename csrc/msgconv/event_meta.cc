// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_meta.h"

#include "msgconv/text_parts.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {
namespace {

// The second number: with a mask.
int32_t ObjectTypeOf(ClassKind kind, bool mask) {
  switch (kind) {
    case ClassKind::kVehicle:
      return mask ? NVDS_OBJECT_TYPE_VEHICLE_EXT : NVDS_OBJECT_TYPE_VEHICLE;
    case ClassKind::kPerson:
      return mask ? NVDS_OBJECT_TYPE_PERSON_EXT : NVDS_OBJECT_TYPE_PERSON;
    case ClassKind::kFace:
      return mask ? NVDS_OBJECT_TYPE_FACE_EXT : NVDS_OBJECT_TYPE_FACE;
    case ClassKind::kProduct:
      return mask ? kObjectProductExt : kObjectProduct;
    case ClassKind::kOther:
      break;
  }
  return NVDS_OBJECT_TYPE_UNKNOWN;
}

}  // namespace

EventMeta EventMetaOf(const Frame& frame, const Object& object) {
  if (object.event_meta.count > 0) return frame.event_metas[object.event_meta.first];
  EventMeta event;
  const bool mask = object.outlines.count > 0;
  event.object_type = ObjectTypeOf(ClassOf(object).kind, mask);
  event.has_ext = mask || object.attribute_count > 0;
  event.frame_id = static_cast<int32_t>(frame.number);
  event.confidence = static_cast<double>(object.confidence.value_or(0.0F));
  event.object_id = object.label;
  if (!frame.sensor_id.empty()) event.sensor_str = frame.sensor_id;
  return event;
}

bool IsInSpace(const Object& object) {
  return object.box3d.count > 0 && object.box.width == 0 && object.box.height == 0;
}

std::optional<ClassKind> KindOf(const EventMeta& event) {
  switch (event.object_type) {
    case NVDS_OBJECT_TYPE_VEHICLE:
    case NVDS_OBJECT_TYPE_VEHICLE_EXT:
      return ClassKind::kVehicle;
    case NVDS_OBJECT_TYPE_PERSON:
    case NVDS_OBJECT_TYPE_PERSON_EXT:
      return ClassKind::kPerson;
    case NVDS_OBJECT_TYPE_FACE:
    case NVDS_OBJECT_TYPE_FACE_EXT:
      return ClassKind::kFace;
    case kObjectProduct:
    case kObjectProductExt:
      return ClassKind::kProduct;
    default:
      return std::nullopt;
  }
}

bool HasMask(const EventMeta& event) {
  switch (event.object_type) {
    case NVDS_OBJECT_TYPE_VEHICLE_EXT:
    case NVDS_OBJECT_TYPE_PERSON_EXT:
    case NVDS_OBJECT_TYPE_FACE_EXT:
    case kObjectProductExt:
      return event.has_ext;
    default:
      return false;
  }
}

std::string_view TypeName(const EventMeta& event) {
  switch (event.object_type) {
    case NVDS_OBJECT_TYPE_VEHICLE:
      return "Vehicle";
    case NVDS_OBJECT_TYPE_PERSON:
      return "Person";
    case NVDS_OBJECT_TYPE_FACE:
      return "Face";
    case NVDS_OBJECT_TYPE_BAG:
      return "Bag";
    case NVDS_OBJECT_TYPE_BICYCLE:
      return "Bicycle";
    case NVDS_OBJECT_TYPE_ROADSIGN:
      return "RoadSign";
    case NVDS_OBJECT_TYPE_CUSTOM:
      return "Custom";
    case kObjectProduct:
      return "Product";
    case NVDS_OBJECT_TYPE_UNKNOWN:
      return event.object_id.data() == nullptr ? "Unknown" : event.object_id;
    default:  // also those with a mask
      return "Unknown";
  }
}

std::array<FieldText, kMaxClassFields> FieldsOf(const Frame& frame, const Object& object,
                                                const EventMeta& event,
                                                const ObjectClass& object_class) {
  const ClassValues values = ValuesOf(object_class, "", frame.AttributesOf(object));
  std::array<FieldText, kMaxClassFields> fields;
  for (size_t i = 0; i < object_class.fields.size(); ++i) {
    fields[i].text = values.text[i];
    if (object_class.fields[i].number && values.text[i].empty()) fields[i].text = "0";
    fields[i].null = event.has_ext && (event.null_fields >> i & 1) != 0;
  }
  return fields;
}

void AppendHull(std::string* out, const Frame& frame, const Track3d& track) {
  bool first = true;
  for (const Point& point : frame.Part(frame.points, track.hull)) {
    for (const float value : {point.x, point.y}) {
      if (!first) out->push_back(',');
      first = false;
      AppendWhole(out, static_cast<int64_t>(value));
    }
  }
}

}  // namespace dsmsg::msgconv
