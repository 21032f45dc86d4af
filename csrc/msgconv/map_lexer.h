// SPDX-License-Identifier: Apache-2.0
// The words of an expression (map_parser.cc), one after the other. One thread at a time.
#ifndef DSMSG_MSGCONV_MAP_LEXER_H_
#define DSMSG_MSGCONV_MAP_LEXER_H_

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "msgconv/map_expression.h"
#include "msgconv/map_fields.h"
#include "msgconv/map_node.h"

namespace dsmsg::msgconv {

class MapLexer {
 public:
  explicit MapLexer(std::string_view text) : text_(text) {}

 protected:
  static bool IsLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (static_cast<unsigned char>(c) & 0x80) != 0;
  }
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
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
  /// Letters, digits and dots; names of attributes, counts and headers have dashes, too.
  std::string_view Path() {
    Blanks();
    size_t end = at_;
    const auto named = [&] {
      const std::string_view path = text_.substr(at_, end - at_);
      return path.starts_with(kMapAttributes) || path.starts_with(kMapCounts) ||
             path.starts_with(kMapHeaders);
    };
    while (end < text_.size() && (IsLetter(text_[end]) || IsDigit(text_[end]) ||
                                  text_[end] == '.' || (text_[end] == '-' && named()))) {
      ++end;
    }
    const std::string_view path = text_.substr(at_, end - at_);
    at_ = end;
    return path;
  }
  /// A text in quotes, with its escapes taken out.
  std::string QuotedText() {
    const char quote = text_[at_++];
    std::string out;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        return out;
      }
      out.push_back(c == '\\' && at_ + 1 < text_.size() ? text_[++at_] : c);
    }
    Fail(std::string("the text has no closing ") + quote);
  }

  /// How many a number is rounded to.
  int Digits() {
    const char digit = Peek();
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
    if (!IsDigit(digit) || IsDigit(next) || IsLetter(next) || next == '.')
      Fail("round: needs a number of digits from 0 to 9, as in round:2");
    ++at_;
    return digit - '0';
  }
  int Index() {
    Blanks();
    int index = 0;
    const char* const end = text_.data() + text_.size();
    const auto [last, error] = std::from_chars(text_.data() + at_, end, index);
    if (error != std::errc())
      Fail("in [...] a number is expected, from 0 or from the end with -1, or a name in quotes");
    at_ = static_cast<size_t>(last - text_.data());
    return index;
  }
  /// What follows "payload" and "item": .name, [0], ["name"].
  std::vector<MapStep> Steps() {
    std::vector<MapStep> path;
    while (at_ < text_.size()) {
      start_ = at_;
      if (text_[at_] == '.') {
        ++at_;
        const std::string_view word = Word();
        if (word.empty()) Fail("a name is missing behind the dot");
        at_ += word.size();
        path.push_back({.name = std::string(word)});
      } else if (text_[at_] == '[') {
        ++at_;
        const char next = Peek();
        if (next == '"' || next == '\'') {
          path.push_back({.name = QuotedText()});
        } else {
          path.push_back({.name = {}, .index = Index(), .element = true});
        }
        Need(']');
      } else {
        break;
      }
    }
    return path;
  }

  const std::string_view text_;
  size_t at_ = 0, start_ = 0;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_LEXER_H_
