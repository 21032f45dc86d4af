// SPDX-License-Identifier: Apache-2.0
// The names of the joint numbers in DeepStream's poses. Constant data.
#ifndef DSMSG_MSGCONV_JOINT_NAMES_H_
#define DSMSG_MSGCONV_JOINT_NAMES_H_

#include <span>
#include <string_view>

namespace dsmsg::msgconv {

inline constexpr std::string_view kPoseTypes[] = {"pose2D", "pose25D", "pose3D"};

inline constexpr std::string_view kJoints2D[] = {
    "nose",       "neck",      "right-shoulder", "right-elbow", "right-hand", "left-shoulder",
    "left-elbow", "left-hand", "right-hip",      "right-knee",  "right-foot", "left-hip",
    "left-knee",  "left-foot", "right-eye",      "left-eye",    "right-ear",  "left-ear"};

// Of 2.5-D and 3-D poses alike.
inline constexpr std::string_view kJoints3D[] = {"pelvis",
                                                 "left-hip",
                                                 "right-hip",
                                                 "torso",
                                                 "left-knee",
                                                 "right-knee",
                                                 "neck",
                                                 "left-ankle",
                                                 "right-ankle",
                                                 "left-big-toe",
                                                 "right-big-toe",
                                                 "left-small-toe",
                                                 "right-small-toe",
                                                 "left-heel",
                                                 "right-heel",
                                                 "nose",
                                                 "left-eye",
                                                 "right-eye",
                                                 "left-ear",
                                                 "right-ear",
                                                 "left-shoulder",
                                                 "right-shoulder",
                                                 "left-elbow",
                                                 "right-elbow",
                                                 "left-wrist",
                                                 "right-wrist",
                                                 "left-pinky-knuckle",
                                                 "right-pinky-knuckle",
                                                 "left-middle-tip",
                                                 "right-middle-tip",
                                                 "left-index-knuckle",
                                                 "right-index-knuckle",
                                                 "left-thumb-tip",
                                                 "right-thumb-tip"};

/// Names for NvDsJoints::pose_type; empty for a type that is not known.
inline std::span<const std::string_view> JointNames(int pose_type) {
  if (pose_type == 0) return kJoints2D;
  if (pose_type == 1 || pose_type == 2) return kJoints3D;
  return {};
}

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JOINT_NAMES_H_
