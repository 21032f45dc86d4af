// SPDX-License-Identifier: Apache-2.0
// Reads fields out of a payload without building a tree: JSON (json_fields.h) up to the last field
// needed; protobuf (nv.Frame, numbers of include/nv.proto) with a protozero scan. Immutable after
// the last Add: any thread may extract.
#ifndef DSMSG_CORE_OPTIONS_FIELD_PATH_H_
#define DSMSG_CORE_OPTIONS_FIELD_PATH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg {

/// One field's value as text: strings as they are (unescaped), numbers and booleans as written in
/// the payload. Objects, arrays and null count as missing.
struct FieldValue {
  bool found = false;
  std::string text;
};

/// A set of paths, read together in one pass.
class FieldReader {
 public:
  static constexpr size_t kMostPaths = 64;
  static constexpr size_t kDeepest = 32;
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  struct PathElement {
    std::string name;
    uint32_t index;  // the name as a position in an array, or kNoIndex
    bool operator==(const PathElement&) const = default;
  };
  using Path = std::vector<PathElement>;
  /// Names of different lengths need not be compared.
  static size_t LengthBit(std::string_view name) { return std::min<size_t>(name.size(), 63); }

  /// Path: names joined by dots, arrays by index ("objects.0.id"). Returns the index of its value
  /// (the same for the same path). At most kDeepest names and kMostPaths different paths.
  Result<size_t> Add(std::string_view path);
  size_t size() const { return paths_.size(); }

  /// Fills `values` (resized to size()). A payload that starts with '{' or '[' after white space is
  /// JSON, else protobuf, where `sensorId` and `sensor.id` mean nv.Frame's field 4 (and `id`,
  /// `version` 2 and 1). Truncated or malformed payloads give what was found before the fault.
  /// Never throws.
  void Extract(std::string_view payload, std::vector<FieldValue>* values) const noexcept;

  /// For alternatives such as `sensor.id` and `sensorId`: reads only up to the first of them in the
  /// payload (whatever the order of Add) and no further. False, and `text` untouched, if there is
  /// none. Never throws.
  bool ExtractFirst(std::string_view payload, std::string* text) const noexcept;

 private:
  std::vector<Path> paths_;
  uint64_t lengths_ = 0;                // of all names, see LengthBit
  std::vector<uint32_t> frame_fields_;  // each path's field of nv.Frame, or 0
  uint32_t last_frame_field_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_FIELD_PATH_H_
