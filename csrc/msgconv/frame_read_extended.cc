// SPDX-License-Identifier: Apache-2.0
// From the C structures to the model: what version 3 added.
#include <algorithm>

#include "msgconv/frame_read.h"

namespace dsmsg::msgconv {
namespace {

/// One more element of a list, and its place.
template <class T>
Range Add(const T& value, std::vector<T>* list) {
  list->push_back(value);
  return {static_cast<uint32_t>(list->size() - 1), 1};
}

Segmentation ReadSegmentation(const DsmsgSegmentation& from, Frame* frame) {
  return {from.width, from.height, Append<int32_t>(from.classes, from.class_count, &frame->classes),
          Converted(from.info, from.info_count, &frame->attributes, ToAttribute)};
}

Range ReadGroups(const DsmsgGroup* groups, uint32_t count, Frame* frame) {
  return Converted(groups, count, &frame->groups, [frame](const DsmsgGroup& from) {
    ObjectGroup group{View(from.id), View(from.text), from.value, {}, {}, {}};
    group.object_ids = Converted(from.object_ids, from.object_id_count, &frame->texts, View);
    group.coordinates = {static_cast<uint32_t>(frame->coordinates.size()),
                         from.coordinates == nullptr ? 0 : from.coordinate_count};
    for (size_t i = 0; i < group.coordinates.count; ++i) {
      const double* const place = from.coordinates + 3 * i;
      frame->coordinates.push_back({place[0], place[1], place[2]});
    }
    group.info = Converted(from.info, from.info_count, &frame->attributes, ToAttribute);
    return group;
  });
}

Findings ReadFindings(const DsmsgFindings& from, Frame* frame) {
  Findings findings;
  findings.fov = ReadGroups(from.fov, from.fov_count, frame);
  findings.interactions = ReadGroups(from.interactions, from.interaction_count, frame);
  findings.congestions = ReadGroups(from.congestions, from.congestion_count, frame);
  if (from.segmentation != nullptr) {
    findings.segmentation = ReadSegmentation(*from.segmentation, frame);
  }
  findings.llm_info =
      Converted(from.llm_info, from.llm_info_count, &frame->attributes, ToAttribute);
  findings.conversations =
      Converted(from.conversations, from.conversation_count, &frame->conversations,
                [](const DsmsgConversation& each) {
                  return Conversation{View(each.id), View(each.query), View(each.response)};
                });
  findings.llm_embeddings =
      Converted(from.llm_embeddings, from.llm_embedding_count, &frame->embeddings,
                [frame](const DsmsgVector& vector) {
                  return Append<float>(vector.values, vector.count, &frame->numbers);
                });
  return findings;
}

}  // namespace

void ReadExtended(const DsmsgObject& from, Frame* frame, Object* object) {
  object->rotation = from.rotation;
  object->zones = Converted(from.zones, from.zone_count, &frame->texts, View);
  object->crowded_zones =
      Converted(from.crowded_zones, from.crowded_zone_count, &frame->texts, View);
  object->lines = Converted(from.lines, from.line_count, &frame->texts, View);
  object->heading = View(from.heading);
  object->state = View(from.state);
  if (const DsmsgMask* mask = from.mask; mask != nullptr) {
    const Range runs = Append<uint32_t>(mask->runs, mask->run_count, &frame->runs);
    object->mask = Add({mask->width, mask->height, runs}, &frame->masks);
  }
  if (const DsmsgBox3d* box = from.box3d; box != nullptr) {
    Box3d to;
    std::copy_n(box->values, to.values.size(), to.values.begin());
    to.confidence = box->confidence;
    to.embedding = Append<float>(box->embedding, box->embedding_count, &frame->numbers);
    object->box3d = Add(to, &frame->boxes3d);
  }
  if (const DsmsgTrack3d* track = from.track3d; track != nullptr) {
    Track3d to = {{track->feet[0], track->feet[1]},
                  {track->ground[0], track->ground[1]},
                  {},
                  track->visibility};
    to.hull = {static_cast<uint32_t>(frame->points.size()),
               track->hull == nullptr ? 0 : track->hull_count};
    for (size_t i = 0; i < to.hull.count; ++i) {
      frame->points.push_back({track->hull[2 * i], track->hull[2 * i + 1]});
    }
    object->track3d = Add(to, &frame->tracks3d);
  }
  if (from.findings != nullptr) {
    const Findings findings = ReadFindings(*from.findings, frame);
    object->findings = Add(findings, &frame->findings);
  }
}

void ReadAnalysis(const DsmsgFrame& from, Frame* frame) {
  frame->source_name = View(from.source_name);
  frame->source_sensor = View(from.source_sensor);
  if (from.segmentation != nullptr) {
    frame->segmentation = ReadSegmentation(*from.segmentation, frame);
  }
  Converted(from.counts, from.count_count, &frame->counts, [](const DsmsgCount& count) {
    return Count{Checked(count.kind, CountKind::kLineTotal), View(count.name), count.value};
  });
  Converted(from.sources, from.source_count, &frame->sources, [](const DsmsgSourceTime& source) {
    return SourceTime{View(source.id), source.time_ns};
  });
}

}  // namespace dsmsg::msgconv
