// SPDX-License-Identifier: Apache-2.0
// Messages as a user writes them down (docs/maps.md): a YAML file that says which message for what,
// with values of the metadata in it. Read and checked as a whole; immutable afterwards: any thread.
#ifndef DSMSG_MSGCONV_MAP_H_
#define DSMSG_MSGCONV_MAP_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "msgconv/map_expression.h"

namespace dsmsg::msgconv {

class Map {
 public:
  /// What there is a message for.
  enum class Each { kFrame, kObject, kEvent };
  /// A part of a message.
  struct Element {
    enum class Kind { kConstant, kValue, kTemplate, kObject, kArray, kEach };
    struct Piece {
      std::string literal;       // before the value
      MapExpression expression;  // empty: none
    };
    struct Member;
    Kind kind = Kind::kConstant;
    std::string json;           // of kConstant
    MapExpression value, when;  // when: only if this is true; empty: always
    std::vector<Piece> pieces;  // of kTemplate
    size_t slot = 0;            // likewise: in MapScratch::texts
    std::vector<Member> members;
    std::vector<Element> items;  // of kArray; of kEach the one that is repeated
    Each each = Each::kObject;   // of kEach
  };

  /// An error has file, line and column of the first mistake, and what to do.
  static Result<std::shared_ptr<const Map>> Load(const std::string& path);
  /// `origin` stands for the file's name in errors.
  static Result<std::shared_ptr<const Map>> Parse(std::string_view text, const std::string& origin);

  Each each() const { return each_; }
  const MapExpression& when() const { return when_; }  // empty: always
  const Element& message() const { return message_; }
  size_t texts() const { return texts_; }  // how many MapScratch::texts it needs

 private:
  friend class MapCompiler;
  Each each_ = Each::kFrame;
  MapExpression when_;
  Element message_;
  size_t texts_ = 0;
};

struct Map::Element::Member {
  std::string key;  // "name": with its quotes and colon
  Element element;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_H_
