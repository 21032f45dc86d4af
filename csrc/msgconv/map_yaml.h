// SPDX-License-Identifier: Apache-2.0
// Parts of a YAML document, for what reads a map (map.h). Plain functions and values.
#ifndef DSMSG_MSGCONV_MAP_YAML_H_
#define DSMSG_MSGCONV_MAP_YAML_H_

#include <yaml.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dsmsg::msgconv::map_yaml {

/// A mistake in the file, and where. Thrown while one is read, and caught there.
struct Mistake {
  yaml_mark_t at;
  std::string what;
};

[[noreturn]] inline void Fail(const yaml_node_t& node, std::string what) {
  throw Mistake{node.start_mark, std::move(what)};
}

inline std::string_view ScalarOf(const yaml_node_t& node) {
  return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
}

inline bool IsPlain(const yaml_node_t& node) {
  return node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/// The text as JSON.
std::string Quoted(std::string_view text);
/// A plain scalar that YAML reads as null, a truth value or a number, as JSON; "": a text.
std::string PlainJson(std::string_view text);
/// There is no such name here; the nearest one, or all.
std::string Unknown(std::string_view name, std::span<const std::string_view> names);

/// Calls `with` with each name and value; a name must be a scalar, and different.
template <typename Do>
void ForEachMember(yaml_document_t* document, const yaml_node_t& mapping, Do with) {
  const auto& pairs = mapping.data.mapping.pairs;
  std::vector<std::string_view> seen;
  for (const yaml_node_pair_t* pair = pairs.start; pair < pairs.top; ++pair) {
    const yaml_node_t& key = *yaml_document_get_node(document, pair->key);
    if (key.type != YAML_SCALAR_NODE) Fail(key, "a name is expected here");
    if (std::find(seen.begin(), seen.end(), ScalarOf(key)) != seen.end()) {
      Fail(key, "\"" + std::string(ScalarOf(key)) + "\" is here twice");
    }
    seen.push_back(ScalarOf(key));
    with(key, *yaml_document_get_node(document, pair->value));
  }
}

}  // namespace dsmsg::msgconv::map_yaml

#endif  // DSMSG_MSGCONV_MAP_YAML_H_
