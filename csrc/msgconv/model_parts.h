// SPDX-License-Identifier: Apache-2.0
// What all forms take from the model in the same way. Plain functions and values.
#ifndef DSMSG_MSGCONV_MODEL_PARTS_H_
#define DSMSG_MSGCONV_MODEL_PARTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// Groups of the configuration that a message takes its place, sensor and analytics from.
struct Groups {
  uint32_t sensor = 0, place = 0, analytics = 0;
  friend bool operator==(const Groups&, const Groups&) = default;
};
struct GroupsHash {
  size_t operator()(const Groups& groups) const {
    const uint64_t low = uint64_t{groups.place} << 32 | groups.analytics;
    return static_cast<size_t>((groups.sensor + (low << 7 ^ low >> 11)) * 0x9E3779B97F4A7C15U);
  }
};
inline Groups GroupsOf(const Frame& frame, const Object& object) {
  const auto group = [&](int32_t of_object) {
    return of_object < 0 ? frame.source_id : static_cast<uint32_t>(of_object);
  };
  return {group(object.sensor_group), group(object.place_group), group(object.analytics_group)};
}

/// From pixels of the pipeline's frame to those of the camera.
struct Scale {
  float x = 1, y = 1;
};
Scale ScaleOf(const Frame& frame);
Box ScaledBox(const Frame& frame, const Object& object);

/// 0 if it is not known.
inline float KnownConfidence(const Object& object) {
  return std::max(object.confidence.value_or(0.0F), 0.0F);
}
/// "crop" or "frame"; "stored" or "lost".
std::string_view NameOf(const Evidence& picture);
std::string_view StateOf(const Evidence& picture);
/// Anything beyond the plain schema.
inline bool IsExtended(const Object& object) {
  return (object.mask.count | object.box3d.count | object.track3d.count | object.zones.count |
          object.crowded_zones.count | object.lines.count) != 0 ||
         !object.heading.empty() || !object.state.empty();
}

/// What the buffer itself calls its camera; "": nothing.
std::string_view GivenSensorId(const Frame& frame);

/// Type of the object's event: "entry", ...; "" for none.
std::string_view EventTypeOf(const Object& object);
std::string_view VideoPathOf(const Frame& frame, const Object& object);

/// What the frame is divided into by its detector or, without one, by the first application
/// that did; nullptr: nothing.
const Segmentation* FirstSegmentation(const Frame& frame, std::span<const Object> objects);

/// Joints of a 3-D pose are in space; other joints are in the picture and scaled with it.
bool InPicture(std::string_view pose_type);
/// Events number their joints, and have those that are not seen with a confidence of 0.
bool IsSeen(const Object& object, const Keypoint& joint);
/// Its third coordinate has no meaning.
bool IsFlat(std::string_view pose_type);

/// A list "Person, Car" has this name; an empty list has every name.
bool IsNamed(std::string_view list, std::string_view name);

/// An earlier attribute of the same list has this name: the first one counts.
bool SeenBefore(std::span<const Attribute> attributes, size_t index);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MODEL_PARTS_H_
