// SPDX-License-Identifier: Apache-2.0
#include "space/engine.h"

#include <algorithm>
#include <cstdlib>

#include "msgconv/space_event.h"
#include "space/frame_parts.h"

namespace dsmsg::space {

using msgconv::Frame;
using msgconv::Object;
using msgconv::SpaceEvent;
using msgconv::SpaceKind;

namespace {

bool IsLost(const Frame& frame, uint64_t id) {
  return std::find(frame.lost.begin(), frame.lost.end(), id) != frame.lost.end();
}

/// The same for the same numbers; otherwise different, with hardly an exception.
uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t value = (a ^ b * 0x9E3779B97F4A7C15U) + 0x632BE59BD9B4E019U;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9U;
  value = (value ^ value >> 27) * 0x94D049BB133111EBU;
  return value ^ value >> 31;
}

uint64_t Mix(uint64_t a, std::string_view text) {
  return Mix(a, std::hash<std::string_view>()(text));
}

void StartFrame(SourceState* source) {
  ++source->frames;
  for (LineState& line : source->lines) line.right_now = line.left_now = 0;
  for (ZoneState& zone : source->zones) zone.untracked = 0;
}

}  // namespace

Engine::Outcome Engine::Apply(uint64_t now_ns, std::span<const std::string_view> names,
                              size_t first, Frame* frame) {
  ended_.clear();
  SourceState& source = SourceOf(frame->source_id);
  Outcome outcome;
  const SourceRules* const own = rules_->Find(frame->source_id, names);
  outcome.has_rules = own != nullptr;
  const bool adopted = source.Adopt(rules_, own, frame->width, frame->height);
  outcome.unknown_size = !adopted && source.found == nullptr;
  StartFrame(&source);

  const size_t last = frame->objects.size();
  now_ns = CheckTime(now_ns, &source, frame);
  seen_.assign(last, Seen());
  for (size_t i = first; i < last; ++i) {
    // Tracks that end append objects, so the list may move.
    const std::optional<uint64_t> id = frame->objects[i].id;
    if (id && IsLost(*frame, *id)) continue;
    if (id) seen_[i].track = TrackOf(*id, now_ns, &source, frame);
    Update(now_ns, &source, &seen_[i], &frame->objects[i], frame);
  }
  EndLost(now_ns, &source, frame);
  WatchCrowds(now_ns, &source, frame);
  NameZones(first, now_ns, source, frame);
  AppendCounts(source, frame);
  outcome.changed = IsChanged(first, &source, *frame);
  source.head.Keep(*frame);
  return outcome;
}

std::vector<uint32_t> Engine::Open() const {
  std::vector<uint32_t> open;
  sources_.ForEach([&](uint32_t id, const SourceState& source) {
    if (source.open()) open.push_back(id);
  });
  std::sort(open.begin(), open.end());
  return open;
}

std::optional<Engine::Outcome> Engine::EndSource(uint32_t id, Frame* frame) {
  if (!sources_.Contains(id)) return std::nullopt;
  SourceState& source = sources_.Get(id);
  if (!source.open()) return std::nullopt;
  ended_.clear();
  seen_.clear();
  frame->Clear();
  frame->source_id = id;
  source.head.Put(frame);
  StartFrame(&source);
  EndAll(source.last_ns, &source, frame);
  WatchCrowds(source.last_ns, &source, frame);
  AppendCounts(source, frame);
  return Outcome{.has_rules = source.found != nullptr, .changed = IsChanged(0, &source, *frame)};
}

bool Engine::IsChanged(size_t first, SourceState* source, const Frame& frame) const {
  if (rules_->send != Rules::Send::kChanged) return false;
  const uint64_t digest = Digest(first, *source, frame);
  return std::exchange(source->told, digest) != digest;
}

SourceState& Engine::SourceOf(uint32_t id) {
  // Sources that have not been used for longest give way.
  while (!sources_.Contains(id) &&
         (sources_.full() || (total_tracks_ >= kMostTracks && sources_.size() > 0))) {
    total_tracks_ -= sources_.TakeOldest().tracks.size();
  }
  return sources_.Get(id);
}

/// The time of the frame for its source, which never goes back.
uint64_t Engine::CheckTime(uint64_t now_ns, SourceState* source, Frame* frame) {
  const bool back = now_ns + rules_->lost_ns < source->last_ns;
  const bool silent = now_ns > source->last_ns + std::max(kSilentNs, rules_->lost_ns);
  const bool known = source->frames > 1;
  if (known && (back || silent || source->restarts != restarts_)) {
    EndAll(source->last_ns, source, frame);
    for (ZoneState& zone : source->zones) zone.full_since_ns.reset();
    source->last_ns = 0;
    source->next_end_ns = 0;
  }
  source->restarts = restarts_;
  source->last_ns = std::max(now_ns, source->last_ns);
  return source->last_ns;
}

/// nullptr: the id is twice in the frame, or there are too many.
Track* Engine::TrackOf(uint64_t id, uint64_t now_ns, SourceState* source, Frame* frame) {
  if (const auto found = source->tracks.find(id); found != source->tracks.end())
    return found->second.seen_frame == source->frames ? nullptr : &found->second;
  if (source->tracks.size() >= rules_->most_tracks) EndOldest(now_ns, source, frame);
  if (source->tracks.size() >= rules_->most_tracks) return nullptr;  // all are in this frame
  while (total_tracks_ >= kMostTracks) {
    if (sources_.size() == 1) return nullptr;
    total_tracks_ -= sources_.TakeOldest().tracks.size();  // never this one
  }
  ++total_tracks_;
  Track& track = source->tracks[id];
  track.id = id;
  track.lines.resize(source->lines.size());
  track.zones.resize(source->zones.size());
  return &track;
}

void Engine::Update(uint64_t now_ns, SourceState* source, Seen* seen, Object* object,
                    Frame* frame) {
  Track* const track = seen->track;
  if (track != nullptr) FollowLines(source, track, object, frame);
  Locate(now_ns, source, seen, object, frame);
  if (track == nullptr) return;
  // A box without numbers is as if the object had been missing for a moment.
  if (AnchorOf(object->box, {})) {
    track->box = object->box;
    track->placed = true;
  }
  if (track->label != object->label) track->label = object->label;
  track->label_id = object->label_id;
  track->confidence = object->confidence;
  track->seen_ns = now_ns;
  track->seen_frame = source->frames;
  if (summaries_) AddToSummary(*object, frame->time_ns, track);
}

void Engine::FollowLines(SourceState* source, Track* track, Object* object, Frame* frame) {
  if (!track->placed) {
    for (AtLine& at : track->lines) at = {};
    return;
  }
  for (size_t i = 0; i < source->lines.size(); ++i) {
    const LineRule& rule = source->found->lines[i];
    LineState& state = source->lines[i];
    const auto from = AnchorOf(track->box, rule.shape.anchor);
    const auto to = AnchorOf(object->box, rule.shape.anchor);
    if (!from || !to) continue;
    AtLine& at = track->lines[i];
    sides_.clear();
    state.line.Follow(*from, *to, &at.contact, &sides_);
    if (state.margin > 0) {
      // Crossings there and back within the margin are none.
      for (const Side side : sides_) at.net = static_cast<int8_t>(at.net + static_cast<int>(side));
      sides_.clear();
      if (at.net == 0 || state.line.Distance(*to) < state.margin) continue;
      sides_.assign(static_cast<size_t>(std::abs(at.net)), at.net > 0 ? Side::kRight : Side::kLeft);
      at.net = 0;
    }
    if (!rule.shape.Wants(object->label)) continue;
    for (const Side side : sides_) AddCrossing(rule, side, object->label, &state, object, frame);
  }
}

void Engine::Locate(uint64_t now_ns, SourceState* source, Seen* seen, Object* object,
                    Frame* frame) {
  const bool alone =
      seen->track == nullptr && !(object->id && source->tracks.contains(*object->id));
  for (size_t i = 0; i < source->zones.size(); ++i) {
    const ZoneRule& rule = source->found->zones[i];
    ZoneState& state = source->zones[i];
    const auto place = AnchorOf(object->box, rule.shape.anchor);
    const auto where = place ? state.zone.Find(*place) : Zone::Where::kBorder;
    const bool may_enter = where == Zone::Where::kInside && rule.shape.Wants(object->label);
    if (seen->track == nullptr) {
      if (!may_enter) continue;
      seen->zones |= uint64_t{1} << i;
      if (alone) ++state.untracked;
      continue;
    }
    Visit& visit = seen->track->zones[i];
    if (visit.inside && where == Zone::Where::kOutside &&
        (state.margin <= 0 || state.zone.Distance(*place) > state.margin)) {
      const uint64_t time = Leave(now_ns, &state, &visit);
      if (rule.tells_leave) AddEvent({SpaceKind::kLeave, rule.name, {}, time, 0}, object, frame);
    } else if (!visit.inside && may_enter) {
      Enter(rule, object->label, now_ns, &state, &visit);
      if (rule.tells_enter) AddEvent({SpaceKind::kEnter, rule.name, {}, 0, 0}, object, frame);
    }
    if (!visit.inside) continue;
    seen->zones |= uint64_t{1} << i;
    const uint64_t time = now_ns - visit.since_ns;
    if (!rule.dwell_ns || visit.dwelled || time < *rule.dwell_ns) continue;
    visit.dwelled = true;
    AddEvent({SpaceKind::kDwell, rule.name, {}, time, 0}, object, frame);
  }
}

/// The caller takes it out of the source's tracks. An object is appended if there is something to
/// tell.
void Engine::End(Track* track, uint64_t now_ns, SourceState* source, Frame* frame) {
  now_ns = std::min(now_ns, track->seen_ns);  // where it was later is not known
  Track& kept = ended_.emplace_back(std::move(*track));
  Object object;
  object.id = kept.id;
  object.label = kept.label;
  object.label_id = kept.label_id;
  object.confidence = kept.confidence;
  object.box = kept.box;
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  for (size_t i = 0; i < source->zones.size(); ++i) {
    if (!kept.zones[i].inside) continue;
    const ZoneRule& rule = source->found->zones[i];
    const uint64_t time = Leave(now_ns, &source->zones[i], &kept.zones[i]);
    if (rule.tells_leave) AddEvent({SpaceKind::kLeave, rule.name, {}, time, 0}, &object, frame);
  }
  if (summaries_) Summarize(&kept, *source, frame, &object);
  if (rules_->track_events) AddEvent({SpaceKind::kTrackEnd, {}, {}, 0, 0}, &object, frame);
  if (object.space_events.count == 0) return;
  object.event_type = msgconv::SpaceEventName(frame->space_events[object.space_events.first].kind);
  frame->objects.push_back(object);
}

void Engine::EndLost(uint64_t now_ns, SourceState* source, Frame* frame) {
  const bool lost = !frame->lost.empty();
  if (now_ns < source->next_end_ns && !lost) return;
  source->next_end_ns = UINT64_MAX;
  for (auto at = source->tracks.begin(); at != source->tracks.end();) {
    Track& track = at->second;
    const uint64_t end_ns = track.seen_ns + rules_->lost_ns;
    const bool given_up = lost && IsLost(*frame, track.id);
    if (track.seen_frame == source->frames || (now_ns < end_ns && !given_up)) {
      source->next_end_ns = std::min(source->next_end_ns, end_ns);
      ++at;
      continue;
    }
    End(&track, now_ns, source, frame);
    at = source->tracks.erase(at);
    --total_tracks_;
  }
  // A track that begins later ends later.
  source->next_end_ns = std::min(source->next_end_ns, now_ns + rules_->lost_ns);
}

void Engine::EndAll(uint64_t now_ns, SourceState* source, Frame* frame) {
  for (auto& [id, track] : source->tracks) End(&track, now_ns, source, frame);
  total_tracks_ -= source->tracks.size();
  source->tracks.clear();
}

/// The one that was not seen for longest, if it is not in this frame.
void Engine::EndOldest(uint64_t now_ns, SourceState* source, Frame* frame) {
  const auto oldest = std::min_element(
      source->tracks.begin(), source->tracks.end(),
      [](const auto& a, const auto& b) { return a.second.seen_frame < b.second.seen_frame; });
  if (oldest == source->tracks.end() || oldest->second.seen_frame == source->frames) return;
  End(&oldest->second, now_ns, source, frame);
  source->tracks.erase(oldest);
  --total_tracks_;
}

void Engine::WatchCrowds(uint64_t now_ns, SourceState* source, Frame* frame) {
  for (size_t i = 0; i < source->zones.size(); ++i) {
    const ZoneRule& rule = source->found->zones[i];
    ZoneState& state = source->zones[i];
    if (!rule.crowd_count) continue;
    const uint64_t inside = state.tracked + state.untracked;
    if (inside < *rule.crowd_count) {
      const uint64_t since_ns = state.full_since_ns.value_or(now_ns);
      state.full_since_ns.reset();
      if (std::exchange(state.crowded, false))
        AppendZoneEvent({SpaceKind::kCleared, rule.name, {}, now_ns - since_ns, inside}, state,
                        frame);
      continue;
    }
    if (!state.full_since_ns) state.full_since_ns = now_ns;
    if (state.crowded || now_ns - *state.full_since_ns < rule.crowd_ns) continue;
    state.crowded = true;
    AppendZoneEvent({SpaceKind::kCrowded, rule.name, {}, 0, inside}, state, frame);
  }
}

void Engine::NameZones(size_t first, uint64_t now_ns, const SourceState& source, Frame* frame) {
  for (size_t i = first; i < seen_.size(); ++i) {
    if (seen_[i].zones == 0) continue;
    Object& object = frame->objects[i];
    object.dwells.first = static_cast<uint32_t>(frame->dwells.size());
    object.dwells.count = 0;
    for (size_t zone = 0; zone < source.zones.size(); ++zone) {
      if ((seen_[i].zones >> zone & 1) == 0) continue;
      const std::string_view name = source.found->zones[zone].name;
      AddText(name, &object.zones, frame);
      const Track* const track = seen_[i].track;
      if (track == nullptr) continue;
      frame->dwells.push_back({name, now_ns - track->zones[zone].since_ns});
      ++object.dwells.count;
    }
    for (size_t zone = 0; zone < source.zones.size(); ++zone) {
      if ((seen_[i].zones >> zone & 1) != 0 && source.zones[zone].crowded)
        AddText(source.found->zones[zone].name, &object.crowded_zones, frame);
    }
  }
}

/// A number that is another one when labels, counts or zones are. Objects that are missing for a
/// moment are still counted, so that it does not change with each gap of a detector.
uint64_t Engine::Digest(size_t first, const SourceState& source, const Frame& frame) const {
  uint64_t digest = 0;  // a sum: the order of objects has no meaning
  for (const auto& [id, track] : source.tracks) {
    digest += Mix(1, track.label);
    for (size_t i = 0; i < track.zones.size(); ++i) {
      if (track.zones[i].inside) digest += Mix(Mix(2, id), i);
    }
  }
  for (size_t i = first; i < seen_.size(); ++i) {
    const Object& object = frame.objects[i];
    if (!object.id) digest += Mix(Mix(1, object.label), seen_[i].zones);
  }
  for (size_t i = 0; i < source.lines.size(); ++i)
    digest += Mix(Mix(Mix(3, i), source.lines[i].right), source.lines[i].left);
  for (size_t i = 0; i < source.zones.size(); ++i)
    digest += Mix(Mix(4, i), source.zones[i].crowded ? 1 : 0);
  return digest;
}

void NameEvents(size_t first, bool each_alone, Frame* frame) {
  const size_t count = frame->objects.size();
  for (size_t i = first; i < count; ++i) {
    msgconv::Range& events = frame->objects[i].space_events;
    if (events.count == 0) continue;
    // An entry or an exit has a message of its own.
    const bool taken = frame->objects[i].event != msgconv::EventType::kNone;
    const msgconv::Range all = events;
    const auto type = [&](uint32_t at) {
      return msgconv::SpaceEventName(frame->space_events[all.first + at].kind);
    };
    if (!taken) frame->objects[i].event_type = type(0);
    if (!each_alone) continue;
    events.count = taken ? 0 : 1;
    for (uint32_t at = events.count; at < all.count; ++at) {
      Object copy = frame->objects[i];
      copy.event = msgconv::EventType::kNone;
      copy.event_type = type(at);
      copy.space_events = {all.first + at, 1};
      frame->objects.push_back(copy);
    }
  }
}

}  // namespace dsmsg::space
