// SPDX-License-Identifier: Apache-2.0
// Values of tracks, and of elements of the metadata's lists.
#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"
#include "msgconv/space_event.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;
using Kind = MapValue::Kind;

double Seconds(uint64_t ns) { return static_cast<double>(ns / 1'000'000) / 1000; }

Value Side(const Scope& s, Box TrackSummary::*which, int side) {
  const Box& box = s.track->*which;
  const Scale scale = ScaleOf(s.frame);
  switch (side) {
    case 0:
      return Value::Float(box.left * scale.x);
    case 1:
      return Value::Float(box.top * scale.y);
    case 2:
      return Value::Float(box.width * scale.x);
    default:
      return Value::Float(box.height * scale.y);
  }
}

const Keypoint& Joint(const Scope& s) { return s.frame.keypoints[s.At(MapContext::kKeypoint)]; }

/// `axis` 0 or 1 of what is in the picture: pixels of the camera.
Value JointAt(const Scope& s, size_t axis) {
  double at = Joint(s).position[axis];
  if (axis < 2 && InPicture(s.object->pose_type)) {
    const Scale scale = ScaleOf(s.frame);
    at *= static_cast<double>(axis == 0 ? scale.x : scale.y);
  }
  if (axis == 2 && IsFlat(s.object->pose_type)) return {};
  return Value::Double(at);
}

Value Turn(const Scope& s, size_t part) {
  const auto& quaternion = Joint(s).quaternion;
  return quaternion ? Value::Float((*quaternion)[part]) : Value();
}

const Action& ActionAt(const Scope& s) { return s.frame.actions[s.At(MapContext::kAction)]; }
const Attribute& AttributeAt(const Scope& s) {
  return s.frame.attributes[s.At(MapContext::kAttribute)];
}
const Count& CountAt(const Scope& s) { return s.frame.counts[s.At(MapContext::kCount)]; }
const ObjectGroup& GroupAt(const Scope& s) { return s.frame.groups[s.At(MapContext::kGroup)]; }
const Conversation& TalkAt(const Scope& s) {
  return s.frame.conversations[s.At(MapContext::kConversation)];
}
const SourceTime& CameraAt(const Scope& s) { return s.frame.sources[s.At(MapContext::kCamera)]; }
const Dwell& DwellAt(const Scope& s) { return s.frame.dwells[s.At(MapContext::kDwell)]; }

const SpaceEvent& SpaceAt(const Scope& s) { return s.frame.space_events[s.At(MapContext::kSpace)]; }

std::string_view NameOfCount(CountKind kind) {
  switch (kind) {
    case CountKind::kClass:
      return "class";
    case CountKind::kZone:
      return "zone";
    case CountKind::kCrowded:
      return "crowded";
    case CountKind::kLine:
      return "line";
    case CountKind::kLineTotal:
      return "line_total";
  }
  return "";
}

constexpr MapField kFields[] = {
    {"track.id", kNumber, "the tracker's", [](const Scope& s) { return Value::Uint(s.track->id); }},
    {"track.label", kText, "class name, where it was seen best",
     [](const Scope& s) { return TextOrNone(s.track->label); }},
    {"track.label_id", kNumber, "class number",
     [](const Scope& s) { return s.track->label_id ? Value::Int(*s.track->label_id) : Value(); }},
    {"track.confidence", kNumber, "the highest, 0 to 1",
     [](const Scope& s) {
       return s.track->confidence ? Value::Float(*s.track->confidence) : Value();
     }},
    {"track.frames", kNumber, "in how many it was seen",
     [](const Scope& s) { return Value::Uint(s.track->frames); }},
    {"track.first", kTime, "when it was seen first",
     [](const Scope& s) { return Value::Time(s.track->first_ns); }},
    {"track.last", kTime, "when it was seen last",
     [](const Scope& s) { return Value::Time(s.track->last_ns); }},
    {"track.best", kTime, "when it was seen best",
     [](const Scope& s) { return Value::Time(s.track->best_ns); }},
    {"track.duration", kNumber, "from first to last, seconds",
     [](const Scope& s) {
       const bool forward = s.track->last_ns > s.track->first_ns;
       return Value::Double(forward ? Seconds(s.track->last_ns - s.track->first_ns) : 0);
     }},
#define DSMSG_BOX_FIELDS(name, member, about)                             \
  {"track." name ".left", kNumber, about ", pixels of the camera",        \
   [](const Scope& s) { return Side(s, &TrackSummary::member, 0); }},     \
      {"track." name ".top", kNumber, "likewise",                         \
       [](const Scope& s) { return Side(s, &TrackSummary::member, 1); }}, \
      {"track." name ".width", kNumber, "likewise",                       \
       [](const Scope& s) { return Side(s, &TrackSummary::member, 2); }}, \
  {                                                                       \
    "track." name ".height", kNumber, "likewise",                         \
        [](const Scope& s) { return Side(s, &TrackSummary::member, 3); }  \
  }
    DSMSG_BOX_FIELDS("first_box", first, "where it was seen first"),
    DSMSG_BOX_FIELDS("last_box", last, "where it was seen last"),
    DSMSG_BOX_FIELDS("best_box", best, "where it was seen best"),
#undef DSMSG_BOX_FIELDS
    {"track.path", kShapes, "its way, simplified: [x, y], ..., pixels of the camera",
     [](const Scope& s) { return Value::List(Kind::kPoints, s.track->path); }},
    {"dwell.zone", kText, "name of a zone",
     [](const Scope& s) { return TextOrNone(DwellAt(s).zone); }},
    {"dwell.seconds", kNumber, "how long the object or the track was in it",
     [](const Scope& s) { return Value::Double(Seconds(DwellAt(s).time_ns)); }},
    {"space.kind", kText,
     "line-crossing, zone-enter, zone-leave, zone-dwell, zone-crowded, zone-cleared, track-end",
     [](const Scope& s) { return Value::Text(SpaceEventName(SpaceAt(s).kind)); }},
    {"space.name", kText, "of the line or zone",
     [](const Scope& s) { return TextOrNone(SpaceAt(s).name); }},
    {"space.direction", kText, "of a crossing",
     [](const Scope& s) { return TextOrNone(SpaceAt(s).direction); }},
    {"space.seconds", kNumber, "leave, dwell: how long it was there; cleared: how long crowded",
     [](const Scope& s) { return Value::Double(Seconds(SpaceAt(s).time_ns)); }},
    {"space.value", kNumber, "crowded, cleared: how many are in the zone",
     [](const Scope& s) { return Value::Uint(SpaceAt(s).value); }},
    {"attribute.name", kText, "what a classifier looked for",
     [](const Scope& s) { return TextOrNone(AttributeAt(s).name); }},
    {"attribute.value", kText, "what it found",
     [](const Scope& s) { return Value::Text(AttributeAt(s).value); }},
    {"attribute.confidence", kNumber, "0 to 1",
     [](const Scope& s) {
       return AttributeAt(s).confidence ? Value::Float(*AttributeAt(s).confidence) : Value();
     }},
    {"keypoint.name", kText, "of a joint: left-elbow",
     [](const Scope& s) { return TextOrNone(Joint(s).name); }},
    {"keypoint.x", kNumber, "pixels of the camera; of pose3D in space",
     [](const Scope& s) { return JointAt(s, 0); }},
    {"keypoint.y", kNumber, "likewise", [](const Scope& s) { return JointAt(s, 1); }},
    {"keypoint.z", kNumber, "missing in a pose2D", [](const Scope& s) { return JointAt(s, 2); }},
    {"keypoint.confidence", kNumber, "0 to 1",
     [](const Scope& s) { return Value::Float(Joint(s).confidence); }},
    {"keypoint.qx", kNumber, "its rotation, a quaternion",
     [](const Scope& s) { return Turn(s, 0); }},
    {"keypoint.qy", kNumber, "likewise", [](const Scope& s) { return Turn(s, 1); }},
    {"keypoint.qz", kNumber, "likewise", [](const Scope& s) { return Turn(s, 2); }},
    {"keypoint.qw", kNumber, "likewise", [](const Scope& s) { return Turn(s, 3); }},
    {"action.type", kText, "what a body is doing: walking",
     [](const Scope& s) { return TextOrNone(ActionAt(s).type); }},
    {"action.confidence", kNumber, "0 to 1",
     [](const Scope& s) { return Value::Float(ActionAt(s).confidence); }},
    {"count.kind", kText,
     "class, zone, crowded, line (in this frame), line_total (since the start)",
     [](const Scope& s) { return Value::Text(NameOfCount(CountAt(s).kind)); }},
    {"count.name", kText, "of the class, zone or line",
     [](const Scope& s) { return TextOrNone(CountAt(s).name); }},
    {"count.value", kNumber, "how many; of crowded 1 or 0",
     [](const Scope& s) { return Value::Uint(CountAt(s).value); }},
    {"group.id", kText, "of objects that belong together",
     [](const Scope& s) { return TextOrNone(GroupAt(s).id); }},
    {"group.text", kText, "their class, or what they do",
     [](const Scope& s) { return TextOrNone(GroupAt(s).text); }},
    {"group.value", kNumber, "how many they are, or how crowded it is: 0 to 1",
     [](const Scope& s) { return Value::Double(GroupAt(s).value); }},
    {"group.object_ids", kTexts, "which objects",
     [](const Scope& s) { return Value::List(Kind::kTexts, GroupAt(s).object_ids); }},
    {"group.coordinates", kShapes, "where: [x, y, z], ...",
     [](const Scope& s) { return Value::List(Kind::kCoordinates, GroupAt(s).coordinates); }},
    {"group.info", kTable, "what else is said of them",
     [](const Scope& s) { return Value::List(Kind::kTable, GroupAt(s).info); }},
    {"conversation.id", kText, "of a question to a language model",
     [](const Scope& s) { return TextOrNone(TalkAt(s).id); }},
    {"conversation.query", kText, "the question",
     [](const Scope& s) { return TextOrNone(TalkAt(s).query); }},
    {"conversation.response", kText, "the answer",
     [](const Scope& s) { return TextOrNone(TalkAt(s).response); }},
    {"embedding.vector", kNumbers, "an embedding of a language model",
     [](const Scope& s) {
       return Value::List(Kind::kFloats, s.frame.embeddings[s.At(MapContext::kEmbedding)]);
     }},
    {"camera.id", kText, "of a camera that saw the scene",
     [](const Scope& s) { return TextOrNone(CameraAt(s).id); }},
    {"camera.time", kTime, "when it took its picture",
     [](const Scope& s) { return Value::Time(CameraAt(s).time_ns); }},
};

Range Whole(size_t count) { return {0, static_cast<uint32_t>(count)}; }

Range OfFindings(const Scope& s, Range Findings::*part) {
  return s.object->findings.count == 0 ? Range() : s.frame.findings[s.object->findings.first].*part;
}

using enum MapContext;
constexpr MapList kLists[] = {
    {"object", kFrame, kObject, "objects of the frame", nullptr},
    {"event", kFrame, kObject, "those of them that are events", nullptr},
    {"track", kFrame, kTrack, "tracks that ended with the frame", nullptr},
    {"frame.counts", kFrame, kCount, "what was counted: classes, zones, lines",
     [](const Scope& s) { return Whole(s.frame.counts.size()); }},
    {"frame.cameras", kFrame, kCamera, "cameras that saw the scene",
     [](const Scope& s) { return Whole(s.frame.sources.size()); }},
    {"object.keypoints", kObject, kKeypoint, "joints of its pose",
     [](const Scope& s) { return s.object->keypoints; }},
    {"object.actions", kObject, kAction, "what the body does",
     [](const Scope& s) { return s.object->actions; }},
    {"object.attributes", kObject, kAttribute, "what classifiers found",
     [](const Scope& s) {
       return Range{s.object->first_attribute, s.object->attribute_count};
     }},
    {"object.space", kObject, kSpace, "what it did with lines and zones in this frame",
     [](const Scope& s) { return s.object->space_events; }},
    {"object.dwells", kObject, kDwell, "zones where it is now",
     [](const Scope& s) { return s.object->dwells; }},
    {"object.fov", kObject, kGroup, "objects in the picture by class, as its event says",
     [](const Scope& s) { return OfFindings(s, &Findings::fov); }},
    {"object.interactions", kObject, kGroup, "what objects do together",
     [](const Scope& s) { return OfFindings(s, &Findings::interactions); }},
    {"object.congestions", kObject, kGroup, "crowded places",
     [](const Scope& s) { return OfFindings(s, &Findings::congestions); }},
    {"object.conversations", kObject, kConversation, "with a language model",
     [](const Scope& s) { return OfFindings(s, &Findings::conversations); }},
    {"object.llm_embeddings", kObject, kEmbedding, "of a language model that its event quotes",
     [](const Scope& s) { return OfFindings(s, &Findings::llm_embeddings); }},
    {"track.dwells", kTrack, kDwell, "zones that it was in",
     [](const Scope& s) { return s.track->dwells; }},
};

}  // namespace

std::span<const MapField> MapElementFields() { return kFields; }

std::span<const MapList> MapLists() { return kLists; }

const MapList* FindMapList(std::string_view name) {
  for (const MapList& list : kLists) {
    if (list.name == name) return &list;
  }
  return nullptr;
}

}  // namespace dsmsg::msgconv
