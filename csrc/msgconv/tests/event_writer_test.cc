// SPDX-License-Identifier: Apache-2.0
// DeepStream's events, written in the layouts of its releases and read back.
#include "msgconv/event_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "attribute_text.h"
#include "json_check.h"
#include "msgconv/converter.h"
#include "msgconv/event_reader.h"
#include "rich_frame.h"
#include "warehouse.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::AttributeText;
using dsmsg_test::Number;
using dsmsg_test::ParseJson;
using dsmsg_test::Text;

// What a library compiled for one release reads of our events, it reads in the other's place too.
TEST(EventWriter, WritesForOldAndNewReleases) {
  const Frame rich = dsmsg_test::RichFrame();
  EventWriter writer(kTail7);
  auto config = std::make_shared<ConvConfig>();
  for (const EventTail& tail : {kTail7, kTail8}) {
    const auto events = writer.Make(rich);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].eventType, NVDS_EVENT_ENTRY);
    EventReader reader(tail);
    Frame frame;
    ASSERT_TRUE(reader.Read(events, &frame).ok());
    Converter converter(config, {});
    const auto document = ParseJson(converter.Render(frame, 0));
    const auto& object = At(document, {"object"});
    EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
    EXPECT_EQ(Text(document, {"event", "type"}), "entry");
    EXPECT_EQ(Text(document, {"videoPath"}), "/v/a.mp4");
    EXPECT_EQ(At(document, {"customMessage"})[0].GetString(), std::string("of the \"object\""));
    EXPECT_EQ(Text(object, {"person", "gender"}), "f");
    EXPECT_EQ(Number(object, {"person", "confidence"}), 0.625);
    EXPECT_EQ(Number(object, {"bbox", "bottomrighty"}), 260.5);
    EXPECT_EQ(At(object, {"maskoutline"}).Size(), 2U);
    EXPECT_EQ(At(object, {"maskoutline"})[1][5].GetDouble(), 12);
    EXPECT_EQ(At(object, {"signature"})[1].GetDouble(), -1.5);
    EXPECT_EQ(Number(object, {"location", "lon"}), -75.25);
    EXPECT_EQ(Number(object, {"coordinate", "z"}), 3.75);
    EXPECT_EQ(Text(object, {"poseType"}), "pose25D");
    EXPECT_EQ(Number(object, {"pose", "left-eye", "z"}), 2.5);
    EXPECT_EQ(At(object, {"embedding", "embedding_vector"})[2].GetDouble(), 2);
  }
}

TEST(EventWriter, EveryClassComesBack) {
  for (const EventTail& tail : {kTail7, kTail8}) {
    EventWriter writer(tail);
    EventReader reader(tail);
    Frame frame;
    frame.attributes = {{"brand", "b", {}}, {"type", "t", {}}, {"age", "40", {}}};
    for (const char* label : {"product", "truck", "face", "dog"}) {
      Object object;
      object.label = label;
      object.attribute_count = 3;
      frame.objects.push_back(object);
    }
    Frame back;
    ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
    ASSERT_EQ(back.objects.size(), 4U);
    EXPECT_EQ(AttributeText(back, back.objects[0]), "brand=b type=t ");
    EXPECT_EQ(AttributeText(back, back.objects[1]), "type=t ");
    EXPECT_EQ(AttributeText(back, back.objects[2]), "age=40 ");
    EXPECT_EQ(back.objects[3].label, "dog");
    EXPECT_EQ(back.objects[3].kind, ObjectKind::kOther);
    EXPECT_FALSE(back.objects[3].id);
  }
}

// From 8.0 on events have places for what an application found in the scene.
TEST(EventWriter, FindingsComeBack) {
  const Frame frame = dsmsg_test::Warehouse();
  for (const EventTail& tail : {kTail7, kTail8, kTail90, kTail91, kTail9}) {
    EventWriter writer(tail);
    for (int round = 0; round < 2; ++round) {  // again, with memory used again
      const auto events = writer.Make(frame);
      EventReader reader(tail.findings ? tail : kTail8);
      Frame back;
      ASSERT_TRUE(reader.Read(events, &back).ok());
      EXPECT_EQ(reader.TakeNote(), "");
      ASSERT_EQ(back.objects.size(), 2U);
      ASSERT_EQ(back.objects[0].findings.count, 1U);
      EXPECT_EQ(back.objects[1].findings.count, 0U);
      const Findings& found = back.findings[0];
      EXPECT_EQ(found.fov.count, 1U);
      const ObjectGroup& fov = back.groups[found.fov.first];
      EXPECT_EQ(fov.id, "hall");
      EXPECT_EQ(fov.text, "Person");
      EXPECT_EQ(fov.value, 3);
      EXPECT_EQ(back.attributes[fov.info.first].value, "Turin");
      const ObjectGroup& interaction = back.groups[found.interactions.first];
      EXPECT_EQ(interaction.text, "lifts a box");
      EXPECT_EQ(interaction.object_ids.count, 2U);
      EXPECT_EQ(back.coordinates[interaction.coordinates.first + 1], (Triple{3, 4, 5}));
      EXPECT_EQ(back.groups[found.congestions.first].value, 0.25);
      EXPECT_EQ(back.conversations[found.conversations.first].response, "A person.");
      EXPECT_EQ(back.conversations[found.conversations.first + 1].id, "");
      EXPECT_EQ(found.llm_embeddings.count, 2U);
      EXPECT_EQ(back.attributes[found.llm_info.first].value, "vlm-2");
      // Where the list of sources is, the older releases have something else.
      EXPECT_EQ(back.sources.size(), tail.findings ? 2U : 0U);
      if (!tail.findings) continue;
      EXPECT_EQ(back.sources[1].id, "cam-2");
      EXPECT_EQ(back.sources[0].time_ns, frame.sources[0].time_ns);
    }
    Frame plain;
    plain.objects.resize(2);
    Frame back;
    ASSERT_TRUE(EventReader(tail.findings ? tail : kTail8).Read(writer.Make(plain), &back).ok());
    EXPECT_EQ(back.objects[0].findings.count + back.sources.size(), 0U);
  }
}

TEST(EventWriter, ASegmentationComesBack) {
  Frame frame = dsmsg_test::Warehouse();
  frame.attributes = {{"width", "3", {}}, {"height", "2", {}}};
  frame.groups.clear();
  frame.findings = {{}};
  frame.findings[0].segmentation = Segmentation{3, 2, {0, 6}, {0, 2}};
  EventWriter writer(kTail91);
  EventReader reader(kTail91);
  Frame back;
  ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
  ASSERT_EQ(back.findings.size(), 1U);
  ASSERT_TRUE(back.findings[0].segmentation);
  EXPECT_EQ(back.findings[0].segmentation->width, 3U);
  EXPECT_EQ(back.classes, frame.classes);
}

TEST(EventWriter, TrackingInSpaceComesBack) {
  const Frame frame = dsmsg_test::Warehouse();
  for (const EventTail& tail : {kTail7, kTail8, kTail90, kTail91, kTail9}) {
    EventWriter writer(tail);
    EventReader reader(tail);
    Frame back;
    ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
    const bool known = tail.visibility != kNotThere;
    ASSERT_EQ(back.objects[0].track3d.count, known ? 1U : 0U);
    // The second object is one in space, as those of a scene.
    ASSERT_EQ(back.objects[1].box3d.count, tail.findings ? 1U : 0U);
    if (tail.findings) {
      const Box3d& box = back.boxes3d[back.objects[1].box3d.first];
      EXPECT_EQ(box.values, frame.boxes3d[0].values);
      EXPECT_EQ(box.confidence, 0.75F);
      EXPECT_EQ(back.Part(back.numbers, box.embedding)[2], 3);
      EXPECT_EQ(back.objects[1].label, "Box");
      EXPECT_EQ(back.objects[1].id, 6U);
    }
    if (!known) continue;
    const Track3d& track = back.tracks3d[0];
    EXPECT_EQ(track.ground.y, 2.5F);
    EXPECT_EQ(track.feet.x, 10);
    EXPECT_EQ(track.visibility, 0.5F);
    ASSERT_EQ(track.hull.count, 2U);
    EXPECT_EQ(back.points[track.hull.first + 1].y, 4);
    EXPECT_EQ(back.objects[0].box3d.count, tail.box3d == kNotThere ? 0U : 1U);
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
