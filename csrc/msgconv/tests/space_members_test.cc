// SPDX-License-Identifier: Apache-2.0
// Events in space in all forms of messages.
#include <gmock/gmock.h>

#include "render.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::Keys;
using dsmsg_test::KeysOf;
using dsmsg_test::Number;
using dsmsg_test::ParseJson;
using dsmsg_test::Rendered;
using dsmsg_test::Text;
using testing::HasSubstr;
using testing::Not;

constexpr uint64_t kTime = 1'705'314'600'123'000'000;

/// A car that crosses a line and leaves a zone, at the end of its track.
Frame Scene() {
  Frame frame;
  frame.time_ns = kTime;
  frame.width = frame.height = 100;
  frame.source_width = frame.source_height = 200;
  frame.dwells = {{"yard", 1'500'000'000}, {"dock", 250'000'000}};
  frame.points = {{1, 2}, {3, 4.5F}};
  frame.space_events = {{SpaceKind::kCrossing, "gate", "in", 0, 0},
                        {SpaceKind::kLeave, "yard", {}, 1'500'000'000, 0},
                        {SpaceKind::kTrackEnd, {}, {}, 0, 0},
                        {SpaceKind::kCleared, "yard", {}, 2'000'000'000, 3}};
  TrackSummary track;
  track.id = 7;
  track.confidence = 0.5F;
  track.frames = 12;
  track.first_ns = track.best_ns = kTime;
  track.last_ns = kTime + 1'000'000'000;
  track.best = {10, 20, 5, 5};
  track.path = {0, 2};
  track.dwells = {1, 1};
  frame.tracks = {track};
  Object& object = frame.objects.emplace_back();
  object.id = 7;
  object.label = "car";
  object.event_type = "line-crossing";
  object.space_events = {0, 4};
  object.dwells = {0, 1};
  object.track = {0, 1};
  return frame;
}

TEST(SpaceMembers, SecondsHaveNoDigitsThatMeanNothing) {
  Frame frame = Scene();
  frame.dwells[0].time_ns = 1'900'000'000;
  frame.space_events[1].time_ns = 700'000'000;
  const std::string text = Rendered({PayloadType::kFull}, frame);
  EXPECT_NE(text.find(R"("seconds":1.9})"), text.npos) << text;
  EXPECT_NE(text.find(R"("seconds":0.7})"), text.npos) << text;
}

TEST(SpaceMembers, AreInJson) {
  for (const PayloadType type : {PayloadType::kFull, PayloadType::kMinimal}) {
    const auto document = ParseJson(Rendered({type}, Scene()));
    const auto& object =
        type == PayloadType::kFull ? At(document, {"object"}) : At(document, {"objects"})[0];
    EXPECT_EQ(Text(At(object, {"dwell"})[0], {"zone"}), "yard");
    EXPECT_EQ(Number(At(object, {"dwell"})[0], {"seconds"}), 1.5);
    const auto& events = At(object, {"events"});
    ASSERT_EQ(events.Size(), 4U);
    EXPECT_EQ(KeysOf(events[0]), (Keys{"type", "name", "direction"}));
    EXPECT_EQ(Text(events[0], {"type"}), "line-crossing");
    EXPECT_EQ(Text(events[0], {"direction"}), "in");
    EXPECT_EQ(KeysOf(events[1]), (Keys{"type", "name", "seconds"}));
    EXPECT_EQ(KeysOf(events[2]), (Keys{"type"}));
    EXPECT_EQ(KeysOf(events[3]), (Keys{"type", "name", "seconds", "count"}));
    EXPECT_EQ(Number(events[3], {"count"}), 3);
    const auto& track = At(object, {"track"});
    EXPECT_EQ(KeysOf(track), (Keys{"firstSeen", "lastSeen", "frames", "bestConfidence", "bestSeen",
                                   "bestBbox", "path", "dwell"}));
    EXPECT_EQ(Text(track, {"lastSeen"}), "2024-01-15T10:30:01.123Z");
    EXPECT_EQ(Number(track, {"bestBbox", "bottomrightx"}), 30);  // pixels of the camera
    EXPECT_EQ(At(track, {"path"})[1][1].GetDouble(), 9);
    EXPECT_EQ(Text(At(track, {"dwell"})[0], {"zone"}), "dock");
  }
  EXPECT_EQ(Text(ParseJson(Rendered({}, Scene())), {"event", "type"}), "line-crossing");
}

TEST(SpaceMembers, AreInProtobuf) {
  const std::string bytes = Rendered({PayloadType::kProtobuf}, Scene());
  for (const char* const text :
       {"dwell.yard", "event0", "line-crossing gate.in", "event1", "zone-leave yard seconds=1.5",
        "event2", "track-end", "zone-cleared yard seconds=2 count=3", "track.path", "2,4 6,9",
        "track.frames", "track.dwell.dock", "0.25"}) {
    EXPECT_THAT(bytes, HasSubstr(text));
  }
}

TEST(SpaceMembers, AreInDeepStreamsProtobuf) {
  ConverterOptions options{PayloadType::kProtobuf};
  options.dialect = Dialect::kDeepStream;
  const std::string bytes = Rendered(options, Scene());
  for (const char* const text : {"dwell.yard", "line-crossing gate.in", "zone-leave yard",
                                 "track-end", "track.path", "1,2 3,4.5"}) {
    EXPECT_THAT(bytes, HasSubstr(text));
  }
}

TEST(SpaceMembers, AreLeftOutWhereThereAreNone) {
  Frame frame = Scene();
  frame.objects[0].space_events = frame.objects[0].dwells = frame.objects[0].track = {};
  const std::string message = Rendered({}, frame);
  EXPECT_THAT(message, Not(HasSubstr("\"events\"")));
  EXPECT_THAT(message, Not(HasSubstr("\"dwell\"")));
  EXPECT_THAT(message, Not(HasSubstr("\"track\"")));
}

}  // namespace
}  // namespace dsmsg::msgconv
