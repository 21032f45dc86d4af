// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_compiler.h"

#include <glib.h>

#include <utility>
#include <vector>

#include "msgconv/map_constant.h"
#include "msgconv/map_settle.h"

namespace dsmsg::msgconv {
namespace {

using Kind = Map::Element::Kind;

constexpr size_t kMostElements = 10'000;  // aliases can repeat a part without end
constexpr int kDeepest = 40;

/// The "}" that is not in quotes.
size_t EndOfValue(std::string_view text, size_t at) {
  char quote = '\0';
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != '\0') {
      if (c == '\\') ++at;
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '}') {
      return at;
    }
  }
  return text.npos;
}

}  // namespace

std::shared_ptr<const Map> MapCompiler::Compile() {
  const Node* const root = yaml_document_get_root_node(document_);
  if (root == nullptr) throw YamlMistake{{}, "the file is empty: it needs \"message:\""};
  if (root->type != YAML_MAPPING_NODE)
    YamlFail(*root, "expected \"message:\", with the message below");
  ForEachYamlMember(document_, *root,
                    [this](const Node& key, const Node& value) { Top(key, value); });
  if (message_ == nullptr) YamlFail(*root, "\"message:\" is missing: what a message looks like");
  if (message_->type != YAML_MAPPING_NODE) {
    YamlFail(*message_, "a message has names and values, as in \"camera: ${sensor.id}\"");
  }
  contexts_ = MapContexts{MapContext::kFrame};
  if (each_ != nullptr) EachOf(*each_);
  if (format_ != nullptr) FormatOf(*format_);
  if (when_ != nullptr) map_->when_ = Condition(*when_);
  map_->message_ = MappingElement(*message_, 0, nullptr);
  if (map_->message_.kind != Kind::kObject || !map_->message_.when.empty())
    YamlFail(*message_, "a message has names and values; a condition for it is when: at the top");
  if (map_->format_ == Map::Format::kJson) Settle(&map_->message_, &map_->settled_parts_);
  return map_;
}

void MapCompiler::Top(const Node& key, const Node& value) {
  constexpr std::string_view kNames[] = {"each", "when", "format", "message", "description"};
  const std::string_view name = YamlText(key);
  if (name == "each") {
    each_ = &value;
  } else if (name == "when") {
    when_ = &value;
  } else if (name == "format") {
    format_ = &value;
  } else if (name == "message") {
    message_ = &value;
  } else if (name != "description") {
    YamlFail(key, UnknownYamlName(name, kNames));
  }
}

void MapCompiler::EachOf(const Node& node) {
  struct Choice {
    std::string_view name;
    Map::Each each;
    MapContexts contexts;
  };
  const Choice kChoices[] = {
      {"frame", Map::Each::kFrame, {MapContext::kFrame}},
      {"object", Map::Each::kObject, {MapContext::kFrame, MapContext::kObject}},
      {"event", Map::Each::kEvent, {MapContext::kFrame, MapContext::kObject}},
      {"track", Map::Each::kTrack, {MapContext::kFrame, MapContext::kTrack}},
      {"message", Map::Each::kMessage, {MapContext::kReceived}},
  };
  for (const Choice& choice : kChoices) {
    if (node.type != YAML_SCALAR_NODE || YamlText(node) != choice.name) continue;
    map_->each_ = choice.each;
    map_->wants_tracks_ = choice.each == Map::Each::kTrack;
    contexts_ = choice.contexts;
    return;
  }
  YamlFail(node, "must be frame, object, event, track or message");
}

void MapCompiler::FormatOf(const Node& node) {
  const std::string_view name = node.type == YAML_SCALAR_NODE ? YamlText(node) : "";
  if (name == "json") return;
  if (name != "protobuf") YamlFail(node, "must be json or protobuf");
  if (map_->each_ == Map::Each::kMessage)
    YamlFail(node, "received messages are mapped to JSON only (leave format out)");
  map_->format_ = Map::Format::kProtobuf;
  nv_ = map_->each_ == Map::Each::kFrame ? &NvFrame() : &NvMessageOfObject();
}

MapExpression MapCompiler::Expression(const Node& node, std::string_view text, size_t offset) {
  try {
    return MapExpression::Parse(text, {contexts_, &map_->texts_});
  } catch (const MapFault& fault) {
    yaml_mark_t at = node.start_mark;
    // Exact where the text stands on one line without escapes, else the beginning.
    const bool on_one_line = node.start_mark.line == node.end_mark.line;
    const std::string_view before = YamlText(node).substr(0, offset + fault.at);
    const glong characters = g_utf8_strlen(before.data(), static_cast<gssize>(before.size()));
    if (on_one_line) at.column += static_cast<size_t>(characters) + (IsPlainYaml(node) ? 0 : 1);
    throw YamlMistake{at, fault.what};
  }
}

MapExpression MapCompiler::Condition(const Node& node) {
  if (node.type != YAML_SCALAR_NODE)
    YamlFail(node, "a condition is expected, such as object.confidence > 0.5");
  MapExpression condition = Expression(node, YamlText(node), 0);
  if (condition.type() != MapType::kBool && condition.type() != MapType::kAny) {
    YamlFail(node, "must be true or false, such as object.confidence > 0.5");
  }
  return condition;
}

MapCompiler::Element MapCompiler::ElementOf(const Node& node, int depth, const NvField* field) {
  if (depth > kDeepest) YamlFail(node, "the message is nested too deeply");
  if (++elements_ > kMostElements) YamlFail(node, "the message has too many parts");
  if (node.type == YAML_SEQUENCE_NODE) return ArrayOf(node, depth, field);
  if (node.type == YAML_MAPPING_NODE) return MappingElement(node, depth, field);
  Element element = ScalarElement(node);
  if (field != nullptr) CheckField(node, &element, *field);
  return element;
}

MapCompiler::Element MapCompiler::ArrayOf(const Node& node, int depth, const NvField* field) {
  Element element;
  element.kind = Kind::kArray;
  if (field != nullptr && !field->repeated)
    YamlFail(node, std::string(field->name) + " has one value, not a list");
  NvField one;
  if (field != nullptr) {
    one = *field;
    one.repeated = false;
  }
  const auto& items = node.data.sequence.items;
  for (const yaml_node_item_t* item = items.start; item < items.top; ++item) {
    const Node& each = YamlNode(document_, *item);
    element.items.push_back(ElementOf(each, depth + 1, field == nullptr ? nullptr : &one));
  }
  return element;
}

MapCompiler::Element MapCompiler::MappingElement(const Node& node, int depth,
                                                 const NvField* field) {
  const Node *each = nullptr, *when = nullptr, *item = nullptr, *json = nullptr;
  std::vector<std::pair<const Node*, const Node*>> members;
  ForEachYamlMember(document_, node, [&](const Node& key, const Node& value) {
    const std::string_view name = YamlText(key);
    if (name == "$each") {
      each = &value;
    } else if (name == "$when") {
      when = &value;
    } else if (name == "$item") {
      item = &value;
    } else if (name == "$json") {
      json = &value;
    } else if (name.starts_with('$') && !name.starts_with("$$")) {
      constexpr std::string_view kNames[] = {"$each", "$when", "$item", "$json"};
      YamlFail(key, UnknownYamlName(name, kNames) + "; a name that begins with $ is written $$");
    } else {
      members.emplace_back(&key, &value);
    }
  });
  if ((each == nullptr) != (item == nullptr)) YamlFail(node, "a list needs both $each and $item");
  if (each != nullptr) {
    if (!members.empty() || json != nullptr)
      YamlFail(node, "beside $each there are only $when and $item");
    return EachElement(node, *each, when, *item, depth, field);
  }
  if (json != nullptr) {
    if (!members.empty() || when != nullptr) YamlFail(node, "beside $json there is nothing else");
    return JsonText(*json, depth, field);
  }
  Element element;
  element.kind = Kind::kObject;
  if (field != nullptr) CheckShape(node, *field);
  if (when != nullptr) element.when = Condition(*when);
  // A map of protobuf has any names.
  const NvMessage* const before = nv_;
  const bool table = field != nullptr && field->type == NvType::kMap;
  if (field != nullptr) nv_ = field->message;
  for (const auto& [key, value] : members)
    Member(&element, *key, *value, depth, table ? field : nullptr);
  nv_ = before;
  return element;
}

void MapCompiler::Member(Element* element, const Node& key, const Node& value, int depth,
                         const NvField* table) {
  static constexpr NvField kEntry = {"the value", 2, NvType::kString, false, nullptr};
  std::string_view name = YamlText(key);
  if (name.starts_with("$$")) name.remove_prefix(1);
  if (table != nullptr) {
    element->members.push_back({std::string(name), ElementOf(value, depth + 1, &kEntry), nullptr});
  } else if (nv_ != nullptr) {
    const NvField& field = FieldNamed(*nv_, key);
    element->members.push_back({std::string(name), ElementOf(value, depth + 1, &field), &field});
  } else {
    element->members.push_back(
        {"," + QuotedJson(name) + ":", ElementOf(value, depth + 1, nullptr), nullptr});
  }
}

MapCompiler::Element MapCompiler::EachElement(const Node& whole, const Node& each, const Node* when,
                                              const Node& item, int depth, const NvField* field) {
  if (field != nullptr && !field->repeated)
    YamlFail(whole, std::string(field->name) + " has one value, not a list");
  if (each.type != YAML_SCALAR_NODE) YamlFail(each, "a list is expected, such as object");
  Element element;
  element.kind = Kind::kEach;
  const std::string_view name = YamlText(each);
  const MapContexts before = contexts_;
  if (before.Has(MapContext::kReceived)) {
    element.value = Expression(each, name, 0);
    if (element.value.type() != MapType::kAny) YamlFail(each, "a list of the payload is expected");
    contexts_ = before.With(MapContext::kItem);
  } else {
    element.list = FindMapList(name);
    element.events = name == "event";
    if (element.list == nullptr || !before.Has(element.list->needs)) {
      std::vector<std::string_view> names;
      for (const MapList& list : MapLists()) {
        if (before.Has(list.needs)) names.push_back(list.name);
      }
      YamlFail(each, UnknownYamlName(name, names));
    }
    contexts_ = before.With(element.list->gives);
    if (element.list->gives == MapContext::kTrack) map_->wants_tracks_ = true;
  }
  if (when != nullptr) element.when = Condition(*when);
  NvField one;
  if (field != nullptr) {
    one = *field;
    one.repeated = false;
  }
  element.items.push_back(ElementOf(item, depth + 1, field == nullptr ? nullptr : &one));
  contexts_ = before;
  return element;
}

/// A document in a text.
MapCompiler::Element MapCompiler::JsonText(const Node& node, int depth, const NvField* field) {
  if (field != nullptr && (field->type != NvType::kString || field->repeated))
    YamlFail(node, std::string(field->name) + " is no text, and $json makes one");
  const NvMessage* const before = std::exchange(nv_, nullptr);
  Element element;
  element.kind = Kind::kJsonText;
  element.slot = map_->texts_++;
  element.items.push_back(ElementOf(node, depth + 1, nullptr));
  nv_ = before;
  return element;
}

MapCompiler::Element MapCompiler::ScalarElement(const Node& node) {
  if (IsPlainYaml(node)) {
    if (std::string json = PlainJson(YamlText(node)); !json.empty()) {
      Element element;
      element.json = std::move(json);
      return element;
    }
  }
  return TemplateOf(node);
}

MapCompiler::Element MapCompiler::TemplateOf(const Node& node) {
  const std::string_view text = YamlText(node);
  Element element;
  element.kind = Kind::kTemplate;
  std::string literal;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      literal.push_back(text[at++]);
      continue;
    }
    if (text.substr(at).starts_with("$$")) {
      literal.push_back('$');
      at += 2;
      continue;
    }
    if (!text.substr(at).starts_with("${")) {
      YamlFail(node, "\"$\" begins a value, ${...}; the character itself is written $$");
    }
    const size_t end = EndOfValue(text, at + 2);
    if (end == text.npos) YamlFail(node, "a value has no closing \"}\"");
    MapExpression value = Expression(node, text.substr(at + 2, end - at - 2), at + 2);
    const bool whole = at == 0 && end + 1 == text.size();
    if (whole) {
      element.kind = Kind::kValue;
      element.value = std::move(value);
      return element;
    }
    if (IsList(value.type())) {
      YamlFail(node, "a list cannot stand in a text: let it be the whole value");
    }
    element.pieces.push_back({std::exchange(literal, {}), std::move(value)});
    at = end + 1;
  }
  if (element.pieces.empty()) {
    Element constant;
    constant.json = QuotedJson(literal);
    constant.text = std::move(literal);
    return constant;
  }
  if (!literal.empty()) element.pieces.push_back({std::move(literal), {}});
  element.slot = map_->texts_++;
  return element;
}

}  // namespace dsmsg::msgconv
