// SPDX-License-Identifier: Apache-2.0
// The filters of expressions (map_expression.h), and texts for mistakes in them. Constants, plain
// functions: any thread.
#ifndef DSMSG_MSGCONV_MAP_WORDS_H_
#define DSMSG_MSGCONV_MAP_WORDS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "msgconv/map_node.h"

namespace dsmsg::msgconv {

/// What stands behind |.
struct MapFilter {
  std::string_view name;
  MapOp op;
  MapType takes, gives;
};
const MapFilter* FindMapFilter(std::string_view name);
std::vector<std::string_view> MapFilterNames();

/// Of values that can be used with these contexts.
std::vector<std::string_view> MapNames(MapContexts contexts);
/// There is no value of that name, and what was probably meant.
std::string NoSuch(const std::string& what, std::string_view name,
                   std::span<const std::string_view> names);
/// What a value belongs to that cannot be used here, and what to do.
std::string WhereItBelongs(MapContext context);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_WORDS_H_
