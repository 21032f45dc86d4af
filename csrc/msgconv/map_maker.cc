// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_maker.h"

#include <cmath>
#include <utility>

#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using Kind = Map::Element::Kind;

bool IsOf(Map::Each each, const Object& object) {
  return each != Map::Each::kEvent || !EventTypeOf(object).empty();
}

}  // namespace

MapMaker::MapMaker(std::shared_ptr<const Map> map, std::shared_ptr<const ConvConfig> config)
    : map_(std::move(map)), config_(std::move(config)) {
  scratch_.texts.resize(map_->texts());
}

bool MapMaker::Holds(const MapExpression& condition, const MapScope& scope) const {
  return condition.empty() || condition.Evaluate(scope).boolean;
}

size_t MapMaker::Count(const Frame& frame) {
  if (map_->each() == Map::Each::kFrame) {
    return Holds(map_->when(), {frame, nullptr, 0, *config_, scratch_}) ? 1 : 0;
  }
  chosen_.clear();
  for (size_t i = 0; i < frame.objects.size(); ++i) {
    const Object& object = frame.objects[i];
    if (!IsOf(map_->each(), object)) continue;
    if (Holds(map_->when(), {frame, &object, i, *config_, scratch_})) chosen_.push_back(i);
  }
  return chosen_.size();
}

std::string_view MapMaker::Render(const Frame& frame, size_t index) {
  out_.Clear();
  scratch_.uuid.Next(scratch_.id.data());
  if (map_->each() == Map::Each::kFrame) {
    WriteObject(map_->message(), {frame, nullptr, 0, *config_, scratch_});
  } else {
    const size_t at = chosen_[index];
    WriteObject(map_->message(), {frame, &frame.objects[at], at, *config_, scratch_});
  }
  return out_.view();
}

uint32_t MapMaker::ComponentId(const Frame& frame, size_t index) const {
  if (frame.objects.empty()) return kAnyComponent;
  const size_t at = map_->each() == Map::Each::kFrame ? 0 : chosen_[index];
  return frame.objects[at].component_id;
}

bool MapMaker::Write(const Map::Element& element, const MapScope& scope) {
  switch (element.kind) {
    case Kind::kConstant:
      out_.Raw(element.json);
      return true;
    case Kind::kValue:
      return WriteValue(element.value.Evaluate(scope), scope.frame);
    case Kind::kTemplate:
      return WriteTemplate(element, scope);
    case Kind::kObject:
      if (!Holds(element.when, scope)) return false;
      WriteObject(element, scope);
      return true;
    case Kind::kArray:
      WriteArray(element, scope);
      return true;
    case Kind::kEach:
      WriteEach(element, scope);
      return true;
  }
  return false;
}

void MapMaker::WriteObject(const Map::Element& element, const MapScope& scope) {
  out_.Raw('{');
  bool first = true;
  for (const Map::Element::Member& member : element.members) {
    const size_t before = out_.size();
    if (!first) out_.Raw(',');
    out_.Raw(member.key);
    if (Write(member.element, scope)) {
      first = false;
    } else {
      out_.Rewind(before);
    }
  }
  out_.Raw('}');
}

void MapMaker::WriteArray(const Map::Element& element, const MapScope& scope) {
  out_.Raw('[');
  bool first = true;
  for (const Map::Element& item : element.items) {
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

void MapMaker::WriteEach(const Map::Element& element, const MapScope& scope) {
  out_.Raw('[');
  bool first = true;
  for (size_t i = 0; i < scope.frame.objects.size(); ++i) {
    const Object& object = scope.frame.objects[i];
    if (!IsOf(element.each, object)) continue;
    const MapScope inner{scope.frame, &object, i, *config_, scratch_};
    if (!Holds(element.when, inner)) continue;
    const size_t before = out_.size();
    if (!first) out_.Raw(',');
    if (Write(element.items.front(), inner)) {
      first = false;
    } else {
      out_.Rewind(before);
    }
  }
  out_.Raw(']');
}

bool MapMaker::WriteTemplate(const Map::Element& element, const MapScope& scope) {
  std::string& text = scratch_.texts[element.slot];
  text.clear();
  for (const Map::Element::Piece& piece : element.pieces) {
    text.append(piece.literal);
    if (piece.expression.empty()) continue;
    if (!AppendMapText(piece.expression.Evaluate(scope), &scratch_, &text)) return false;
  }
  out_.String(text);
  return true;
}

bool MapMaker::WriteValue(const MapValue& value, const Frame& frame) {
  switch (value.kind) {
    case MapValue::Kind::kNone:
      return false;
    case MapValue::Kind::kBool:
      out_.Raw(value.boolean ? "true" : "false");
      return true;
    case MapValue::Kind::kInt:
      out_.Number(value.integer);
      return true;
    case MapValue::Kind::kUint:
      out_.Number(value.natural);
      return true;
    case MapValue::Kind::kFloat:
    case MapValue::Kind::kDouble:
      if (!std::isfinite(value.real)) return false;
      if (value.kind == MapValue::Kind::kFloat) {
        out_.Number(static_cast<float>(value.real));
      } else {
        out_.Number(value.real);
      }
      return true;
    case MapValue::Kind::kText:
      out_.String(value.text);
      return true;
    case MapValue::Kind::kTime:
      out_.Raw('"');
      out_.Raw(scratch_.time.Format(value.natural));
      out_.Raw('"');
      return true;
    case MapValue::Kind::kTexts: {
      out_.Raw('[');
      for (uint32_t i = 0; i < value.range.count; ++i) {
        if (i > 0) out_.Raw(',');
        out_.String(frame.texts[value.range.first + i]);
      }
      out_.Raw(']');
      return true;
    }
    case MapValue::Kind::kTable: {
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
      return true;
    }
  }
  return false;
}

}  // namespace dsmsg::msgconv
