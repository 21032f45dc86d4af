// SPDX-License-Identifier: Apache-2.0
// Converter: what both forms share, and the full form.
#include "msgconv/converter.h"

#include <algorithm>
#include <charconv>

#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {
namespace {

// Keys of "object": a class of such a name must not be a second member of it.
constexpr std::string_view kObjectKeys[] = {"id",        "speed",    "direction",   "orientation",
                                            "vehicle",   "person",   "face",        "product",
                                            "bbox",      "location", "signature",   "pose",
                                            "embedding", "gaze",     "maskoutline", "coordinate"};

constexpr std::string_view EventName(EventType event) {
  switch (event) {
    case EventType::kEntry:
      return "entry";
    case EventType::kExit:
      return "exit";
    case EventType::kMoving:
      return "moving";
    case EventType::kStopped:
      return "stopped";
    case EventType::kParked:
      return "parked";
    case EventType::kEmpty:
      return "empty";
    case EventType::kReset:
      return "reset";
    case EventType::kNone:
      break;
  }
  return "";
}

// The number that a classifier wrote ("34"), or -1.
int WholeNumber(std::string_view text) {
  int number = -1;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 0 ? number : -1;
}

bool SeenBefore(std::span<const Attribute> attributes, size_t index) {
  const auto end = attributes.begin() + static_cast<std::ptrdiff_t>(index);
  return std::any_of(attributes.begin(), end,
                     [&](const Attribute& a) { return a.name == attributes[index].name; });
}

}  // namespace

uint32_t Converter::ComponentId(const Frame& frame, size_t index) const {
  if (frame.objects.empty()) return kAnyComponent;
  return frame.objects[index < frame.objects.size() ? index : 0].component_id;
}

size_t Converter::Count(const Frame& frame) {
  if (frame.objects.empty()) return 0;
  const bool each = options_.type == PayloadType::kFull || options_.one_per_object;
  return each ? frame.objects.size() : 1;
}

std::string_view Converter::Render(const Frame& frame, size_t index) {
  if (options_.type == PayloadType::kFull) {
    Full(frame, frame.objects[index]);
    return out_.view();
  }
  const size_t last = options_.one_per_object ? index + 1 : frame.objects.size();
  if (options_.format == MinimalFormat::kDelimited) {
    Delimited(frame, index, last);
  } else {
    Minimal(frame, index, last);
  }
  return out_.view();
}

void Converter::Uuid() {
  char* out = out_.Room(UuidGenerator::kLength);
  uuid_.Next(out);
  out_.Wrote(UuidGenerator::kLength);
}

void Converter::Head(const Frame& frame) {
  out_.Clear();
  out_.Raw(R"({"messageid":")");
  Uuid();
  out_.Raw(R"(","mdsversion":"1.0","@timestamp":")");
  out_.Raw(time_.Format(frame.time_ns));
  out_.Raw("\",");
}

void Converter::ObjectId(const Object& object) {
  out_.Raw(R"("id":")");
  if (object.id) out_.Number(*object.id);
  out_.Raw('"');
}

void Converter::Confidence(const Object& object) {
  out_.Raw(R"("confidence":)");
  out_.Number(object.confidence.value_or(0.0F));
}

Box Converter::ScaledBox(const Frame& frame, const Object& object) {
  Box box = object.box;
  if (frame.source_width > 0 && frame.width > 0) {
    const float x = static_cast<float>(frame.source_width) / static_cast<float>(frame.width);
    box.left *= x;
    box.width *= x;
  }
  if (frame.source_height > 0 && frame.height > 0) {
    const float y = static_cast<float>(frame.source_height) / static_cast<float>(frame.height);
    box.top *= y;
    box.height *= y;
  }
  return box;
}

void Converter::BoxOf(const Frame& frame, const Object& object) {
  const Box box = ScaledBox(frame, object);
  out_.Raw(R"("bbox":{"topleftx":)");
  out_.Number(box.left);
  out_.Raw(R"(,"toplefty":)");
  out_.Number(box.top);
  out_.Raw(R"(,"bottomrightx":)");
  out_.Number(box.left + box.width);
  out_.Raw(R"(,"bottomrighty":)");
  out_.Number(box.top + box.height);
  out_.Raw('}');
}

void Converter::Attributes(const Frame& frame, const Object& object) {
  const std::span<const Attribute> attributes = frame.AttributesOf(object);
  bool first = true;
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (SeenBefore(attributes, i)) continue;
    if (!first) out_.Raw(',');
    first = false;
    out_.String(attributes[i].name);
    out_.Raw(':');
    out_.String(attributes[i].value);
  }
}

void Converter::Full(const Frame& frame, const Object& object) {
  const SourceText& text = TextOf(frame.source_id);
  Head(frame);
  out_.Raw(text.context[PlaceKindOf(object.event)]);
  out_.Raw(R"("object":{)");
  ObjectId(object);
  out_.Raw(R"(,"speed":)");
  out_.Number(object.speed);
  out_.Raw(R"(,"direction":)");
  out_.Number(object.direction);
  out_.Raw(R"(,"orientation":)");
  out_.Number(object.orientation);
  out_.Raw(',');
  ClassMember(frame, object);
  out_.Raw(',');
  BoxOf(frame, object);
  LocationMember(&out_, object.location);
  CoordinateMember(&out_, object.coordinate);
  out_.Raw(R"(},"event":{"id":")");
  Uuid();
  out_.Raw(R"(","type":")");
  out_.Raw(EventName(object.event));
  out_.Raw(R"("},"videoPath":)");
  out_.String(frame.video_path);
  out_.Raw('}');
}

void Converter::ClassMember(const Frame& frame, const Object& object) {
  const ObjectClass& object_class = ClassOf(object.label);
  if (object_class.kind == ClassKind::kOther) {
    OtherMember(frame, object);
  } else {
    SchemaMember(frame, object, object_class);
  }
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
  // What a classifier found beyond the schema is kept rather than lost.
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
