// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map.h"

#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

#include "core/base/nearest.h"
#include "core/base/text_file.h"

namespace dsmsg::msgconv {
namespace {

constexpr size_t kLargestFile = 1 << 20;
constexpr size_t kMostElements = 10'000;  // aliases can repeat a part without end
constexpr int kDeepest = 40;

struct Mistake {
  yaml_mark_t at;
  std::string what;
};

[[noreturn]] void Fail(const yaml_node_t& node, std::string what) {
  throw Mistake{node.start_mark, std::move(what)};
}

std::string_view ScalarOf(const yaml_node_t& node) {
  return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
}

bool IsPlain(const yaml_node_t& node) { return node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE; }

std::string Quoted(std::string_view text) {
  JsonWriter writer;
  writer.String(text);
  return std::string(writer.view());
}

/// A plain scalar that YAML reads as null, a truth value or a number, as JSON; "": a text.
std::string PlainJson(std::string_view text) {
  for (const std::string_view null : {"", "~", "null", "Null", "NULL"}) {
    if (text == null) return "null";
  }
  for (const std::string_view word : {"true", "false"}) {
    const bool same =
        text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
    if (same) return std::string(word);
  }
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  // JSON has no zeros in front: YAML's 007 is a text here, because it is one to its reader.
  if (digits.size() > 1 && digits[0] == '0' && digits[1] != '.' && digits[1] != 'e') return {};
  if (digits.ends_with('.') || digits.find(".e") != digits.npos) return {};
  return std::string(text);
}

}  // namespace

class MapCompiler {
 public:
  explicit MapCompiler(yaml_document_t* document) : document_(document) {}

  std::shared_ptr<const Map> Compile() {
    const yaml_node_t* const root = yaml_document_get_root_node(document_);
    if (root == nullptr) throw Mistake{{}, "the file is empty: it needs \"message:\""};
    if (root->type != YAML_MAPPING_NODE)
      Fail(*root, "expected \"message:\", with the message below");
    const yaml_node_t *each = nullptr, *when = nullptr, *message = nullptr;
    ForEachMember(*root, [&](const yaml_node_t& key, const yaml_node_t& value) {
      constexpr std::string_view kNames[] = {"each", "when", "message", "description"};
      const std::string_view name = ScalarOf(key);
      if (name == "each") {
        each = &value;
      } else if (name == "when") {
        when = &value;
      } else if (name == "message") {
        message = &value;
      } else if (name != "description") {
        Fail(key, Unknown(name, kNames));
      }
    });
    if (message == nullptr) Fail(*root, "\"message:\" is missing: what a message looks like");
    if (message->type != YAML_MAPPING_NODE) {
      Fail(*message, "a message has names and values, as in \"camera: ${sensor.id}\"");
    }
    if (each != nullptr) map_->each_ = EachOf(*each, /*frames=*/true);
    in_object_ = map_->each_ != Map::Each::kFrame;
    if (when != nullptr) map_->when_ = Condition(*when);
    map_->message_ = ElementOf(*message, 0);
    return map_;
  }

 private:
  using Element = Map::Element;
  using Kind = Element::Kind;

  const yaml_node_t& NodeOf(int id) { return *yaml_document_get_node(document_, id); }

  template <typename Do>
  void ForEachMember(const yaml_node_t& mapping, Do with) {
    const auto& pairs = mapping.data.mapping.pairs;
    std::vector<std::string_view> seen;
    for (const yaml_node_pair_t* pair = pairs.start; pair < pairs.top; ++pair) {
      const yaml_node_t& key = NodeOf(pair->key);
      if (key.type != YAML_SCALAR_NODE) Fail(key, "a name is expected here");
      if (std::find(seen.begin(), seen.end(), ScalarOf(key)) != seen.end()) {
        Fail(key, "\"" + std::string(ScalarOf(key)) + "\" is here twice");
      }
      seen.push_back(ScalarOf(key));
      with(key, NodeOf(pair->value));
    }
  }

  static std::string Unknown(std::string_view name, std::span<const std::string_view> names) {
    const std::string_view nearest = Nearest(name, names);
    std::string text = "there is no \"" + std::string(name) + "\" here";
    if (!nearest.empty()) return text + " (did you mean " + std::string(nearest) + "?)";
    text += " (there are";
    for (const std::string_view each : names)
      text.append(each == names.front() ? " " : ", ").append(each);
    return text + ")";
  }

  static Map::Each EachOf(const yaml_node_t& node, bool frames) {
    if (node.type == YAML_SCALAR_NODE) {
      if (frames && ScalarOf(node) == "frame") return Map::Each::kFrame;
      if (ScalarOf(node) == "object") return Map::Each::kObject;
      if (ScalarOf(node) == "event") return Map::Each::kEvent;
    }
    Fail(node, frames ? "must be frame, object or event" : "must be object or event");
  }

  MapExpression Expression(const yaml_node_t& node, std::string_view text, size_t offset) {
    try {
      return MapExpression::Parse(text, {in_object_, &map_->texts_});
    } catch (const MapFault& fault) {
      yaml_mark_t at = node.start_mark;
      // Exact where the text stands on one line without escapes, else the beginning.
      const bool on_one_line = node.start_mark.line == node.end_mark.line;
      if (on_one_line) at.column += offset + fault.at + (IsPlain(node) ? 0 : 1);
      throw Mistake{at, fault.what};
    }
  }

  MapExpression Condition(const yaml_node_t& node) {
    if (node.type != YAML_SCALAR_NODE)
      Fail(node, "a condition is expected, such as object.confidence > 0.5");
    MapExpression condition = Expression(node, ScalarOf(node), 0);
    if (condition.type() != MapType::kBool) {
      Fail(node, "must be true or false, such as object.confidence > 0.5");
    }
    return condition;
  }

  Element ElementOf(const yaml_node_t& node, int depth) {
    if (depth > kDeepest) Fail(node, "the message is nested too deeply");
    if (++elements_ > kMostElements) Fail(node, "the message has too many parts");
    switch (node.type) {
      case YAML_SCALAR_NODE:
        return ScalarElement(node);
      case YAML_SEQUENCE_NODE: {
        Element element;
        element.kind = Kind::kArray;
        const auto& items = node.data.sequence.items;
        for (const yaml_node_item_t* item = items.start; item < items.top; ++item)
          element.items.push_back(ElementOf(NodeOf(*item), depth + 1));
        return element;
      }
      default:
        return MappingElement(node, depth);
    }
  }

  Element MappingElement(const yaml_node_t& node, int depth) {
    const yaml_node_t *each = nullptr, *when = nullptr, *item = nullptr;
    Element element;
    element.kind = Kind::kObject;
    std::vector<std::pair<std::string, const yaml_node_t*>> members;
    ForEachMember(node, [&](const yaml_node_t& key, const yaml_node_t& value) {
      std::string_view name = ScalarOf(key);
      if (name == "$each") {
        each = &value;
      } else if (name == "$when") {
        when = &value;
      } else if (name == "$item") {
        item = &value;
      } else if (name.starts_with('$') && !name.starts_with("$$")) {
        constexpr std::string_view kNames[] = {"$each", "$when", "$item"};
        Fail(key, Unknown(name, kNames) + "; a name that begins with $ is written $$");
      } else {
        if (name.starts_with("$$")) name.remove_prefix(1);
        members.emplace_back(Quoted(name) + ":", &value);
      }
    });
    if ((each == nullptr) != (item == nullptr)) {
      Fail(node, "a list over objects needs both $each and $item");
    }
    if (each == nullptr) {
      if (when != nullptr) element.when = Condition(*when);
      for (auto& [key, value] : members)
        element.members.push_back({std::move(key), ElementOf(*value, depth + 1)});
      return element;
    }
    if (!members.empty()) Fail(node, "beside $each there are only $when and $item");
    element.kind = Kind::kEach;
    element.each = EachOf(*each, /*frames=*/false);
    const bool before = std::exchange(in_object_, true);
    if (when != nullptr) element.when = Condition(*when);
    element.items.push_back(ElementOf(*item, depth + 1));
    in_object_ = before;
    return element;
  }

  static Element ConstantElement(std::string json) {
    Element element;
    element.json = std::move(json);
    return element;
  }

  Element ScalarElement(const yaml_node_t& node) {
    const std::string_view text = ScalarOf(node);
    if (IsPlain(node)) {
      if (std::string json = PlainJson(text); !json.empty())
        return ConstantElement(std::move(json));
    }
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
        Fail(node, "\"$\" begins a value, ${...}; the character itself is written $$");
      }
      const size_t end = EndOfValue(text, at + 2);
      if (end == text.npos) Fail(node, "a value has no closing \"}\"");
      MapExpression value = Expression(node, text.substr(at + 2, end - at - 2), at + 2);
      const bool whole = at == 0 && end + 1 == text.size();
      if (whole) {
        element.kind = Kind::kValue;
        element.value = std::move(value);
        return element;
      }
      if (value.type() == MapType::kTexts || value.type() == MapType::kTable) {
        Fail(node, "a list cannot stand in a text: let it be the whole value");
      }
      element.pieces.push_back({std::exchange(literal, {}), std::move(value)});
      at = end + 1;
    }
    if (element.pieces.empty()) return ConstantElement(Quoted(literal));
    if (!literal.empty()) element.pieces.push_back({std::move(literal), {}});
    element.slot = map_->texts_++;
    return element;
  }

  /// The "}" that is not in quotes.
  static size_t EndOfValue(std::string_view text, size_t at) {
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

  yaml_document_t* const document_;
  const std::shared_ptr<Map> map_ = std::make_shared<Map>();
  bool in_object_ = false;
  size_t elements_ = 0;
};

namespace {

Status At(const std::string& origin, const yaml_mark_t& mark, const std::string& what) {
  return {Code::kInvalidArgument, origin + ":" + std::to_string(mark.line + 1) + ":" +
                                      std::to_string(mark.column + 1) + ": " + what};
}

}  // namespace

Result<std::shared_ptr<const Map>> Map::Parse(std::string_view text, const std::string& origin) {
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) return Status(Code::kInternal, "no memory");
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  yaml_document_t document;
  Result<std::shared_ptr<const Map>> result = Status(Code::kInternal, "nothing was read");
  if (yaml_parser_load(&parser, &document) == 0) {
    const char* const problem = parser.problem == nullptr ? "this is not YAML" : parser.problem;
    result = At(origin, parser.problem_mark, problem);
  } else {
    try {
      result = MapCompiler(&document).Compile();
    } catch (const Mistake& mistake) {
      result = At(origin, mistake.at, mistake.what);
    }
    yaml_document_delete(&document);
  }
  yaml_parser_delete(&parser);
  return result;
}

Result<std::shared_ptr<const Map>> Map::Load(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (!text.ok()) {
    return Status(text.status().code(),
                  "cannot read the map " + path + ": " + text.status().message());
  }
  return Parse(text.value(), path);
}

}  // namespace dsmsg::msgconv
