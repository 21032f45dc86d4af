// SPDX-License-Identifier: Apache-2.0
#include "space/frame_parts.h"

#include <algorithm>
#include <cmath>

#include "msgconv/space_event.h"

namespace dsmsg::space {
namespace {

using msgconv::Count;
using msgconv::CountKind;
using msgconv::Frame;
using msgconv::Object;
using msgconv::Range;
using msgconv::SpaceEvent;
using msgconv::SpaceKind;

template <class T>
void Append(const T& value, Range* range, std::vector<T>* list) {
  if (range->count == 0) range->first = static_cast<uint32_t>(list->size());
  if (range->first + range->count != list->size()) {
    const auto first = static_cast<uint32_t>(list->size());
    for (uint32_t i = 0; i < range->count; ++i) {
      const T copy = (*list)[range->first + i];
      list->push_back(copy);
    }
    range->first = first;
  }
  list->push_back(value);
  ++range->count;
}

void AppendClasses(const ClassCounts& classes, CountKind kind, Frame* frame) {
  for (const auto& [label, counter] : classes.all())
    frame->counts.push_back({kind, counter.name, counter.value});
}

float AreaOf(const msgconv::Box& box) { return box.width * box.height; }

}  // namespace

std::optional<Place> AnchorOf(const msgconv::Box& box, Anchor anchor) {
  const double x = double{box.left} + double{anchor.x} * double{box.width};
  const double y = double{box.top} + double{anchor.y} * double{box.height};
  if (!std::isfinite(x) || !std::isfinite(y)) return std::nullopt;
  return PlaceOf(x, y);
}

void AddText(std::string_view text, Range* texts, Frame* frame) {
  Append(text, texts, &frame->texts);
}

void AddEvent(const SpaceEvent& event, Object* object, Frame* frame) {
  Append(event, &object->space_events, &frame->space_events);
}

void AddCrossing(const LineRule& rule, Side to, std::string_view label, LineState* state,
                 Object* object, Frame* frame) {
  const bool right = to == Side::kRight;
  ++(right ? state->right : state->left);
  ++(right ? state->right_now : state->left_now);
  const std::string& total = right ? rule.right_total : rule.left_total;
  if (rule.by_class)
    ++(right ? state->right_classes : state->left_classes).Find(total, label)->value;
  AddText(total, &object->lines, frame);
  AddEvent({SpaceKind::kCrossing, rule.name, right ? rule.right : rule.left, 0, 0}, object, frame);
}

void Enter(const ZoneRule& rule, std::string_view label, uint64_t now_ns, ZoneState* state,
           Visit* visit) {
  visit->inside = true;
  visit->dwelled = false;
  visit->since_ns = now_ns;
  ++state->tracked;
  visit->counter = rule.by_class ? state->classes.Find(rule.name, label) : nullptr;
  if (visit->counter != nullptr) ++visit->counter->value;
}

uint64_t Leave(uint64_t now_ns, ZoneState* state, Visit* visit) {
  const uint64_t time = now_ns - std::min(now_ns, visit->since_ns);
  visit->inside = false;
  visit->total_ns += time;
  --state->tracked;
  if (visit->counter != nullptr) --visit->counter->value;
  visit->counter = nullptr;
  return time;
}

void AppendZoneEvent(const SpaceEvent& event, const ZoneState& state, Frame* frame) {
  const Bounds& bounds = state.zone.bounds();
  const auto pixels = [](int64_t units) {
    return static_cast<float>(static_cast<double>(units) / double{kUnits});
  };
  Object object;
  object.label = "zone";
  object.id_text = event.name;
  object.box = {pixels(bounds.low.x), pixels(bounds.low.y), pixels(bounds.high.x - bounds.low.x),
                pixels(bounds.high.y - bounds.low.y)};
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  object.event_type = msgconv::SpaceEventName(event.kind);
  AddText(event.name, &object.zones, frame);
  AddEvent(event, &object, frame);
  frame->objects.push_back(object);
}

void AppendCounts(const SourceState& source, Frame* frame) {
  for (size_t i = 0; i < source.zones.size(); ++i) {
    const ZoneRule& rule = source.found->zones[i];
    const ZoneState& state = source.zones[i];
    frame->counts.push_back({CountKind::kZone, rule.name, state.tracked + state.untracked});
    if (rule.by_class) AppendClasses(state.classes, CountKind::kZone, frame);
    if (rule.crowd_count)
      frame->counts.push_back({CountKind::kCrowded, rule.name, state.crowded ? 1U : 0U});
  }
  for (size_t i = 0; i < source.lines.size(); ++i) {
    const LineRule& rule = source.found->lines[i];
    const LineState& state = source.lines[i];
    if (state.right_now > 0)
      frame->counts.push_back({CountKind::kLine, rule.right_total, state.right_now});
    if (state.left_now > 0)
      frame->counts.push_back({CountKind::kLine, rule.left_total, state.left_now});
    frame->counts.push_back({CountKind::kLineTotal, rule.right_total, state.right});
    if (rule.by_class) AppendClasses(state.right_classes, CountKind::kLineTotal, frame);
    frame->counts.push_back({CountKind::kLineTotal, rule.left_total, state.left});
    if (rule.by_class) AppendClasses(state.left_classes, CountKind::kLineTotal, frame);
  }
}

void AddToSummary(const Object& object, uint64_t time_ns, Track* track) {
  msgconv::TrackSummary& summary = track->summary;
  const std::optional<float> confidence =
      object.confidence.value_or(-1) >= 0 ? object.confidence : std::nullopt;
  const bool first = summary.frames++ == 0;
  if (first) {
    summary.first = object.box;
    summary.first_ns = time_ns;
  }
  summary.last = object.box;
  summary.last_ns = time_ns;
  const bool better =
      first || confidence > summary.confidence ||
      (!confidence && !summary.confidence && AreaOf(object.box) > AreaOf(summary.best));
  if (better) {
    summary.confidence = confidence;
    summary.best = object.box;
    summary.best_ns = time_ns;
    summary.label_id = object.label_id;
    track->best_label = object.label;
  }
  track->path.Add({object.box.left + object.box.width / 2, object.box.top + object.box.height / 2});
}

void Summarize(Track* track, const SourceState& source, Frame* frame, Object* object) {
  msgconv::TrackSummary summary = track->summary;
  summary.id = track->id;
  summary.label = track->best_label;
  const std::vector<msgconv::Point> path = track->path.Take();
  summary.path = {static_cast<uint32_t>(frame->points.size()), static_cast<uint32_t>(path.size())};
  frame->points.insert(frame->points.end(), path.begin(), path.end());
  for (size_t i = 0; i < track->zones.size(); ++i) {
    const uint64_t time = track->zones[i].total_ns;
    if (time > 0)
      Append(msgconv::Dwell{source.found->zones[i].name, time}, &summary.dwells, &frame->dwells);
  }
  object->track = {static_cast<uint32_t>(frame->tracks.size()), 1};
  frame->tracks.push_back(summary);
}

}  // namespace dsmsg::space
