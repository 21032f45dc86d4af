// SPDX-License-Identifier: Apache-2.0
// DeepStreamConverter: payload type 0.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <span>

#include "msgconv/deepstream_converter.h"
#include "msgconv/json_parts.h"
#include "msgconv/model_parts.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {
namespace {

// Keys of `object`: of detected ones, and of events.
constexpr std::string_view kKeys[] = {
    "id",         "speed",       "direction", "orientation", "bbox",      "location",
    "coordinate", "maskoutline", "signature", "pose",        "embedding", "SV3DT",
};
constexpr size_t kDetectedKeys = 7;

void Member(JsonWriter* out, std::string_view key, std::string_view value) {
  out->Raw(key);
  out->String(value);
}

// The name of a class as a key: the object has each key once.
std::string_view Name(std::string_view label, std::span<const std::string_view> keys,
                      std::string* room) {
  if (std::find(keys.begin(), keys.end(), label) == keys.end()) return label;
  return room->assign(label) += '_';
}

// Pixels lose their fraction; what no integer holds becomes the nearest one.
int64_t Whole(float value) {
  constexpr float kMost = 9.0e18F;
  return value > -kMost && value < kMost ? static_cast<int64_t>(value)
                                         : (value > 0   ? INT64_MAX
                                            : value < 0 ? INT64_MIN
                                                        : 0);
}

unsigned AgeOf(std::string_view text) {
  unsigned age = 0;
  std::from_chars(text.data(), text.data() + text.size(), age);
  return age;
}

struct SubPlace {
  std::string_view member;
  std::string_view keys[3];
};

// nullptr: the place has none for this event.
const SubPlace* SubPlaceOf(const Object& object, int32_t object_type) {
  static constexpr SubPlace kDetected = {"place-sub-field", {"id", "name", "level"}};
  static constexpr SubPlace kAisle = {"aisle", {"id", "name", "level"}};
  static constexpr SubPlace kParking = {"parkingSpot", {"id", "type", "level"}};
  static constexpr SubPlace kEntrance = {"entrance", {"name", "lane", "level"}};
  if (!object.is_event) return &kDetected;
  switch (object.event) {
    case EventType::kMoving:
    case EventType::kStopped:
      return &kAisle;
    case EventType::kParked:
    case EventType::kEmpty:
      return &kParking;
    case EventType::kEntry:
    case EventType::kExit:
      return object_type == NVDS_OBJECT_TYPE_VEHICLE ? &kAisle : &kEntrance;
    case EventType::kNone:
    case EventType::kReset:
      break;
  }
  return nullptr;
}

}  // namespace

void DeepStreamConverter::Full(const Frame& frame, const Object& object) {
  MessageStart(&out_, &uuid_);
  const std::string_view time = Time(frame, &object);
  time.data() == nullptr ? out_.Raw("null") : out_.String(time);
  out_.Raw(',');
  const Groups groups = GroupsOf(frame, object);
  PlaceMember(frame, object, groups.place);
  SensorMember(frame, object, groups.sensor);
  AnalyticsMember(groups.analytics);
  object.is_event ? EventObject(frame, object) : DetectedObject(frame, object);
  // DeepStream has no word for its reserved and custom types.
  const bool named = object.event_meta.count == 0 || object.event != EventType::kNone;
  EventMember(&out_, &uuid_, object, named);
  Member(&out_, R"(,"videoPath":)", object.is_event ? VideoPathOf(frame, object) : "");
  if (object.event_meta.count == 0) {
    CustomMessagesMember(&out_, frame.Part(frame.texts, frame.custom_messages),
                         frame.Part(frame.texts, object.custom_messages));
  }
  EvidenceMember(&out_, frame, object);
  out_.Raw('}');
}

void DeepStreamConverter::PlaceMember(const Frame& frame, const Object& object, uint32_t group) {
  const PlaceInfo* const place = config_->Place(group);
  if (place == nullptr) return out_.Raw(R"("place":null,)");
  const bool csv = config_->is_csv();
  Member(&out_, R"("place":{"id":)", csv ? "Id" : place->id);
  Member(&out_, R"(,"name":)", csv ? "endeavor" : place->name);
  Member(&out_, R"(,"type":)", csv ? "building/garage" : place->type);
  LocationMember(&out_, place->location.value_or(Triple{}));
  const int32_t type = object.is_event ? EventMetaOf(frame, object).object_type : 0;
  if (const SubPlace* const sub = SubPlaceOf(object, type)) {
    out_.Raw(",\"");
    out_.Raw(sub->member);
    for (size_t i = 0; i < std::size(sub->keys); ++i) {
      out_.Raw(i == 0 ? "\":{\"" : ",\"");
      out_.Raw(sub->keys[i]);
      Member(&out_, "\":", place->sub_field[i]);
    }
    CoordinateMember(&out_, place->coordinate.value_or(Triple{}));
    out_.Raw('}');
  }
  out_.Raw("},");
}

void DeepStreamConverter::SensorMember(const Frame& frame, const Object& object, uint32_t group) {
  const SensorInfo* sensor = config_->Sensor(group);
  SensorInfo named;  // by the event, which DeepStream does not show here
  if (sensor == nullptr && object.is_event) named.id = EventMetaOf(frame, object).sensor_str;
  if (!named.id.empty()) sensor = &named;
  if (sensor == nullptr) return out_.Raw(R"("sensor":null,)");
  Member(&out_, R"("sensor":{"id":)", sensor->id);
  Member(&out_, R"(,"type":)", sensor->type);
  Member(&out_, R"(,"description":)", sensor->description);
  LocationMember(&out_, sensor->location.value_or(Triple{}));
  CoordinateMember(&out_, sensor->coordinate.value_or(Triple{}));
  out_.Raw("},");
}

void DeepStreamConverter::AnalyticsMember(uint32_t group) {
  AnalyticsInfo of_csv;
  of_csv.version = "1.0";
  const bool csv = config_->is_csv() && config_->Sensor(group) != nullptr;
  const AnalyticsInfo* const analytics = csv ? &of_csv : config_->Analytics(group);
  if (analytics == nullptr) return out_.Raw(R"("analyticsModule":null,)");
  Member(&out_, R"("analyticsModule":{"id":)", analytics->id);
  Member(&out_, R"(,"description":)", analytics->description);
  Member(&out_, R"(,"source":)", analytics->source);
  Member(&out_, R"(,"version":)", analytics->version);
  out_.Raw("},");
}

void DeepStreamConverter::ObjectId(const Object& object) {
  out_.Raw(R"("object":{"id":)");
  if (!object.id_text.empty()) {
    out_.String(object.id_text);
  } else {
    out_.Raw('"');
    out_.Number(object.id.value_or(UINT64_MAX));  // DeepStream's number of an untracked object
    out_.Raw('"');
  }
  MotionMembers(&out_, object);
}

void DeepStreamConverter::BoxMember(const Object& object) {
  const Box& box = object.box;
  out_.Raw(R"(,"bbox":{"topleftx":)");
  out_.Number(Whole(box.left));
  out_.Raw(R"(,"toplefty":)");
  out_.Number(Whole(box.top));
  out_.Raw(R"(,"bottomrightx":)");
  out_.Number(Whole(box.left + box.width));
  out_.Raw(R"(,"bottomrighty":)");
  out_.Number(Whole(box.top + box.height));
  out_.Raw('}');
}

void DeepStreamConverter::DetectedObject(const Frame& frame, const Object& object) {
  ObjectId(object);
  out_.Raw(',');
  out_.String(Name(object.label, std::span(kKeys).first(kDetectedKeys), &text_));
  out_.Raw(R"(:{"confidence":)");
  out_.Number(object.confidence.value_or(0.0F));
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attribute& attribute = attributes[i];
    if (attribute.made_up || attribute.name.empty() || attribute.name == "confidence") continue;
    if (SeenBefore(attributes, i)) continue;
    out_.Raw(',');
    out_.String(attribute.name);
    out_.Raw(':');
    out_.String(attribute.value);
  }
  out_.Raw('}');
  BoxMember(object);
  out_.Raw(R"(,"location":{},"coordinate":{}},)");
}

void DeepStreamConverter::EventObject(const Frame& frame, const Object& object) {
  const EventMeta event = EventMetaOf(frame, object);
  ObjectId(object);
  ClassMember(frame, object, event);
  BoxMember(object);
  if (HasMask(event) && event.object_type != kObjectProductExt) {
    MaskMember(&out_, frame, object, Scale());
  }
  SignatureMember(&out_, frame, object);
  LocationMember(&out_, object.location.value_or(Triple{}));
  CoordinateMember(&out_, object.coordinate.value_or(Triple{}));
  PoseMember(frame, object);
  EmbeddingMember(&out_, frame, object);
  TrackMember(frame, object);
  out_.Raw("},");
}

void DeepStreamConverter::ClassMember(const Frame& frame, const Object& object,
                                      const EventMeta& event) {
  const std::optional<ClassKind> kind = KindOf(event);
  if (!kind) {
    // Other types have no member.
    if (event.object_type != NVDS_OBJECT_TYPE_UNKNOWN || event.object_id.data() == nullptr) return;
    out_.Raw(',');
    out_.String(Name(event.object_id, kKeys, &text_));
    return out_.Raw(":{}");
  }
  const ObjectClass& object_class = ClassOf(*kind);
  const auto fields = FieldsOf(frame, object, event, object_class);
  out_.Raw(",\"");
  out_.Raw(object_class.member);
  for (size_t i = 0; i < object_class.fields.size(); ++i) {
    out_.Raw(i == 0 ? "\":{\"" : ",\"");
    out_.Raw(object_class.fields[i].name);
    out_.Raw("\":");
    if (object_class.fields[i].number) {
      out_.Number(event.has_ext ? AgeOf(fields[i].text) : 0U);
    } else if (fields[i].null) {
      out_.Raw("null");
    } else {
      out_.String(event.has_ext ? fields[i].text : "");
    }
  }
  if (object_class.has_confidence) {
    out_.Raw(R"(,"confidence":)");
    out_.Number(event.has_ext ? event.confidence : 1.0);
  }
  out_.Raw('}');
}

void DeepStreamConverter::PoseMember(const Frame& frame, const Object& object) {
  out_.Raw(R"(,"pose":{)");
  bool first = true;
  for (const Keypoint& joint : frame.Part(frame.keypoints, object.keypoints)) {
    if (joint.confidence <= 0 || joint.name.empty()) continue;
    if (!first) out_.Raw(',');
    first = false;
    out_.String(joint.name);
    const std::string_view keys[] = {R"(:{"x":)", R"(,"y":)", R"(,"z":)"};
    for (size_t i = 0; i < (IsFlat(object.pose_type) ? 2U : 3U); ++i) {
      out_.Raw(keys[i]);
      out_.Number(Whole(static_cast<float>(joint.position[i])));
    }
    out_.Raw(R"(,"confidence":)");
    out_.Number(joint.confidence);
    out_.Raw('}');
  }
  out_.Raw('}');
}

void DeepStreamConverter::TrackMember(const Frame& frame, const Object& object) {
  if (object.track3d.count == 0) return;
  const Track3d& track = frame.tracks3d[object.track3d.first];
  out_.Raw(R"(,"SV3DT":{"visibility":)");
  out_.Number(track.visibility);
  // DeepStream adds the place on the ground to the first list: its consumers find it there.
  const float feet[] = {track.feet.x, track.feet.y, track.ground.x, track.ground.y};
  for (size_t i = 0; i < std::size(feet); ++i) {
    out_.Raw(i == 0 ? R"(,"footLocation2D":[)" : ",");
    out_.Number(feet[i]);
  }
  out_.Raw(R"(],"footLocation3D":[],"convexHull":[)");
  bool first = true;
  for (const Point& point : frame.Part(frame.points, track.hull)) {
    if (!first) out_.Raw(',');
    first = false;
    out_.Number(point.x);
    out_.Raw(',');
    out_.Number(point.y);
  }
  out_.Raw("]}");
}

}  // namespace dsmsg::msgconv
