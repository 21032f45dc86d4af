// SPDX-License-Identifier: Apache-2.0
#include "space/source_state.h"

#include <algorithm>
#include <utility>

namespace dsmsg::space {
namespace {

/// From the file's coordinates to pixels of the pipeline's picture.
struct ToPixels {
  double x = 1, y = 1;

  std::vector<Place> Places(const Shape& shape) const {
    std::vector<Place> places;
    for (const FilePoint& point : shape.points)
      places.push_back(PlaceOf(point.x * x, point.y * y).value_or(Place()));
    return places;
  }
};

std::optional<ToPixels> ScaleOf(const Rules& rules, uint32_t width, uint32_t height) {
  if (rules.pixels && rules.width == 0) return ToPixels{};
  if (width == 0 || height == 0) return std::nullopt;
  if (!rules.pixels) return ToPixels{static_cast<double>(width), static_cast<double>(height)};
  return ToPixels{static_cast<double>(width) / rules.width,
                  static_cast<double>(height) / rules.height};
}

bool SameUnits(const Rules& a, const Rules& b) {
  return a.pixels == b.pixels && a.width == b.width && a.height == b.height;
}

/// The place among the old ones of what is still the same; nullopt: it is new.
template <class Rule>
std::optional<size_t> OldPlace(const Rule& rule, const std::vector<Rule>* old) {
  for (size_t i = 0; old != nullptr && i < old->size(); ++i) {
    if ((*old)[i].name == rule.name && (*old)[i].shape == rule.shape) return i;
  }
  return std::nullopt;
}

template <class State>
std::vector<State> Moved(std::vector<State>* from,
                         const std::vector<std::optional<size_t>>& places) {
  std::vector<State> moved(places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i]) moved[i] = (*from)[*places[i]];
  }
  return moved;
}

}  // namespace

ClassCounts::Counter* ClassCounts::Find(std::string_view prefix, std::string_view label) {
  auto found = counters_.find(label);
  if (found == counters_.end()) {
    if (counters_.size() >= kMost) label = "other";
    found = counters_.try_emplace(std::string(label)).first;
    if (found->second.name.empty())
      found->second.name = std::string(prefix).append(".").append(label);
  }
  return &found->second;
}

void ClassCounts::Rename(std::string_view prefix) {
  for (auto& [label, counter] : counters_)
    counter.name = std::string(prefix).append(".").append(label);
}

void FrameHead::Keep(const msgconv::Frame& frame) {
  number = frame.number;
  time_ns = frame.time_ns;
  width = frame.width;
  height = frame.height;
  source_width = frame.source_width;
  source_height = frame.source_height;
  sensor_id = frame.sensor_id;
  source_name = frame.source_name;
  source_sensor = frame.source_sensor;
}

void FrameHead::Put(msgconv::Frame* frame) const {
  frame->number = number;
  frame->time_ns = time_ns;
  frame->width = width;
  frame->height = height;
  frame->source_width = source_width;
  frame->source_height = source_height;
  frame->sensor_id = sensor_id;
  frame->source_name = source_name;
  frame->source_sensor = source_sensor;
}

bool SourceState::open() const {
  return !tracks.empty() || std::any_of(zones.begin(), zones.end(),
                                        [](const ZoneState& zone) { return zone.crowded; });
}

bool SourceState::Adopt(const std::shared_ptr<const Rules>& now, const SourceRules* own,
                        uint32_t frame_width, uint32_t frame_height) {
  if (now == rules && own == found && width == frame_width && height == frame_height) return true;
  const auto scale =
      own == nullptr ? std::optional(ToPixels()) : ScaleOf(*now, frame_width, frame_height);
  if (!scale) return false;
  const bool resized = width != frame_width || height != frame_height;
  const bool same_units = rules != nullptr && SameUnits(*rules, *now);
  const std::shared_ptr<const Rules> old = std::exchange(rules, now);  // keeps the names
  const SourceRules* const old_found = same_units ? found : nullptr;
  found = own;
  width = frame_width;
  height = frame_height;
  told.reset();
  next_end_ns = 0;

  std::vector<LineState> new_lines;
  std::vector<ZoneState> new_zones;
  std::vector<std::optional<size_t>> line_places, zone_places;
  if (found != nullptr) {
    const double to_pixels = scale->y;
    for (const LineRule& rule : found->lines) {
      const auto place = OldPlace(rule, old_found == nullptr ? nullptr : &old_found->lines);
      LineState state{
          Line(scale->Places(rule.shape)), rule.shape.margin * to_pixels, 0, 0, 0, 0, {}, {}};
      if (place && *place < lines.size()) {
        LineState& before = lines[*place];
        state.right = before.right;
        state.left = before.left;
        state.right_classes = std::move(before.right_classes);
        state.left_classes = std::move(before.left_classes);
        state.right_classes.Rename(rule.right_total);
        state.left_classes.Rename(rule.left_total);
      }
      new_lines.push_back(std::move(state));
      line_places.push_back(place && *place < lines.size() ? place : std::nullopt);
    }
    for (const ZoneRule& rule : found->zones) {
      const auto place = OldPlace(rule, old_found == nullptr ? nullptr : &old_found->zones);
      ZoneState state{
          Zone(scale->Places(rule.shape)), rule.shape.margin * to_pixels, 0, 0, {}, false, {}};
      if (place && *place < zones.size()) {
        ZoneState& before = zones[*place];
        state.tracked = before.tracked;
        state.full_since_ns = before.full_since_ns;
        state.crowded = before.crowded;
        state.classes = std::move(before.classes);
      }
      new_zones.push_back(std::move(state));
      zone_places.push_back(place && *place < zones.size() ? place : std::nullopt);
    }
  }
  for (auto& [id, track] : tracks) {
    track.lines = Moved(&track.lines, line_places);
    track.zones = Moved(&track.zones, zone_places);
    if (resized) track.placed = false;
  }
  lines = std::move(new_lines);
  zones = std::move(new_zones);
  return true;
}

}  // namespace dsmsg::space
