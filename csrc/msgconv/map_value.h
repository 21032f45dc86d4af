// SPDX-License-Identifier: Apache-2.0
// What an expression of a map (map.h) gives, and what it may read. Values; one thread at a time.
#ifndef DSMSG_MSGCONV_MAP_VALUE_H_
#define DSMSG_MSGCONV_MAP_VALUE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "msgconv/conv_config.h"
#include "msgconv/identity.h"
#include "msgconv/json_writer.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// What is known of a value before there is one. kAny: decided by the metadata.
enum class MapType : uint8_t { kAny, kBool, kNumber, kText, kTime, kTexts, kTable };

struct MapValue {
  enum class Kind : uint8_t {
    kNone,  // the metadata does not have it
    kBool,
    kInt,
    kUint,
    kFloat,
    kDouble,
    kText,
    kTime,   // nanoseconds since 1970, in `natural`
    kTexts,  // a range of Frame::texts
    kTable   // a range of Frame::attributes
  };
  Kind kind = Kind::kNone;
  bool boolean = false;
  int64_t integer = 0;
  uint64_t natural = 0;
  double real = 0;  // of kFloat, too
  std::string_view text = {};
  Range range = {};

  static MapValue Bool(bool value) { return {.kind = Kind::kBool, .boolean = value}; }
  static MapValue Int(int64_t value) { return {.kind = Kind::kInt, .integer = value}; }
  static MapValue Uint(uint64_t value) { return {.kind = Kind::kUint, .natural = value}; }
  static MapValue Float(float value) {
    return {.kind = Kind::kFloat, .real = static_cast<double>(value)};
  }
  static MapValue Double(double value) { return {.kind = Kind::kDouble, .real = value}; }
  static MapValue Text(std::string_view value) { return {.kind = Kind::kText, .text = value}; }
  static MapValue Time(uint64_t ns) { return {.kind = Kind::kTime, .natural = ns}; }
  static MapValue Texts(Range range) { return {.kind = Kind::kTexts, .range = range}; }
  static MapValue Table(Range range) { return {.kind = Kind::kTable, .range = range}; }

  bool none() const { return kind == Kind::kNone; }
  bool whole() const { return kind == Kind::kInt || kind == Kind::kUint; }
  bool number() const { return whole() || kind == Kind::kFloat || kind == Kind::kDouble; }
  double AsDouble() const {
    if (kind == Kind::kInt) return static_cast<double>(integer);
    return kind == Kind::kUint ? static_cast<double>(natural) : real;
  }
};

/// Memory that the evaluation of one map needs; it is kept for the next message.
struct MapScratch {
  std::vector<std::string> texts;  // one for each step that makes a text
  TimeFormatter time;
  JsonWriter number;
  std::array<char, 24> source{};  // digits of a source id
  UuidGenerator uuid;
  std::array<char, UuidGenerator::kLength> id{};  // of the message at hand
};

/// What an expression may read: a frame and, for what is about an object, one of its objects.
struct MapScope {
  const Frame& frame;
  const Object* object;  // null outside of objects
  size_t index;          // of the object in its frame
  const ConvConfig& config;
  MapScratch& scratch;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_VALUE_H_
