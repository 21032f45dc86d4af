// SPDX-License-Identifier: Apache-2.0
// From the model to the C structures.
#include <algorithm>

#include "msgconv/frame_c.h"

namespace dsmsg::msgconv {
namespace {

uint32_t Group(int32_t group) { return group < 0 ? 0 : static_cast<uint32_t>(group) + 1; }

void FillValues(const Object& object, DsmsgObject* out) {
  const auto has = [out](bool there, uint32_t bit) {
    if (there) out->present |= bit;
    return there;
  };
  if (has(object.id.has_value(), DSMSG_HAS_ID)) out->id = *object.id;
  if (has(object.label_id.has_value(), DSMSG_HAS_LABEL_ID)) out->label_id = *object.label_id;
  if (has(object.confidence.has_value(), DSMSG_HAS_CONFIDENCE)) {
    out->confidence = *object.confidence;
  }
  if (has(object.location.has_value(), DSMSG_HAS_LOCATION)) {
    std::copy_n(object.location->begin(), 3, out->location);
  }
  if (has(object.coordinate.has_value(), DSMSG_HAS_COORDINATE)) {
    std::copy_n(object.coordinate->begin(), 3, out->coordinate);
  }
  if (has(object.gaze.has_value(), DSMSG_HAS_GAZE)) {
    const Gaze& gaze = *object.gaze;
    const float values[] = {gaze.x, gaze.y, gaze.z, gaze.theta, gaze.phi};
    std::copy_n(values, 5, out->gaze);
  }
  has(object.is_event, DSMSG_IS_EVENT);
  has(object.classified, DSMSG_IS_CLASSIFIED);
  out->kind = static_cast<uint32_t>(object.kind);
  out->event = static_cast<uint32_t>(object.event);
  out->component_id = object.component_id == kAnyComponent ? 0 : object.component_id;
  out->left = object.box.left;
  out->top = object.box.top;
  out->width = object.box.width;
  out->height = object.box.height;
  out->speed = object.speed;
  out->direction = object.direction;
  out->orientation = object.orientation;
  out->sensor_group = Group(object.sensor_group);
  out->place_group = Group(object.place_group);
  out->analytics_group = Group(object.analytics_group);
}

}  // namespace

const DsmsgAttribute* FrameExport::Attributes(std::span<const Attribute> attributes) {
  auto* const out = arena_.Make<DsmsgAttribute>(attributes.size());
  for (size_t i = 0; i < attributes.size(); ++i) {
    out[i].name = arena_.Text(attributes[i].name);
    out[i].value = arena_.Text(attributes[i].value);
    out[i].confidence = attributes[i].confidence.value_or(-1.0F);
    out[i].made_up = attributes[i].made_up ? 1 : 0;
  }
  return out;
}

const char* const* FrameExport::Texts(std::span<const std::string_view> texts) {
  auto** const out = arena_.Make<const char*>(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) out[i] = arena_.Text(texts[i]);
  return out;
}

void FrameExport::Outlines(const Frame& frame, const Object& object, DsmsgObject* out) {
  static_assert(sizeof(Point) == 2 * sizeof(float));
  const auto outlines = frame.Part(frame.outlines, object.outlines);
  auto* const polygons = arena_.Make<DsmsgPolygon>(outlines.size());
  for (size_t i = 0; i < outlines.size(); ++i) {
    polygons[i].points = reinterpret_cast<const float*>(frame.points.data() + outlines[i].first);
    polygons[i].point_count = outlines[i].count;
  }
  out->outlines = polygons;
  out->outline_count = object.outlines.count;
}

void FrameExport::Pose(const Frame& frame, const Object& object, DsmsgObject* out) {
  const auto keypoints = frame.Part(frame.keypoints, object.keypoints);
  auto* const joints = arena_.Make<DsmsgKeypoint>(keypoints.size());
  for (size_t i = 0; i < keypoints.size(); ++i) {
    const Keypoint& from = keypoints[i];
    joints[i].name = arena_.Text(from.name);
    joints[i].x = from.position[0];
    joints[i].y = from.position[1];
    joints[i].z = from.position[2];
    joints[i].confidence = from.confidence;
    joints[i].has_rotation = from.quaternion ? 1 : 0;
    if (from.quaternion) std::copy_n(from.quaternion->begin(), 4, joints[i].rotation);
  }
  out->keypoints = joints;
  out->keypoint_count = object.keypoints.count;
  const auto actions = frame.Part(frame.actions, object.actions);
  auto* const done = arena_.Make<DsmsgAction>(actions.size());
  for (size_t i = 0; i < actions.size(); ++i) {
    done[i].type = arena_.Text(actions[i].type);
    done[i].confidence = actions[i].confidence;
  }
  out->actions = done;
  out->action_count = object.actions.count;
  out->pose_type = arena_.Text(object.pose_type);
}

void FrameExport::Fill(const Frame& frame, const Object& object, DsmsgObject* out) {
  FillValues(object, out);
  out->id_text = arena_.Text(object.id_text);
  out->label = arena_.Text(object.label);
  out->attributes = Attributes(frame.AttributesOf(object));
  out->attribute_count = object.attribute_count;
  Outlines(frame, object, out);
  out->signature = frame.Part(frame.signatures, object.signature).data();
  out->signature_count = object.signature.count;
  out->embedding = frame.Part(frame.numbers, object.embedding).data();
  out->embedding_count = object.embedding.count;
  out->embedding_info = Attributes(frame.Part(frame.attributes, object.embedding_info));
  out->embedding_info_count = object.embedding_info.count;
  out->directions = frame.Part(frame.numbers, object.directions).data();
  out->direction_count = object.directions.count;
  Pose(frame, object, out);
  out->custom_messages = Texts(frame.Part(frame.texts, object.custom_messages));
  out->custom_message_count = object.custom_messages.count;
  out->lip_activity = arena_.Text(object.lip_activity);
  out->event_id = arena_.Text(object.event_id);
  out->event_type = arena_.Text(object.event_type);
  out->timestamp = arena_.Text(object.timestamp);
  out->video_path = arena_.Text(object.video_path);
  Extended(frame, object, out);
}

const DsmsgFrame* FrameExport::Make(const Frame& frame) {
  arena_.Clear();
  frame_ = {};
  frame_.magic = DSMSG_FRAME_MAGIC;
  frame_.version = DSMSG_FRAME_VERSION;
  frame_.size = sizeof(DsmsgFrame);
  frame_.object_size = sizeof(DsmsgObject);
  frame_.object_count = static_cast<uint32_t>(frame.objects.size());
  frame_.number = frame.number;
  frame_.time_ns = frame.time_ns;
  frame_.source_id = frame.source_id;
  frame_.width = frame.width;
  frame_.height = frame.height;
  frame_.source_width = frame.source_width;
  frame_.source_height = frame.source_height;
  frame_.custom_messages = Texts(frame.Part(frame.texts, frame.custom_messages));
  frame_.custom_message_count = frame.custom_messages.count;
  frame_.sensor_id = arena_.Text(frame.sensor_id);
  frame_.video_path = arena_.Text(frame.video_path);
  Analysis(frame);
  auto* const objects = arena_.Make<DsmsgObject>(frame.objects.size());
  for (size_t i = 0; i < frame.objects.size(); ++i) Fill(frame, frame.objects[i], &objects[i]);
  frame_.objects = objects;
  frame_.dialect = dialect_ == Dialect::kDsmsg ? DSMSG_DIALECT_DSMSG : DSMSG_DIALECT_DEEPSTREAM;
  return &frame_;
}

}  // namespace dsmsg::msgconv
