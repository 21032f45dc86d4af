// SPDX-License-Identifier: Apache-2.0
// Finds out what objects do in the space that a picture shows: which lines they cross, which zones
// they are in, for how long and how many, and what became of each track (docs/space.md).
//
// Objects are known by their tracking id. One without an id is counted where it is, and has no
// events. Memory is bounded: by Rules::most_tracks for a source (beyond that, the track that was
// not seen for longest ends), kMostTracks for all, and 4096 sources. Time is that of the frames: it
// may stand still, and a step back by more than Rules::lost_ns ends the source's tracks.
//
// One thread at a time. Texts that it puts into a frame live until the next call.
#ifndef DSMSG_SPACE_ENGINE_H_
#define DSMSG_SPACE_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "msgconv/model.h"
#include "msgconv/recent_map.h"
#include "space/rules.h"
#include "space/source_state.h"

namespace dsmsg::space {

class Engine {
 public:
  static constexpr size_t kMostTracks = 50'000;
  /// Without a frame for so long, a source begins anew.
  static constexpr uint64_t kSilentNs = 60'000'000'000;

  struct Outcome {
    bool has_rules = false;     // there are lines or zones for this source
    bool unknown_size = false;  // they cannot be used: the frame has no size
    bool changed = false;       // labels, counts or zones; only with Rules::Send::kChanged
  };

  /// `summaries`: put the summary of each track that ends into Frame::tracks.
  Engine(std::shared_ptr<const Rules> rules, bool summaries)
      : rules_(std::move(rules)), summaries_(summaries) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// For the next frames. Lines and zones that are the same as before keep what they know.
  void SetRules(std::shared_ptr<const Rules> rules) { rules_ = std::move(rules); }
  const Rules& rules() const { return *rules_; }

  /// Reads the frame's objects from `first` on, and says of them where they are and what they did:
  /// Object::zones, crowded_zones, lines, dwells, space_events; Frame::counts. Appends objects for
  /// what ended, and for zones that became crowded or cleared; these have an event_type already.
  /// `names`: of the source, besides its number. `now_ns`: of this frame, any clock. The frame has
  /// its time of day.
  Outcome Apply(uint64_t now_ns, std::span<const std::string_view> names, size_t first,
                msgconv::Frame* frame);
  /// Sources with tracks, or crowds, that have not ended.
  std::vector<uint32_t> Open() const;
  /// Ends them, as at the end of a source's stream. `frame` becomes one more frame of the source,
  /// with the time and the names of the last one, without objects but those that Apply appends for
  /// what ended. Counts go on if the source does. nullopt, and nothing done: there are none.
  std::optional<Outcome> EndSource(uint32_t source, msgconv::Frame* frame);
  /// After a seek: tracks end with the next frame of their source.
  void Restart() { ++restarts_; }

  size_t tracks() const { return total_tracks_; }
  size_t sources() const { return sources_.size(); }

 private:
  /// An object of the frame at hand.
  struct Seen {
    Track* track = nullptr;
    uint64_t zones = 0;  // bit i: it is in zone i
  };

  SourceState& SourceOf(uint32_t id);
  uint64_t CheckTime(uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  Track* TrackOf(uint64_t id, uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void Update(uint64_t now_ns, SourceState* source, Seen* seen, msgconv::Object* object,
              msgconv::Frame* frame);
  void FollowLines(SourceState* source, Track* track, msgconv::Object* object,
                   msgconv::Frame* frame);
  void Locate(uint64_t now_ns, SourceState* source, Seen* seen, msgconv::Object* object,
              msgconv::Frame* frame);
  void End(Track* track, uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void EndLost(uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void EndAll(uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void EndOldest(uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void WatchCrowds(uint64_t now_ns, SourceState* source, msgconv::Frame* frame);
  void NameZones(size_t first, uint64_t now_ns, const SourceState& source, msgconv::Frame* frame);
  bool IsChanged(size_t first, SourceState* source, const msgconv::Frame& frame) const;
  uint64_t Digest(size_t first, const SourceState& source, const msgconv::Frame& frame) const;

  std::shared_ptr<const Rules> rules_;
  const bool summaries_;
  msgconv::RecentMap<SourceState> sources_;
  size_t total_tracks_ = 0;
  uint64_t restarts_ = 0;
  // Of the frame at hand, kept for their memory or for their texts.
  std::vector<Seen> seen_;
  std::vector<Side> sides_;
  std::deque<Track> ended_;
};

/// Gives objects with space_events, from `first` on, the event_type of the first one, where they
/// have no other event. `each_alone`: then an object has one event at most, and further ones are
/// told by copies of it at the end of the list.
void NameEvents(size_t first, bool each_alone, msgconv::Frame* frame);

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_ENGINE_H_
