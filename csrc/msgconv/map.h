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
#include "msgconv/map_fields.h"
#include "msgconv/nv_schema.h"

namespace dsmsg::msgconv {

class Map {
 public:
  /// What there is a message for. kMessage: for each received one.
  enum class Each { kFrame, kObject, kEvent, kTrack, kMessage };
  enum class Format { kJson, kProtobuf };
  /// A part of a message.
  struct Element {
    enum class Kind { kConstant, kValue, kTemplate, kObject, kArray, kEach, kJsonText, kSettled };
    struct Piece {
      std::string literal;       // before the value
      MapExpression expression;  // empty: none
    };
    struct Member;
    Kind kind = Kind::kConstant;
    std::string json;           // of kConstant; of kValue its default, "": it has none
    std::string text;           // of kConstant, in protobuf: the text
    double number = 0;          // likewise, the number
    MapExpression value, when;  // when: only if this is true; empty: always
    std::vector<Piece> pieces;  // of kTemplate
    // Of kTemplate and kJsonText: in MapScratch::texts. Of kSettled: in MapSettled::parts.
    size_t slot = 0;
    std::vector<Member> members;    // of kObject; of kSettled, some of those of an object
    std::vector<Element> items;     // of kArray; of kEach and kJsonText the one in it
    const MapList* list = nullptr;  // of kEach over metadata; over a payload `value` is the list
    bool events = false;            // of kEach: only objects that are events
  };

  /// An error has file, line and column of the first mistake, and what to do.
  static Result<std::shared_ptr<const Map>> Load(const std::string& path);
  /// `origin` stands for the file's name in errors.
  static Result<std::shared_ptr<const Map>> Parse(std::string_view text, const std::string& origin);

  /// An error if it is for something else; `path` is its file.
  Status NeedMetadata(const std::string& path) const;
  Status NeedReceived(const std::string& path) const;

  Each each() const { return each_; }
  Format format() const { return format_; }
  const MapExpression& when() const { return when_; }  // empty: always
  const Element& message() const { return message_; }
  /// It reads tracks that have ended.
  bool wants_tracks() const { return wants_tracks_; }
  /// Makes room for what messages of this map need.
  void Prepare(MapScratch* scratch) const;

 private:
  friend class MapCompiler;
  Each each_ = Each::kFrame;
  Format format_ = Format::kJson;
  MapExpression when_;
  Element message_;
  bool wants_tracks_ = false;
  size_t texts_ = 0;          // in MapScratch::texts
  size_t settled_parts_ = 0;  // in MapSettled::parts
};

struct Map::Element::Member {
  std::string
      key;  // ,"name": with the comma before it, of kSettled the comma; in protobuf the name
  Element element;
  const NvField* field = nullptr;  // in protobuf; null: of a map
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_H_
