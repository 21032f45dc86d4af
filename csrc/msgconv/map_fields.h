// SPDX-License-Identifier: Apache-2.0
// The names that expressions of a map (map.h) can read. Constants: any thread.
#ifndef DSMSG_MSGCONV_MAP_FIELDS_H_
#define DSMSG_MSGCONV_MAP_FIELDS_H_

#include <span>
#include <string_view>

#include "msgconv/map_value.h"

namespace dsmsg::msgconv {

struct MapField {
  std::string_view name;
  MapType type;
  std::string_view about;
  MapValue (*get)(const MapScope&);
  /// It belongs to an object.
  bool of_object() const { return name.starts_with("object."); }
};

/// docs/maps.md lists them in this order.
std::span<const MapField> MapFields();
const MapField* FindMapField(std::string_view name);

/// What the names of attributes begin with: object.attributes.color.
inline constexpr std::string_view kMapAttributes = "object.attributes.";

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_FIELDS_H_
