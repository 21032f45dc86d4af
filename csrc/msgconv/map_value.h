// SPDX-License-Identifier: Apache-2.0
// What an expression of a map (map.h) gives, and what it may read. Values; one thread at a time.
#ifndef DSMSG_MSGCONV_MAP_VALUE_H_
#define DSMSG_MSGCONV_MAP_VALUE_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsmsg_ext.h"
#include "msgconv/conv_config.h"
#include "msgconv/identity.h"
#include "msgconv/json_payload.h"
#include "msgconv/json_writer.h"
#include "msgconv/model.h"
#include "msgconv/per_groups.h"

namespace dsmsg::msgconv {

/// What is known of a value before there is one. kAny: decided by the metadata, or by the payload.
/// kNumbers: a list of them; kShapes: lists of points.
enum class MapType : uint8_t {
  kAny,
  kBool,
  kNumber,
  kText,
  kTime,
  kTexts,
  kTable,
  kNumbers,
  kShapes
};
/// Of several values.
constexpr bool IsList(MapType type) {
  return type == MapType::kTexts || type == MapType::kTable || type == MapType::kNumbers ||
         type == MapType::kShapes;
}

/// What a value belongs to; where that is not at hand, it cannot be used.
enum class MapContext : uint8_t {
  kAlways,
  kFrame,     // the metadata of a frame
  kObject,    // one of its objects
  kTrack,     // a track that ended with it
  kReceived,  // a received message
  kItem,      // an element of a list in its payload
  // An element of one of the metadata's lists (map_lists.h).
  kKeypoint,
  kAction,
  kAttribute,
  kCount,
  kGroup,
  kConversation,
  kCamera,
  kDwell,
  kSpace,
  kEmbedding,
};
inline constexpr size_t kMapContexts = 16;
/// Those that are at hand: a bit for each.
class MapContexts {
 public:
  constexpr MapContexts() = default;
  constexpr MapContexts(std::initializer_list<MapContext> all) {
    for (const MapContext each : all) bits_ |= Bit(each);
  }
  constexpr bool Has(MapContext context) const { return (bits_ & Bit(context)) != 0; }
  constexpr MapContexts With(MapContext context) const {
    MapContexts more = *this;
    more.bits_ |= Bit(context);
    return more;
  }

 private:
  static constexpr uint32_t Bit(MapContext context) {
    return uint32_t{1} << static_cast<unsigned>(context);
  }
  uint32_t bits_ = 1;  // kAlways
};

struct MapValue {
  enum class Kind : uint8_t {
    kNone,  // the metadata or the payload does not have it
    kBool,
    kInt,
    kUint,
    kFloat,
    kDouble,  // `text`: as the payload writes it, or ""
    kText,
    kTime,   // nanoseconds since 1970, in `natural`
    kTexts,  // a range of Frame::texts, and so on
    kTable,  // Frame::attributes
    kFloats,
    kDoubles,  // Frame::signatures
    kRuns,
    kClasses,
    kIds,          // Frame::lost
    kOutlines,     // Frame::outlines, each a list of points; in pixels of the camera
    kPoints,       // likewise
    kCoordinates,  // x, y, z
    kJson          // an object or a list of the payload, its place in `natural`
  };
  Kind kind = Kind::kNone;
  bool boolean = false;
  union {  // which one, the kind says
    uint64_t natural = 0;
    int64_t integer;
    double real;  // of kFloat, too; finite
  };
  std::string_view text = {};
  Range range = {};

  static MapValue Bool(bool value) { return {.kind = Kind::kBool, .boolean = value, .natural = 0}; }
  static MapValue Int(int64_t value) { return {.kind = Kind::kInt, .integer = value}; }
  static MapValue Uint(uint64_t value) { return {.kind = Kind::kUint, .natural = value}; }
  /// NaN and infinity count as missing.
  static MapValue Float(float value) {
    if (!std::isfinite(value)) return {};
    return {.kind = Kind::kFloat, .real = static_cast<double>(value)};
  }
  static MapValue Double(double value) {
    if (!std::isfinite(value)) return {};
    return {.kind = Kind::kDouble, .real = value};
  }
  static MapValue Text(std::string_view value) {
    return {.kind = Kind::kText, .natural = 0, .text = value};
  }
  static MapValue Time(uint64_t ns) { return {.kind = Kind::kTime, .natural = ns}; }
  static MapValue Texts(Range range) {
    return {.kind = Kind::kTexts, .natural = 0, .range = range};
  }
  static MapValue Table(Range range) {
    return {.kind = Kind::kTable, .natural = 0, .range = range};
  }
  /// A list that the metadata does not have is missing.
  static MapValue List(Kind kind, Range range) {
    return range.count == 0 ? MapValue() : MapValue{.kind = kind, .natural = 0, .range = range};
  }
  static MapValue Json(JsonPayload::Place place) { return {.kind = Kind::kJson, .natural = place}; }

  bool none() const { return kind == Kind::kNone; }
  bool whole() const { return kind == Kind::kInt || kind == Kind::kUint; }
  bool number() const { return whole() || kind == Kind::kFloat || kind == Kind::kDouble; }
  double AsDouble() const {
    if (kind == Kind::kInt) return static_cast<double>(integer);
    return kind == Kind::kUint ? static_cast<double>(natural) : real;
  }
};

/// What the configuration says of the groups of an object.
struct MapSettled {
  const SensorInfo* sensor;
  const PlaceInfo* place;
  const AnalyticsInfo* analytics;
  std::vector<std::optional<std::string>> parts;  // of messages, once they were rendered
};

/// Memory that the evaluation of one map needs; it is kept for the next message.
struct MapScratch {
  std::vector<std::string> texts;  // one for each step that makes a text
  TimeFormatter time;
  JsonWriter number;
  std::array<char, 24> source{};  // digits of a source id
  UuidGenerator uuid;
  std::array<char, UuidGenerator::kLength> id{};  // of the message at hand
  uint64_t now_ns = 0;                            // when it is made
  PerGroups<MapSettled> settled;
  size_t settled_parts = 0;  // how many a message has
  // Of each list that is being repeated over, the element at hand: its place in the frame's list.
  std::array<uint32_t, kMapContexts> elements{};
};

/// A received message, with its payload read.
struct MapReceived {
  const DsmsgReceived& message;
  const JsonPayload& payload;  // empty: the payload is not JSON
  char separator = '/';        // between the parts of a topic
};

/// What an expression may read: a frame and, for what is about an object, one of its objects; or a
/// received message.
struct MapScope {
  const Frame& frame;
  const Object* object;  // null outside of objects
  size_t index;          // of the object in its frame
  const ConvConfig& config;
  MapScratch& scratch;
  const TrackSummary* track = nullptr;
  const MapReceived* received = nullptr;
  JsonPayload::Place item = JsonPayload::kNone;  // of the payload

  uint32_t At(MapContext list) const { return scratch.elements[static_cast<size_t>(list)]; }
  /// Of the object's groups; outside of objects, of those of the source.
  MapSettled& Settled() const;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_VALUE_H_
