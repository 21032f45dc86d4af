// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_protobuf.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace dsmsg::msgconv {
namespace {

using ElementKind = Map::Element::Kind;
using Kind = MapValue::Kind;
using protobuf::pbf_writer;

bool IsNumber(NvType type) {
  return type == NvType::kFloat || type == NvType::kDouble || type == NvType::kInt32;
}

int32_t AsInt32(double number) {
  constexpr double kMost = std::numeric_limits<int32_t>::max();
  if (!(std::abs(number) <= kMost)) return 0;
  return static_cast<int32_t>(number);
}

void AddNumber(pbf_writer* out, const NvField& field, double number) {
  if (field.type == NvType::kFloat) {
    out->add_float(field.number, static_cast<float>(number));
  } else if (field.type == NvType::kDouble) {
    out->add_double(field.number, number);
  } else {
    out->add_int32(field.number, AsInt32(number));
  }
}

/// Packed, whatever the lists of the model and of the message hold.
template <typename List>
void AddPacked(pbf_writer* out, const NvField& field, const List& list) {
  if (list.empty()) return;
  if (field.type == NvType::kFloat) {
    protozero::packed_field_float packed(*out, field.number);
    for (const auto each : list) packed.add_element(static_cast<float>(each));
  } else if (field.type == NvType::kDouble) {
    protozero::packed_field_double packed(*out, field.number);
    for (const auto each : list) packed.add_element(static_cast<double>(each));
  } else {
    protozero::packed_field_int32 packed(*out, field.number);
    for (const auto each : list) packed.add_element(AsInt32(static_cast<double>(each)));
  }
}

}  // namespace

std::string_view MapProtobuf::Message(const Map& map, const MapScope& scope) {
  out_.clear();
  Writer writer(out_);
  Members(&writer, map.message(), scope);
  return out_;
}

void MapProtobuf::Members(Writer* out, const Element& element, const MapScope& scope) {
  for (const Element::Member& member : element.members)
    Field(out, *member.field, member.element, scope, false);
}

void MapProtobuf::Field(Writer* out, const NvField& field, const Element& element,
                        const MapScope& scope, bool in_list) {
  switch (element.kind) {
    case ElementKind::kArray:
    case ElementKind::kEach:
      if (field.type == NvType::kFloat) {
        Pack<protozero::packed_field_float>(out, field, element, scope);
      } else if (field.type == NvType::kDouble) {
        Pack<protozero::packed_field_double>(out, field, element, scope);
      } else if (field.type == NvType::kInt32) {
        Pack<protozero::packed_field_int32>(out, field, element, scope);
      } else {
        Items(element, scope, [&](const Element& item, const MapScope& inner) {
          Field(out, field, item, inner, true);
        });
      }
      break;
    case ElementKind::kObject:
      if (!Holds(element.when, scope)) return;
      if (field.type == NvType::kMap) {
        Table(out, field, element, scope);
      } else {
        Nested(out, field, element, scope, in_list);
      }
      break;
    default:
      Single(out, field, element, scope, in_list);
  }
}

template <typename Do>
void MapProtobuf::Items(const Element& element, const MapScope& scope, const Do& with) {
  if (element.kind == ElementKind::kEach) {
    ForEachOf(element, scope, [&](const MapScope& inner) { with(element.items.front(), inner); });
    return;
  }
  for (const Element& item : element.items) with(item, scope);
}

template <typename Packed>
void MapProtobuf::Pack(Writer* out, const NvField& field, const Element& element,
                       const MapScope& scope) {
  Packed packed(*out, field.number);
  Items(element, scope, [&](const Element& item, const MapScope& inner) {
    double number = 0;
    if (!NumberOf(item, inner, &number)) return;
    if constexpr (std::is_same_v<Packed, protozero::packed_field_int32>) {
      packed.add_element(AsInt32(number));
    } else if constexpr (std::is_same_v<Packed, protozero::packed_field_float>) {
      packed.add_element(static_cast<float>(number));
    } else {
      packed.add_element(number);
    }
  });
}

void MapProtobuf::Nested(Writer* out, const NvField& field, const Element& element,
                         const MapScope& scope, bool in_list) {
  const auto members = [&](Writer* nested) { Members(nested, element, scope); };
  if (in_list) {
    protobuf::Element(out, out_, field.number, members);
    return;
  }
  Writer nested(*out, field.number);
  members(&nested);
}

void MapProtobuf::Table(Writer* out, const NvField& field, const Element& element,
                        const MapScope& scope) {
  for (const Element::Member& member : element.members) {
    std::string_view text;
    if (TextOf(member.element, scope, &text))
      protobuf::MapEntry(out, field.number, member.key, text);
  }
}

bool MapProtobuf::NumberOf(const Element& element, const MapScope& scope, double* number) {
  if (element.kind == ElementKind::kConstant) {
    *number = element.number;
    return true;
  }
  const MapValue value = element.value.Evaluate(scope);
  *number = value.AsDouble();
  return value.number();
}

bool MapProtobuf::TextOf(const Element& element, const MapScope& scope, std::string_view* text) {
  if (element.kind == ElementKind::kConstant) {
    *text = element.text;
    return true;
  }
  if (element.kind == ElementKind::kTemplate) {
    const std::string* const made = MapTemplate(element, scope);
    if (made != nullptr) *text = *made;
    return made != nullptr;
  }
  if (element.kind == ElementKind::kJsonText) {
    *text = json_.Part(element.items.front(), scope);
    return !text->empty();
  }
  const MapValue value = element.value.Evaluate(scope);
  if (value.kind == Kind::kText) {
    *text = value.text;
    return true;
  }
  text_.clear();
  const bool some = AppendMapText(value, &scope.scratch, &text_);
  *text = text_;
  return some;
}

void MapProtobuf::Single(Writer* out, const NvField& field, const Element& element,
                         const MapScope& scope, bool in_list) {
  if (field.type == NvType::kString && !field.repeated) {
    std::string_view text;
    if (!TextOf(element, scope, &text)) return;
    if (text.empty() && in_list) out->add_string(field.number, "", 0);
    protobuf::Text(out, field.number, text);
    return;
  }
  if (IsNumber(field.type) && !field.repeated) {
    double number = 0;
    if (NumberOf(element, scope, &number) && number != 0) AddNumber(out, field, number);
    return;
  }
  const MapValue value = element.value.Evaluate(scope);
  if (field.type == NvType::kTime) {
    if (value.kind == Kind::kTime) protobuf::Time(out, field.number, value.natural);
  } else if (field.type == NvType::kMap) {
    if (value.kind == Kind::kTable)
      protobuf::Map(out, field.number, Frame::Part(scope.frame.attributes, value.range));
  } else {
    List(out, field, value, scope.frame);
  }
}

void MapProtobuf::List(Writer* out, const NvField& field, const MapValue& value,
                       const Frame& frame) {
  switch (value.kind) {
    case Kind::kTexts:
      for (const std::string_view text : Frame::Part(frame.texts, value.range)) {
        if (text.empty()) out->add_string(field.number, "", 0);
        protobuf::Text(out, field.number, text);
      }
      break;
    case Kind::kFloats:
      return AddPacked(out, field, Frame::Part(frame.numbers, value.range));
    case Kind::kDoubles:
      return AddPacked(out, field, Frame::Part(frame.signatures, value.range));
    case Kind::kRuns:
      return AddPacked(out, field, Frame::Part(frame.runs, value.range));
    case Kind::kClasses:
      return AddPacked(out, field, Frame::Part(frame.classes, value.range));
    case Kind::kIds:
      return AddPacked(out, field, Frame::Part(frame.lost, value.range));
    default:
      break;
  }
}

}  // namespace dsmsg::msgconv
