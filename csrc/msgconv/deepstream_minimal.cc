// SPDX-License-Identifier: Apache-2.0
// DeepStreamConverter: payload type 1.
#include <iterator>

#include "msgconv/deepstream_converter.h"
#include "msgconv/json_parts.h"
#include "msgconv/model_parts.h"
#include "msgconv/text_parts.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {
namespace {

void AppendId(std::string* out, const Object& object) {
  if (object.id_text.empty()) {
    AppendWhole(out, object.id.value_or(UINT64_MAX));
  } else {
    AppendField(out, object.id_text);
  }
}

}  // namespace

void DeepStreamConverter::Minimal(const Frame& frame) {
  const Object* const first = frame.objects.empty() ? nullptr : &frame.objects.front();
  out_.Raw(R"({"version":"4.0","id":")");
  if (first != nullptr && first->is_event) {
    out_.Number(EventMetaOf(frame, *first).frame_id);
  } else {
    out_.Number(frame.number);
  }
  out_.Raw(R"(","@timestamp":)");
  const std::string_view time = Time(frame, first);
  time.data() == nullptr ? out_.Raw("null") : out_.String(time);
  out_.Raw(R"(,"sensorId":)");
  out_.String(SensorId(frame, first));
  bool events = frame.only_events;
  for (const Object& object : frame.objects) {
    out_.Raw(&object == first ? R"(,"objects":[)" : ",");
    text_.clear();
    if (object.is_event) {
      EventText(frame, object, EventMetaOf(frame, object));
    } else {
      DetectedText(frame, object);
    }
    out_.String(text_);
    events = events || object.event_meta.count > 0;
  }
  out_.Raw(first == nullptr ? R"(,"objects":[])" : "]");
  MasksMember(frame);
  EvidenceListMember(&out_, frame, frame.objects);
  if (!events) {
    CustomMessagesMember(&out_, frame.Part(frame.texts, frame.custom_messages), {});
  }
  out_.Raw('}');
}

void DeepStreamConverter::BoxText(const Object& object) {
  AppendId(&text_, object);
  const Box& box = object.box;
  for (const float edge : {box.left, box.top, box.left + box.width, box.top + box.height}) {
    text_.push_back('|');
    AppendShort(&text_, static_cast<double>(edge));
  }
  text_.push_back('|');
}

void DeepStreamConverter::DetectedText(const Frame& frame, const Object& object) {
  BoxText(object);
  AppendField(&text_, object.label);
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  if (attributes.empty() && !object.classified) return;
  text_.append("|#");
  // DeepStream lists the last one first.
  for (auto attribute = attributes.rbegin(); attribute != attributes.rend(); ++attribute) {
    text_.push_back('|');
    AppendField(&text_, attribute->value);
  }
  text_.push_back('|');
  AppendShort(&text_, static_cast<double>(object.confidence.value_or(0.0F)));
}

void DeepStreamConverter::EventText(const Frame& frame, const Object& object,
                                    const EventMeta& event) {
  if (event.object_type != kObjectDummy) {
    BoxText(object);
    AppendField(&text_, TypeName(event));
    if (event.has_ext) {
      ClassText(frame, object, event);
    } else {
      text_.append("|#||||||");
    }
    text_.push_back('|');
    AppendShort(&text_, event.confidence);
  }
  const auto embedding = frame.Part(frame.numbers, object.embedding);
  for (size_t i = 0; i < embedding.size(); ++i) {
    text_.append(i == 0 ? "|#|embedding|" : ",");
    AppendShort(&text_, static_cast<double>(embedding[i]));
  }
  if (!embedding.empty()) text_.push_back('|');
  TrackText(frame, object);
}

void DeepStreamConverter::ClassText(const Frame& frame, const Object& object,
                                    const EventMeta& event) {
  const std::optional<ClassKind> kind = KindOf(event);
  if (!kind) return;
  const ObjectClass& object_class = ClassOf(*kind);
  const auto fields = FieldsOf(frame, object, event, object_class);
  text_.append("|#");
  for (const uint8_t field : object_class.delimited) {
    // DeepStream leaves a place free before the color of the eyes.
    if (object_class.fields[field].name == "eyecolor") text_.push_back('|');
    text_.push_back('|');
    AppendField(&text_, fields[field].text);
  }
  if (event.object_type == NVDS_OBJECT_TYPE_PERSON) PoseText(frame, object);
}

void DeepStreamConverter::PoseText(const Frame& frame, const Object& object) {
  const auto joints = frame.Part(frame.keypoints, object.keypoints);
  if (joints.empty() || object.pose_type.empty()) return;
  text_.append("|#|").append(object.pose_type).push_back('|');
  for (const Keypoint& joint : joints) {
    AppendField(&text_, joint.name);
    for (size_t i = 0; i < (IsFlat(object.pose_type) ? 2U : 3U); ++i) {
      text_.push_back(',');
      AppendFixed(&text_, joint.position[i]);
    }
    text_.push_back(',');
    AppendFixed(&text_, static_cast<double>(joint.confidence));
    text_.push_back('|');
  }
}

void DeepStreamConverter::TrackText(const Frame& frame, const Object& object) {
  if (object.track3d.count == 0) return;
  const Track3d& track = frame.tracks3d[object.track3d.first];
  text_.append("#|SV3DT|");
  AppendFixed(&text_, static_cast<double>(track.visibility));
  text_.push_back('|');
  AppendPair(&text_, track.feet.x, track.feet.y);
  text_.push_back('|');
  AppendPair(&text_, track.ground.x, track.ground.y);
  text_.push_back('|');
  AppendHull(&text_, frame, track);
  text_.push_back('|');
}

void DeepStreamConverter::MasksMember(const Frame& frame) {
  bool first = true;
  for (const Object& object : frame.objects) {
    if (!object.is_event || object.outlines.count == 0) continue;
    if (!HasMask(EventMetaOf(frame, object))) continue;
    text_.clear();
    AppendId(&text_, object);
    text_.push_back('|');
    AppendWhole(&text_, object.outlines.count);
    bool first_outline = true;
    for (const Range outline : frame.Part(frame.outlines, object.outlines)) {
      if (!first_outline) text_.append("|#");
      first_outline = false;
      for (const Point& point : frame.Part(frame.points, outline)) {
        for (const float value : {point.x, point.y}) {
          text_.push_back('|');
          AppendShort(&text_, static_cast<double>(value));
        }
      }
    }
    out_.Raw(first ? R"(,"masks":[)" : ",");
    first = false;
    out_.String(text_);
  }
  if (!first) out_.Raw(']');
}

}  // namespace dsmsg::msgconv
