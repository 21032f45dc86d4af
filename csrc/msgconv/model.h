// SPDX-License-Identifier: Apache-2.0
// What a converter is given: the detections of one frame, free of GStreamer and DeepStream types.
//
// All text is borrowed (string_view): whoever fills a Frame keeps the text alive until the last
// payload of it is rendered. A Frame is meant to be filled again for the next frame, so that its
// vectors keep their memory. Values; one thread at a time.
#ifndef DSMSG_MSGCONV_MODEL_H_
#define DSMSG_MSGCONV_MODEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dsmsg::msgconv {

enum class EventType { kNone, kEntry, kExit, kMoving, kStopped, kParked, kEmpty, kReset };

/// Latitude, longitude, altitude, or x, y, z.
using Triple = std::array<double, 3>;

/// A classifier's result about one object: "color" = "blue".
struct Attribute {
  std::string_view name, value;
  std::optional<float> confidence;
};

/// In pixels of the pipeline's frame.
struct Box {
  float left = 0, top = 0, width = 0, height = 0;
};

struct Object {
  std::optional<uint64_t>
      id;                  // the tracker's; where there is no tracker, the detector's own, if any
  std::string_view label;  // class name
  std::optional<int64_t> label_id;  // class number
  std::optional<float> confidence;
  Box box;
  float speed = 0, direction = 0, orientation = 0;
  std::optional<Triple> location, coordinate;
  EventType event = EventType::kNone;
  uint32_t first_attribute = 0, attribute_count = 0;  // in Frame::attributes
};

struct Frame {
  uint32_t source_id = 0;                        // group number of the configuration
  uint64_t number = 0;                           // counted from 0 for each source
  uint64_t time_ns = 0;                          // UTC, nanoseconds since 1970
  uint32_t width = 0, height = 0;                // of the pipeline, pixels; 0: unknown
  uint32_t source_width = 0, source_height = 0;  // of the camera; 0: as the pipeline
  std::string_view video_path;
  std::vector<Object> objects;
  std::vector<Attribute> attributes;  // of all objects, see AttributesOf

  std::span<const Attribute> AttributesOf(const Object& object) const {
    return std::span(attributes).subspan(object.first_attribute, object.attribute_count);
  }
  /// Empties the lists, keeps their memory.
  void Clear() {
    objects.clear();
    attributes.clear();
  }
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MODEL_H_
