// SPDX-License-Identifier: Apache-2.0
// From the C structures to the model.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "msgconv/frame_read.h"

namespace dsmsg::msgconv {
namespace {

// What version 1 has: the minimum that can be read. What versions 2 and 3 have.
constexpr uint32_t kFrameSize1 = 96, kObjectSize1 = 320;
constexpr uint32_t kFrameSize2 = 104;
constexpr uint32_t kFrameSize3 = 152, kObjectSize3 = 408;
static_assert(offsetof(DsmsgFrame, dialect) == kFrameSize1 &&
              offsetof(DsmsgFrame, source_name) == kFrameSize2 &&
              sizeof(DsmsgFrame) == kFrameSize3);
static_assert(offsetof(DsmsgObject, rotation) == kObjectSize1 &&
              sizeof(DsmsgObject) == kObjectSize3);

Status Error(const std::string& what) { return {Code::kInvalidArgument, what}; }

Status Check(const DsmsgFrame& from) {
  if (from.magic != DSMSG_FRAME_MAGIC) {
    return Error("metadata_info is not a DsmsgFrame (dsmsg_frame.h)");
  }
  if (from.version < 1 || from.size < kFrameSize1) {
    return Error("DsmsgFrame says version " + std::to_string(from.version) + " and size " +
                 std::to_string(from.size) + ": set them to DSMSG_FRAME_VERSION and " +
                 "sizeof(DsmsgFrame), at least " + std::to_string(kFrameSize1));
  }
  if (from.object_count > 0 && from.object_size < kObjectSize1) {
    return Error("DsmsgFrame says object_size " + std::to_string(from.object_size) +
                 ": set it to sizeof(DsmsgObject), at least " + std::to_string(kObjectSize1));
  }
  if (from.object_count > 0 && from.objects == nullptr) {
    return Error("DsmsgFrame says " + std::to_string(from.object_count) +
                 " objects, but its list of objects is NULL");
  }
  return {};
}

Keypoint ToKeypoint(const DsmsgKeypoint& from) {
  Keypoint keypoint{View(from.name), {from.x, from.y, from.z}, from.confidence, {}};
  if (from.has_rotation != 0) {
    keypoint.quaternion.emplace();
    std::copy_n(from.rotation, keypoint.quaternion->size(), keypoint.quaternion->begin());
  }
  return keypoint;
}

int32_t Group(uint32_t group) {
  return group == 0 || group > INT32_MAX ? kSourceGroup : static_cast<int32_t>(group - 1);
}

void ReadOutlines(const DsmsgObject& from, Frame* frame, Object* object) {
  if (from.outlines == nullptr) return;
  object->outlines = {static_cast<uint32_t>(frame->outlines.size()), from.outline_count};
  for (uint32_t i = 0; i < from.outline_count; ++i) {
    const DsmsgPolygon& polygon = from.outlines[i];
    Range outline{static_cast<uint32_t>(frame->points.size()),
                  polygon.points == nullptr ? 0 : polygon.point_count};
    for (size_t point = 0; point < outline.count; ++point) {
      frame->points.push_back({polygon.points[2 * point], polygon.points[2 * point + 1]});
    }
    frame->outlines.push_back(outline);
  }
}

void ReadValues(const DsmsgObject& from, Object* object) {
  if ((from.present & DSMSG_HAS_ID) != 0) object->id = from.id;
  if ((from.present & DSMSG_HAS_LABEL_ID) != 0) object->label_id = from.label_id;
  if ((from.present & DSMSG_HAS_CONFIDENCE) != 0) object->confidence = from.confidence;
  const auto triple = [](const double(&values)[3]) {
    return Triple{values[0], values[1], values[2]};
  };
  if ((from.present & DSMSG_HAS_LOCATION) != 0) object->location = triple(from.location);
  if ((from.present & DSMSG_HAS_COORDINATE) != 0) object->coordinate = triple(from.coordinate);
  if ((from.present & DSMSG_HAS_GAZE) != 0) {
    object->gaze = {from.gaze[0], from.gaze[1], from.gaze[2], from.gaze[3], from.gaze[4]};
  }
  object->is_event = (from.present & DSMSG_IS_EVENT) != 0;
  object->classified = (from.present & DSMSG_IS_CLASSIFIED) != 0;
  object->kind = Checked(from.kind, ObjectKind::kOther);
  object->event = Checked(from.event, EventType::kReset);
  if (from.component_id != 0) object->component_id = from.component_id;
  object->box = {from.left, from.top, from.width, from.height};
  object->speed = from.speed;
  object->direction = from.direction;
  object->orientation = from.orientation;
  object->id_text = View(from.id_text);
  object->label = View(from.label);
  object->pose_type = View(from.pose_type);
  object->lip_activity = View(from.lip_activity);
  object->event_id = View(from.event_id);
  object->event_type = View(from.event_type);
  object->timestamp = View(from.timestamp);
  object->video_path = View(from.video_path);
  object->sensor_group = Group(from.sensor_group);
  object->place_group = Group(from.place_group);
  object->analytics_group = Group(from.analytics_group);
}

void ReadObject(const DsmsgObject& from, bool extended, Frame* frame) {
  Object object;
  ReadValues(from, &object);
  const Range attributes =
      Converted(from.attributes, from.attribute_count, &frame->attributes, ToAttribute);
  object.first_attribute = attributes.first;
  object.attribute_count = attributes.count;
  object.embedding_info =
      Converted(from.embedding_info, from.embedding_info_count, &frame->attributes, ToAttribute);
  ReadOutlines(from, frame, &object);
  object.signature = Append<double>(from.signature, from.signature_count, &frame->signatures);
  object.embedding = Append<float>(from.embedding, from.embedding_count, &frame->numbers);
  object.directions = Append<float>(from.directions, from.direction_count, &frame->numbers);
  object.keypoints = Converted(from.keypoints, from.keypoint_count, &frame->keypoints, ToKeypoint);
  object.actions =
      Converted(from.actions, from.action_count, &frame->actions, [](const DsmsgAction& action) {
        return Action{View(action.type), action.confidence};
      });
  object.custom_messages =
      Converted(from.custom_messages, from.custom_message_count, &frame->texts, View);
  if (extended) ReadExtended(from, frame, &object);
  frame->objects.push_back(object);
}

}  // namespace

std::optional<Dialect> DialectOf(const DsmsgFrame& frame) {
  if (frame.size < kFrameSize2) return std::nullopt;
  if (frame.dialect == DSMSG_DIALECT_DSMSG) return Dialect::kDsmsg;
  if (frame.dialect == DSMSG_DIALECT_DEEPSTREAM) return Dialect::kDeepStream;
  return std::nullopt;
}

Status ReadFrame(const DsmsgFrame* from, Frame* frame) {
  if (Status status = Check(*from); !status.ok()) return status;
  frame->Clear();
  frame->source_id = from->source_id;
  frame->number = from->number;
  frame->time_ns = from->time_ns;
  frame->width = from->width;
  frame->height = from->height;
  frame->source_width = from->source_width;
  frame->source_height = from->source_height;
  frame->sensor_id = View(from->sensor_id);
  frame->video_path = View(from->video_path);
  frame->custom_messages =
      Converted(from->custom_messages, from->custom_message_count, &frame->texts, View);
  for (uint32_t i = 0; i < from->object_count; ++i) {
    ReadObject(*DSMSG_FRAME_OBJECT(from, i), from->object_size >= kObjectSize3, frame);
  }
  if (from->size >= kFrameSize3) ReadAnalysis(*from, frame);
  return {};
}

}  // namespace dsmsg::msgconv
