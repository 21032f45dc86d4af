// SPDX-License-Identifier: Apache-2.0
// A YAML file as libyaml's tree of nodes, for files that are checked as a whole: a mistake is
// thrown inside, and comes out as a status with file, line and column. Plain functions: any thread.
#ifndef DSMSG_MSGCONV_YAML_TREE_H_
#define DSMSG_MSGCONV_YAML_TREE_H_

#include <yaml.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::msgconv {

/// Thrown by the functions below, and by what reads the nodes; never leaves ReadYamlTree.
struct YamlMistake {
  yaml_mark_t at;
  std::string what;
};
[[noreturn]] void YamlFail(const yaml_node_t& node, std::string what);

/// The text of a scalar.
std::string_view YamlText(const yaml_node_t& node);
/// A text without quotes, which may be a number.
bool IsPlainYaml(const yaml_node_t& node);
const yaml_node_t& YamlNode(yaml_document_t* document, int id);
/// Calls `with(key, value)` for each member. A name that is not a scalar, or is there twice, is a
/// mistake.
void ForEachYamlMember(
    yaml_document_t* document, const yaml_node_t& mapping,
    const std::function<void(const yaml_node_t& key, const yaml_node_t& value)>& with);
/// "there is no "lin" here (did you mean line?)", or all the names.
std::string UnknownYamlName(std::string_view name, std::span<const std::string_view> names);

/// `origin` stands for the file's name in errors.
Status ReadYamlTree(std::string_view text, const std::string& origin,
                    const std::function<void(yaml_document_t*)>& read);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_YAML_TREE_H_
