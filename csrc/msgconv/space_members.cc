// SPDX-License-Identifier: Apache-2.0
#include "msgconv/space_members.h"

#include <string>

#include "msgconv/identity.h"
#include "msgconv/model_parts.h"
#include "msgconv/protobuf_parts.h"
#include "msgconv/space_event.h"
#include "msgconv/text_parts.h"

namespace dsmsg::msgconv {
namespace {

double Seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

void DwellList(JsonWriter* out, const Frame& frame, Range dwells) {
  out->Raw('[');
  for (const Dwell& dwell : frame.Part(frame.dwells, dwells)) {
    if (&dwell != &frame.dwells[dwells.first]) out->Raw(',');
    out->Raw(R"({"zone":)");
    out->String(dwell.zone);
    out->Raw(R"(,"seconds":)");
    out->Number(Seconds(dwell.time_ns));
    out->Raw('}');
  }
  out->Raw(']');
}

bool HasTime(SpaceKind kind) {
  return kind == SpaceKind::kLeave || kind == SpaceKind::kDwell || kind == SpaceKind::kCleared;
}

bool HasCount(SpaceKind kind) { return kind == SpaceKind::kCrowded || kind == SpaceKind::kCleared; }

void Event(JsonWriter* out, const SpaceEvent& event) {
  out->Raw(R"({"type":)");
  out->String(SpaceEventName(event.kind));
  if (!event.name.empty()) {
    out->Raw(R"(,"name":)");
    out->String(event.name);
  }
  if (!event.direction.empty()) {
    out->Raw(R"(,"direction":)");
    out->String(event.direction);
  }
  if (HasTime(event.kind)) {
    out->Raw(R"(,"seconds":)");
    out->Number(Seconds(event.time_ns));
  }
  if (HasCount(event.kind)) {
    out->Raw(R"(,"count":)");
    out->Number(event.value);
  }
  out->Raw('}');
}

void Time(JsonWriter* out, std::string_view key, uint64_t time_ns) {
  TimeFormatter time;
  out->Raw(key);
  out->Raw('"');
  out->Raw(time.Format(time_ns));
  out->Raw('"');
}

void Corners(JsonWriter* out, const Box& box, const Scale& scale) {
  out->Raw(R"(,"bestBbox":{"topleftx":)");
  out->Number(box.left * scale.x);
  out->Raw(R"(,"toplefty":)");
  out->Number(box.top * scale.y);
  out->Raw(R"(,"bottomrightx":)");
  out->Number((box.left + box.width) * scale.x);
  out->Raw(R"(,"bottomrighty":)");
  out->Number((box.top + box.height) * scale.y);
  out->Raw('}');
}

void Track(JsonWriter* out, const Frame& frame, const TrackSummary& track) {
  const Scale scale = ScaleOf(frame);
  Time(out, R"(,"track":{"firstSeen":)", track.first_ns);
  Time(out, R"(,"lastSeen":)", track.last_ns);
  out->Raw(R"(,"frames":)");
  out->Number(track.frames);
  if (track.confidence) {
    out->Raw(R"(,"bestConfidence":)");
    out->Number(*track.confidence);
  }
  Time(out, R"(,"bestSeen":)", track.best_ns);
  Corners(out, track.best, scale);
  out->Raw(R"(,"path":[)");
  for (const Point& point : frame.Part(frame.points, track.path)) {
    out->Raw(&point == &frame.points[track.path.first] ? "[" : ",[");
    out->Number(point.x * scale.x);
    out->Raw(',');
    out->Number(point.y * scale.y);
    out->Raw(']');
  }
  out->Raw(R"(],"dwell":)");
  DwellList(out, frame, track.dwells);
  out->Raw('}');
}

constexpr protozero::pbf_tag_type kInfo = 5;  // of nv.Object

void DwellInfo(protozero::pbf_writer* out, const Frame& frame, Range dwells,
               const std::string& prefix) {
  for (const Dwell& dwell : frame.Part(frame.dwells, dwells)) {
    std::string text;
    AppendShort(&text, Seconds(dwell.time_ns));
    protobuf::MapEntry(out, kInfo, prefix + std::string(dwell.zone), text);
  }
}

void TrackInfo(protozero::pbf_writer* out, const Frame& frame, const TrackSummary& track,
               const Scale& scale) {
  TimeFormatter time;
  protobuf::MapEntry(out, kInfo, "track.firstSeen", time.Format(track.first_ns));
  protobuf::MapEntry(out, kInfo, "track.lastSeen", time.Format(track.last_ns));
  protobuf::MapEntry(out, kInfo, "track.frames", std::to_string(track.frames));
  std::string text;
  if (track.confidence) {
    AppendShort(&text, static_cast<double>(*track.confidence));
    protobuf::MapEntry(out, kInfo, "track.confidence", text);
  }
  text.clear();
  for (const Point& point : frame.Part(frame.points, track.path)) {
    if (!text.empty()) text.push_back(' ');
    AppendShort(&text, static_cast<double>(point.x * scale.x));
    text.push_back(',');
    AppendShort(&text, static_cast<double>(point.y * scale.y));
  }
  protobuf::MapEntry(out, kInfo, "track.path", text);
  DwellInfo(out, frame, track.dwells, "track.dwell.");
}

}  // namespace

void SpaceMembers(JsonWriter* out, const Frame& frame, const Object& object) {
  if (object.dwells.count > 0) {
    out->Raw(R"(,"dwell":)");
    DwellList(out, frame, object.dwells);
  }
  if (object.space_events.count > 0) {
    out->Raw(R"(,"events":[)");
    for (const SpaceEvent& event : frame.Part(frame.space_events, object.space_events)) {
      if (&event != &frame.space_events[object.space_events.first]) out->Raw(',');
      Event(out, event);
    }
    out->Raw(']');
  }
  if (object.track.count > 0) Track(out, frame, frame.tracks[object.track.first]);
}

void SpaceInfo(protozero::pbf_writer* out, const Frame& frame, const Object& object,
               const Scale& scale) {
  DwellInfo(out, frame, object.dwells, "dwell.");
  size_t number = 0;
  for (const SpaceEvent& event : frame.Part(frame.space_events, object.space_events)) {
    std::string text(SpaceEventName(event.kind));
    if (!event.name.empty()) text.append(" ").append(event.name);
    if (!event.direction.empty()) text.append(".").append(event.direction);
    if (HasTime(event.kind)) {
      text.append(" seconds=");
      AppendShort(&text, Seconds(event.time_ns));
    }
    if (HasCount(event.kind)) text.append(" count=").append(std::to_string(event.value));
    protobuf::MapEntry(out, kInfo, "event" + std::to_string(number++), text);
  }
  if (object.track.count > 0) TrackInfo(out, frame, frame.tracks[object.track.first], scale);
}

}  // namespace dsmsg::msgconv
