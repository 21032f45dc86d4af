// SPDX-License-Identifier: Apache-2.0
// The grammar of expressions, by recursive descent:
//
//   piped    = or { "|" filter }
//   or       = and { "or" and }            and = not { "and" not }       not = "not" not | compared
//   compared = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" list
//              | "is" ["not"] "missing" ]
//   sum      = product { ("+" | "-") product }     product = factor { ("*" | "/") factor }
//   factor   = number | text | "true" | "false" | name | "env:" NAME | "(" piped ")" | "-" factor
//   list     = "[" word { "," word } "]" | name of a list
//   filter   = name [ ":" constant ]
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/base/nearest.h"
#include "msgconv/map_node.h"

namespace dsmsg::msgconv {
namespace {

using Node = MapExpression::Node;
using NodePtr = std::unique_ptr<Node>;
using enum MapType;

constexpr int kDeepest = 40;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view NameOf(MapType type) {
  switch (type) {
    case kBool:
      return "a condition (true or false)";
    case kNumber:
      return "a number";
    case kText:
      return "a text";
    case kTime:
      return "a time";
    case kTexts:
      return "a list";
    case kTable:
      return "a table";
    default:
      return "a value";
  }
}

struct Filter {
  std::string_view name;
  MapOp op;
  MapType takes, gives;
};
constexpr Filter kFilters[] = {
    {"default", MapOp::kDefault, kAny, kAny},    {"int", MapOp::kInt, kNumber, kNumber},
    {"round", MapOp::kRound, kNumber, kNumber},  {"text", MapOp::kText, kAny, kText},
    {"lower", MapOp::kLower, kText, kText},      {"upper", MapOp::kUpper, kText, kText},
    {"rfc3339", MapOp::kRfc3339, kTime, kText},  {"unix", MapOp::kUnix, kTime, kNumber},
    {"unix_ms", MapOp::kUnixMs, kTime, kNumber}, {"unix_ns", MapOp::kUnixNs, kTime, kNumber},
};

class Parser {
 public:
  Parser(std::string_view text, const MapExpression::Place& place) : text_(text), place_(place) {}

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
  [[noreturn]] void Fail(std::string what) const { throw MapFault{start_, std::move(what)}; }
  [[noreturn]] static void FailAt(size_t at, std::string what) {
    throw MapFault{at, std::move(what)};
  }
  void Blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
    start_ = at_;
  }
  bool AtEnd() {
    Blanks();
    return at_ == text_.size();
  }
  char Peek() {
    Blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string Rest() const { return "\"" + std::string(text_.substr(start_, 30)) + "\""; }
  bool Take(std::string_view token) {
    Blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  /// A word is taken only whole: "or" is not the beginning of "orange".
  bool TakeWord(std::string_view word) {
    Blanks();
    if (Word() != word) return false;
    at_ += word.size();
    return true;
  }
  void Need(char c) {
    if (!Take(std::string_view(&c, 1)))
      Fail(std::string("\"") + c + "\" is missing before " + Rest());
  }
  std::string_view Word() const {
    size_t end = at_;
    while (end < text_.size() && (IsLetter(text_[end]) || (end > at_ && IsDigit(text_[end]))))
      ++end;
    return text_.substr(at_, end - at_);
  }
  /// Letters, digits and dots; names of attributes have dashes, too.
  std::string_view Path() {
    Blanks();
    size_t end = at_;
    const auto named = [&] { return text_.substr(at_, end - at_).starts_with(kMapAttributes); };
    while (end < text_.size() && (IsLetter(text_[end]) || IsDigit(text_[end]) ||
                                  text_[end] == '.' || (text_[end] == '-' && named()))) {
      ++end;
    }
    const std::string_view path = text_.substr(at_, end - at_);
    at_ = end;
    return path;
  }

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
    NodePtr node = Constant(MapValue::Text({}), kText);
    node->text = std::move(text);
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
    NodePtr node = Or();
    while (Take("|")) node = Filtered(std::move(node), begin);
    --depth_;
    return node;
  }

  NodePtr Filtered(NodePtr input, size_t begin) {
    Blanks();
    const std::string_view name = Word();
    const auto found = std::find_if(std::begin(kFilters), std::end(kFilters),
                                    [&](const Filter& each) { return each.name == name; });
    if (found == std::end(kFilters)) Fail(Unknown("filter", name, FilterNames()));
    at_ += name.size();
    Expect(*input, found->takes, begin, "| " + std::string(name));
    if (found->op == MapOp::kText && (input->type == kTexts || input->type == kTable)) {
      FailAt(begin, "| text needs one value, and this is " + std::string(NameOf(input->type)));
    }
    NodePtr node = Make(found->op, found->gives, std::move(input));
    node->slot = (*place_.texts)++;
    if (found->op == MapOp::kDefault) {
      Need(':');
      node->right = AnyConstant();
      node->type = node->left->type == node->right->type ? node->right->type : kAny;
      unset_.clear();
    }
    if (found->op == MapOp::kRound && Take(":")) {
      const char digit = Peek();
      if (!IsDigit(digit)) Fail("round: needs a number of digits from 0 to 9, as in round:2");
      node->digits = digit - '0';
      ++at_;
    }
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
      if (each->type == kTexts || each->type == kTable) {
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
      do node->list.push_back(Element());
      while (Take(","));
      Need(']');
      return node;
    }
    Blanks();
    const size_t at = at_;
    node->right = Factor();
    if (node->right->type != kTexts) {
      FailAt(at, "\"in\" needs a list, as in [car, bus], or a list of the metadata (object.zones)");
    }
    Expect(*node->left, kText, begin, "in");
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
    const std::string_view word = Word();
    if (word.empty()) Fail("a value is missing before " + Rest());
    at_ += word.size();
    if (word == "true" || word == "false") return Constant(MapValue::Bool(word == "true"), kBool);
    return TextConstant(std::string(word));
  }

  NodePtr Quoted() {
    const char quote = text_[at_++];
    std::string out;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        return TextConstant(std::move(out));
      }
      out.push_back(c == '\\' && at_ + 1 < text_.size() ? text_[++at_] : c);
    }
    Fail(std::string("the text has no closing ") + quote);
  }

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
    const std::string_view name = Path();
    if (name == "true" || name == "false") return Constant(MapValue::Bool(name == "true"), kBool);
    if (name.starts_with(kMapAttributes) && name.size() > kMapAttributes.size()) {
      NeedsObject(name, begin);
      auto node = std::make_unique<Node>();
      node->op = MapOp::kAttribute;
      node->type = kText;
      node->text = name.substr(kMapAttributes.size());
      return node;
    }
    const MapField* const field = FindMapField(name);
    if (field == nullptr) {
      std::vector<std::string_view> names;
      for (const MapField& each : MapFields()) names.push_back(each.name);
      FailAt(begin, Unknown("value", name, names) +
                        (name.find('.') == name.npos ? "; a text needs quotes" : ""));
    }
    if (field->of_object()) NeedsObject(name, begin);
    auto node = std::make_unique<Node>();
    node->op = MapOp::kField;
    node->type = field->type;
    node->field = field;
    return node;
  }

  void NeedsObject(std::string_view name, size_t begin) const {
    if (place_.in_object) return;
    FailAt(begin,
           std::string(name) +
               " belongs to an object (set each: object at the top, or use it in a list with "
               "$each: object)");
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

  static std::vector<std::string_view> FilterNames() {
    std::vector<std::string_view> names;
    for (const Filter& each : kFilters) names.push_back(each.name);
    return names;
  }
  static std::string Unknown(const std::string& what, std::string_view name,
                             std::span<const std::string_view> names) {
    const std::string_view nearest = Nearest(name, names);
    std::string text = "there is no " + what + " \"" + std::string(name) + "\"";
    if (!nearest.empty()) text += " (did you mean " + std::string(nearest) + "?)";
    return text;
  }

  const std::string_view text_;
  const MapExpression::Place& place_;
  size_t at_ = 0, start_ = 0;
  int depth_ = 0;
  std::string unset_;  // an environment variable without a value and, so far, without a default
};

}  // namespace

MapExpression MapExpression::Parse(std::string_view text, const Place& place) {
  MapExpression expression;
  expression.root_ = Parser(text, place).Whole();
  return expression;
}

}  // namespace dsmsg::msgconv
