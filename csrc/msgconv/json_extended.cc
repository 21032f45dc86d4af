// SPDX-License-Identifier: Apache-2.0
// Members for what the schema of DeepStream has no place for.
#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {
namespace {

void TextsMember(JsonWriter* out, std::string_view key, const Frame& frame, Range texts) {
  if (texts.count > 0) ListMember(out, key, frame.Part(frame.texts, texts));
}

void Box3dMember(JsonWriter* out, const Frame& frame, const Box3d& box, bool with_embedding) {
  ListMember(out, R"(,"bbox3d":{"coordinates":)", std::span<const float>(box.values));
  out->Raw(R"(,"confidence":)");
  out->Number(box.confidence);
  if (with_embedding && box.embedding.count > 0) {
    ListMember(out, R"(,"embedding_vector":)", frame.Part(frame.numbers, box.embedding));
  }
  out->Raw('}');
}

void TrackMember(JsonWriter* out, const Frame& frame, const Object& object) {
  const Track3d& track = frame.tracks3d[object.track3d.first];
  out->Raw(R"(,"SV3DT":{"visibility":)");
  out->Number(track.visibility);
  const float feet[] = {track.feet.x, track.feet.y}, ground[] = {track.ground.x, track.ground.y};
  ListMember(out, R"(,"footLocation2D":)", std::span<const float>(feet));
  ListMember(out, R"(,"footLocation3D":)", std::span<const float>(ground));
  static_assert(sizeof(Point) == 2 * sizeof(float));
  const auto hull = frame.Part(frame.points, track.hull);
  ListMember(out, R"(,"convexHull":)",
             std::span(reinterpret_cast<const float*>(hull.data()), 2 * hull.size()));
  out->Raw('}');
}

std::string_view NameOf(CountKind kind) {
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
      return "lineTotal";
  }
  return "";
}

}  // namespace

void ExtendedMembers(JsonWriter* out, const Frame& frame, const Object& object,
                     std::string_view embedding_filter) {
  if (object.mask.count > 0) {
    const Mask& mask = frame.masks[object.mask.first];
    out->Raw(R"(,"mask":{"width":)");
    out->Number(mask.width);
    out->Raw(R"(,"height":)");
    out->Number(mask.height);
    ListMember(out, R"(,"runs":)", frame.Part(frame.runs, mask.runs));
    out->Raw('}');
  }
  if (object.box3d.count > 0) {
    Box3dMember(out, frame, frame.boxes3d[object.box3d.first],
                IsNamed(embedding_filter, object.label));
  }
  if (object.track3d.count > 0) TrackMember(out, frame, object);
  TextsMember(out, R"(,"zones":)", frame, object.zones);
  TextsMember(out, R"(,"crowdedZones":)", frame, object.crowded_zones);
  TextsMember(out, R"(,"lines":)", frame, object.lines);
  if (!object.heading.empty()) {
    out->Raw(R"(,"heading":)");
    out->String(object.heading);
  }
  if (!object.state.empty()) {
    out->Raw(R"(,"state":)");
    out->String(object.state);
  }
}

void CountsMember(JsonWriter* out, const Frame& frame) {
  if (frame.counts.empty()) return;
  out->Raw(R"(,"counts":[)");
  for (const Count& count : frame.counts) {
    out->Raw(&count == frame.counts.data() ? R"({"kind":")" : R"(,{"kind":")");
    out->Raw(NameOf(count.kind));
    out->Raw(R"(","name":)");
    out->String(count.name);
    out->Raw(R"(,"value":)");
    out->Number(count.value);
    out->Raw('}');
  }
  out->Raw(']');
}

void SegmentationMember(JsonWriter* out, const Frame& frame, const Segmentation& segmentation) {
  out->Raw(R"(,"segmentation":{)");
  if (segmentation.width > 0) {
    out->Raw(R"("width":)");
    out->Number(segmentation.width);
    out->Raw(R"(,"height":)");
    out->Number(segmentation.height);
    out->Raw(',');
  }
  out->Raw(R"("runs":[)");
  const auto classes = frame.Part(frame.classes, segmentation.classes);
  for (size_t first = 0; first < classes.size();) {
    size_t end = first + 1;
    while (end < classes.size() && classes[end] == classes[first]) ++end;
    if (first > 0) out->Raw(',');
    out->Number(classes[first]);
    out->Raw(',');
    out->Number(end - first);
    first = end;
  }
  out->Raw(']');
  TableMember(out, R"(,"info":)", frame.Part(frame.attributes, segmentation.info));
  out->Raw('}');
}

}  // namespace dsmsg::msgconv
