// SPDX-License-Identifier: Apache-2.0
#include "msgconv/yaml_tree.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/base/nearest.h"
#include "msgconv/yaml_shield.h"

namespace dsmsg::msgconv {
namespace {

Status At(const std::string& origin, const yaml_mark_t& mark, const std::string& what) {
  return {Code::kInvalidArgument, origin + ":" + std::to_string(mark.line + 1) + ":" +
                                      std::to_string(mark.column + 1) + ": " + what};
}

}  // namespace

void YamlFail(const yaml_node_t& node, std::string what) {
  throw YamlMistake{node.start_mark, std::move(what)};
}

std::string_view YamlText(const yaml_node_t& node) {
  return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
}

bool IsPlainYaml(const yaml_node_t& node) {
  return node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

const yaml_node_t& YamlNode(yaml_document_t* document, int id) {
  return *yaml_document_get_node(document, id);
}

void ForEachYamlMember(
    yaml_document_t* document, const yaml_node_t& mapping,
    const std::function<void(const yaml_node_t& key, const yaml_node_t& value)>& with) {
  const auto& pairs = mapping.data.mapping.pairs;
  std::vector<std::string_view> seen;
  for (const yaml_node_pair_t* pair = pairs.start; pair < pairs.top; ++pair) {
    const yaml_node_t& key = YamlNode(document, pair->key);
    if (key.type != YAML_SCALAR_NODE) YamlFail(key, "a name is expected here");
    const std::string_view name = YamlText(key);
    if (name == "<<" && IsPlainYaml(key))
      YamlFail(key, "\"<<\" (a merge key) is not supported: write the members themselves");
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      YamlFail(key, "\"" + std::string(name) + "\" is here twice");
    seen.push_back(name);
    with(key, YamlNode(document, pair->value));
  }
}

std::string UnknownYamlName(std::string_view name, std::span<const std::string_view> names) {
  const std::string_view nearest = Nearest(name, names);
  std::string text = "there is no \"" + std::string(name) + "\" here";
  if (!nearest.empty()) return text + " (did you mean " + std::string(nearest) + "?)";
  text += " (there are";
  for (const std::string_view& each : names)
    text.append(&each == names.data() ? " " : ", ").append(each);
  return text + ")";
}

namespace {

/// What libyaml says is wrong. It does not say on which line bytes are no characters.
Status NotYaml(const std::string& origin, const yaml_parser_t& parser, std::string_view text) {
  const std::string problem = parser.problem == nullptr ? "this is not YAML" : parser.problem;
  if (parser.error != YAML_READER_ERROR) return At(origin, parser.problem_mark, problem);
  const std::string_view before = text.substr(0, parser.problem_offset);
  yaml_mark_t at{};
  at.line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  at.column = before.size() - (before.rfind('\n') + 1);  // npos + 1 is 0
  return At(origin, at, problem + " (save the file as UTF-8)");
}

/// A second document would be ignored in silence.
void NeedOneDocument(yaml_parser_t* parser) {
  yaml_document_t next;
  if (yaml_parser_load(parser, &next) == 0)
    throw YamlMistake{parser->problem_mark, parser->problem};
  const yaml_node_t* const root = yaml_document_get_root_node(&next);
  const yaml_mark_t at = root == nullptr ? yaml_mark_t() : root->start_mark;
  yaml_document_delete(&next);
  if (root != nullptr) throw YamlMistake{at, "a second document begins here; only one is read"};
}

void NeedNoTags(const yaml_document_t& document) {
  for (const yaml_node_t* node = document.nodes.start; node < document.nodes.top; ++node) {
    const std::string_view tag(reinterpret_cast<const char*>(node->tag));
    const bool usual = tag == YAML_STR_TAG || tag == YAML_SEQ_TAG || tag == YAML_MAP_TAG;
    if (!usual) YamlFail(*node, "tags (!...) are not supported: put a text in quotes");
  }
}

}  // namespace

Status ReadYamlTree(std::string_view text, const std::string& origin,
                    const std::function<void(yaml_document_t*)>& read) {
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) return {Code::kInternal, "no memory"};
  const std::unique_ptr<yaml_parser_t, decltype(&yaml_parser_delete)> parser_owner(
      &parser, yaml_parser_delete);
  const std::string shielded = ShieldExpressions(text);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(shielded.data()),
                               shielded.size());
  yaml_document_t document;
  if (yaml_parser_load(&parser, &document) == 0) return NotYaml(origin, parser, shielded);
  const std::unique_ptr<yaml_document_t, decltype(&yaml_document_delete)> document_owner(
      &document, yaml_document_delete);
  try {
    NeedOneDocument(&parser);
    NeedNoTags(document);
    UnshieldScalars(&document);
    read(&document);
  } catch (const YamlMistake& mistake) {
    return At(origin, mistake.at, mistake.what);
  }
  return {};
}

}  // namespace dsmsg::msgconv
