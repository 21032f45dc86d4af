// SPDX-License-Identifier: Apache-2.0
// From the model to the C structures: what version 3 added.
#include <algorithm>

#include "msgconv/frame_c.h"

namespace dsmsg::msgconv {

const char* const* FrameExport::TextList(const Frame& frame, Range texts, uint32_t* count) {
  *count = texts.count;
  return Texts(frame.Part(frame.texts, texts));
}

const DsmsgSegmentation* FrameExport::MakeSegmentation(const Frame& frame,
                                                       const Segmentation* from) {
  if (from == nullptr) return nullptr;
  auto* const out = arena_.Make<DsmsgSegmentation>(1);
  *out = {from->width,
          from->height,
          frame.Part(frame.classes, from->classes).data(),
          Attributes(frame.Part(frame.attributes, from->info)),
          from->classes.count,
          from->info.count};
  return out;
}

const DsmsgGroup* FrameExport::Groups(const Frame& frame, Range groups) {
  auto* const out = arena_.Make<DsmsgGroup>(groups.count);
  for (uint32_t i = 0; i < groups.count; ++i) {
    const ObjectGroup& from = frame.groups[groups.first + i];
    out[i].id = arena_.Text(from.id);
    out[i].text = arena_.Text(from.text);
    out[i].value = from.value;
    out[i].object_ids = TextList(frame, from.object_ids, &out[i].object_id_count);
    static_assert(sizeof(Triple) == 3 * sizeof(double));
    out[i].coordinates =
        reinterpret_cast<const double*>(frame.Part(frame.coordinates, from.coordinates).data());
    out[i].coordinate_count = from.coordinates.count;
    out[i].info = Attributes(frame.Part(frame.attributes, from.info));
    out[i].info_count = from.info.count;
  }
  return out;
}

const DsmsgFindings* FrameExport::MakeFindings(const Frame& frame, const Findings& from) {
  auto* const out = arena_.Make<DsmsgFindings>(1);
  out->fov = Groups(frame, from.fov);
  out->fov_count = from.fov.count;
  out->interactions = Groups(frame, from.interactions);
  out->interaction_count = from.interactions.count;
  out->congestions = Groups(frame, from.congestions);
  out->congestion_count = from.congestions.count;
  out->segmentation = MakeSegmentation(frame, from.segmentation ? &*from.segmentation : nullptr);
  out->llm_info = Attributes(frame.Part(frame.attributes, from.llm_info));
  out->llm_info_count = from.llm_info.count;
  auto* const conversations = arena_.Make<DsmsgConversation>(from.conversations.count);
  for (uint32_t i = 0; i < from.conversations.count; ++i) {
    const Conversation& each = frame.conversations[from.conversations.first + i];
    conversations[i] = {arena_.Text(each.id), arena_.Text(each.query), arena_.Text(each.response)};
  }
  out->conversations = conversations;
  out->conversation_count = from.conversations.count;
  auto* const vectors = arena_.Make<DsmsgVector>(from.llm_embeddings.count);
  for (uint32_t i = 0; i < from.llm_embeddings.count; ++i) {
    const Range numbers = frame.embeddings[from.llm_embeddings.first + i];
    vectors[i] = {frame.Part(frame.numbers, numbers).data(), numbers.count, 0};
  }
  out->llm_embeddings = vectors;
  out->llm_embedding_count = from.llm_embeddings.count;
  return out;
}

void FrameExport::Extended(const Frame& frame, const Object& object, DsmsgObject* out) {
  out->rotation = object.rotation;
  out->zones = TextList(frame, object.zones, &out->zone_count);
  out->crowded_zones = TextList(frame, object.crowded_zones, &out->crowded_zone_count);
  out->lines = TextList(frame, object.lines, &out->line_count);
  out->heading = arena_.Text(object.heading);
  out->state = arena_.Text(object.state);
  if (object.mask.count > 0) {
    const Mask& from = frame.masks[object.mask.first];
    auto* const mask = arena_.Make<DsmsgMask>(1);
    *mask = {from.width, from.height, frame.Part(frame.runs, from.runs).data(), from.runs.count, 0};
    out->mask = mask;
  }
  if (object.box3d.count > 0) {
    const Box3d& from = frame.boxes3d[object.box3d.first];
    auto* const box = arena_.Make<DsmsgBox3d>(1);
    std::copy(from.values.begin(), from.values.end(), box->values);
    box->confidence = from.confidence;
    box->embedding = frame.Part(frame.numbers, from.embedding).data();
    box->embedding_count = from.embedding.count;
    out->box3d = box;
  }
  if (object.track3d.count > 0) {
    const Track3d& from = frame.tracks3d[object.track3d.first];
    auto* const track = arena_.Make<DsmsgTrack3d>(1);
    *track = {{from.feet.x, from.feet.y},
              {from.ground.x, from.ground.y},
              from.visibility,
              from.hull.count,
              reinterpret_cast<const float*>(frame.Part(frame.points, from.hull).data())};
    out->track3d = track;
  }
  if (object.findings.count > 0) {
    out->findings = MakeFindings(frame, frame.findings[object.findings.first]);
  }
}

void FrameExport::Analysis(const Frame& frame) {
  frame_.source_name = arena_.Text(frame.source_name);
  frame_.source_sensor = arena_.Text(frame.source_sensor);
  frame_.segmentation =
      MakeSegmentation(frame, frame.segmentation ? &*frame.segmentation : nullptr);
  auto* const counts = arena_.Make<DsmsgCount>(frame.counts.size());
  for (size_t i = 0; i < frame.counts.size(); ++i) {
    const Count& from = frame.counts[i];
    counts[i] = {arena_.Text(from.name), from.value, static_cast<uint32_t>(from.kind), 0};
  }
  frame_.counts = counts;
  frame_.count_count = static_cast<uint32_t>(frame.counts.size());
  auto* const sources = arena_.Make<DsmsgSourceTime>(frame.sources.size());
  for (size_t i = 0; i < frame.sources.size(); ++i) {
    sources[i] = {arena_.Text(frame.sources[i].id), frame.sources[i].time_ns};
  }
  frame_.sources = sources;
  frame_.source_count = static_cast<uint32_t>(frame.sources.size());
}

}  // namespace dsmsg::msgconv
