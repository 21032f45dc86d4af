// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_writer.h"

#include <array>
#include <cmath>
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
  return Write(element, scope) ? out_.view() : std::string_view();
}

bool MapWriter::Write(const Element& element, const MapScope& scope) {
  switch (element.kind) {
    case ElementKind::kConstant:
      out_.Raw(element.json);
      return true;
    case ElementKind::kValue:
      return WriteValue(element.value.Evaluate(scope), scope);
    case ElementKind::kTemplate:
      return WriteTemplate(element, scope);
    case ElementKind::kObject:
      if (!Holds(element.when, scope)) return false;
      WriteObject(element, scope);
      return true;
    case ElementKind::kArray:
      WriteArray(element, scope);
      return true;
    case ElementKind::kEach:
      WriteEach(element, scope);
      return true;
    case ElementKind::kJsonText:
      return WriteJsonText(element, scope);
    case ElementKind::kSettled:
      return WriteSettled(element, scope);
  }
  return false;
}

void MapWriter::WriteObject(const Element& element, const MapScope& scope) {
  out_.Raw('{');
  WriteMembers(element, scope);
  out_.Raw('}');
}

void MapWriter::WriteMembers(const Element& element, const MapScope& scope) {
  bool first = true;
  for (const Element::Member& member : element.members) {
    const size_t before = out_.size();
    const std::string_view key = member.key;
    out_.Raw(first ? key.substr(1) : key);
    if (Write(member.element, scope)) {
      first = false;
    } else {
      out_.Rewind(before);
    }
  }
}

bool MapWriter::WriteSettled(const Element& element, const MapScope& scope) {
  std::optional<std::string>& part = scope.Settled().parts[element.slot];
  if (part) {
    out_.Raw(*part);
  } else {
    const size_t before = out_.size();
    WriteMembers(element, scope);
    part = out_.view().substr(before);
  }
  return !part->empty();
}

void MapWriter::WriteArray(const Element& element, const MapScope& scope) {
  out_.Raw('[');
  bool first = true;
  for (const Element& item : element.items) {
    const size_t before = out_.size();
    if (!first) out_.Raw(',');
    if (Write(item, scope)) {
      first = false;
    } else {
      out_.Rewind(before);
    }
  }
  out_.Raw(']');
}

void MapWriter::WriteEach(const Element& element, const MapScope& scope) {
  out_.Raw('[');
  bool first = true;
  ForEachOf(element, scope, [&](const MapScope& inner) {
    const size_t before = out_.size();
    if (!first) out_.Raw(',');
    if (Write(element.items.front(), inner)) {
      first = false;
    } else {
      out_.Rewind(before);
    }
  });
  out_.Raw(']');
}

bool MapWriter::WriteTemplate(const Element& element, const MapScope& scope) {
  const std::string* const text = MapTemplate(element, scope);
  if (text == nullptr) return false;
  out_.String(*text);
  return true;
}

bool MapWriter::WriteJsonText(const Element& element, const MapScope& scope) {
  const size_t before = out_.size();
  if (!Write(element.items.front(), scope)) return false;
  std::string& text = scope.scratch.texts[element.slot];
  text.assign(out_.view().substr(before));
  out_.Rewind(before);
  out_.String(text);
  return true;
}

bool MapWriter::WriteValue(const MapValue& value, const MapScope& scope) {
  switch (value.kind) {
    case Kind::kNone:
      return false;
    case Kind::kBool:
      out_.Raw(value.boolean ? "true" : "false");
      return true;
    case Kind::kText:
      out_.String(value.text);
      return true;
    case Kind::kTime:
      out_.Raw('"');
      out_.Raw(scope.scratch.time.Format(value.natural));
      out_.Raw('"');
      return true;
    case Kind::kTable:
      WriteTable(value, scope.frame);
      return true;
    case Kind::kJson:
      out_.Raw(scope.received->payload.Raw(static_cast<JsonPayload::Place>(value.natural)));
      return true;
    default:
      break;
  }
  return value.number() ? WriteNumber(value) : WriteList(value, scope.frame);
}

bool MapWriter::WriteNumber(const MapValue& value) {
  switch (value.kind) {
    case Kind::kInt:
      out_.Number(value.integer);
      return true;
    case Kind::kUint:
      out_.Number(value.natural);
      return true;
    default:
      break;
  }
  if (!std::isfinite(value.real)) return false;
  if (!value.text.empty()) {
    out_.Raw(value.text);
  } else if (value.kind == Kind::kFloat) {
    out_.Number(static_cast<float>(value.real));
  } else {
    out_.Number(value.real);
  }
  return true;
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

bool MapWriter::WriteList(const MapValue& value, const Frame& frame) {
  switch (value.kind) {
    case Kind::kTexts:
      Bracketed(&out_, Frame::Part(frame.texts, value.range),
                [this](std::string_view text) { out_.String(text); });
      return true;
    case Kind::kFloats:
      Numbers(&out_, Frame::Part(frame.numbers, value.range));
      return true;
    case Kind::kDoubles:
      Numbers(&out_, Frame::Part(frame.signatures, value.range));
      return true;
    case Kind::kRuns:
      Numbers(&out_, Frame::Part(frame.runs, value.range));
      return true;
    case Kind::kClasses:
      Numbers(&out_, Frame::Part(frame.classes, value.range));
      return true;
    case Kind::kIds:
      Numbers(&out_, Frame::Part(frame.lost, value.range));
      return true;
    case Kind::kOutlines:
      Bracketed(&out_, Frame::Part(frame.outlines, value.range), [&](const Range& outline) {
        WritePoints(Frame::Part(frame.points, outline), frame);
      });
      return true;
    case Kind::kPoints:
      WritePoints(Frame::Part(frame.points, value.range), frame);
      return true;
    case Kind::kCoordinates:
      Bracketed(&out_, Frame::Part(frame.coordinates, value.range),
                [this](const Triple& place) { Numbers(&out_, place); });
      return true;
    default:
      return false;
  }
}

}  // namespace dsmsg::msgconv
