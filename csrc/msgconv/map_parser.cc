// SPDX-License-Identifier: Apache-2.0
// The grammar of expressions, by recursive descent:
//
//   piped    = either { "|" filter }       either = or { "??" or }
//   or       = and { "or" and }            and = not { "and" not }       not = "not" not | compared
//   compared = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" list
//              | "is" ["not"] "missing" ]
//   sum      = product { ("+" | "-") product }     product = factor { ("*" | "/") factor }
//   factor   = number | text | "true" | "false" | name | path | "env:" NAME | "(" piped ")"
//              | "-" factor
//   path     = ("payload" | "item") { "." word | "[" (number | text) "]" }
//              | "topic" "[" number "]" | "headers" ("." word | "[" text "]")
//   list     = "[" word { "," word } "]" | name of a list
//   filter   = name [ ":" constant ]
#include <charconv>
#include <cstdlib>

#include "msgconv/map_lexer.h"
#include "msgconv/map_node.h"
#include "msgconv/map_words.h"

namespace dsmsg::msgconv {
namespace {

using Node = MapExpression::Node;
using NodePtr = std::unique_ptr<Node>;
using enum MapType;

constexpr int kDeepest = 40;

class Parser : MapLexer {
 public:
  Parser(std::string_view text, const MapExpression::Place& place)
      : MapLexer(text), place_(place) {}

  NodePtr Whole() {
    NodePtr node = Piped();
    if (!AtEnd()) Fail("there is more than one expression here: " + Rest());
    if (!unset_.empty()) {
      Fail("the environment variable " + unset_ + " is not set (set it, or write ${env:" + unset_ +
           " | default:...})");
    }
    return node;
  }

 private:
  static NodePtr Make(MapOp op, MapType type, NodePtr left, NodePtr right = nullptr) {
    auto node = std::make_unique<Node>();
    node->op = op;
    node->type = type;
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }
  static NodePtr Constant(MapValue value, MapType type) {
    auto node = std::make_unique<Node>();
    node->type = type;
    node->constant = value;
    return node;
  }
  static NodePtr TextConstant(std::string text) {
    NodePtr node = Constant(MapValue(), kText);
    node->text = std::move(text);
    node->constant = MapValue::Text(node->text);  // nodes do not move
    return node;
  }
  static void Expect(const Node& node, MapType type, size_t at, std::string_view for_what) {
    if (node.type == type || node.type == kAny || type == kAny) return;
    FailAt(at, std::string(for_what) + " needs " + std::string(NameOf(type)) + ", and this is " +
                   std::string(NameOf(node.type)));
  }

  NodePtr Piped() {
    if (++depth_ > kDeepest) Fail("the expression is nested too deeply");
    Blanks();
    const size_t begin = at_;
    NodePtr node = Either();
    while (Take("|")) node = Filtered(std::move(node), begin);
    --depth_;
    return node;
  }

  /// The first of them that is not missing.
  NodePtr Either() {
    NodePtr node = Or();
    while (Take("??")) {
      NodePtr other = Or();
      const MapType type = node->type == other->type ? node->type : kAny;
      node = Make(MapOp::kDefault, type, std::move(node), std::move(other));
      unset_.clear();
    }
    return node;
  }

  NodePtr Filtered(NodePtr input, size_t begin) {
    Blanks();
    const std::string_view name = Word();
    const MapFilter* const found = FindMapFilter(name);
    if (found == nullptr) Fail(NoSuch("filter", name, MapFilterNames()));
    at_ += name.size();
    Expect(*input, found->takes, begin, "| " + std::string(name));
    const bool single =
        found->op == MapOp::kText || found->op == MapOp::kNumber || found->op == MapOp::kTime;
    if (single && IsList(input->type)) {
      FailAt(begin, "| " + std::string(name) + " needs one value, and this is " +
                        std::string(NameOf(input->type)));
    }
    NodePtr node = Make(found->op, found->gives, std::move(input));
    node->slot = (*place_.texts)++;
    if (found->op == MapOp::kDefault) {
      Need(':');
      node->right = AnyConstant();
      node->type = node->left->type == node->right->type ? node->right->type : kAny;
      unset_.clear();
    }
    if (found->op == MapOp::kRound && Take(":")) node->digits = Digits();
    return node;
  }

  NodePtr Or() {
    NodePtr node = And();
    for (size_t begin = start_; TakeWord("or");) {
      Expect(*node, kBool, begin, "or");
      node = Make(MapOp::kOr, kBool, std::move(node), And());
      Expect(*node->right, kBool, start_, "or");
    }
    return node;
  }

  NodePtr And() {
    Blanks();
    size_t begin = at_;
    NodePtr node = Not();
    while (TakeWord("and")) {
      Expect(*node, kBool, begin, "and");
      Blanks();
      begin = at_;
      node = Make(MapOp::kAnd, kBool, std::move(node), Not());
      Expect(*node->right, kBool, begin, "and");
    }
    return node;
  }

  NodePtr Not() {
    if (!TakeWord("not")) return Compared();
    if (++depth_ > kDeepest) Fail("the expression is nested too deeply");
    Blanks();
    const size_t begin = at_;
    NodePtr node = Not();
    --depth_;
    Expect(*node, kBool, begin, "not");
    return Make(MapOp::kNot, kBool, std::move(node));
  }

  NodePtr Compared() {
    Blanks();
    const size_t begin = at_;
    NodePtr node = Sum();
    struct Operator {
      std::string_view sign;
      MapOp op;
    };
    constexpr Operator kOperators[] = {{"==", MapOp::kEqual},        {"!=", MapOp::kUnequal},
                                       {"<=", MapOp::kLessEqual},    {"<", MapOp::kLess},
                                       {">=", MapOp::kGreaterEqual}, {">", MapOp::kGreater}};
    for (const auto& [sign, op] : kOperators) {
      if (!Take(sign)) continue;
      Blanks();
      const size_t at = at_;
      NodePtr other = Sum();
      CheckComparison(*node, *other, at, sign);
      return Make(op, kBool, std::move(node), std::move(other));
    }
    if (Take("=")) Fail("\"=\" is not an operator here: write \"==\"");
    if (TakeWord("is")) {
      const bool negated = TakeWord("not");
      if (!TakeWord("missing")) Fail("\"is\" is followed by \"missing\" or \"not missing\"");
      NodePtr missing = Make(MapOp::kIsMissing, kBool, std::move(node));
      return negated ? Make(MapOp::kNot, kBool, std::move(missing)) : std::move(missing);
    }
    const size_t before = at_;
    const bool negated = TakeWord("not");
    if (TakeWord("in")) return In(std::move(node), negated, begin);
    at_ = before;
    return node;
  }

  void CheckComparison(const Node& a, const Node& b, size_t at, std::string_view sign) {
    for (const Node* each : {&a, &b}) {
      if (IsList(each->type)) {
        FailAt(at,
               std::string(sign) + " compares single values; whether a list has one says \"in\"");
      }
    }
    if (a.type != b.type && a.type != kAny && b.type != kAny) {
      FailAt(at, std::string(sign) + " compares " + std::string(NameOf(a.type)) + " with " +
                     std::string(NameOf(b.type)));
    }
  }

  NodePtr In(NodePtr value, bool negated, size_t begin) {
    NodePtr node = Make(negated ? MapOp::kNotIn : MapOp::kIn, kBool, std::move(value));
    if (Take("[")) {
      do {
        Blanks();
        const size_t at = at_;
        node->list.push_back(Element());
        CheckComparison(*node->left, *node->list.back(), at, "in");
      } while (Take(","));
      Need(']');
      return node;
    }
    Blanks();
    const size_t at = at_;
    node->right = Factor();
    if (node->right->type != kTexts && node->right->type != kAny) {
      FailAt(at, "\"in\" needs a list, as in [car, bus], or a list of the metadata (object.zones)");
    }
    if (node->right->type == kTexts) Expect(*node->left, kText, begin, "in");
    return node;
  }

  /// Of a list: words need no quotes there.
  NodePtr Element() {
    const char next = Peek();
    if (!IsLetter(next)) return AnyConstant();
    size_t end = at_;
    while (end < text_.size() && text_[end] != ',' && text_[end] != ']') ++end;
    std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (word == "true" || word == "false") return Constant(MapValue::Bool(word == "true"), kBool);
    return TextConstant(std::string(word));
  }

  NodePtr AnyConstant() {
    const char next = Peek();
    if (next == '"' || next == '\'') return Quoted();
    if (next == '-' || IsDigit(next)) {
      const bool negative = Take("-");
      return Number(negative);
    }
    size_t end = at_ + Word().size();
    while (
        end > at_ && end < text_.size() &&
        (IsLetter(text_[end]) || IsDigit(text_[end]) || text_[end] == '-' || text_[end] == '.')) {
      ++end;
    }
    const std::string_view word = text_.substr(at_, end - at_);
    if (word.empty()) Fail("a value is missing before " + Rest());
    at_ += word.size();
    if (word == "true" || word == "false") return Constant(MapValue::Bool(word == "true"), kBool);
    return TextConstant(std::string(word));
  }

  NodePtr Quoted() { return TextConstant(QuotedText()); }

  NodePtr Number(bool negative) {
    Blanks();
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    double real = 0;
    const auto [last, error] = std::from_chars(begin, end, real);
    if (error != std::errc() || last == begin) Fail(Rest() + " is not a number");
    const std::string_view digits(begin, static_cast<size_t>(last - begin));
    at_ += digits.size();
    if (digits.find_first_of(".eE") == digits.npos) {
      int64_t whole = 0;
      if (std::from_chars(begin, last, whole).ec == std::errc())
        return Constant(MapValue::Int(negative ? -whole : whole), kNumber);
      uint64_t natural = 0;
      if (!negative && std::from_chars(begin, last, natural).ec == std::errc())
        return Constant(MapValue::Uint(natural), kNumber);
    }
    return Constant(MapValue::Double(negative ? -real : real), kNumber);
  }

  NodePtr Sum() {
    Blanks();
    const size_t begin = at_;
    NodePtr node = Product();
    for (;;) {
      const bool add = Take("+");
      if (!add && !Take("-")) return node;
      Expect(*node, kNumber, begin, add ? "+" : "-");
      Blanks();
      const size_t at = at_;
      node = Make(add ? MapOp::kAdd : MapOp::kSubtract, kNumber, std::move(node), Product());
      Expect(*node->right, kNumber, at, add ? "+" : "-");
    }
  }

  NodePtr Product() {
    Blanks();
    const size_t begin = at_;
    NodePtr node = Factor();
    for (;;) {
      const bool multiply = Take("*");
      if (!multiply && !Take("/")) return node;
      Expect(*node, kNumber, begin, multiply ? "*" : "/");
      Blanks();
      const size_t at = at_;
      node = Make(multiply ? MapOp::kMultiply : MapOp::kDivide, kNumber, std::move(node), Factor());
      Expect(*node->right, kNumber, at, multiply ? "*" : "/");
    }
  }

  NodePtr Factor() {
    const char next = Peek();
    if (next == '(') {
      ++at_;
      NodePtr node = Piped();
      Need(')');
      return node;
    }
    if (next == '"' || next == '\'') return Quoted();
    if (IsDigit(next)) return Number(false);
    if (next == '-') {
      ++at_;
      if (IsDigit(Peek())) return Number(true);
      if (++depth_ > kDeepest) Fail("the expression is nested too deeply");
      const size_t begin = at_;
      NodePtr node = Factor();
      --depth_;
      Expect(*node, kNumber, begin, "-");
      return Make(MapOp::kSubtract, kNumber, Constant(MapValue::Int(0), kNumber), std::move(node));
    }
    if (!IsLetter(next)) {
      Fail(AtEnd() ? "the expression ends where a value is expected"
                   : "a value is expected before " + Rest());
    }
    return Named();
  }

  NodePtr Named() {
    if (Take("env:")) return Environment();
    const size_t begin = at_;
    const std::string_view first = Word();
    if (first == "payload" || first == "item") return PayloadPath(first, begin);
    if (first == "topic" && text_.substr(at_).starts_with("topic[")) return TopicPart(begin);
    if (first == "headers") return Header(begin);
    const std::string_view name = Path();
    if (name == "true" || name == "false") return Constant(MapValue::Bool(name == "true"), kBool);
    if (NodePtr node = Entry(name, begin)) return node;
    const MapField* const field = FindMapField(name);
    if (field == nullptr) {
      FailAt(begin, NoSuch("value", name, MapNames(place_.contexts)) +
                        (name.find('.') == name.npos ? "; a text needs quotes" : ""));
    }
    Needs(field->context(), name, begin);
    NodePtr node = Leaf(MapOp::kField, field->type);
    node->field = field;
    return node;
  }

  /// Of a table of the metadata; nullptr: it is another name.
  NodePtr Entry(std::string_view name, size_t begin) const {
    struct Table {
      std::string_view prefix;
      MapContext context;
      MapOp op;
      MapType type;
    };
    constexpr Table kTables[] = {{kMapAttributes, MapContext::kObject, MapOp::kAttribute, kText},
                                 {kMapCounts, MapContext::kFrame, MapOp::kCount, kNumber}};
    for (const Table& table : kTables) {
      if (!name.starts_with(table.prefix) || name.size() == table.prefix.size()) continue;
      Needs(table.context, name, begin);
      NodePtr node = Leaf(table.op, table.type);
      node->text = name.substr(table.prefix.size());
      return node;
    }
    return nullptr;
  }

  static NodePtr Leaf(MapOp op, MapType type) {
    auto node = std::make_unique<Node>();
    node->op = op;
    node->type = type;
    return node;
  }

  NodePtr PayloadPath(std::string_view root, size_t begin) {
    const bool item = root == "item";
    Needs(item ? MapContext::kItem : MapContext::kReceived, root, begin);
    at_ += root.size();
    NodePtr node = Leaf(item ? MapOp::kItemPath : MapOp::kPayloadPath, kAny);
    node->path = Steps();
    return node;
  }

  NodePtr TopicPart(size_t begin) {
    Needs(MapContext::kReceived, "topic", begin);
    at_ += std::string_view("topic[").size();
    NodePtr node = Leaf(MapOp::kTopicPart, kText);
    node->path.push_back({.name = {}, .index = Index(), .element = true});
    Need(']');
    return node;
  }

  NodePtr Header(size_t begin) {
    Needs(MapContext::kReceived, "headers", begin);
    NodePtr node = Leaf(MapOp::kHeader, kText);
    const std::string_view name = Path();
    if (name.starts_with(kMapHeaders) && name.size() > kMapHeaders.size()) {
      node->text = name.substr(kMapHeaders.size());
      return node;
    }
    if (name == "headers" && Take("[")) {
      const char next = Peek();
      if (next == '"' || next == '\'') {
        node->text = QuotedText();
        Need(']');
        return node;
      }
    }
    FailAt(begin, "headers is followed by a name: headers.NAME or headers[\"NAME\"]");
  }

  void Needs(MapContext context, std::string_view name, size_t begin) const {
    if (!place_.contexts.Has(context))
      FailAt(begin, std::string(name) + " belongs to " + WhereItBelongs(context));
  }

  NodePtr Environment() {
    const std::string name(Word());
    if (name.empty()) Fail("env: needs the name of an environment variable");
    at_ += name.size();
    const char* const value = std::getenv(name.c_str());
    if (value != nullptr) return TextConstant(value);
    unset_ = name;
    return Constant(MapValue(), kText);
  }

  const MapExpression::Place& place_;
  int depth_ = 0;
  std::string unset_;  // an environment variable without a value and, so far, without a default
};

}  // namespace

MapExpression MapExpression::Parse(std::string_view text, const Place& place) {
  return MapExpression(Parser(text, place).Whole());
}

}  // namespace dsmsg::msgconv
