// SPDX-License-Identifier: Apache-2.0
// What the engine (engine.h) remembers of one source: its tracks, and what its lines and zones have
// counted. One thread at a time.
#ifndef DSMSG_SPACE_SOURCE_STATE_H_
#define DSMSG_SPACE_SOURCE_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "msgconv/model.h"
#include "space/geometry.h"
#include "space/rules.h"
#include "space/track_path.h"

namespace dsmsg::space {

/// Counts by class, with the names that messages have: "gate.in.car". Addresses stay.
class ClassCounts {
 public:
  struct Counter {
    std::string name;
    uint64_t value = 0;
  };
  /// Further classes share one counter: "gate.in.other".
  static constexpr size_t kMost = 64;

  Counter* Find(std::string_view prefix, std::string_view label);
  /// After the prefix has changed.
  void Rename(std::string_view prefix);
  const std::map<std::string, Counter, std::less<>>& all() const { return counters_; }

 private:
  std::map<std::string, Counter, std::less<>> counters_;
};

/// A track at a line.
struct AtLine {
  Contact contact = Contact::kNone;
  int8_t net = 0;  // crossings to the right minus those to the left, within the margin
};

/// A track and a zone.
struct Visit {
  bool inside = false, dwelled = false;
  uint64_t since_ns = 0, total_ns = 0;  // total: of the visits before
  ClassCounts::Counter* counter = nullptr;
};

struct Track {
  uint64_t id = 0;
  // As seen last.
  msgconv::Box box;
  std::string label;
  std::optional<int64_t> label_id;
  std::optional<float> confidence;
  uint64_t seen_ns = 0, seen_frame = 0;
  bool placed = false;  // `box` is in today's picture, and lines have followed it
  std::vector<AtLine> lines;
  std::vector<Visit> zones;
  // For its summary; texts are kept in best_label.
  msgconv::TrackSummary summary;
  std::string best_label;
  TrackPath path;
};

struct LineState {
  Line line;
  double margin;  // pixels
  uint64_t right = 0, left = 0;
  uint64_t right_now = 0, left_now = 0;  // in this frame
  ClassCounts right_classes, left_classes;
};

struct ZoneState {
  Zone zone;
  double margin;                          // pixels
  uint64_t tracked = 0, untracked = 0;    // objects in it; untracked: in this frame
  std::optional<uint64_t> full_since_ns;  // as many as make a crowd
  bool crowded = false;
  ClassCounts classes;
};

/// What a frame says of its source, for the frame that is made when the source ends.
struct FrameHead {
  uint64_t number = 0, time_ns = 0;
  uint32_t width = 0, height = 0, source_width = 0, source_height = 0;
  std::string sensor_id, source_name, source_sensor;

  void Keep(const msgconv::Frame& frame);
  /// The frame refers to the texts.
  void Put(msgconv::Frame* frame) const;
};

struct SourceState {
  /// Takes the rules that are for this source now, and a picture of this size. Lines and zones that
  /// are the same keep what they know. False: nothing was done, for want of the picture's size.
  bool Adopt(const std::shared_ptr<const Rules>& now, const SourceRules* own, uint32_t frame_width,
             uint32_t frame_height);

  /// There are tracks, or crowds, that may end.
  bool open() const;

  std::shared_ptr<const Rules> rules;
  const SourceRules* found = nullptr;  // in `rules`; nullptr: none for this source
  uint32_t width = 0, height = 0;
  std::vector<LineState> lines;
  std::vector<ZoneState> zones;
  std::unordered_map<uint64_t, Track> tracks;
  uint64_t frames = 0, last_ns = 0;
  uint64_t next_end_ns = 0;      // no track ends before
  uint64_t restarts = 0;         // of the engine, so far
  std::optional<uint64_t> told;  // what the last message was about
  FrameHead head;                // of the last frame
};

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_SOURCE_STATE_H_
