// SPDX-License-Identifier: Apache-2.0
#include "gst/track_events.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dsmsg {

using msgconv::EventType;
using msgconv::Object;

namespace {

bool IsLost(const msgconv::Frame& frame, uint64_t id) {
  return std::find(frame.lost.begin(), frame.lost.end(), id) != frame.lost.end();
}

}  // namespace

void TrackEvents::Apply(uint64_t now_ns, msgconv::Frame* frame) {
  Source& source = sources_.Get(frame->source_id);
  if (now_ns + kGoneAfterNs < source.last_ns) source.tracks.clear();
  source.last_ns = now_ns;
  for (Object& object : frame->objects) {
    if (!object.id || object.event != EventType::kNone || !object.event_type.empty()) continue;
    if (IsLost(*frame, *object.id)) {
      if (source.tracks.erase(*object.id) > 0) object.event = EventType::kExit;
      continue;
    }
    auto [found, entered] = source.tracks.try_emplace(*object.id);
    Track& track = found->second;
    track.box = object.box;
    track.label = object.label;
    track.confidence = object.confidence;
    track.seen_ns = now_ns;
    if (entered) {
      track.rest = {object.box.left + object.box.width / 2, object.box.top + object.box.height / 2};
      track.rest_since_ns = now_ns;
      object.event = EventType::kEntry;
    } else {
      object.event = Update(&track, now_ns);
    }
  }
  AppendGone(&source.tracks, now_ns, frame);
}

EventType TrackEvents::Update(Track* track, uint64_t now_ns) {
  const msgconv::Box& box = track->box;
  const msgconv::Point middle{box.left + box.width / 2, box.top + box.height / 2};
  const float limit = kMoveOfDiagonal * std::hypot(box.width, box.height);
  if (std::hypot(middle.x - track->rest.x, middle.y - track->rest.y) > limit) {
    track->rest = middle;
    track->rest_since_ns = now_ns;
    const bool news = std::exchange(track->motion, Motion::kMoving) != Motion::kMoving;
    return news ? EventType::kMoving : EventType::kNone;
  }
  if (now_ns < track->rest_since_ns + kStoppedAfterNs) return EventType::kNone;
  const bool news = std::exchange(track->motion, Motion::kStopped) != Motion::kStopped;
  return news ? EventType::kStopped : EventType::kNone;
}

void TrackEvents::AppendGone(Tracks* tracks, uint64_t now_ns, msgconv::Frame* frame) {
  gone_.clear();
  std::vector<uint64_t> ids;
  for (auto track = tracks->begin(); track != tracks->end();) {
    if (now_ns < track->second.seen_ns + kGoneAfterNs && !IsLost(*frame, track->first)) {
      ++track;
      continue;
    }
    ids.push_back(track->first);
    gone_.push_back(std::move(track->second));
    track = tracks->erase(track);
  }
  for (size_t i = 0; i < gone_.size(); ++i) {
    Object object;
    object.id = ids[i];
    object.label = gone_[i].label;
    object.confidence = gone_[i].confidence;
    object.box = gone_[i].box;
    object.event = EventType::kExit;
    object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
    frame->objects.push_back(object);
  }
}

}  // namespace dsmsg
