// SPDX-License-Identifier: Apache-2.0
// Makes entry, exit, moving and stopped events from the tracker's ids. For each id of a source:
//
//   entry    its first frame, also after an exit
//   moving   its box's middle has left the place where it rested by more than a quarter of the
//            box's diagonal
//   stopped  its middle has stayed within that distance for 2 s
//   exit     it was not seen for 1 s, or the tracker says that it is lost; the message shows it as
//            it was seen last
//
// Objects without an id have no events. A frame carries at most one event per id; an object that
// enters is neither moving nor stopped until one of the rules says so. Time is frame time, so that
// a file played at any speed gives the same events. One thread at a time.
#ifndef DSMSG_GST_TRACK_EVENTS_H_
#define DSMSG_GST_TRACK_EVENTS_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "msgconv/model.h"
#include "msgconv/recent_map.h"

namespace dsmsg {

class TrackEvents {
 public:
  static constexpr uint64_t kStoppedAfterNs = 2'000'000'000;
  static constexpr uint64_t kGoneAfterNs = 1'000'000'000;
  static constexpr float kMoveOfDiagonal = 0.25F;

  /// Sets the events of the frame's objects, and appends the objects that have disappeared.
  /// `now_ns`: of this frame, any clock that does not go back within a source; a jump back by more
  /// than kGoneAfterNs (a restarted file) starts over. The appended texts live until the
  /// next call.
  void Apply(uint64_t now_ns, msgconv::Frame* frame);
  size_t sources() const { return sources_.size(); }

 private:
  enum class Motion { kUnknown, kMoving, kStopped };
  struct Track {
    msgconv::Box box;  // as seen last
    std::string label;
    std::optional<float> confidence;
    msgconv::Point rest;  // where it was when it last moved
    uint64_t rest_since_ns = 0, seen_ns = 0;
    Motion motion = Motion::kUnknown;
  };
  using Tracks = std::unordered_map<uint64_t, Track>;
  struct Source {
    Tracks tracks;
    uint64_t last_ns = 0;
  };

  static msgconv::EventType Update(Track* track, uint64_t now_ns);
  void AppendGone(Tracks* tracks, uint64_t now_ns, msgconv::Frame* frame);

  msgconv::RecentMap<Source> sources_;
  std::vector<Track> gone_;  // texts of the exits of this frame
};

}  // namespace dsmsg

#endif  // DSMSG_GST_TRACK_EVENTS_H_
