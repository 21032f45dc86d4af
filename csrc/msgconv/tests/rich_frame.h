// SPDX-License-Identifier: Apache-2.0
// A frame in which everything that the model can carry is set.
#ifndef DSMSG_MSGCONV_TESTS_RICH_FRAME_H_
#define DSMSG_MSGCONV_TESTS_RICH_FRAME_H_

#include "msgconv/model.h"

namespace dsmsg_test {

/// One person, with all its parts; all numbers are different and exact in float.
inline dsmsg::msgconv::Frame RichFrame() {
  using namespace dsmsg::msgconv;
  Frame frame;
  frame.number = 77;
  frame.time_ns = 1'705'314'600'123'456'789;
  frame.width = 640;
  frame.height = 480;
  frame.source_width = 1280;
  frame.source_height = 960;
  frame.video_path = "/v/a.mp4";
  frame.attributes = {{"gender", "f", 0.5F}, {"mood", "calm", {}}, {"model", "reid", {}}};
  frame.points = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}};
  frame.outlines = {{0, 3}, {3, 3}};
  frame.signatures = {0.25, -1.5};
  frame.numbers = {0.5F, -0.25F, 2, 1, 0, -1};
  frame.keypoints = {
      {"nose", {10, 20, 1.5}, 0.75F, std::nullopt},
      {"left-eye", {11, 21, 2.5}, 0.5F, std::array<float, 4>{0, 0.5F, 0.25F, 1}},
  };
  frame.actions = {{"walking", 0.875F}, {"waving", 0.125F}};
  frame.texts = {"of the frame", "of the \"object\""};
  frame.custom_messages = {0, 1};
  Object object;
  object.id = 18'446'744'073'709'551'615U;
  object.label = "Person";
  object.confidence = 0.625F;
  object.box = {100, 200, 50, 60.5F};
  object.speed = 1.5F;
  object.direction = 90;
  object.orientation = 45;
  object.location = Triple{45.5, -75.25, 48};
  object.coordinate = Triple{1.25, 2.5, 3.75};
  object.event = EventType::kEntry;
  object.attribute_count = 2;
  object.outlines = {0, 2};
  object.signature = {0, 2};
  object.embedding = {0, 3};
  object.embedding_info = {2, 1};
  object.directions = {3, 3};
  object.pose_type = "pose25D";
  object.keypoints = {0, 2};
  object.actions = {0, 2};
  object.gaze = Gaze{1, 2, 3, 0.5F, -0.5F};
  object.lip_activity = "speaking";
  object.event_id = "event-1";
  object.custom_messages = {1, 1};
  frame.objects = {object};
  return frame;
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_RICH_FRAME_H_
