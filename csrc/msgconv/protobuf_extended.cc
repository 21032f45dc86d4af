// SPDX-License-Identifier: Apache-2.0
// The extended schema: what an analysis counted, boxes in space, segmentation.
#include <algorithm>

#include "msgconv/event_meta.h"
#include "msgconv/identity.h"
#include "msgconv/model_parts.h"
#include "msgconv/protobuf_parts.h"
#include "msgconv/text_parts.h"

namespace dsmsg::msgconv::protobuf {
namespace {

// The ids of the objects of which `names` (their zones) has this one.
void ObjectIds(pbf_writer* out, pbf_tag_type tag, const Frame& frame, Range Object::*names,
               std::string_view name) {
  for (const Object& object : frame.objects) {
    const auto list = frame.Part(frame.texts, object.*names);
    if (std::find(list.begin(), list.end(), name) == list.end()) continue;
    if (!object.id_text.empty()) {
      Text(out, tag, object.id_text);
    } else if (object.id) {
      NumberText(out, tag, *object.id);
    }
  }
}

void OneCount(pbf_writer* out, const std::string& buffer, const Frame& frame, const Count& count) {
  const auto value = static_cast<int32_t>(std::min<uint64_t>(count.value, INT32_MAX));
  switch (count.kind) {
    case CountKind::kClass:
      return Element(out, buffer, 6, [&](pbf_writer* metric) {
        Text(metric, 2, count.name);
        if (value != 0) metric->add_int32(3, value);
      });
    case CountKind::kZone:
      return Element(out, buffer, 7, [&](pbf_writer* metric) {
        Text(metric, 1, count.name);
        if (value != 0) metric->add_int32(3, value);
        ObjectIds(metric, 5, frame, &Object::zones, count.name);
      });
    case CountKind::kCrowded:
      return Element(out, buffer, 11, [&](pbf_writer* congestion) {
        Text(congestion, 1, count.name);
        ObjectIds(congestion, 2, frame, &Object::crowded_zones, count.name);
        Float(congestion, 3, static_cast<float>(value));
      });
    case CountKind::kLine:
    case CountKind::kLineTotal: {
      std::string key = count.kind == CountKind::kLine ? "line." : "lineTotal.";
      return MapEntry(out, 12, key.append(count.name), std::to_string(count.value));
    }
  }
}

/// A group's fields of these numbers; 0: groups of this kind lack it.
struct GroupFields {
  pbf_tag_type id, text, count, amount, coordinates, object_ids, info;
};
constexpr GroupFields kTypeMetrics = {1, 2, 3, 0, 4, 5, 6}, kInteraction = {1, 4, 0, 0, 3, 2, 5},
                      kCongestion = {1, 0, 0, 3, 0, 2, 4};

void Group(pbf_writer* out, const std::string& buffer, const Frame& frame, const ObjectGroup& group,
           const GroupFields& fields) {
  Text(out, fields.id, group.id);
  if (fields.text != 0) Text(out, fields.text, group.text);
  if (fields.count != 0 && group.value != 0) {
    // In this order a value that is no number becomes the smallest.
    const double count = std::min(std::max<double>(INT32_MIN, group.value), double{INT32_MAX});
    out->add_int32(fields.count, static_cast<int32_t>(count));
  }
  if (fields.amount != 0) Float(out, fields.amount, static_cast<float>(group.value));
  for (const Triple& place : frame.Part(frame.coordinates, group.coordinates)) {
    Element(out, buffer, fields.coordinates, [&](pbf_writer* part) { Point3Fields(part, place); });
  }
  for (const std::string_view id : frame.Part(frame.texts, group.object_ids)) {
    Text(out, fields.object_ids, id);
  }
  Map(out, fields.info, frame.Part(frame.attributes, group.info));
}

void AllFindings(pbf_writer* out, const std::string& buffer, const Frame& frame) {
  const auto groups = [&](Range list, pbf_tag_type tag, const GroupFields& fields) {
    for (const ObjectGroup& group : frame.Part(frame.groups, list)) {
      Element(out, buffer, tag,
              [&](pbf_writer* part) { Group(part, buffer, frame, group, fields); });
    }
  };
  size_t asked = 0;
  for (const Object& object : frame.objects) {
    if (object.findings.count == 0) continue;
    const Findings& findings = frame.findings[object.findings.first];
    groups(findings.fov, 6, kTypeMetrics);
    groups(findings.interactions, 10, kInteraction);
    groups(findings.congestions, 11, kCongestion);
    // The frame's schema has no field for a language model, so it goes into the map.
    for (const Attribute& each : frame.Part(frame.attributes, findings.llm_info)) {
      MapEntry(out, 12, "llm." + std::string(each.name), each.value);
    }
    for (const Conversation& each : frame.Part(frame.conversations, findings.conversations)) {
      const std::string number = std::to_string(asked++);
      MapEntry(out, 12, "llm.query" + number, each.query);
      MapEntry(out, 12, "llm.response" + number, each.response);
    }
  }
}

void NamesInfo(pbf_writer* out, const Frame& frame, Range names, std::string_view key) {
  if (names.count == 0) return;
  std::string text;
  for (const std::string_view name : frame.Part(frame.texts, names)) {
    if (!text.empty()) text.push_back(',');
    text.append(name);
  }
  MapEntry(out, 5, key, text);
}

// "80x60:12,3,77,..."
std::string MaskText(const Frame& frame, const Mask& mask) {
  std::string text = std::to_string(mask.width) + "x" + std::to_string(mask.height);
  char separator = ':';
  for (const uint32_t run : frame.Part(frame.runs, mask.runs)) {
    text.push_back(std::exchange(separator, ','));
    AppendWhole(&text, run);
  }
  return text;
}

}  // namespace

void ExtendedFrame(pbf_writer* out, const std::string& buffer, const Frame& frame) {
  for (const Count& count : frame.counts) OneCount(out, buffer, frame, count);
  if (const Segmentation* from = FirstSegmentation(frame, frame.objects)) {
    const auto classes = frame.Part(frame.classes, from->classes);
    pbf_writer segmentation(*out, 9);
    segmentation.add_packed_int32(1, classes.begin(), classes.end());
    const auto info = frame.Part(frame.attributes, from->info);
    Map(&segmentation, 2, info);
    if (info.empty() && from->width > 0) {
      MapEntry(&segmentation, 2, "width", std::to_string(from->width));
      MapEntry(&segmentation, 2, "height", std::to_string(from->height));
    }
  }
  if (!frame.source_name.empty()) MapEntry(out, 12, "sensorName", frame.source_name);
  if (!frame.findings.empty()) AllFindings(out, buffer, frame);
  if (frame.sources.empty()) return;
  TimeFormatter time;
  for (const SourceTime& source : frame.sources) {
    MapEntry(out, 12, source.id, time.Format(source.time_ns));
  }
}

void ExtendedBox(pbf_writer* bbox, const Frame& frame, const Object& object) {
  if (object.box3d.count > 0) {  // otherwise they are the object's
    Embedding(bbox, 5, frame.Part(frame.numbers, object.embedding), {});
    Float(bbox, 6, KnownConfidence(object));
  }
  if (object.rotation != 0) {
    std::string degrees;
    AppendShort(&degrees, static_cast<double>(object.rotation));
    MapEntry(bbox, 7, "rotation", degrees);
  }
  if (object.mask.count > 0) {
    MapEntry(bbox, 7, "mask", MaskText(frame, frame.masks[object.mask.first]));
  }
}

void ExtendedObject(pbf_writer* out, const Frame& frame, const Object& object,
                    std::string_view embedding_filter) {
  NamesInfo(out, frame, object.zones, "zones");
  NamesInfo(out, frame, object.crowded_zones, "crowdedZones");
  NamesInfo(out, frame, object.lines, "lines");
  if (!object.heading.empty()) MapEntry(out, 5, "heading", object.heading);
  if (!object.state.empty()) MapEntry(out, 5, "state", object.state);
  if (object.box3d.count == 0) return;
  const Box3d& from = frame.boxes3d[object.box3d.first];
  pbf_writer box(*out, 14);
  box.add_packed_double(1, from.values.begin(), from.values.end());
  if (IsNamed(embedding_filter, object.label)) {
    Embedding(&box, 2, frame.Part(frame.numbers, from.embedding), {});
  }
  Float(&box, 3, from.confidence);
}

void VisibilityInfo(pbf_writer* out, float visibility) {
  std::string text;
  AppendFixed(&text, static_cast<double>(visibility));
  MapEntry(out, 5, "visibility", text);
}

void EvidenceInfo(pbf_writer* out, const Frame& frame, const Object& object) {
  for (const Evidence& picture : frame.Part(frame.evidence, object.evidence)) {
    const std::string start = "evidence." + std::string(NameOf(picture));
    const auto entry = [&](const char* name, std::string_view value) {
      if (!value.empty()) MapEntry(out, 5, start + name, value);
    };
    entry(".state", StateOf(picture));
    entry(".reason", picture.reason);
    entry(".uri", picture.uri);
    entry(".digest", picture.digest);
    if (picture.size > 0) entry(".size", std::to_string(picture.size));
  }
}

void TrackInfo(pbf_writer* out, const Frame& frame, const Object& object) {
  if (object.track3d.count == 0) return;
  const Track3d& track = frame.tracks3d[object.track3d.first];
  std::string text;
  AppendPair(&text, track.feet.x, track.feet.y);
  MapEntry(out, 5, "footLocation2D", text);
  text.clear();
  AppendPair(&text, track.ground.x, track.ground.y);
  MapEntry(out, 5, "footLocation3D", text);
  text.clear();
  AppendHull(&text, frame, track);
  MapEntry(out, 5, "convexHull", text);
}

}  // namespace dsmsg::msgconv::protobuf
