// SPDX-License-Identifier: Apache-2.0
// Converter: the two minimal forms.
#include "msgconv/converter.h"
#include "msgconv/json_parts.h"
#include "msgconv/space_members.h"
#include "msgconv/text_parts.h"

namespace dsmsg::msgconv {

void Converter::Minimal(const Frame& frame, size_t first, size_t last) {
  const Object none;  // of a frame without objects, which dummy payloads are made of
  const Object& head = first < last ? frame.objects[first] : none;
  ContextOf(frame, head);  // writes to out_ the first time
  Head(frame, head);
  out_.Raw(R"("sensorId":)");
  SensorId(frame, head);
  out_.Raw(R"(,"objects":[)");
  for (size_t i = first; i < last; ++i) {
    if (i > first) out_.Raw(',');
    MinimalObject(frame, frame.objects[i]);
  }
  out_.Raw(']');
  CountsMember(&out_, frame);
  if (frame.segmentation) SegmentationMember(&out_, frame, *frame.segmentation);
  FindingsMembers(&out_, &time_, frame, std::span(frame.objects).subspan(first, last - first));
  out_.Raw('}');
}

void Converter::MinimalObject(const Frame& frame, const Object& object) {
  out_.Raw('{');
  ObjectId(object);
  out_.Raw(R"(,"type":)");
  out_.String(object.label);
  out_.Raw(',');
  Confidence(object);
  out_.Raw(',');
  BoxOf(frame, object);
  TableMember(&out_, R"(,"attributes":)", frame.AttributesOf(object));
  if (IsExtended(object)) ExtendedMembers(&out_, frame, object, options_.embedding_filter);
  EvidenceMember(&out_, frame, object);
  if (HasSpace(object)) SpaceMembers(&out_, frame, object);
  out_.Raw('}');
}

void Converter::Delimited(const Frame& frame, size_t first, size_t last) {
  const Object none;  // of a frame without objects, which dummy payloads are made of
  const Object& head = first < last ? frame.objects[first] : none;
  ContextOf(frame, head);  // writes to out_ the first time
  out_.Clear();
  out_.Raw(R"({"version":"4.0","id":")");
  out_.Number(frame.number);
  out_.Raw(R"(","@timestamp":)");
  out_.String(head.timestamp.empty() ? time_.Format(frame.time_ns) : head.timestamp);
  out_.Raw(R"(,"sensorId":)");
  SensorId(frame, head);
  out_.Raw(R"(,"objects":[)");
  for (size_t i = first; i < last; ++i) {
    if (i > first) out_.Raw(',');
    DelimitedObject(frame, frame.objects[i]);
  }
  out_.Raw(']');
  EvidenceListMember(&out_, frame, std::span(frame.objects).subspan(first, last - first));
  out_.Raw('}');
}

void Converter::DelimitedObject(const Frame& frame, const Object& object) {
  scratch_.clear();
  JsonWriter& number = delimited_number_;
  const auto add_number = [&](auto value) {
    number.Clear();
    number.Number(value);
    scratch_.append(number.view());
  };
  if (!object.id_text.empty()) {
    AppendField(&scratch_, object.id_text);
  } else if (object.id) {
    add_number(*object.id);
  }
  const Box box = ScaledBox(frame, object);
  for (const float edge : {box.left, box.top, box.left + box.width, box.top + box.height}) {
    scratch_.push_back('|');
    add_number(edge);
  }
  scratch_.push_back('|');
  AppendField(&scratch_, object.label);

  const ObjectClass& object_class = ClassOf(object);
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  if (object_class.kind != ClassKind::kOther || !attributes.empty()) {
    scratch_.append("|#");
    if (object_class.kind == ClassKind::kOther) {
      for (const Attribute& attribute : attributes) {
        scratch_.push_back('|');
        AppendField(&scratch_, attribute.value);
      }
    } else {
      const ClassValues values = ValuesOf(object_class, object.label, attributes);
      for (const uint8_t field : object_class.delimited) {
        scratch_.push_back('|');
        AppendField(&scratch_, values.text[field]);
      }
    }
    scratch_.push_back('|');
    add_number(KnownConfidence(object));
  }
  out_.String(scratch_);
}

}  // namespace dsmsg::msgconv
