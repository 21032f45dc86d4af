// SPDX-License-Identifier: Apache-2.0
// From a YAML document to a map (map.h). One thread; throws YamlMistake.
#ifndef DSMSG_MSGCONV_MAP_COMPILER_H_
#define DSMSG_MSGCONV_MAP_COMPILER_H_

#include <memory>
#include <string>
#include <string_view>

#include "msgconv/map.h"
#include "msgconv/yaml_tree.h"

namespace dsmsg::msgconv {

class MapCompiler {
 public:
  explicit MapCompiler(yaml_document_t* document) : document_(document) {}
  std::shared_ptr<const Map> Compile();

 private:
  using Element = Map::Element;
  using Node = yaml_node_t;

  void Top(const Node& key, const Node& value);
  void EachOf(const Node& node);
  void FormatOf(const Node& node);
  MapExpression Expression(const Node& node, std::string_view text, size_t offset);
  MapExpression Condition(const Node& node);
  /// `field`: of protobuf; null: JSON, or a whole message.
  Element ElementOf(const Node& node, int depth, const NvField* field);
  Element ArrayOf(const Node& node, int depth, const NvField* field);
  Element MappingElement(const Node& node, int depth, const NvField* field);
  Element EachElement(const Node& whole, const Node& each, const Node* when, const Node& item,
                      int depth, const NvField* field);
  Element JsonText(const Node& node, int depth, const NvField* field);
  void Member(Element* element, const Node& key, const Node& value, int depth,
              const NvField* field);
  Element ScalarElement(const Node& node);
  Element TemplateOf(const Node& node);
  // Protobuf (map_compiler_nv.cc).
  const NvField& FieldNamed(const NvMessage& message, const Node& key) const;
  void CheckField(const Node& node, Element* element, const NvField& field) const;
  void CheckConstant(const Node& node, Element* element, const NvField& field) const;
  static void CheckShape(const Node& node, const NvField& field);

  yaml_document_t* const document_;
  const std::shared_ptr<Map> map_ = std::make_shared<Map>();
  const Node *each_ = nullptr, *when_ = nullptr, *message_ = nullptr, *format_ = nullptr;
  MapContexts contexts_;
  const NvMessage* nv_ = nullptr;  // what the mapping at hand is; null: JSON
  size_t elements_ = 0;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_COMPILER_H_
