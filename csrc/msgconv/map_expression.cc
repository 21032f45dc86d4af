// SPDX-License-Identifier: Apache-2.0
// Evaluation; map_parser.cc has the grammar.
#include "msgconv/map_expression.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "core/base/encoding.h"
#include "msgconv/map_constant.h"
#include "msgconv/map_node.h"
#include "msgconv/map_payload.h"

namespace dsmsg::msgconv {
namespace {

using Node = MapExpression::Node;
using Kind = MapValue::Kind;

constexpr uint64_t kNsPerUs = 1000, kNsPerMs = 1'000'000, kNsPerSecond = 1'000'000'000;

// -1, 0, 1; *known is false where the two cannot be compared.
int Compare(const MapValue& a, const MapValue& b, bool* known) {
  const auto order = [](auto x, auto y) { return x < y ? -1 : (y < x ? 1 : 0); };
  *known = true;
  if (a.whole() && b.whole()) {
    if (a.kind == b.kind) {
      return a.kind == Kind::kInt ? order(a.integer, b.integer) : order(a.natural, b.natural);
    }
    const int64_t other = a.kind == Kind::kInt ? a.integer : b.integer;
    const uint64_t natural = a.kind == Kind::kInt ? b.natural : a.natural;
    const int result = other < 0 ? -1 : order(static_cast<uint64_t>(other), natural);
    return a.kind == Kind::kInt ? result : -result;
  }
  if (a.number() && b.number()) {
    // 0.9 in a map is meant to be the float that a detector calls 0.9.
    const bool single = a.kind == Kind::kFloat || b.kind == Kind::kFloat;
    if (single) return order(static_cast<float>(a.AsDouble()), static_cast<float>(b.AsDouble()));
    return order(a.AsDouble(), b.AsDouble());
  }
  if (a.kind == Kind::kText && b.kind == Kind::kText) return order(a.text, b.text);
  if (a.kind == Kind::kTime && b.kind == Kind::kTime) return order(a.natural, b.natural);
  if (a.kind == Kind::kBool && b.kind == Kind::kBool) return order(a.boolean, b.boolean);
  *known = false;
  return 0;
}

bool Compares(MapOp op, const MapValue& a, const MapValue& b) {
  const bool texts = a.kind == Kind::kText && b.kind == Kind::kText;
  if (texts && op == MapOp::kEqual) return a.text == b.text;  // most are, and most differ in size
  bool known = false;
  const int order = Compare(a, b, &known);
  switch (op) {
    case MapOp::kEqual:
      return known && order == 0;
    case MapOp::kUnequal:
      return !known || order != 0;
    case MapOp::kLess:
      return known && order < 0;
    case MapOp::kLessEqual:
      return known && order <= 0;
    case MapOp::kGreater:
      return known && order > 0;
    default:
      return known && order >= 0;
  }
}

bool FitsInt(const MapValue& value) {
  return value.kind == Kind::kInt ||
         (value.kind == Kind::kUint &&
          value.natural <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

MapValue Calculate(MapOp op, const MapValue& a, const MapValue& b) {
  if (!a.number() || !b.number()) return {};
  if (op != MapOp::kDivide && FitsInt(a) && FitsInt(b)) {
    const auto whole = [](const MapValue& value) {
      return value.kind == Kind::kInt ? value.integer : static_cast<int64_t>(value.natural);
    };
    int64_t result = 0;
    const bool beyond = op == MapOp::kAdd ? __builtin_add_overflow(whole(a), whole(b), &result)
                        : op == MapOp::kSubtract
                            ? __builtin_sub_overflow(whole(a), whole(b), &result)
                            : __builtin_mul_overflow(whole(a), whole(b), &result);
    if (!beyond) return MapValue::Int(result);
  }
  const double x = a.AsDouble(), y = b.AsDouble();
  switch (op) {
    case MapOp::kAdd:
      return MapValue::Double(x + y);
    case MapOp::kSubtract:
      return MapValue::Double(x - y);
    case MapOp::kMultiply:
      return MapValue::Double(x * y);
    default:
      return MapValue::Double(x / y);
  }
}

MapValue Whole(const MapValue& value) {
  if (value.whole() || !value.number()) return value.number() ? value : MapValue();
  const double cut = std::trunc(value.real);
  if (std::abs(cut) < 9.2e18) return MapValue::Int(static_cast<int64_t>(cut));
  return MapValue::Double(cut);
}

MapValue Rounded(const MapValue& value, int digits) {
  if (value.whole() || !value.number()) return value.number() ? value : MapValue();
  constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  const double scale = kPowers[digits];
  const double rounded = std::round(value.real * scale) / scale;
  return MapValue::Double(std::isfinite(rounded) ? rounded : value.real);
}

bool IsIn(const MapValue& value, const Node& node, const MapScope& scope) {
  if (node.right != nullptr) {  // a list of the metadata
    const MapValue list = node.right->Evaluate(scope);
    if (list.kind == Kind::kJson) {
      const JsonPayload& payload = scope.received->payload;
      const auto array = static_cast<JsonPayload::Place>(list.natural);
      for (auto at = payload.First(array); at != JsonPayload::kNone; at = payload.Next(array, at)) {
        if (Compares(MapOp::kEqual, value, PayloadValue(payload, at))) return true;
      }
      return false;
    }
    if (list.kind != Kind::kTexts || value.kind != Kind::kText) return false;
    for (const std::string_view each : Frame::Part(scope.frame.texts, list.range)) {
      if (each == value.text) return true;
    }
    return false;
  }
  for (const auto& each : node.list) {
    if (Compares(MapOp::kEqual, value, each->constant)) return true;
  }
  return false;
}

MapValue AttributeNamed(const MapScope& scope, std::string_view name) {
  for (const auto& each : scope.frame.AttributesOf(*scope.object)) {
    if (each.name == name) return MapValue::Text(each.value);
  }
  return {};
}

/// Objects in a zone or of a class, crossings of a line since the start.
MapValue CountNamed(const MapScope& scope, std::string_view name) {
  for (const Count& each : scope.frame.counts) {
    const bool one_frame = each.kind == CountKind::kLine || each.kind == CountKind::kCrowded;
    if (!one_frame && each.name == name) return MapValue::Uint(each.value);
  }
  return {};
}

/// A function of its own, so that the value is made in its place and not copied.
MapValue FirstOf(const Node& left, const Node& right, const MapScope& scope) {
  MapValue value = left.Evaluate(scope);
  if (value.none()) value = right.Evaluate(scope);
  return value;
}

MapValue Letters(const MapValue& value, bool upper, std::string* out) {
  if (value.kind != Kind::kText) return {};
  out->assign(value.text);
  const char from = upper ? 'a' : 'A', to = upper ? 'z' : 'Z';
  for (char& c : *out) {
    if (c >= from && c <= to) c = static_cast<char>(c ^ 0x20);
  }
  return MapValue::Text(*out);
}

/// As one part of a path or a query.
MapValue UriPart(const MapValue& value, std::string* out) {
  if (value.kind != Kind::kText) return {};
  out->clear();
  AppendPercentEncoded(value.text, {}, out);
  return MapValue::Text(*out);
}

MapValue TimeAs(MapOp op, const MapValue& value, std::string* out, MapScratch* scratch) {
  if (value.kind != Kind::kTime) return {};
  switch (op) {
    case MapOp::kUnixNs:
      return MapValue::Uint(value.natural);
    case MapOp::kUnixMs:
      return MapValue::Uint(value.natural / kNsPerMs);
    case MapOp::kUnix:
      return MapValue::Double(static_cast<double>(value.natural / kNsPerMs) / 1000);
    default:
      out->assign(scratch->time.Format(value.natural));
      return MapValue::Text(*out);
  }
}

MapValue TimeFrom(MapOp op, const MapValue& value) {
  if (value.kind == Kind::kTime) return value;
  if (op == MapOp::kTime) {
    if (value.kind != Kind::kText) return {};
    const auto ns = ParseTime(value.text);
    return ns ? MapValue::Time(*ns) : MapValue();
  }
  if (!value.number()) return {};
  const uint64_t unit = op == MapOp::kFromUnix ? kNsPerSecond : kNsPerMs;
  if (FitsInt(value)) {
    const auto whole =
        value.kind == Kind::kInt ? value.integer : static_cast<int64_t>(value.natural);
    uint64_t ns = 0;
    const bool beyond =
        whole < 0 || __builtin_mul_overflow(static_cast<uint64_t>(whole), unit, &ns);
    return beyond ? MapValue() : MapValue::Time(ns);
  }
  // A double of today's seconds is exact to a microsecond, so that 0.123 must not become 0.122999.
  const double us_of_unit = op == MapOp::kFromUnix ? 1e6 : 1e3;
  const double us = std::round(value.AsDouble() * us_of_unit);
  return us >= 0 && us < 9.2e15 ? MapValue::Time(static_cast<uint64_t>(us) * kNsPerUs) : MapValue();
}

MapValue NumberFrom(const MapValue& value) {
  if (value.number()) return value;
  if (value.kind == Kind::kBool) return MapValue::Int(value.boolean ? 1 : 0);
  return value.kind == Kind::kText ? NumberOf(value.text) : MapValue();
}

}  // namespace

bool AppendMapText(const MapValue& value, MapScratch* scratch, std::string* out) {
  if (value.number() && !value.text.empty()) {
    out->append(value.text);
    return true;
  }
  JsonWriter& number = scratch->number;
  number.Clear();
  switch (value.kind) {
    case Kind::kBool:
      out->append(value.boolean ? "true" : "false");
      return true;
    case Kind::kText:
      out->append(value.text);
      return true;
    case Kind::kTime:
      out->append(scratch->time.Format(value.natural));
      return true;
    case Kind::kInt:
      number.Number(value.integer);
      break;
    case Kind::kUint:
      number.Number(value.natural);
      break;
    case Kind::kFloat:
      number.Number(static_cast<float>(value.real));
      break;
    case Kind::kDouble:
      number.Number(value.real);
      break;
    default:
      return false;
  }
  out->append(number.view());
  return true;
}

MapValue Node::Read(const MapScope& scope) const {
  switch (op) {
    case MapOp::kAttribute:
      return AttributeNamed(scope, text);
    case MapOp::kCount:
      return CountNamed(scope, text);
    case MapOp::kTopicPart:
      return TopicPart(scope, path.front().index);
    case MapOp::kHeader:
      return HeaderOf(scope, text);
    default:
      return PayloadAt(scope, *this);
  }
}

bool Node::Holds(const MapScope& scope) const {
  switch (op) {
    case MapOp::kAnd:
      return left->Holds(scope) && right->Holds(scope);
    case MapOp::kOr:
      return left->Holds(scope) || right->Holds(scope);
    case MapOp::kNot:
      return !left->Holds(scope);
    case MapOp::kEqual:
    case MapOp::kUnequal:
    case MapOp::kLess:
    case MapOp::kLessEqual:
    case MapOp::kGreater:
    case MapOp::kGreaterEqual:
      if (right->op == MapOp::kConstant)
        return Compares(op, left->Evaluate(scope), right->constant);
      return Compares(op, left->Evaluate(scope), right->Evaluate(scope));
    case MapOp::kIn:
      return IsIn(left->Evaluate(scope), *this, scope);
    case MapOp::kNotIn:
      return !IsIn(left->Evaluate(scope), *this, scope);
    case MapOp::kIsMissing:
      return left->Evaluate(scope).none();
    default:
      return Evaluate(scope).boolean;
  }
}

MapValue Node::Derive(const MapScope& scope) const {
  if (op == MapOp::kDefault) return FirstOf(*left, *right, scope);
  const MapValue value = left->Evaluate(scope);
  switch (op) {
    case MapOp::kAdd:
    case MapOp::kSubtract:
    case MapOp::kMultiply:
    case MapOp::kDivide:
      return Calculate(op, value, right->Evaluate(scope));
    case MapOp::kInt:
      return Whole(value);
    case MapOp::kRound:
      return Rounded(value, digits);
    case MapOp::kLower:
    case MapOp::kUpper:
      return Letters(value, op == MapOp::kUpper, &scope.scratch.texts[slot]);
    case MapOp::kUri:
      return UriPart(value, &scope.scratch.texts[slot]);
    case MapOp::kText: {
      std::string& out = scope.scratch.texts[slot];
      out.clear();
      return AppendMapText(value, &scope.scratch, &out) ? MapValue::Text(out) : MapValue();
    }
    case MapOp::kRfc3339:
    case MapOp::kUnix:
    case MapOp::kUnixMs:
    case MapOp::kUnixNs:
      return TimeAs(op, value, &scope.scratch.texts[slot], &scope.scratch);
    case MapOp::kTime:
    case MapOp::kFromUnix:
    case MapOp::kFromUnixMs:
      return TimeFrom(op, value);
    default:
      return NumberFrom(value);
  }
}

bool Node::settled() const {
  switch (op) {
    case MapOp::kConstant:
      return true;
    case MapOp::kField:
      return IsOfConfiguration(*field);
    case MapOp::kAttribute:
    case MapOp::kCount:
    case MapOp::kPayloadPath:
    case MapOp::kItemPath:
    case MapOp::kTopicPart:
    case MapOp::kHeader:
      return false;
    default:
      return left->settled() && (right == nullptr || right->settled());
  }
}

MapExpression::MapExpression() = default;
MapExpression::MapExpression(std::unique_ptr<Node> root) : root_(std::move(root)) {
  if (root_->op == MapOp::kField) field_ = root_->field->get;
}
MapExpression::MapExpression(MapExpression&&) noexcept = default;
MapExpression& MapExpression::operator=(MapExpression&&) noexcept = default;
MapExpression::~MapExpression() = default;

MapValue MapExpression::EvaluateTree(const MapScope& scope) const { return root_->Evaluate(scope); }

bool MapExpression::Holds(const MapScope& scope) const { return root_->Holds(scope); }

std::string MapExpression::TakeDefault() {
  if (root_->op != MapOp::kDefault || root_->right->op != MapOp::kConstant) return {};
  const MapValue& value = root_->right->constant;
  MapScratch scratch;
  std::string text;
  if (!AppendMapText(value, &scratch, &text)) return {};
  if (value.kind == Kind::kText) text = QuotedJson(text);
  *this = MapExpression(std::move(root_->left));
  return text;
}

MapType MapExpression::type() const { return root_->type; }

bool MapExpression::settled() const { return root_ == nullptr || root_->settled(); }

}  // namespace dsmsg::msgconv
