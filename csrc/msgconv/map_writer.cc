// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_writer.h"

#include <array>
#include <utility>

namespace dsmsg::msgconv {
namespace {

using ElementKind = Map::Element::Kind;
using Kind = MapValue::Kind;

template <typename List, typename Each>
void Bracketed(JsonWriter* out, const List& list, const Each& each) {
  out->Raw('[');
  bool first = true;
  for (const auto& item : list) {
    if (!std::exchange(first, false)) out->Raw(',');
    each(item);
  }
  out->Raw(']');
}

template <typename List>
void Numbers(JsonWriter* out, const List& list) {
  Bracketed(out, list, [out](auto value) { out->Number(value); });
}

}  // namespace

const std::string* MapTemplate(const Map::Element& element, const MapScope& scope) {
  std::string& text = scope.scratch.texts[element.slot];
  text.clear();
  for (const Map::Element::Piece& piece : element.pieces) {
    text.append(piece.literal);
    if (piece.expression.empty()) continue;
    if (!AppendMapText(piece.expression.Evaluate(scope), &scope.scratch, &text)) return nullptr;
  }
  return &text;
}

std::string_view MapWriter::Message(const Map& map, const MapScope& scope) {
  out_.Clear();
  WriteObject(map.message(), scope);
  return out_.view();
}

std::string_view MapWriter::Part(const Element& element, const MapScope& scope) {
  out_.Clear();
  return Write("", element, scope) ? out_.view() : std::string_view();
}

bool MapWriter::Write(std::string_view lead, const Element& element, const MapScope& scope) {
  switch (element.kind) {
    case ElementKind::kConstant:
      out_.Raw(lead);
      out_.Raw(element.json);
      return true;
    case ElementKind::kValue:
      return WriteValue(lead, element, scope);
    case ElementKind::kTemplate:
      return WriteTemplate(lead, element, scope);
    case ElementKind::kObject:
      if (!Holds(element.when, scope)) return false;
      out_.Raw(lead);
      WriteObject(element, scope);
      return true;
    case ElementKind::kArray:
      out_.Raw(lead);
      WriteArray(element, scope);
      return true;
    case ElementKind::kEach:
      out_.Raw(lead);
      WriteEach(element, scope);
      return true;
    case ElementKind::kJsonText:
      return WriteJsonText(lead, element, scope);
    case ElementKind::kSettled:
      return WriteSettled(lead, element, scope);
  }
  return false;
}

void MapWriter::WriteObject(const Element& element, const MapScope& scope) {
  out_.Raw('{');
  WriteMembers(element, scope);
  out_.Raw('}');
}

void MapWriter::WriteMembers(const Element& element, const MapScope& scope) {
  size_t comma = 1;  // the first member has none
  for (const Element::Member& member : element.members) {
    if (Write(std::string_view(member.key).substr(comma), member.element, scope)) comma = 0;
  }
}

bool MapWriter::WriteSettled(std::string_view lead, const Element& element, const MapScope& scope) {
  std::optional<std::string>& part = scope.Settled().parts[element.slot];
  if (!part) {
    const size_t before = out_.size();
    WriteMembers(element, scope);
    part = out_.view().substr(before);
    out_.Rewind(before);
  }
  if (part->empty()) return false;
  out_.Raw(lead);
  out_.Raw(*part);
  return true;
}

void MapWriter::WriteArray(const Element& element, const MapScope& scope) {
  out_.Raw('[');
  std::string_view comma = "";
  for (const Element& item : element.items) {
    if (Write(comma, item, scope)) comma = ",";
  }
  out_.Raw(']');
}

void MapWriter::WriteEach(const Element& element, const MapScope& scope) {
  out_.Raw('[');
  std::string_view comma = "";
  ForEachOf(element, scope, [&](const MapScope& inner) {
    if (Write(comma, element.items.front(), inner)) comma = ",";
  });
  out_.Raw(']');
}

bool MapWriter::WriteTemplate(std::string_view lead, const Element& element,
                              const MapScope& scope) {
  const std::string* const text = MapTemplate(element, scope);
  if (text == nullptr) return false;
  out_.Raw(lead);
  out_.String(*text);
  return true;
}

bool MapWriter::WriteJsonText(std::string_view lead, const Element& element,
                              const MapScope& scope) {
  const size_t before = out_.size();
  if (!Write("", element.items.front(), scope)) return false;
  std::string& text = scope.scratch.texts[element.slot];
  text.assign(out_.view().substr(before));
  out_.Rewind(before);
  out_.Raw(lead);
  out_.String(text);
  return true;
}

bool MapWriter::WriteValue(std::string_view lead, const Element& element, const MapScope& scope) {
  const MapValue value = element.value.Evaluate(scope);
  if (!value.none()) {
    out_.Raw(lead);
    WriteValue(value, scope);
    return true;
  }
  if (element.json.empty()) return false;
  out_.Raw(lead);
  out_.Raw(element.json);
  return true;
}

void MapWriter::WriteValue(const MapValue& value, const MapScope& scope) {
  switch (value.kind) {
    case Kind::kNone:
      return;
    case Kind::kBool:
      return out_.Raw(value.boolean ? "true" : "false");
    case Kind::kText:
      return out_.String(value.text);
    case Kind::kTime:
      out_.Raw('"');
      out_.Raw(scope.scratch.time.Format(value.natural));
      return out_.Raw('"');
    case Kind::kTable:
      return WriteTable(value, scope.frame);
    case Kind::kJson:
      return out_.Raw(scope.received->payload.Raw(static_cast<JsonPayload::Place>(value.natural)));
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kFloat:
    case Kind::kDouble:
      return WriteNumber(value);
    default:
      return WriteList(value, scope.frame);
  }
}

void MapWriter::WriteNumber(const MapValue& value) {
  if (!value.text.empty()) {
    out_.Raw(value.text);
  } else if (value.kind == Kind::kInt) {
    out_.Number(value.integer);
  } else if (value.kind == Kind::kUint) {
    out_.Number(value.natural);
  } else if (value.kind == Kind::kFloat) {
    out_.Number(static_cast<float>(value.real));
  } else {
    out_.Number(value.real);
  }
}

void MapWriter::WriteTable(const MapValue& value, const Frame& frame) {
  const auto attributes = Frame::Part(frame.attributes, value.range);
  out_.Raw('{');
  bool first = true;
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (SeenBefore(attributes, i)) continue;
    if (!std::exchange(first, false)) out_.Raw(',');
    out_.String(attributes[i].name);
    out_.Raw(':');
    out_.String(attributes[i].value);
  }
  out_.Raw('}');
}

void MapWriter::WritePoints(std::span<const Point> points, const Frame& frame) {
  const Scale scale = ScaleOf(frame);
  Bracketed(&out_, points, [&](const Point& point) {
    Numbers(&out_, std::array{point.x * scale.x, point.y * scale.y});
  });
}

void MapWriter::WriteList(const MapValue& value, const Frame& frame) {
  switch (value.kind) {
    case Kind::kTexts:
      return Bracketed(&out_, Frame::Part(frame.texts, value.range),
                       [this](std::string_view text) { out_.String(text); });
    case Kind::kFloats:
      return Numbers(&out_, Frame::Part(frame.numbers, value.range));
    case Kind::kDoubles:
      return Numbers(&out_, Frame::Part(frame.signatures, value.range));
    case Kind::kRuns:
      return Numbers(&out_, Frame::Part(frame.runs, value.range));
    case Kind::kClasses:
      return Numbers(&out_, Frame::Part(frame.classes, value.range));
    case Kind::kIds:
      return Numbers(&out_, Frame::Part(frame.lost, value.range));
    case Kind::kOutlines:
      return Bracketed(&out_, Frame::Part(frame.outlines, value.range), [&](const Range& outline) {
        WritePoints(Frame::Part(frame.points, outline), frame);
      });
    case Kind::kPoints:
      return WritePoints(Frame::Part(frame.points, value.range), frame);
    case Kind::kCoordinates:
      return Bracketed(&out_, Frame::Part(frame.coordinates, value.range),
                       [this](const Triple& place) { Numbers(&out_, place); });
    default:
      return;
  }
}

}  // namespace dsmsg::msgconv
