// SPDX-License-Identifier: Apache-2.0
// Converter: the full form.
#include <algorithm>
#include <charconv>

#include "msgconv/converter.h"
#include "msgconv/json_parts.h"
#include "msgconv/space_members.h"

namespace dsmsg::msgconv {
namespace {

// Keys of "object": a class with such a name must not become a second member with that key.
constexpr std::string_view kObjectKeys[] = {
    "id",          "speed",   "direction",   "orientation", "vehicle",   "person",
    "face",        "product", "bbox",        "location",    "signature", "pose",
    "embedding",   "gaze",    "maskoutline", "coordinate",  "poseType",  "actions",
    "lipActivity", "mask",    "bbox3d",      "SV3DT",       "zones",     "crowdedZones",
    "lines",       "heading", "state",       "evidence"};

// The number that a classifier wrote ("34"), or -1.
int WholeNumber(std::string_view text) {
  int number = -1;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 0 ? number : -1;
}

}  // namespace

void Converter::Full(const Frame& frame, const Object& object) {
  const Context& context = ContextOf(frame, object);
  const ObjectClass& object_class = ClassOf(object);
  Head(frame, object);
  out_.Raw(context.before[PlaceKindOf(object, object_class)]);
  if (!context.sensor.empty()) {
    out_.Raw(context.sensor);
  } else if (const std::string_view id = GivenSensorId(frame); !id.empty()) {
    out_.Raw(R"("sensor":{"id":)");
    out_.String(id);
    out_.Raw(R"(,"type":"","description":"")");
    if (!frame.source_name.empty()) {
      out_.Raw(R"(,"name":)");
      out_.String(frame.source_name);
    }
    out_.Raw("},");
  }
  out_.Raw(context.after);
  FullObject(frame, object, object_class);
  EventMember(&out_, &uuid_, object, true);
  out_.Raw(R"(,"videoPath":)");
  out_.String(VideoPathOf(frame, object));
  CountsMember(&out_, frame);
  FindingsMembers(&out_, &time_, frame, std::span(&object, 1));
  CustomMessagesMember(&out_, frame.Part(frame.texts, frame.custom_messages),
                       frame.Part(frame.texts, object.custom_messages));
  out_.Raw('}');
}

void Converter::FullObject(const Frame& frame, const Object& object,
                           const ObjectClass& object_class) {
  out_.Raw(R"("object":{)");
  ObjectId(object);
  MotionMembers(&out_, object);
  out_.Raw(',');
  if (object_class.kind == ClassKind::kOther) {
    OtherMember(frame, object);
  } else {
    SchemaMember(frame, object, object_class);
  }
  out_.Raw(',');
  BoxOf(frame, object);
  MaskMember(&out_, frame, object, ScaleOf(frame));
  SignatureMember(&out_, frame, object);
  LocationMember(&out_, object.location);
  CoordinateMember(&out_, object.coordinate);
  PoseMember(&out_, frame, object);
  EmbeddingMember(&out_, frame, object);
  PoseDetailMembers(&out_, frame, object);
  FaceMembers(&out_, object);
  if (IsExtended(object)) ExtendedMembers(&out_, frame, object, options_.embedding_filter);
  EvidenceMember(&out_, frame, object);
  if (HasSpace(object)) SpaceMembers(&out_, frame, object);
  out_.Raw("},");
}

void Converter::SchemaMember(const Frame& frame, const Object& object,
                             const ObjectClass& object_class) {
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  const ClassValues values = ValuesOf(object_class, object.label, attributes);
  out_.Raw('"');
  out_.Raw(object_class.member);
  out_.Raw("\":{");
  for (size_t i = 0; i < object_class.fields.size(); ++i) {
    const ClassField& field = object_class.fields[i];
    out_.Raw(i == 0 ? "\"" : ",\"");
    out_.Raw(field.name);
    out_.Raw("\":");
    const std::string_view value = field.number && values.text[i].empty() ? "0" : values.text[i];
    if (const int number = field.number ? WholeNumber(value) : -1; number >= 0) {
      out_.Number(number);
    } else {
      out_.String(value);
    }
  }
  if (object_class.has_confidence) {
    out_.Raw(',');
    Confidence(object);
  }
  // Classifier results outside the schema are kept rather than lost.
  uint64_t extra = values.extra;
  for (size_t i = 0; extra != 0; ++i, extra >>= 1) {
    if ((extra & 1) == 0 || SeenBefore(attributes, i) || attributes[i].name == "confidence")
      continue;
    out_.Raw(',');
    out_.String(attributes[i].name);
    out_.Raw(':');
    out_.String(attributes[i].value);
  }
  out_.Raw('}');
}

void Converter::OtherMember(const Frame& frame, const Object& object) {
  const std::string_view label = object.label.empty() ? "unknown" : object.label;
  const auto* const end = std::end(kObjectKeys);
  if (std::find(std::begin(kObjectKeys), end, label) != end) {
    scratch_.assign(label).push_back('_');
    out_.String(scratch_);
  } else {
    out_.String(label);
  }
  out_.Raw(":{");
  Confidence(object);
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (SeenBefore(attributes, i) || attributes[i].name == "confidence") continue;
    out_.Raw(',');
    out_.String(attributes[i].name);
    out_.Raw(':');
    out_.String(attributes[i].value);
  }
  out_.Raw('}');
}

}  // namespace dsmsg::msgconv
