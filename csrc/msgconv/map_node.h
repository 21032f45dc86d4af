// SPDX-License-Identifier: Apache-2.0
// A step of an expression (map_expression.h).
#ifndef DSMSG_MSGCONV_MAP_NODE_H_
#define DSMSG_MSGCONV_MAP_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "msgconv/map_expression.h"
#include "msgconv/map_fields.h"

namespace dsmsg::msgconv {

/// In this order: what is read, conditions, what is made of another value.
enum class MapOp : uint8_t {
  kConstant,
  kField,
  kAttribute,
  kCount,
  kPayloadPath,
  kItemPath,
  kTopicPart,
  kHeader,
  kAnd,
  kOr,
  kNot,
  kEqual,
  kUnequal,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
  kIsMissing,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  // what stands behind |
  kDefault,
  kInt,
  kRound,
  kText,
  kLower,
  kUpper,
  kUri,
  kRfc3339,
  kUnix,
  kUnixMs,
  kUnixNs,
  kTime,
  kFromUnix,
  kFromUnixMs,
  kNumber,
};

/// Of a path into a payload.
struct MapStep {
  std::string name;      // of a member
  int index = 0;         // of an element, from the end if it is negative
  bool element = false;  // not a member
};

struct MapExpression::Node {
  MapOp op = MapOp::kConstant;
  MapType type = MapType::kAny;
  MapValue constant;          // a text: that of `text`
  std::string text;           // a constant text, the name of an attribute, a count or a header
  std::vector<MapStep> path;  // of a payload; of kTopicPart the number alone
  const MapField* field = nullptr;          // of kField
  std::unique_ptr<Node> left, right;        // what it works on
  std::vector<std::unique_ptr<Node>> list;  // constants, of kIn and kNotIn without `right`
  size_t slot = 0;                          // in MapScratch::texts
  int digits = 0;                           // of kRound

  MapValue Evaluate(const MapScope& scope) const {
    if (op == MapOp::kField) return field->get(scope);
    if (op == MapOp::kConstant) return constant;
    if (op < MapOp::kAnd) return Read(scope);
    return op < MapOp::kAdd ? MapValue::Bool(Holds(scope)) : Derive(scope);
  }
  /// What is not true or false counts as false.
  bool Holds(const MapScope& scope) const;
  bool settled() const;

 private:
  MapValue Read(const MapScope& scope) const;
  MapValue Derive(const MapScope& scope) const;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_NODE_H_
