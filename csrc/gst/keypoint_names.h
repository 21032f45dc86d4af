// SPDX-License-Identifier: Apache-2.0
// Layouts of keypoints that are known by name: what the first, second, ... point is. The names end
// a semantic tag ("yolo11s-pose/body-pose/coco-17") or are the field "format" of DL Streamer's
// tensors. Constant data.
#ifndef DSMSG_GST_KEYPOINT_NAMES_H_
#define DSMSG_GST_KEYPOINT_NAMES_H_

#include <span>
#include <string_view>

#include "msgconv/joint_names.h"

namespace dsmsg {

inline constexpr std::string_view kCoco17[] = {
    "nose",           "left-eye",   "right-eye",   "left-ear",   "right-ear",   "left-shoulder",
    "right-shoulder", "left-elbow", "right-elbow", "left-wrist", "right-wrist", "left-hip",
    "right-hip",      "left-knee",  "right-knee",  "left-ankle", "right-ankle"};
inline constexpr std::string_view kCenterFace5[] = {"left-eye", "right-eye", "nose", "mouth-left",
                                                    "mouth-right"};

struct KeypointLayout {
  std::string_view name;
  std::span<const std::string_view> points;  // empty: not known
};

inline constexpr KeypointLayout kKeypointLayouts[] = {
    {"body-pose/coco-17", kCoco17},
    {"body-pose/hrnet-coco-17", kCoco17},
    {"body-pose/openpose-18", msgconv::kJoints2D},
    {"face-landmarks/centerface-5", kCenterFace5},
};

/// The layout that ends the tag; one with the whole tag as its name if it is not known.
constexpr KeypointLayout LayoutOf(std::string_view tag) {
  for (const KeypointLayout& layout : kKeypointLayouts) {
    if (tag.ends_with(layout.name)) return layout;
  }
  return {tag, {}};
}

}  // namespace dsmsg

#endif  // DSMSG_GST_KEYPOINT_NAMES_H_
