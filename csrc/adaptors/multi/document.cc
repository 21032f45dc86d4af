// SPDX-License-Identifier: Apache-2.0
#include "adaptors/multi/document.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/options/config_parser.h"
#include "core/options/option_value.h"

namespace dsmsg::multi {
namespace {

constexpr size_t kDeepest = 8;

bool SameName(std::string_view a, std::string_view b) {
  const auto dash = [](char c) { return c == '_' ? '-' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return dash(x) == dash(y); });
}

/// Builds the tree while RapidJSON reads; it stops at the first fault, which is kept.
class Builder {
 public:
  explicit Builder(std::string_view text) : text_(text), stream_(text.data(), text.size()) {}

  Result<Node> Run(const std::string& origin) {
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                                rapidjson::kParseNumbersAsStringsFlag |
                                rapidjson::kParseValidateEncodingFlag;
    rapidjson::Reader reader;
    const rapidjson::ParseResult result = reader.Parse<kFlags>(stream_, *this);
    if (!fault_.empty()) return Wrong(origin, Line(stream_.Tell()), fault_);
    if (result.IsError()) {
      return Wrong(origin, Line(result.Offset()),
                   std::string("is not valid JSON: ") + rapidjson::GetParseError_En(result.Code()));
    }
    return std::move(root_);
  }

  bool Null() { return Add(Node::Kind::kNull, ""); }
  bool Bool(bool value) { return Add(Node::Kind::kBool, value ? "1" : "0"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return Add(Node::Kind::kNumber, {text, size});
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return Add(Node::Kind::kText, {text, size});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    name_.assign(text, size);
    const auto& members = open_.back()->children;
    const auto same = std::find_if(members.begin(), members.end(),
                                   [&](const Node& node) { return SameName(node.name, name_); });
    return same == members.end() || Fail("\"" + same->name + "\" is given twice (also on line " +
                                         std::to_string(same->line) + ")");
  }
  bool StartObject() { return Enter(Node::Kind::kObject); }
  bool EndObject(rapidjson::SizeType) { return Leave(); }
  bool StartArray() { return Enter(Node::Kind::kArray); }
  bool EndArray(rapidjson::SizeType) { return Leave(); }
  // Numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  size_t Line(size_t offset) const {
    const auto end = text_.begin() + static_cast<ptrdiff_t>(std::min(offset, text_.size()));
    return 1 + static_cast<size_t>(std::count(text_.begin(), end, '\n'));
  }
  bool Fail(std::string what) {
    fault_ = std::move(what);
    return false;
  }
  bool Add(Node::Kind kind, std::string_view text) {
    Node node{kind, std::exchange(name_, ""), std::string(text), {}, Line(stream_.Tell())};
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back()->children.push_back(std::move(node));
    }
    return true;
  }
  // A parent's children do not move while one of them is open.
  bool Enter(Node::Kind kind) {
    if (open_.size() == kDeepest) return Fail("is nested too deeply");
    Add(kind, "");
    open_.push_back(open_.empty() ? &root_ : &open_.back()->children.back());
    return true;
  }
  bool Leave() {
    open_.pop_back();
    return true;
  }

  const std::string_view text_;
  rapidjson::MemoryStream stream_;
  Node root_;
  std::vector<Node*> open_;
  std::string name_, fault_;
};

Node& Member(Node* object, std::string_view name, size_t line) {
  for (Node& child : object->children) {
    if (SameName(child.name, name)) return child;
  }
  return object->children.emplace_back(Node{Node::Kind::kObject, std::string(name), "", {}, line});
}

/// The object of a group's line; null: it is no such group.
Node* GroupOf(std::string_view line, Node* root, size_t number) {
  constexpr std::string_view kBegin = "[output.handlers.", kConfig = ".config";
  if (!line.starts_with(kBegin) || line.back() != ']') return nullptr;
  std::string_view name = line.substr(kBegin.size(), line.size() - kBegin.size() - 1);
  const bool config = name.ends_with(kConfig);
  if (config) name.remove_suffix(kConfig.size());
  if (name.empty()) return nullptr;
  Node& handlers = Member(&Member(root, "output", number), "handlers", number);
  Node& handler = Member(&handlers, name, number);
  return config ? &Member(&handler, "config", number) : &handler;
}

Result<Node> ParseIni(std::string_view text, const std::string& origin) {
  Node root;
  Node* group = nullptr;
  std::map<std::string_view, size_t> groups;  // the line of each
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = TrimBlanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      group = GroupOf(line, &root, number);
      if (group == nullptr) {
        return Wrong(origin, number,
                     "expected [output.handlers.NAME] or [output.handlers.NAME.config]");
      }
      const auto [first, is_new] = groups.try_emplace(line, number);
      if (is_new) continue;
      return Wrong(
          origin, number,
          "this group is given twice (also on line " + std::to_string(first->second) + ")");
    }
    const size_t equals = line.find('=');
    if (group == nullptr || equals == std::string_view::npos || equals == 0) {
      return Wrong(origin, number,
                   "is neither JSON (which begins with '{') nor INI: expected a group "
                   "[output.handlers.NAME] and then lines key = value");
    }
    const std::string_view name = TrimBlanks(line.substr(0, equals));
    for (const Node& other : group->children) {
      if (SameName(other.name, name)) {
        return Wrong(origin, number,
                     "\"" + other.name + "\" is given twice (also on line " +
                         std::to_string(other.line) + ")");
      }
    }
    group->children.push_back({Node::Kind::kText,
                               std::string(name),
                               std::string(Unquote(line.substr(equals + 1)).text),
                               {},
                               number});
  }
  return root;
}

}  // namespace

const Node* Node::Find(std::string_view wanted) const {
  for (const Node& child : children) {
    if (SameName(child.name, wanted)) return &child;
  }
  return nullptr;
}

Result<Node> ParseDocument(std::string_view text, const std::string& origin) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  return json ? Builder(text).Run(origin) : ParseIni(text, origin);
}

Status Wrong(const std::string& origin, size_t line, const std::string& what) {
  return {Code::kInvalidArgument, origin + ":" + std::to_string(line) + ": " + what};
}

}  // namespace dsmsg::multi
