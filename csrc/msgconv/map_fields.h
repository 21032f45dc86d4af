// SPDX-License-Identifier: Apache-2.0
// The names that expressions of a map (map.h) can read. Constants: any thread.
#ifndef DSMSG_MSGCONV_MAP_FIELDS_H_
#define DSMSG_MSGCONV_MAP_FIELDS_H_

#include <span>
#include <string>
#include <string_view>

#include "msgconv/map_value.h"

namespace dsmsg::msgconv {

struct MapField {
  std::string_view name;
  MapType type;
  std::string_view about;
  MapValue (*get)(const MapScope&);

  /// Decided by the first part of the name.
  MapContext context() const;
};

/// A list of the metadata that $each can repeat over.
struct MapList {
  std::string_view name;  // behind $each:
  MapContext needs, gives;
  std::string_view about;
  Range (*range)(const MapScope&);  // null: objects, events, tracks
};

/// docs/maps.md lists them in this order.
std::span<const std::span<const MapField>> MapFields();
const MapField* FindMapField(std::string_view name);
/// It is the same for all objects with the same groups.
bool IsOfConfiguration(const MapField& field);
std::span<const MapList> MapLists();
const MapList* FindMapList(std::string_view name);

/// What names of a context begin with, without the dot; "": no name.
std::string_view PrefixOf(MapContext context);
/// "a number", "a list", ...
std::string_view NameOf(MapType type);

/// The tables of docs/maps.md, as Markdown.
std::string MapTables();

/// What the names of attributes begin with: object.attributes.color.
inline constexpr std::string_view kMapAttributes = "object.attributes.";
/// Likewise of counts: frame.counts.yard, frame.counts.gate.in.
inline constexpr std::string_view kMapCounts = "frame.counts.";
/// Likewise of a received message's headers.
inline constexpr std::string_view kMapHeaders = "headers.";

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_FIELDS_H_
