// SPDX-License-Identifier: Apache-2.0
// DeepStreamConverter: payload type 2.
#include "msgconv/deepstream_converter.h"
#include "msgconv/model_parts.h"
#include "msgconv/protobuf_parts.h"
#include "msgconv/space_members.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {
namespace {

using protobuf::Corners;
using protobuf::Element;
using protobuf::Embedding;
using protobuf::ExtendedBox;
using protobuf::ExtendedFrame;
using protobuf::ExtendedObject;
using protobuf::Float;
using protobuf::Joint;
using protobuf::Map;
using protobuf::MapEntry;
using protobuf::NumberText;
using protobuf::pbf_writer;
using protobuf::Text;
using protobuf::TrackInfo;
using protobuf::VisibilityInfo;

void PoseField(pbf_writer* out, const Frame& frame, const Object& object) {
  const auto joints = frame.Part(frame.keypoints, object.keypoints);
  if (joints.empty() || object.pose_type.empty()) return;
  pbf_writer pose(*out, 7);
  Text(&pose, 1, object.pose_type);
  for (const Keypoint& joint : joints) {
    Joint(&pose, joint, Scale(), IsFlat(object.pose_type));
  }
}

void EventFields(pbf_writer* out, const Frame& frame, const Object& object,
                 const EventMeta& event) {
  const std::optional<ClassKind> kind = KindOf(event);
  if (kind && event.has_ext) {
    const ObjectClass& object_class = ClassOf(*kind);
    const auto fields = FieldsOf(frame, object, event, object_class);
    for (size_t i = 0; i < object_class.fields.size(); ++i) {
      MapEntry(out, 5, object_class.fields[i].name, fields[i].text);
    }
  }
  VisibilityInfo(out, event.visibility);
  TrackInfo(out, frame, object);
  Embedding(out, 6, frame.Part(frame.numbers, object.embedding), {});
  if (kind == ClassKind::kPerson && event.has_ext) PoseField(out, frame, object);
}

void ObjectFields(pbf_writer* out, const std::string& buffer, const Frame& frame,
                  const Object& object, std::string_view embedding_filter) {
  const bool in_space = IsInSpace(object), is_event = object.is_event && !in_space;
  const EventMeta event = is_event ? EventMetaOf(frame, object) : EventMeta();
  if (object.id_text.empty()) {
    NumberText(out, 1, object.id.value_or(UINT64_MAX));
  } else {
    Text(out, 1, object.id_text);
  }
  Element(out, buffer, 2, [&](pbf_writer* bbox) {
    Corners(bbox, object.box);
    ExtendedBox(bbox, frame, object);
  });
  Text(out, 3, is_event ? TypeName(event) : object.label);
  Float(out, 4, is_event ? static_cast<float>(event.confidence) : object.confidence.value_or(0.0F));
  if (in_space) Map(out, 5, frame.AttributesOf(object));
  if (is_event) EventFields(out, frame, object, event);
  protobuf::EvidenceInfo(out, frame, object);
  ExtendedObject(out, frame, object, embedding_filter);
  if (HasSpace(object)) SpaceInfo(out, frame, object, Scale());
}

}  // namespace

std::string_view DeepStreamConverter::Protobuf(const Frame& frame) {
  const Object* const first = frame.objects.empty() ? nullptr : &frame.objects.front();
  protobuf_.clear();
  pbf_writer out(protobuf_);
  protobuf::Text(&out, 1, "4.0");
  if (first != nullptr && first->is_event) {
    NumberText(&out, 2, int64_t{EventMetaOf(frame, *first).frame_id});
  } else {
    NumberText(&out, 2, frame.number);
  }
  if (const std::string_view time = Time(frame, first); time.data() != nullptr) {
    protobuf::Time(&out, 3, ParseTime(time).value_or(frame.time_ns));
  }
  protobuf::Text(&out, 4, SensorId(frame, first));
  for (const Object& object : frame.objects) {
    if (object.is_event && EventMetaOf(frame, object).object_type == kObjectDummy) continue;
    Element(&out, protobuf_, 5, [&](pbf_writer* element) {
      ObjectFields(element, protobuf_, frame, object, options_.embedding_filter);
    });
  }
  ExtendedFrame(&out, protobuf_, frame);
  return protobuf_;
}

}  // namespace dsmsg::msgconv
