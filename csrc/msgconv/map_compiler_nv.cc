// SPDX-License-Identifier: Apache-2.0
// MapCompiler: whether what a map says fits the messages of nv.proto.
#include <charconv>
#include <vector>

#include "msgconv/map_compiler.h"

namespace dsmsg::msgconv {
namespace {

using Kind = Map::Element::Kind;

bool IsNumber(NvType type) {
  return type == NvType::kFloat || type == NvType::kDouble || type == NvType::kInt32;
}

std::string WhatItIs(const NvField& field) {
  const std::string list = field.repeated ? "a list of " : "";
  switch (field.type) {
    case NvType::kString:
      return field.repeated ? list + "texts" : "a text";
    case NvType::kTime:
      return "a time";
    case NvType::kMap:
      return "a table of names and texts";
    case NvType::kMessage:
      return (field.repeated ? list : "a ") + std::string(field.message->name);
    default:
      return field.repeated ? list + "numbers" : "a number";
  }
}

[[noreturn]] void Mismatch(const yaml_node_t& node, const NvField& field, std::string_view is) {
  std::string text = std::string(field.name) + " is " + WhatItIs(field) + ", and this is ";
  text.append(is);
  if (field.type == NvType::kString && !field.repeated) text += " (| text makes one of it)";
  YamlFail(node, text);
}

/// What an expression must be.
MapType TypeOf(const NvField& field) {
  if (field.type == NvType::kString) return field.repeated ? MapType::kTexts : MapType::kText;
  if (field.type == NvType::kTime) return MapType::kTime;
  if (field.type == NvType::kMap) return MapType::kTable;
  return field.repeated ? MapType::kNumbers : MapType::kNumber;
}

}  // namespace

const NvField& MapCompiler::FieldNamed(const NvMessage& message, const Node& key) const {
  std::vector<std::string_view> names;
  for (const NvField& field : message.fields) {
    if (field.name == YamlText(key)) return field;
    names.push_back(field.name);
  }
  YamlFail(key, std::string(message.name) +
                    " has no such field: " + UnknownYamlName(YamlText(key), names));
}

void MapCompiler::CheckShape(const Node& node, const NvField& field) {
  const bool mapping =
      !field.repeated && (field.type == NvType::kMessage || field.type == NvType::kMap);
  if (!mapping) Mismatch(node, field, "names and values");
}

void MapCompiler::CheckField(const Node& node, Element* element, const NvField& field) const {
  if (element->kind == Kind::kConstant) return CheckConstant(node, element, field);
  if (field.type == NvType::kMessage) Mismatch(node, field, "a single value");
  if (element->kind == Kind::kTemplate) {
    if (TypeOf(field) != MapType::kText) Mismatch(node, field, "a text");
    return;
  }
  const MapType type = element->value.type();
  // A value whose type only the metadata tells: a number becomes a text where one is needed.
  const bool any = type == MapType::kAny && !field.repeated &&
                   (field.type == NvType::kString || IsNumber(field.type));
  if (!any && type != TypeOf(field)) Mismatch(node, field, NameOf(type));
}

void MapCompiler::CheckConstant(const Node& node, Element* element, const NvField& field) const {
  const bool text = element->json.starts_with('"');
  if (field.repeated || (field.type != NvType::kString && !IsNumber(field.type)))
    Mismatch(node, field, "a single value");
  if (text != (field.type == NvType::kString))
    Mismatch(node, field, text ? "a text" : element->json + " without quotes");
  if (text) return;
  const char* const end = element->json.data() + element->json.size();
  const auto [last, error] = std::from_chars(element->json.data(), end, element->number);
  if (error != std::errc() || last != end) Mismatch(node, field, element->json);
}

}  // namespace dsmsg::msgconv
