// SPDX-License-Identifier: Apache-2.0
// Expressions of a map (map.h): object.confidence > 0.5 and object.label in [car, bus], or
// frame.time | unix_ms. Checked when they are parsed, evaluated without allocation. Immutable after
// Parse: any thread, each with a scratch of its own.
#ifndef DSMSG_MSGCONV_MAP_EXPRESSION_H_
#define DSMSG_MSGCONV_MAP_EXPRESSION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "msgconv/map_value.h"

namespace dsmsg::msgconv {

/// A mistake in a map. Thrown while one is read, and caught there.
struct MapFault {
  size_t at = 0;  // bytes from the beginning of the expression
  std::string what;
};

class MapExpression {
 public:
  /// What an expression may contain where it stands.
  struct Place {
    MapContexts contexts;
    size_t* texts = nullptr;  // how many of MapScratch::texts are taken; it takes more
  };

  MapExpression();
  MapExpression(MapExpression&&) noexcept;
  MapExpression& operator=(MapExpression&&) noexcept;
  ~MapExpression();

  /// Throws MapFault.
  static MapExpression Parse(std::string_view text, const Place& place);

  /// Texts in it are valid until the next evaluation with this scratch of the same expression, and
  /// as long as frame and configuration.
  MapValue Evaluate(const MapScope& scope) const {
    return field_ != nullptr ? field_(scope) : EvaluateTree(scope);
  }
  /// Of a condition: it is true.
  bool Holds(const MapScope& scope) const;
  MapType type() const;
  /// It reads constants and the configuration only.
  bool settled() const;
  bool empty() const { return root_ == nullptr; }
  /// Takes a constant default off its end, and returns it as JSON; "": it has none.
  std::string TakeDefault();

  struct Node;

 private:
  explicit MapExpression(std::unique_ptr<Node> root);
  MapValue EvaluateTree(const MapScope& scope) const;

  std::unique_ptr<Node> root_;
  MapValue (*field_)(const MapScope&) = nullptr;  // if it is that alone
};

/// The value as it stands in a text; false for lists, tables and nothing.
bool AppendMapText(const MapValue& value, MapScratch* scratch, std::string* out);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_EXPRESSION_H_
