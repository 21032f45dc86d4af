// SPDX-License-Identifier: Apache-2.0
// What a user wants to know of the places in a picture (docs/space.md): lines, zones, and what is
// sent. Read from a YAML file and checked as a whole; immutable afterwards: any thread.
#ifndef DSMSG_SPACE_RULES_H_
#define DSMSG_SPACE_RULES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::space {

/// Which point of an object's box is where the object is: parts of the box's width and height.
struct Anchor {
  float x = 0.5F, y = 1;
  bool operator==(const Anchor&) const = default;
};

/// As in the file: see Rules::pixels.
struct FilePoint {
  double x = 0, y = 0;
  bool operator==(const FilePoint&) const = default;
};

/// What lines and zones have in common, and what makes two of them the same after a reload.
struct Shape {
  std::vector<FilePoint> points;
  Anchor anchor;
  std::vector<std::string> labels;  // empty: all
  double margin = 0;
  bool operator==(const Shape&) const = default;
  bool Wants(std::string_view label) const;
};

struct LineRule {
  std::string name;
  Shape shape;
  std::string right, left;              // names of the directions
  std::string right_total, left_total;  // "gate.in", "gate.out": names of the counts
  bool by_class = false;                // counts of each class, too
};

struct ZoneRule {
  std::string name;
  Shape shape;
  std::optional<uint64_t> dwell_ns;     // an event after that time in it
  std::optional<uint32_t> crowd_count;  // crowded: that many ...
  uint64_t crowd_ns = 0;                // ... for that time
  bool by_class = false;
  bool tells_enter = true, tells_leave = true;  // as events
};

struct SourceRules {
  std::vector<LineRule> lines;
  std::vector<ZoneRule> zones;
};

class Rules {
 public:
  /// Which frames and objects have messages.
  enum class Send : uint8_t { kEvents, kAll, kChanged };

  /// An error has file, line and column of the first mistake, and what to do.
  static Result<std::shared_ptr<const Rules>> Load(const std::string& path);
  static Result<std::shared_ptr<const Rules>> Parse(std::string_view text,
                                                    const std::string& origin);
  /// Neither lines nor zones: only tracks.
  static std::shared_ptr<const Rules> OnlyTracks();

  /// Those of the source: by its number, else by the first of its names that has some, else those
  /// of
  /// "*"; nullptr: none.
  const SourceRules* Find(uint32_t source, std::span<const std::string_view> names) const;

  // Points are pixels of a picture of this size; 0: of the pipeline's. Otherwise parts of the
  // picture.
  bool pixels = false;
  uint32_t width = 0, height = 0;
  Send send = Send::kEvents;
  uint64_t lost_ns = 2'000'000'000;  // a track ends when it was not seen for so long
  size_t most_tracks = 1000;         // of a source
  bool track_events = false;         // an event at the end of a track, with its summary
  std::map<uint32_t, SourceRules> by_number;
  std::map<std::string, SourceRules, std::less<>> by_name;
  std::optional<SourceRules> others;
};

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_RULES_H_
