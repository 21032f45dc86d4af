// SPDX-License-Identifier: Apache-2.0
// Values of an object that few detectors give: masks, poses, embeddings, boxes in space; and what
// an application says about an event.
#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;
using Kind = MapValue::Kind;

const Mask* MaskOf(const Scope& s) {
  return s.object->mask.count == 0 ? nullptr : &s.frame.masks[s.object->mask.first];
}
const Box3d* Box3dOf(const Scope& s) {
  return s.object->box3d.count == 0 ? nullptr : &s.frame.boxes3d[s.object->box3d.first];
}
const Track3d* Track3dOf(const Scope& s) {
  return s.object->track3d.count == 0 ? nullptr : &s.frame.tracks3d[s.object->track3d.first];
}
const EventMeta* EventMetaOf(const Scope& s) {
  return s.object->event_meta.count == 0 ? nullptr
                                         : &s.frame.event_metas[s.object->event_meta.first];
}
const Findings* FindingsOf(const Scope& s) {
  return s.object->findings.count == 0 ? nullptr : &s.frame.findings[s.object->findings.first];
}

const Segmentation* SegmentationOf(const Scope& s) {
  const Findings* const findings = FindingsOf(s);
  return findings != nullptr && findings->segmentation ? &*findings->segmentation : nullptr;
}

/// Pixels of the mask that are the object's, by the lengths of its runs.
Value MaskArea(const Scope& s) {
  const Mask* const mask = MaskOf(s);
  if (mask == nullptr) return {};
  const auto runs = Frame::Part(s.frame.runs, mask->runs);
  uint64_t area = 0;
  for (size_t i = 1; i < runs.size(); i += 2) area += runs[i];
  return Value::Uint(area);
}

Value GazePart(const Scope& s, float Gaze::*part) {
  return s.object->gaze ? Value::Float((*s.object->gaze).*part) : Value();
}

Value Space(const Scope& s, size_t index) {
  const Box3d* const box = Box3dOf(s);
  return box == nullptr ? Value() : Value::Float(box->values[index]);
}

/// In pixels of the camera.
Value Feet(const Scope& s, bool x) {
  const Track3d* const track = Track3dOf(s);
  if (track == nullptr) return {};
  const Scale scale = ScaleOf(s.frame);
  return Value::Float(x ? track->feet.x * scale.x : track->feet.y * scale.y);
}

constexpr MapField kFields[] = {
    {"object.mask.polygons", kShapes, "outlines: lists of [x, y], pixels of the camera",
     [](const Scope& s) { return Value::List(Kind::kOutlines, s.object->outlines); }},
    {"object.mask.rle", kNumbers,
     "pixels within the box, row by row: how many are not the object's, how many are, ...",
     [](const Scope& s) {
       return MaskOf(s) == nullptr ? Value() : Value::List(Kind::kRuns, MaskOf(s)->runs);
     }},
    {"object.mask.width", kNumber, "of the mask, pixels",
     [](const Scope& s) { return MaskOf(s) == nullptr ? Value() : Positive(MaskOf(s)->width); }},
    {"object.mask.height", kNumber, "likewise",
     [](const Scope& s) { return MaskOf(s) == nullptr ? Value() : Positive(MaskOf(s)->height); }},
    {"object.mask.area", kNumber, "pixels of it that are the object's", MaskArea},
    {"object.pose", kText, "kind of its pose: pose2D, pose25D, pose3D",
     [](const Scope& s) { return TextOrNone(s.object->pose_type); }},
    {"object.embedding", kNumbers, "of the picture in the box",
     [](const Scope& s) { return Value::List(Kind::kFloats, s.object->embedding); }},
    {"object.embedding_size", kNumber, "how many numbers that are",
     [](const Scope& s) { return Positive(s.object->embedding.count); }},
    {"object.embedding_info", kTable, "what its model says of itself",
     [](const Scope& s) { return Value::List(Kind::kTable, s.object->embedding_info); }},
    {"object.signature", kNumbers, "as an application gave it",
     [](const Scope& s) { return Value::List(Kind::kDoubles, s.object->signature); }},
    {"object.directions", kNumbers, "a direction of several components",
     [](const Scope& s) { return Value::List(Kind::kFloats, s.object->directions); }},
    {"object.gaze.x", kNumber, "where a face looks: a point in space",
     [](const Scope& s) { return GazePart(s, &Gaze::x); }},
    {"object.gaze.y", kNumber, "likewise", [](const Scope& s) { return GazePart(s, &Gaze::y); }},
    {"object.gaze.z", kNumber, "likewise", [](const Scope& s) { return GazePart(s, &Gaze::z); }},
    {"object.gaze.theta", kNumber, "and two angles, radians",
     [](const Scope& s) { return GazePart(s, &Gaze::theta); }},
    {"object.gaze.phi", kNumber, "likewise",
     [](const Scope& s) { return GazePart(s, &Gaze::phi); }},
    {"object.lip_activity", kText, "speaking, silent, ...",
     [](const Scope& s) { return TextOrNone(s.object->lip_activity); }},
    {"object.location.lat", kNumber, "of the object alone",
     [](const Scope& s) { return Part(s.object->location, 0); }},
    {"object.location.lon", kNumber, "likewise",
     [](const Scope& s) { return Part(s.object->location, 1); }},
    {"object.location.alt", kNumber, "likewise",
     [](const Scope& s) { return Part(s.object->location, 2); }},
    {"object.coordinate.x", kNumber, "place of the object, as attached",
     [](const Scope& s) { return Part(s.object->coordinate, 0); }},
    {"object.coordinate.y", kNumber, "likewise",
     [](const Scope& s) { return Part(s.object->coordinate, 1); }},
    {"object.coordinate.z", kNumber, "likewise",
     [](const Scope& s) { return Part(s.object->coordinate, 2); }},
    {"object.box3d.x", kNumber, "middle of its box in space",
     [](const Scope& s) { return Space(s, 0); }},
    {"object.box3d.y", kNumber, "likewise", [](const Scope& s) { return Space(s, 1); }},
    {"object.box3d.z", kNumber, "likewise", [](const Scope& s) { return Space(s, 2); }},
    {"object.box3d.width", kNumber, "of that box", [](const Scope& s) { return Space(s, 3); }},
    {"object.box3d.length", kNumber, "likewise", [](const Scope& s) { return Space(s, 4); }},
    {"object.box3d.height", kNumber, "likewise", [](const Scope& s) { return Space(s, 5); }},
    {"object.box3d.pitch", kNumber, "likewise", [](const Scope& s) { return Space(s, 6); }},
    {"object.box3d.roll", kNumber, "likewise", [](const Scope& s) { return Space(s, 7); }},
    {"object.box3d.yaw", kNumber, "likewise", [](const Scope& s) { return Space(s, 8); }},
    {"object.box3d.vx", kNumber, "velocity", [](const Scope& s) { return Space(s, 9); }},
    {"object.box3d.vy", kNumber, "likewise", [](const Scope& s) { return Space(s, 10); }},
    {"object.box3d.vz", kNumber, "likewise", [](const Scope& s) { return Space(s, 11); }},
    {"object.box3d.confidence", kNumber, "0 to 1",
     [](const Scope& s) {
       return Box3dOf(s) == nullptr ? Value() : Value::Float(Box3dOf(s)->confidence);
     }},
    {"object.box3d.embedding", kNumbers, "of the box in space",
     [](const Scope& s) {
       return Box3dOf(s) == nullptr ? Value() : Value::List(Kind::kFloats, Box3dOf(s)->embedding);
     }},
    {"object.feet.x", kNumber, "of a body tracked in 3-D, pixels of the camera",
     [](const Scope& s) { return Feet(s, true); }},
    {"object.feet.y", kNumber, "likewise", [](const Scope& s) { return Feet(s, false); }},
    {"object.ground.x", kNumber, "where it stands in the world",
     [](const Scope& s) {
       return Track3dOf(s) == nullptr ? Value() : Value::Float(Track3dOf(s)->ground.x);
     }},
    {"object.ground.y", kNumber, "likewise",
     [](const Scope& s) {
       return Track3dOf(s) == nullptr ? Value() : Value::Float(Track3dOf(s)->ground.y);
     }},
    {"object.visibility", kNumber, "part of it that is seen, 0 to 1",
     [](const Scope& s) {
       if (Track3dOf(s) != nullptr) return Value::Float(Track3dOf(s)->visibility);
       return EventMetaOf(s) == nullptr ? Value() : Value::Float(EventMetaOf(s)->visibility);
     }},
    {"object.hull", kShapes, "outline around it: [x, y], ..., pixels of the camera",
     [](const Scope& s) {
       return Track3dOf(s) == nullptr ? Value() : Value::List(Kind::kPoints, Track3dOf(s)->hull);
     }},
    {"object.video_path", kText, "recording that it is in, else the frame's",
     [](const Scope& s) { return TextOrNone(VideoPathOf(s.frame, *s.object)); }},
    {"object.timestamp", kText, "time that an application wrote into its event",
     [](const Scope& s) { return TextOrNone(s.object->timestamp); }},
    {"object.custom_messages", kTexts, "texts that an application attached to its event",
     [](const Scope& s) { return Value::List(Kind::kTexts, s.object->custom_messages); }},
    {"object.attached.type", kNumber, "objType of an application's event",
     [](const Scope& s) {
       return EventMetaOf(s) == nullptr ? Value() : Value::Int(EventMetaOf(s)->object_type);
     }},
    {"object.attached.frame", kNumber, "its frameId",
     [](const Scope& s) {
       return EventMetaOf(s) == nullptr ? Value() : Value::Int(EventMetaOf(s)->frame_id);
     }},
    {"object.attached.confidence", kNumber, "its confidence",
     [](const Scope& s) {
       return EventMetaOf(s) == nullptr ? Value() : Value::Double(EventMetaOf(s)->confidence);
     }},
    {"object.attached.object_id", kText, "its objectId",
     [](const Scope& s) {
       return EventMetaOf(s) == nullptr ? Value() : TextOrNone(EventMetaOf(s)->object_id);
     }},
    {"object.attached.sensor", kText, "its sensorStr",
     [](const Scope& s) {
       return EventMetaOf(s) == nullptr ? Value() : TextOrNone(EventMetaOf(s)->sensor_str);
     }},
    {"object.segmentation.width", kNumber, "of the map of classes that its event has, pixels",
     [](const Scope& s) {
       return SegmentationOf(s) == nullptr ? Value() : Positive(SegmentationOf(s)->width);
     }},
    {"object.segmentation.height", kNumber, "likewise",
     [](const Scope& s) {
       return SegmentationOf(s) == nullptr ? Value() : Positive(SegmentationOf(s)->height);
     }},
    {"object.segmentation.classes", kNumbers, "class of each pixel, row by row",
     [](const Scope& s) {
       return SegmentationOf(s) == nullptr
                  ? Value()
                  : Value::List(Kind::kClasses, SegmentationOf(s)->classes);
     }},
    {"object.segmentation.info", kTable, "what its model says of itself",
     [](const Scope& s) {
       return SegmentationOf(s) == nullptr ? Value()
                                           : Value::List(Kind::kTable, SegmentationOf(s)->info);
     }},
    {"object.llm", kTable, "name, version, ... of the language model that its event quotes",
     [](const Scope& s) {
       return FindingsOf(s) == nullptr ? Value()
                                       : Value::List(Kind::kTable, FindingsOf(s)->llm_info);
     }},
};

}  // namespace

std::span<const MapField> MapShapeFields() { return kFields; }

}  // namespace dsmsg::msgconv
