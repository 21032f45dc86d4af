// SPDX-License-Identifier: Apache-2.0
#include "space/engine.h"

#include <gmock/gmock.h>

#include <random>

#include "msgconv/model_parts.h"
#include "scene.h"

namespace dsmsg::space {
namespace {

using msgconv::CountKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Strings = std::vector<std::string>;

constexpr const char* kGate = R"(
sources:
  "*":
    lines:
      gate: {points: [[0, 50], [100, 50]], directions: [in, out]}
)";
constexpr const char* kYard = R"(
sources:
  0:
    zones:
      yard: {points: [[20, 20], [80, 20], [80, 80], [20, 80]], dwell: 5, crowd: {count: 2, for: 3}}
)";

TEST(SpaceEngine, CountsCrossings) {
  Scene scene(kGate);
  EXPECT_THAT(scene.Events(0, {{7, 10, 40}}), IsEmpty());
  EXPECT_THAT(scene.Events(1, {{7, 10, 60}}), ElementsAre("7 line-crossing gate.in"));
  EXPECT_EQ(scene.Texts(scene.frame().objects[0].lines), Strings{"gate.in"});
  EXPECT_EQ(scene.Count(CountKind::kLine, "gate.in"), 1);
  EXPECT_EQ(scene.Total("gate.in"), 1);
  EXPECT_THAT(scene.Events(1.5, {{7, 10, 61}}), IsEmpty());
  EXPECT_EQ(scene.Count(CountKind::kLine, "gate.in"), -1);
  EXPECT_EQ(scene.Total("gate.in"), 1);
  EXPECT_THAT(scene.Events(2, {{7, 10, 40}}), ElementsAre("7 line-crossing gate.out"));
  EXPECT_EQ(scene.Total("gate.in"), 1);
  EXPECT_EQ(scene.Total("gate.out"), 1);
}

TEST(SpaceEngine, CountsTwoCrossingsInOneFrame) {
  Scene scene(R"(
sources:
  0:
    lines:
      first: {points: [[0, 30], [100, 30]]}
      second: {points: [[0, 60], [100, 60]]}
      bend: {points: [[0, 0], [50, 99], [99, 0]], directions: [a, b]}
)");
  scene.Apply(0, {{1, 10, 10}, {2, 0, 50}});
  EXPECT_THAT(
      scene.Events(0.1, {{1, 10, 90}, {2, 99, 50}}),
      ElementsAre("1 line-crossing first.right", "1 line-crossing second.right",
                  "1 line-crossing bend.a", "2 line-crossing bend.b", "2 line-crossing bend.a"));
}

TEST(SpaceEngine, FollowsAnIdThatIsFoundAgain) {
  Scene scene(kGate);
  scene.Apply(0, {{7, 10, 40}});
  scene.Apply(1, {});
  EXPECT_THAT(scene.Events(1.9, {{7, 90, 60}}), ElementsAre("7 line-crossing gate.in"));
  // Too late: it may be another object.
  scene.Apply(3, {});
  scene.Apply(4, {});
  EXPECT_THAT(scene.Events(4.5, {{7, 10, 40}}), IsEmpty());
  EXPECT_EQ(scene.engine().tracks(), 1U);
}

TEST(SpaceEngine, FollowsTracksAtALowFrameRate) {
  Scene scene(kGate);
  scene.Apply(0, {{7, 10, 40}});
  EXPECT_THAT(scene.Events(10, {{7, 10, 60}}), ElementsAre("7 line-crossing gate.in"));
  EXPECT_THAT(scene.Events(100, {{7, 10, 40}}), IsEmpty());  // the camera was away
}

TEST(SpaceEngine, IgnoresAJitterWithinTheMargin) {
  Scene scene(R"(
sources:
  0: {lines: {gate: {points: [[0, 50], [100, 50]], directions: [in, out], margin: 5}}}
)");
  double time = 0;
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 48}}), IsEmpty());
    EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 52}}), IsEmpty());
  }
  EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 55}}), ElementsAre("7 line-crossing gate.in"));
  EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 48}}), IsEmpty());
  EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 90}}), IsEmpty());
  EXPECT_THAT(scene.Events(time += 0.1, {{7, 10, 10}}), ElementsAre("7 line-crossing gate.out"));
}

TEST(SpaceEngine, CountsByClassAndLeavesOutOthers) {
  Scene scene(R"(
sources:
  0:
    lines:
      gate: {points: [[0, 50], [100, 50]], directions: [in, out], labels: [car, bus], by-class: true}
)");
  scene.Apply(0, {{1, 10, 40, "car"}, {2, 20, 40, "bus"}, {3, 30, 40, "cat"}, {4, 40, 40, "car"}});
  scene.Apply(1, {{1, 10, 60, "car"}, {2, 20, 60, "bus"}, {3, 30, 60, "cat"}, {4, 40, 60, "car"}});
  EXPECT_EQ(scene.Total("gate.in"), 3);
  EXPECT_EQ(scene.Total("gate.in.car"), 2);
  EXPECT_EQ(scene.Total("gate.in.bus"), 1);
  EXPECT_EQ(scene.Total("gate.in.cat"), -1);
}

TEST(SpaceEngine, CountsFurtherClassesTogether) {
  Scene scene(R"(
sources:
  0:
    lines:
      gate: {points: [[0, 50], [100, 50]], directions: [in, out], by-class: true}
)");
  std::vector<std::string> labels;
  for (int i = 0; i < 70; ++i) labels.push_back("c" + std::to_string(i));
  for (const float y : {40.0F, 60.0F}) {
    std::vector<Scene::Seen> objects;
    for (size_t i = 0; i < labels.size(); ++i)
      objects.push_back({i, static_cast<float>(i), y, labels[i]});
    scene.Apply(y / 100, objects);
  }
  EXPECT_EQ(scene.Total("gate.in"), 70);
  EXPECT_EQ(scene.Total("gate.in.c0"), 1);
  EXPECT_EQ(scene.Total("gate.in.c63"), 1);
  EXPECT_EQ(scene.Total("gate.in.c64"), -1);
  EXPECT_EQ(scene.Total("gate.in.other"), 6);
}

TEST(SpaceEngine, LooksAtTheAnchor) {
  Scene scene(R"(
sources:
  0:
    lines:
      feet: {points: [[0, 50], [100, 50]]}
      head: {points: [[0, 50], [100, 50]], anchor: top-center}
)");
  auto& frame = scene.frame();
  const auto apply = [&](uint64_t now, float top) {
    frame.Clear();
    frame.width = frame.height = 100;
    auto& object = frame.objects.emplace_back();
    object.id = 1;
    object.box = {10, top, 10, 20};
    scene.engine().Apply(now, {}, 0, &frame);
    return scene.Texts(frame.objects[0].lines);
  };
  EXPECT_EQ(apply(0, 20), Strings{});
  EXPECT_EQ(apply(1, 40), Strings{"feet.right"});
  EXPECT_EQ(apply(2, 60), Strings{"head.right"});
}

TEST(SpaceEngine, TellsEnterDwellAndLeave) {
  Scene scene(kYard);
  EXPECT_THAT(scene.Events(0, {{7, 10, 50}}), IsEmpty());
  EXPECT_THAT(scene.Events(1, {{7, 20, 50}}), IsEmpty());  // on the border: as before
  EXPECT_THAT(scene.Events(2, {{7, 50, 50}}), ElementsAre("7 zone-enter yard"));
  EXPECT_EQ(scene.In("yard"), 1);
  EXPECT_EQ(scene.Texts(scene.frame().objects[0].zones), Strings{"yard"});
  EXPECT_THAT(scene.Events(3, {{7, 80, 50}}), IsEmpty());  // on the border: as before
  EXPECT_EQ(scene.In("yard"), 1);
  EXPECT_EQ(scene.frame().dwells[scene.frame().objects[0].dwells.first].time_ns, kSecond);
  EXPECT_THAT(scene.Events(7, {{7, 60, 50}}), ElementsAre("7 zone-dwell yard"));
  EXPECT_THAT(scene.Events(8, {{7, 60, 50}}), IsEmpty());
  EXPECT_THAT(scene.Events(9, {{7, 90, 50}}), ElementsAre("7 zone-leave yard"));
  EXPECT_EQ(scene.frame().space_events[0].time_ns, 7 * kSecond);
  EXPECT_EQ(scene.In("yard"), 0);
  EXPECT_EQ(scene.frame().objects[0].zones.count, 0U);
}

TEST(SpaceEngine, TellsThatATrackEndedInAZone) {
  Scene scene(kYard);
  scene.Apply(0, {{7, 50, 50, "bus"}});
  scene.Apply(1, {{7, 51, 50, "bus"}});
  EXPECT_THAT(scene.Events(2, {}), IsEmpty());
  EXPECT_EQ(scene.In("yard"), 1);  // it may come back
  EXPECT_THAT(scene.Events(3, {}), ElementsAre("7 zone-leave yard"));
  EXPECT_EQ(scene.In("yard"), 0);
  const msgconv::Object& object = scene.frame().objects.back();
  EXPECT_EQ(object.event_type, "zone-leave");
  EXPECT_EQ(object.label, "bus");
  EXPECT_EQ(object.box.left, 51);
  EXPECT_EQ(scene.frame().space_events[0].time_ns, kSecond);
  EXPECT_EQ(scene.engine().tracks(), 0U);
}

TEST(SpaceEngine, EndsATrackThatTheTrackerGaveUp) {
  Scene scene(kYard);
  scene.Apply(0, {{7, 50, 50}, {8, 50, 50}});
  scene.Lose({7, 8});
  EXPECT_THAT(scene.Events(0.5, {{7, 50, 50}}),
              UnorderedElementsAre("7 zone-leave yard", "8 zone-leave yard"));
  EXPECT_EQ(scene.In("yard"), 0);
}

TEST(SpaceEngine, TellsThatAZoneIsCrowded) {
  Scene scene(kYard);
  scene.Apply(0, {{1, 50, 50}, {2, 50, 50}});
  EXPECT_EQ(scene.Count(CountKind::kCrowded, "yard"), 0);
  EXPECT_THAT(scene.Events(2.9, {{1, 50, 50}, {2, 50, 50}}), IsEmpty());
  EXPECT_THAT(scene.Events(3, {{1, 50, 50}, {2, 50, 50}}), ElementsAre("zone-crowded yard"));
  EXPECT_EQ(scene.Count(CountKind::kCrowded, "yard"), 1);
  EXPECT_EQ(scene.Texts(scene.frame().objects[0].crowded_zones), Strings{"yard"});
  const msgconv::Object zone = scene.frame().objects.back();
  EXPECT_EQ(zone.label, "zone");
  EXPECT_EQ(zone.id_text, "yard");
  EXPECT_EQ(zone.box.left, 20);
  EXPECT_EQ(zone.box.width, 60);
  EXPECT_THAT(scene.Events(4, {{1, 50, 50}, {2, 5, 5}}),
              UnorderedElementsAre("2 zone-leave yard", "zone-cleared yard"));
  EXPECT_EQ(scene.frame().space_events.back().time_ns, 4 * kSecond);
  EXPECT_EQ(scene.frame().objects[0].crowded_zones.count, 0U);
}

TEST(SpaceEngine, CountsObjectsWithoutAnIdWhereTheyAre) {
  Scene scene(kYard);
  EXPECT_THAT(scene.Events(0, {{{}, 50, 50}, {{}, 60, 60}, {{}, 5, 5}}), IsEmpty());
  EXPECT_EQ(scene.In("yard"), 2);
  EXPECT_EQ(scene.Texts(scene.frame().objects[1].zones), Strings{"yard"});
  scene.Apply(1, {});
  EXPECT_EQ(scene.In("yard"), 0);
}

TEST(SpaceEngine, TakesAnIdThatIsTwiceInAFrameOnce) {
  Scene scene(kYard);
  EXPECT_THAT(scene.Events(0, {{1, 50, 50}, {1, 5, 5}}), ElementsAre("1 zone-enter yard"));
  EXPECT_EQ(scene.In("yard"), 1);
  EXPECT_EQ(scene.engine().tracks(), 1U);
}

TEST(SpaceEngine, SummarizesTracks) {
  Scene scene("tracks: true\n" + std::string(kYard), true);
  scene.Apply(0, {{7, 10, 50, "car", 0.5F}});
  scene.Apply(1, {{7, 50, 50, "truck", 0.9F}});
  scene.Apply(2, {{7, 90, 50, "car", 0.6F}});
  scene.Apply(3, {{7, 90, 90, "car", 0.4F}});
  EXPECT_THAT(scene.Events(5, {}), ElementsAre("7 track-end"));
  ASSERT_EQ(scene.frame().tracks.size(), 1U);
  const msgconv::TrackSummary& track = scene.frame().tracks[0];
  EXPECT_EQ(track.id, 7U);
  EXPECT_EQ(track.label, "truck");
  EXPECT_EQ(track.confidence, 0.9F);
  EXPECT_EQ(track.frames, 4U);
  EXPECT_EQ(track.last_ns - track.first_ns, 3 * kSecond);
  EXPECT_EQ(track.best_ns - track.first_ns, kSecond);
  EXPECT_EQ(track.best.left, 50);
  const auto path = msgconv::Frame::Part(scene.frame().points, track.path);
  ASSERT_EQ(path.size(), 3U);  // the straight part has no point between its ends
  EXPECT_EQ(path[0].x, 10);
  EXPECT_EQ(path[1].x, 90);
  EXPECT_EQ(path[2].y, 90);
  const auto dwells = msgconv::Frame::Part(scene.frame().dwells, track.dwells);
  ASSERT_EQ(dwells.size(), 1U);
  EXPECT_EQ(dwells[0].zone, "yard");
  EXPECT_EQ(dwells[0].time_ns, kSecond);
  EXPECT_EQ(scene.frame().objects.back().track.count, 1U);
}

TEST(SpaceEngine, KeepsALongPathShort) {
  Scene scene("tracks: true\n" + std::string(kGate), true);
  double time = 0;
  for (int i = 0; i < 5000; ++i) {
    const float angle = static_cast<float>(i) * 0.01F;
    scene.Apply(time += 0.04, {{7, 50 + 40 * std::cos(angle), 50 + 40 * std::sin(angle)}});
  }
  scene.Apply(time + 3, {});
  ASSERT_EQ(scene.frame().tracks.size(), 1U);
  EXPECT_LE(scene.frame().tracks[0].path.count, TrackPath::kMost);
  EXPECT_GT(scene.frame().tracks[0].path.count, 10U);
}

TEST(SpaceEngine, NamesEvents) {
  Scene scene(kYard);
  scene.Apply(0, {{1, 10, 50}, {2, 10, 50}});
  scene.Apply(1, {{1, 50, 50}, {2, 10, 50}});
  scene.frame().objects[0].event = msgconv::EventType::kEntry;
  const size_t events = scene.frame().space_events.size();
  ASSERT_EQ(events, 1U);
  NameEvents(0, true, &scene.frame());
  ASSERT_EQ(scene.frame().objects.size(), 3U);
  EXPECT_EQ(msgconv::EventTypeOf(scene.frame().objects[0]), "entry");
  EXPECT_EQ(scene.frame().objects[0].space_events.count, 0U);
  EXPECT_EQ(msgconv::EventTypeOf(scene.frame().objects[1]), "");
  EXPECT_EQ(msgconv::EventTypeOf(scene.frame().objects[2]), "zone-enter");
  EXPECT_EQ(scene.frame().objects[2].id, 1U);
}

TEST(SpaceEngine, KnowsSourcesApart) {
  Scene scene(kYard);
  EXPECT_THAT(scene.Events(0, {{1, 50, 50}}, 0), ElementsAre("1 zone-enter yard"));
  EXPECT_FALSE(scene.Apply(0, {{1, 50, 50}}, 3).has_rules);
  EXPECT_THAT(scene.Events(1, {{1, 50, 50}}, 0), IsEmpty());
}

TEST(SpaceEngine, FindsRulesByNumberThenByNameThenForAll) {
  const auto rules = Read(R"(
sources:
  3: {lines: {by_number: {points: [[0, 0], [1, 1]]}}}
  north: {lines: {by_name: {points: [[0, 0], [1, 1]]}}}
  "*": {lines: {for_all: {points: [[0, 0], [1, 1]]}}}
)");
  const std::vector<std::string_view> names = {"", "north"};
  EXPECT_EQ(rules->Find(3, names)->lines[0].name, "by_number");
  EXPECT_EQ(rules->Find(4, names)->lines[0].name, "by_name");
  EXPECT_EQ(rules->Find(4, {})->lines[0].name, "for_all");
  // A name of digits that is no number of a source.
  const auto long_name = Read("sources: {99999999999: {}}");
  const std::vector<std::string_view> digits = {"99999999999"};
  EXPECT_EQ(long_name->Find(0, {}), nullptr);
  EXPECT_NE(long_name->Find(0, digits), nullptr);
}

TEST(SpaceEngine, ScalesFractionsAndPixelsOfAnotherPicture) {
  for (const char* const text : {
           "sources: {0: {lines: {gate: {points: [[0, 0.5], [1, 0.5]]}}}}",
           "coordinates: pixels\nsize: [1920, 1080]\n"
           "sources: {0: {lines: {gate: {points: [[0, 540], [1920, 540]]}}}}",
       }) {
    Engine engine(Read(text), false);
    msgconv::Frame frame;
    const auto apply = [&](uint64_t now, uint32_t width, uint32_t height, float y) {
      frame.Clear();
      frame.width = width;
      frame.height = height;
      auto& object = frame.objects.emplace_back();
      object.id = 1;
      object.box = {10, y, 0, 0};
      return engine.Apply(now, {}, 0, &frame);
    };
    EXPECT_TRUE(apply(0, 0, 0, 10).unknown_size);
    EXPECT_FALSE(apply(1, 640, 360, 179).unknown_size);
    apply(2, 640, 360, 181);
    EXPECT_EQ(frame.objects[0].lines.count, 1U);
    // A picture of another size is no step of the track.
    apply(3, 320, 180, 91);
    EXPECT_EQ(frame.objects[0].lines.count, 0U);
    apply(4, 320, 180, 89);
    EXPECT_EQ(frame.objects[0].lines.count, 1U);
    EXPECT_EQ(frame.counts.size(), 3U);
  }
}

TEST(SpaceEngine, KeepsWhatIsTheSameAfterAReload) {
  const std::string common =
      "coordinates: pixels\nsources:\n  0:\n    zones:\n"
      "      yard: {points: [[20, 20], [80, 20], [80, 80], [20, 80]]}\n    lines:\n";
  const std::string gate = "      gate: {points: [[0, 50], [100, 50]], directions: ";
  Scene scene("sources: {}\n");
  scene.engine().SetRules(Read(common + gate + "[in, out]}\n"));
  scene.Apply(0, {{1, 50, 40}});
  scene.Apply(1, {{1, 50, 60}});
  EXPECT_EQ(scene.Total("gate.in"), 1);
  // Other names, and one more line.
  scene.engine().SetRules(
      Read(common + "      new: {points: [[0, 30], [100, 30]]}\n" + gate + "[down, up]}\n"));
  EXPECT_THAT(scene.Events(2, {{1, 50, 25}}),
              ElementsAre("1 line-crossing new.left", "1 line-crossing gate.up"));
  EXPECT_EQ(scene.Total("gate.down"), 1);
  EXPECT_EQ(scene.Total("gate.up"), 1);
  EXPECT_EQ(scene.Total("new.left"), 1);
  EXPECT_EQ(scene.In("yard"), 1);
  EXPECT_THAT(scene.Events(3, {{1, 50, 5}}), ElementsAre("1 zone-leave yard"));
  EXPECT_EQ(scene.frame().space_events[0].time_ns, 3 * kSecond);
  // A line that has moved begins anew.
  scene.engine().SetRules(
      Read("coordinates: pixels\nsources: {0: {lines: {gate: {points: [[0, 55], [100, 55]]}}}}"));
  scene.Apply(4, {{1, 50, 5}});
  EXPECT_EQ(scene.Total("gate.right"), 0);
  EXPECT_EQ(scene.In("yard"), -1);
}

TEST(SpaceEngine, NoticesChanges) {
  Scene scene("send: changed\n" + std::string(kYard) +
              "    lines: {gate: {points: [[0, 95], [99, 95]]}}\n");
  EXPECT_TRUE(scene.Apply(0, {{1, 10, 10}}).changed);
  EXPECT_FALSE(scene.Apply(1, {{1, 11, 11}}).changed);
  EXPECT_FALSE(scene.Apply(2, {}).changed);  // a gap of the detector
  EXPECT_FALSE(scene.Apply(2.5, {{1, 12, 12}}).changed);
  EXPECT_TRUE(scene.Apply(3, {{1, 12, 12, "bus"}}).changed);
  EXPECT_TRUE(scene.Apply(4, {{1, 50, 50, "bus"}}).changed);
  EXPECT_FALSE(scene.Apply(5, {{1, 51, 50, "bus"}}).changed);
  EXPECT_TRUE(scene.Apply(5.1, {{1, 51, 50, "bus"}, {{}, 10, 10}}).changed);
  EXPECT_FALSE(scene.Apply(5.2, {{{}, 10, 10}, {1, 51, 50, "bus"}}).changed);
  EXPECT_TRUE(scene.Apply(6, {{1, 51, 99, "bus"}}).changed);
  EXPECT_TRUE(scene.Apply(20, {}).changed);
  EXPECT_FALSE(scene.Apply(21, {}).changed);
}

TEST(SpaceEngine, StandsATimeThatStandsStillOrGoesBack) {
  Scene scene(kYard);
  EXPECT_THAT(scene.Events(10, {{1, 50, 50}}), ElementsAre("1 zone-enter yard"));
  EXPECT_THAT(scene.Events(10, {{1, 50, 51}}), IsEmpty());
  EXPECT_THAT(scene.Events(9, {{1, 50, 52}}), IsEmpty());  // frames out of order
  EXPECT_THAT(scene.Events(11, {{1, 50, 53}}), IsEmpty());
  // The file begins anew.
  EXPECT_THAT(scene.Events(0, {{1, 50, 50}}),
              UnorderedElementsAre("1 zone-leave yard", "1 zone-enter yard"));
  EXPECT_THAT(scene.Events(5, {{1, 50, 50}}), ElementsAre("1 zone-dwell yard"));
  scene.engine().Restart();
  EXPECT_THAT(scene.Events(6, {{1, 50, 50}}),
              UnorderedElementsAre("1 zone-leave yard", "1 zone-enter yard"));
}

TEST(SpaceEngine, IsBoundedWhateverTheIds) {
  Scene scene("max-tracks: 100\n" + std::string(kYard), true);
  uint64_t id = 0;
  for (int frame = 0; frame < 1000; ++frame) {
    std::vector<Scene::Seen> objects;
    for (int i = 0; i < 7; ++i) objects.push_back({++id, 50, 50});
    scene.Apply(5, objects);  // time stands still, so no track ends by itself
    ASSERT_LE(scene.engine().tracks(), 100U);
    ASSERT_LE(scene.In("yard"), 100);
  }
  // More in one frame than may be known.
  std::vector<Scene::Seen> objects;
  for (uint64_t i = 0; i < 300; ++i) objects.push_back({1'000'000 + i, 50, 50});
  scene.Apply(6, objects);
  EXPECT_EQ(scene.engine().tracks(), 100U);
  EXPECT_EQ(scene.In("yard"), 300);
}

TEST(SpaceEngine, IsBoundedWhateverTheSources) {
  Scene scene(kGate);
  for (uint32_t source = 0; source < 10'000; ++source) {
    std::vector<Scene::Seen> objects;
    for (uint64_t i = 0; i < 20; ++i) objects.push_back({i, 50, 50});
    scene.Apply(1, objects, source);
    ASSERT_LE(scene.engine().tracks(), Engine::kMostTracks);
    ASSERT_LE(scene.engine().sources(), 4096U);
  }
  EXPECT_GT(scene.engine().tracks(), Engine::kMostTracks / 2);
}

TEST(SpaceEngine, StandsBoxesWithoutNumbers) {
  Scene scene(kYard);
  scene.Apply(0, {{1, 50, 50}});
  for (const float odd : {NAN, INFINITY, -INFINITY, 1e38F}) {
    scene.Apply(1, {{1, odd, 50}, {{}, 50, odd}});
    scene.Apply(1, {{1, 50, 50}});
  }
  EXPECT_EQ(scene.In("yard"), 1);
}

// As an object that is missing for a moment.
TEST(SpaceEngine, FollowsAnObjectWhoseBoxHasNoNumbersForAMoment) {
  for (const float odd : {NAN, INFINITY, -INFINITY}) {
    Scene scene(kGate);
    scene.Apply(0, {{1, odd, odd}});
    scene.Apply(0.1, {{1, 50, 40}});
    scene.Apply(0.2, {{1, odd, 50}});
    scene.Apply(0.3, {{1, 50, odd}});
    EXPECT_EQ(scene.Total("gate.in"), 0) << odd;
    scene.Apply(0.4, {{1, 50, 60}});
    EXPECT_EQ(scene.Total("gate.in"), 1) << odd;
    EXPECT_EQ(scene.Total("gate.out"), 0) << odd;
    Scene yard(kYard);
    yard.Apply(0, {{1, 50, 50}});
    EXPECT_THAT(yard.Events(0.1, {{1, odd, odd}}), IsEmpty()) << odd;
    EXPECT_EQ(yard.In("yard"), 1) << odd;
  }
}

TEST(SpaceEngine, AddsToWhatAnotherAnalysisFound) {
  Engine engine(Read("coordinates: pixels\n" + std::string(kYard)), false);
  msgconv::Frame frame;
  frame.width = frame.height = 100;
  frame.texts = {"dock", "north"};
  for (uint32_t i = 0; i < 2; ++i) {
    auto& object = frame.objects.emplace_back();
    object.id = i;
    object.box = {50, 50, 0, 0};
    object.zones = {i, 1};
  }
  engine.Apply(0, {}, 0, &frame);
  const auto zones = [&](size_t i) {
    return msgconv::Frame::Part(frame.texts, frame.objects[i].zones);
  };
  EXPECT_THAT(zones(0), ElementsAre("dock", "yard"));
  EXPECT_THAT(zones(1), ElementsAre("north", "yard"));
}

}  // namespace
}  // namespace dsmsg::space
