// SPDX-License-Identifier: Apache-2.0
#include "msgconv/sample_frame.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <utility>

#include "msgconv/sample_fields.h"

namespace dsmsg::msgconv {
namespace {

using sample::Fail;
using sample::Json;
using sample::Reader;
using sample::Wrong;

std::string_view NameOf(const Json::Member& member) {
  return {member.name.GetString(), member.name.GetStringLength()};
}

/// Of a configuration's group, as its file has it.
std::string ConfigText(const std::string& group, const Json& members) {
  std::string text = "[" + group + "]\n";
  for (const auto& member : members.GetObject()) {
    std::string name(NameOf(member));
    const Json& value = member.value;
    std::string is;
    if (value.IsString()) {
      is = value.GetString();
      std::replace(is.begin(), is.end(), '\n', ' ');
    } else if (value.IsObject()) {  // lat, lon, alt or x, y, z
      for (const auto& part : value.GetObject()) {
        if (!part.value.IsNumber()) Fail(group + "." + name, "needs numbers");
        is += (is.empty() ? "" : ";") + std::to_string(part.value.GetDouble());
      }
    } else {
      Fail(group + "." + name, "must be a text, or names and numbers");
    }
    if (name.starts_with("sub_field")) name = "place-sub-field" + name.substr(9);
    text.append(name).append("=").append(is).append("\n");
  }
  return text;
}

class Builder {
 public:
  explicit Builder(Sample* sample) : sample_(*sample), reader_(sample) {}

  void Root(const Json& root) {
    if (!root.IsObject()) Fail("", "must be an object with \"frame\" and \"objects\"");
    std::string config;
    std::string source = "0";
    if (const auto frame = root.FindMember("frame"); frame != root.MemberEnd()) {
      reader_.Fields("frame", "frame", frame->value);
      source = std::to_string(sample_.frame.source_id);
    }
    for (const auto& member : root.GetObject()) {
      const std::string name(NameOf(member));
      if (name == "frame" || name == "description") continue;
      if (name == "objects") {
        reader_.Objects(member.value);
      } else if (name == "tracks") {
        reader_.Tracks(member.value);
      } else if (name == "sensor" || name == "place" || name == "analytics") {
        if (!member.value.IsObject()) Fail(name, "must be names and values");
        config += ConfigText(name + source, member.value);
      } else {
        Fail(name, "is unknown (there are frame, objects, tracks, sensor, place, analytics)");
      }
    }
    sample_.config = std::make_shared<const ConvConfig>();
    if (config.empty()) return;
    Result<ConvConfig> parsed = ConvConfig::Parse(config, "sample.txt");
    if (!parsed.ok()) Fail("", parsed.status().message());
    if (!parsed.value().warnings().empty()) Fail("", parsed.value().warnings().front());
    sample_.config = std::make_shared<const ConvConfig>(std::move(parsed.value()));
  }

 private:
  Sample& sample_;
  Reader reader_;
};

std::string LineAndColumn(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t column = offset - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  return std::to_string(line) + ":" + std::to_string(column);
}

}  // namespace

Result<std::unique_ptr<Sample>> ReadSample(std::string_view json, const std::string& origin) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      json.data(), json.size());
  if (document.HasParseError()) {
    return Status(
        Code::kInvalidArgument,
        origin + ":" + LineAndColumn(json, document.GetErrorOffset()) +
            ": this is not JSON: " + rapidjson::GetParseError_En(document.GetParseError()));
  }
  auto sample = std::make_unique<Sample>();
  try {
    Builder(sample.get()).Root(document);
  } catch (const Wrong& wrong) {
    return Status(Code::kInvalidArgument,
                  origin + ": " + wrong.where + (wrong.where.empty() ? "" : ": ") + wrong.what);
  }
  return sample;
}

std::string_view FullSample() {
  static constexpr std::string_view kText = R"({
  "frame": {"source": 2, "source_name": "gate", "number": 41, "time": "2026-11-30T10:15:30.123Z",
    "width": 1920, "height": 1080, "video_path": "/video/gate.mp4", "lost": [3, 4],
    "custom_messages": ["shift 2"],
    "segmentation": {"width": 2, "height": 2, "classes": [0, 1, 1, 0], "info": {"model": "road"}},
    "counts": [{"kind": "class", "name": "person", "value": 2},
      {"kind": "zone", "name": "door", "value": 1},
      {"kind": "line", "name": "gate", "value": 1}, {"kind": "line_total", "name": "gate", "value": 7}],
    "cameras": [{"id": "CAM-2", "time": "2026-11-30T10:15:30.100Z"}]},
  "sensor": {"id": "CAM-2", "type": "Camera", "description": "gate",
    "location": {"lat": 45.5, "lon": -75.25, "alt": 48.1}, "coordinate": {"x": 5.2, "y": 10.1, "z": 11.2}},
  "place": {"id": "1", "name": "north", "type": "garage",
    "location": {"lat": 45.5, "lon": -75.25, "alt": 48.1}, "coordinate": {"x": 1.5, "y": 2.5, "z": 3.5},
    "sub_field1": "walsh", "sub_field2": "lane1", "sub_field3": "P2"},
  "analytics": {"id": "XYZ", "description": "people", "source": "detector", "version": "1.0"},
  "objects": [
    {"id": 7, "label": "person", "label_id": 0, "confidence": 0.9, "component": 1,
      "box": {"left": 10.5, "top": 20, "width": 30, "height": 40}, "rotation": 5,
      "speed": 1.5, "direction": 90, "orientation": 45,
      "location": {"lat": 45.25, "lon": -75.5, "alt": 48}, "coordinate": {"x": 1, "y": 2, "z": 3},
      "event": "entry", "event_id": "e-1", "heading": "north", "state": "active",
      "space": [{"kind": "line-crossing", "name": "gate", "direction": "in", "seconds": 1.5, "value": 3}],
      "evidence": [{"whole_frame": true, "state": "lost", "reason": "the store was full", "size": 4321,
        "uri": "file:///evidence/e-1.jpg",
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}],
      "dwells": [{"zone": "door", "seconds": 2}], "zones": ["door"], "crowded_zones": ["hall"], "lines": ["gate"],
      "attributes": [{"name": "gender", "value": "female", "confidence": 0.8},
        {"name": "age", "value": "30"}],
      "mask": {"polygons": [[[10, 20], [40, 20], [40, 60]]], "width": 4, "height": 2, "rle": [1, 3, 4]},
      "pose": "pose3D", "keypoints": [{"name": "nose", "x": 25, "y": 25, "z": 1.5, "confidence": 0.8,
        "qx": 0, "qy": 0.5, "qz": 0.25, "qw": 1}],
      "actions": [{"type": "walking", "confidence": 0.75}],
      "embedding": [0.5, -0.25], "embedding_info": {"model": "reid"}, "signature": [0.125, 2],
      "directions": [1, 0, -1], "gaze": {"x": 1, "y": 2, "z": 3, "theta": 0.5, "phi": -0.5},
      "lip_activity": "speaking",
      "box3d": {"x": 1, "y": 2, "z": 3, "width": 0.5, "length": 0.6, "height": 1.7, "pitch": 0.1,
        "roll": 0.2, "yaw": 0.3, "vx": 1.1, "vy": 1.2, "vz": 0.1, "confidence": 0.7, "embedding": [1, 2]},
      "feet": {"x": 25, "y": 60}, "ground": {"x": 4, "y": 5}, "visibility": 0.6,
      "hull": [[10, 20], [40, 20], [25, 60]], "video_path": "/video/event.mp4",
      "timestamp": "2026-11-30T10:15:30.000Z", "custom_messages": ["door 3"],
      "attached": {"type": 2, "frame": 41, "confidence": 0.5, "object_id": "o-7", "sensor": "CAM-2"},
      "llm": {"name": "vlm", "version": "1"},
      "llm_embeddings": [{"vector": [0.5, 1]}, {"vector": [0.25]}],
      "segmentation": {"width": 2, "height": 1, "classes": [1, 2], "info": {"model": "floor"}},
      "conversations": [{"id": "q1", "query": "Who is it?", "response": "A guest."}],
      "fov": [{"id": "f", "text": "person", "value": 1}],
      "interactions": [{"id": "i", "text": "talking", "object_ids": ["7", "8"],
        "coordinates": [[1, 2, 3]], "info": {"since": "10:14"}}],
      "congestions": [{"id": "hall", "value": 0.5, "object_ids": ["7"]}]},
    {"id": "p-1", "label": "car", "confidence": 0.6, "event": "zone-enter",
      "space": [{"kind": "zone-enter", "name": "yard"}],
      "box": {"left": 100, "top": 200, "width": 80, "height": 60},
      "attributes": [{"name": "color", "value": "blue", "confidence": 0.8}]}],
  "tracks": [{"id": 5, "label": "person", "label_id": 0, "confidence": 0.95, "frames": 40,
    "first": "2026-11-30T10:15:20.000Z", "last": "2026-11-30T10:15:29.500Z",
    "best": "2026-11-30T10:15:25.000Z",
    "first_box": {"left": 0, "top": 100, "width": 40, "height": 90},
    "last_box": {"left": 400, "top": 100, "width": 40, "height": 90},
    "best_box": {"left": 200, "top": 110, "width": 44, "height": 95},
    "path": [[20, 145], [220, 157], [420, 145]], "dwells": [{"zone": "door", "seconds": 2.5}]}]
}
)";
  return kText;
}

}  // namespace dsmsg::msgconv
