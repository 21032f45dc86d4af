// SPDX-License-Identifier: Apache-2.0
#include "msgconv/model_parts.h"

#include <algorithm>

namespace dsmsg::msgconv {

Scale ScaleOf(const Frame& frame) {
  Scale scale;
  if (frame.source_width > 0 && frame.width > 0) {
    scale.x = static_cast<float>(frame.source_width) / static_cast<float>(frame.width);
  }
  if (frame.source_height > 0 && frame.height > 0) {
    scale.y = static_cast<float>(frame.source_height) / static_cast<float>(frame.height);
  }
  return scale;
}

Box ScaledBox(const Frame& frame, const Object& object) {
  const Scale scale = ScaleOf(frame);
  const Box& box = object.box;
  return {box.left * scale.x, box.top * scale.y, box.width * scale.x, box.height * scale.y};
}

std::string_view GivenSensorId(const Frame& frame) {
  if (!frame.sensor_id.empty()) return frame.sensor_id;
  return frame.source_sensor.empty() ? frame.source_name : frame.source_sensor;
}

std::string_view EventTypeOf(const Object& object) {
  if (!object.event_type.empty()) return object.event_type;
  switch (object.event) {
    case EventType::kEntry:
      return "entry";
    case EventType::kExit:
      return "exit";
    case EventType::kMoving:
      return "moving";
    case EventType::kStopped:
      return "stopped";
    case EventType::kParked:
      return "parked";
    case EventType::kEmpty:
      return "empty";
    case EventType::kReset:
      return "reset";
    case EventType::kNone:
      break;
  }
  return "";
}

std::string_view VideoPathOf(const Frame& frame, const Object& object) {
  return object.video_path.empty() ? frame.video_path : object.video_path;
}

const Segmentation* FirstSegmentation(const Frame& frame, std::span<const Object> objects) {
  if (frame.segmentation) return &*frame.segmentation;
  for (const Object& object : objects) {
    if (object.findings.count == 0) continue;
    const Findings& findings = frame.findings[object.findings.first];
    if (findings.segmentation) return &*findings.segmentation;
  }
  return nullptr;
}

bool InPicture(std::string_view pose_type) { return pose_type != "pose3D"; }

bool IsSeen(const Object& object, const Keypoint& joint) {
  return object.event_meta.count == 0 || joint.confidence > 0;
}

bool IsFlat(std::string_view pose_type) { return pose_type == "pose2D"; }

std::string_view NameOf(const Evidence& picture) { return picture.whole_frame ? "frame" : "crop"; }

std::string_view StateOf(const Evidence& picture) {
  return picture.state == Evidence::State::kStored ? "stored" : "lost";
}

bool IsNamed(std::string_view list, std::string_view name) {
  if (list.empty()) return true;
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == name) return true;
  }
  return false;
}

bool SeenBefore(std::span<const Attribute> attributes, size_t index) {
  const auto end = attributes.begin() + static_cast<std::ptrdiff_t>(index);
  return std::any_of(attributes.begin(), end,
                     [&](const Attribute& a) { return a.name == attributes[index].name; });
}

}  // namespace dsmsg::msgconv
