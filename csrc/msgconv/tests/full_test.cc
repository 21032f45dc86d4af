// SPDX-License-Identifier: Apache-2.0
// The parts of a full message that only some objects have.
#include <gmock/gmock.h>

#include "render.h"
#include "rich_frame.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::ConfigOf;
using dsmsg_test::Keys;
using dsmsg_test::KeysOf;
using dsmsg_test::Number;
using dsmsg_test::Numbers;
using dsmsg_test::ParseJson;
using dsmsg_test::RenderAll;
using dsmsg_test::RichFrame;
using dsmsg_test::Text;
using testing::ElementsAre;

constexpr char kConfig[] =
    "[sensor0]\nid=CAM\n[sensor5]\nid=FIVE\n[place7]\nid=seven\n[analytics3]\nid=three\n";

rapidjson::Document FullOf(const Frame& frame) {
  const auto messages = RenderAll({}, frame, kConfig);
  EXPECT_EQ(messages.size(), 1U);
  return ParseJson(messages.at(0));
}

TEST(FullObject, HasAllKeysInOrder) {
  const auto document = FullOf(RichFrame());
  EXPECT_EQ(KeysOf(document), (Keys{"messageid", "mdsversion", "@timestamp", "sensor", "object",
                                    "event", "videoPath", "customMessage"}));
  EXPECT_EQ(KeysOf(At(document, {"object"})),
            (Keys{"id", "speed", "direction", "orientation", "person", "bbox", "maskoutline",
                  "signature", "location", "coordinate", "pose", "embedding", "poseType", "actions",
                  "gaze", "lipActivity"}));
  EXPECT_EQ(Text(document, {"object", "id"}), "18446744073709551615");
  EXPECT_EQ(Text(document, {"event", "id"}), "event-1");
  EXPECT_EQ(Text(document, {"event", "type"}), "entry");
  EXPECT_EQ(Text(document, {"videoPath"}), "/v/a.mp4");
  EXPECT_EQ(Number(document, {"object", "direction"}), 90);
  EXPECT_EQ(Number(document, {"object", "orientation"}), 45);
}

TEST(FullObject, MaskAndPoseAreScaledToTheCamera) {
  Frame frame = RichFrame();
  const auto document = FullOf(frame);
  const auto& mask = At(document, {"object", "maskoutline"});
  ASSERT_EQ(mask.Size(), 2U);
  EXPECT_THAT(Numbers(mask[0]), ElementsAre(2, 4, 6, 8, 10, 12));
  EXPECT_THAT(Numbers(mask[1]), ElementsAre(14, 16, 18, 20, 22, 24));
  const auto& pose = At(document, {"object", "pose"});
  EXPECT_EQ(KeysOf(pose), (Keys{"nose", "left-eye"}));
  EXPECT_EQ(KeysOf(At(pose, {"nose"})), (Keys{"x", "y", "z", "confidence"}));
  EXPECT_EQ(Number(pose, {"nose", "x"}), 20);
  EXPECT_EQ(Number(pose, {"nose", "y"}), 40);
  EXPECT_EQ(Number(pose, {"nose", "z"}), 1.5);
  EXPECT_EQ(Number(pose, {"nose", "confidence"}), 0.75);
  EXPECT_THAT(Numbers(At(pose, {"left-eye", "quaternion"})), ElementsAre(0, 0.5, 0.25, 1));
  frame.objects[0].pose_type = "pose3D";  // in space: no pixels
  EXPECT_EQ(Number(FullOf(frame), {"object", "pose", "nose", "x"}), 10);
  frame.objects[0].pose_type = "pose2D";
  EXPECT_EQ(KeysOf(At(FullOf(frame), {"object", "pose", "nose"})), (Keys{"x", "y", "confidence"}));
}

TEST(FullObject, JointsWithoutANameGoByTheirNumber) {
  Frame frame = RichFrame();
  frame.keypoints = {{"", {1, 2, 3}, 1, {}},
                     {"a", {4, 5, 6}, 1, {}},
                     {"a", {7, 8, 9}, 1, {}},
                     {"", {1, 1, 1}, 1, {}}};
  frame.objects[0].keypoints = {0, 4};
  EXPECT_EQ(KeysOf(At(FullOf(frame), {"object", "pose"})), (Keys{"0", "a", "3"}));
}

TEST(FullObject, EmbeddingSignatureAndFace) {
  const auto document = FullOf(RichFrame());
  const auto& object = At(document, {"object"});
  EXPECT_THAT(Numbers(At(object, {"signature"})), ElementsAre(0.25, -1.5));
  EXPECT_EQ(KeysOf(At(object, {"embedding"})),
            (Keys{"embedding_length", "embedding_vector", "info"}));
  EXPECT_EQ(Number(object, {"embedding", "embedding_length"}), 3);
  EXPECT_THAT(Numbers(At(object, {"embedding", "embedding_vector"})), ElementsAre(0.5, -0.25, 2));
  EXPECT_EQ(Text(object, {"embedding", "info", "model"}), "reid");
  EXPECT_EQ(Text(object, {"poseType"}), "pose25D");
  const auto& actions = At(object, {"actions"});
  ASSERT_EQ(actions.Size(), 2U);
  EXPECT_EQ(Text(actions[0], {"type"}), "walking");
  EXPECT_EQ(Number(actions[1], {"confidence"}), 0.125);
  EXPECT_EQ(KeysOf(At(object, {"gaze"})), (Keys{"x", "y", "z", "theta", "phi"}));
  EXPECT_EQ(Number(object, {"gaze", "phi"}), -0.5);
  EXPECT_EQ(Text(object, {"lipActivity", "classLabel"}), "speaking");
}

TEST(FullObject, CustomMessagesAreThoseOfTheFrameAndTheObject) {
  Frame frame = RichFrame();
  const auto document = FullOf(frame);
  const auto& messages = At(document, {"customMessage"});
  ASSERT_EQ(messages.Size(), 2U);
  EXPECT_STREQ(messages[0].GetString(), "of the frame");
  EXPECT_STREQ(messages[1].GetString(), "of the \"object\"");
  frame.custom_messages = frame.objects[0].custom_messages = {};
  EXPECT_FALSE(FullOf(frame).HasMember("customMessage"));
}

TEST(FullEvent, TakesWhatTheApplicationSays) {
  Frame frame = RichFrame();
  Object& object = frame.objects[0];
  object.event_type = "loitering";
  object.timestamp = "2020-01-01T00:00:00Z";
  object.video_path = "/v/b.mp4";
  object.id_text = "badge \"7\"";
  object.sensor_group = 5;
  object.place_group = 7;
  object.analytics_group = 3;
  const auto document = FullOf(frame);
  EXPECT_EQ(Text(document, {"event", "type"}), "loitering");
  EXPECT_EQ(Text(document, {"@timestamp"}), "2020-01-01T00:00:00Z");
  EXPECT_EQ(Text(document, {"videoPath"}), "/v/b.mp4");
  EXPECT_EQ(Text(document, {"object", "id"}), "badge \"7\"");
  EXPECT_EQ(Text(document, {"sensor", "id"}), "FIVE");
  EXPECT_EQ(Text(document, {"place", "id"}), "seven");
  EXPECT_EQ(Text(document, {"analyticsModule", "id"}), "three");
}

TEST(FullEvent, ASensorThatOnlyTheApplicationKnows) {
  Frame frame = RichFrame();
  frame.source_id = 9;
  frame.sensor_id = "gate \"9\"";
  const auto document = FullOf(frame);
  EXPECT_EQ(KeysOf(At(document, {"sensor"})), (Keys{"id", "type", "description"}));
  EXPECT_EQ(Text(document, {"sensor", "id"}), "gate \"9\"");
  const std::string minimal = RenderAll({PayloadType::kMinimal}, frame, kConfig).at(0);
  EXPECT_EQ(Text(ParseJson(minimal), {"sensorId"}), "gate \"9\"");
}

TEST(FullObject, TheKindMayBeSaid) {
  Frame frame = RichFrame();
  frame.objects[0].kind = ObjectKind::kVehicle;
  frame.objects[0].label = "scooter";
  EXPECT_EQ(Text(FullOf(frame), {"object", "vehicle", "type"}), "scooter");
  frame.objects[0].kind = ObjectKind::kOther;
  frame.objects[0].label = "poseType";  // a key of its own: must not stand there twice
  EXPECT_TRUE(At(FullOf(frame), {"object"}).HasMember("poseType_"));
}

TEST(Converter, ManyGroupsDoNotPileUp) {
  Frame frame = RichFrame();
  Converter converter(ConfigOf(kConfig), {});
  for (int32_t group = 0; group < 10000; ++group) {
    frame.objects[0].sensor_group = group;
    ASSERT_FALSE(converter.Render(frame, 0).empty());
  }
  frame.objects[0].sensor_group = 5;
  EXPECT_EQ(Text(ParseJson(converter.Render(frame, 0)), {"sensor", "id"}), "FIVE");
}

}  // namespace
}  // namespace dsmsg::msgconv
