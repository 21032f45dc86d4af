// SPDX-License-Identifier: Apache-2.0
// What ends with a source: its tracks and its crowds.
#include <gmock/gmock.h>

#include "scene.h"

namespace dsmsg::space {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kYard = R"(
tracks: true
sources:
  "*":
    zones:
      yard: {points: [[20, 20], [80, 20], [80, 80], [20, 80]], crowd: {count: 2, for: 3}}
)";

TEST(SpaceEnd, EndsTracksWithTheirSource) {
  Scene scene(kYard, true);
  scene.frame().number = 41;
  scene.Apply(0, {{7, 50, 50}});
  scene.Apply(2, {{7, 51, 50}}, 0);
  scene.Apply(3, {{8, 0, 0}}, 5);
  EXPECT_THAT(scene.engine().Open(), ElementsAre(0U, 5U));
  EXPECT_THAT(scene.End(0), ElementsAre("7 zone-leave yard", "7 track-end"));
  const msgconv::Frame& frame = scene.frame();
  EXPECT_EQ(frame.source_id, 0U);
  EXPECT_EQ(frame.number, 41U);
  EXPECT_EQ(frame.width, 100U);
  EXPECT_EQ(frame.time_ns, 1'700'000'002 * kSecond);
  EXPECT_EQ(frame.space_events[0].time_ns, 2 * kSecond);
  ASSERT_EQ(frame.tracks.size(), 1U);
  EXPECT_EQ(frame.tracks[0].frames, 2U);
  EXPECT_EQ(scene.In("yard"), 0);
  EXPECT_THAT(scene.engine().Open(), ElementsAre(5U));
  EXPECT_EQ(scene.engine().tracks(), 1U);
  EXPECT_FALSE(scene.engine().EndSource(0, &scene.frame()));
  EXPECT_FALSE(scene.engine().EndSource(9, &scene.frame()));
  EXPECT_THAT(scene.End(5), ElementsAre("8 track-end"));
}

TEST(SpaceEnd, ClearsACrowd) {
  Scene scene(kYard);
  scene.Apply(0, {{1, 50, 50}, {{}, 50, 50}, {{}, 51, 51}});
  scene.Apply(3, {{1, 50, 50}, {{}, 50, 50}, {{}, 51, 51}});
  EXPECT_EQ(scene.Count(msgconv::CountKind::kCrowded, "yard"), 1);
  EXPECT_THAT(scene.End(), ElementsAre("1 zone-leave yard", "1 track-end", "zone-cleared yard"));
  EXPECT_EQ(scene.Count(msgconv::CountKind::kCrowded, "yard"), 0);
  EXPECT_THAT(scene.End(), IsEmpty());
}

TEST(SpaceEnd, CountsGoOnIfTheSourceDoes) {
  Scene scene(R"(
send: changed
sources: {0: {lines: {gate: {points: [[0, 50], [100, 50]], directions: [in, out]}}}}
)");
  scene.Apply(0, {{7, 10, 40}});
  scene.Apply(1, {{7, 10, 60}});
  const auto outcome = scene.engine().EndSource(0, &scene.frame());
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->changed);
  EXPECT_EQ(scene.Count(msgconv::CountKind::kLine, "gate.in"), -1);
  EXPECT_EQ(scene.Total("gate.in"), 1);
  // It is not known how the object came to the other side.
  EXPECT_THAT(scene.Events(2, {{7, 10, 40}}), IsEmpty());
  EXPECT_THAT(scene.Events(3, {{7, 10, 60}}), ElementsAre("7 line-crossing gate.in"));
  EXPECT_EQ(scene.Total("gate.in"), 2);
}

}  // namespace
}  // namespace dsmsg::space
