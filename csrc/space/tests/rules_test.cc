// SPDX-License-Identifier: Apache-2.0
#include "space/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dsmsg::space {
namespace {

std::string ErrorOf(const std::string& text) {
  const auto rules = Rules::Parse(text, "space.yaml");
  return rules.ok() ? "" : rules.status().message();
}

TEST(SpaceRules, ReadsEveryKey) {
  const auto rules = Rules::Parse(R"(
description: north gate
coordinates: pixels
size: [1920, 1080]
send: changed
lost-after: 1.5
max-tracks: 50
tracks: true
sources:
  0:
    lines:
      gate:
        points: [[1, 2], [3, 4.5]]
        directions: [in, out]
        anchor: center
        labels: [car]
        margin: 8
        by-class: true
    zones:
      yard:
        points: [[0, 0], [9, 0], [9, 9]]
        dwell: 10
        crowd: {count: 5, for: 3}
        events: [leave]
  north-gate: {}
  "*": {}
)",
                                  "space.yaml");
  ASSERT_TRUE(rules.ok()) << rules.status().message();
  const Rules& read = *rules.value();
  EXPECT_TRUE(read.pixels && read.width == 1920 && read.height == 1080 && read.track_events);
  EXPECT_EQ(read.send, Rules::Send::kChanged);
  EXPECT_EQ(read.lost_ns, 1'500'000'000U);
  EXPECT_EQ(read.most_tracks, 50U);
  const SourceRules* const source = read.Find(0, {});
  ASSERT_NE(source, nullptr);
  const LineRule& line = source->lines.at(0);
  EXPECT_EQ(line.right_total, "gate.in");
  EXPECT_EQ(line.left_total, "gate.out");
  EXPECT_EQ(line.shape.points[1], (FilePoint{3, 4.5}));
  EXPECT_EQ(line.shape.anchor, (Anchor{0.5F, 0.5F}));
  EXPECT_EQ(line.shape.margin, 8);
  EXPECT_TRUE(line.shape.Wants("car") && !line.shape.Wants("bus") && line.by_class);
  const ZoneRule& zone = source->zones.at(0);
  EXPECT_EQ(zone.dwell_ns, 10'000'000'000U);
  EXPECT_EQ(zone.crowd_count, 5U);
  EXPECT_EQ(zone.crowd_ns, 3'000'000'000U);
  EXPECT_TRUE(zone.tells_leave && !zone.tells_enter);
}

TEST(SpaceRules, SaysWhereAMistakeIs) {
  const std::string line = "sources:\n  0:\n    lines:\n      gate: ";
  const std::string zone = "sources:\n  0:\n    zones:\n      yard: ";
  const struct {
    std::string text, error;
  } kMistakes[] = {
      {"", "space.yaml:1:1: the file is empty: it needs \"sources:\""},
      {"- 1", "space.yaml:1:1: expected \"sources:\", with the cameras below"},
      {"send: all", "space.yaml:1:1: \"sources:\" is missing: lines and zones of cameras"},
      {"sorces: {}", "space.yaml:1:1: there is no \"sorces\" here (did you mean sources?)"},
      {"send: event\nsources: {}",
       "space.yaml:1:7: there is no \"event\" here (did you mean events?)"},
      {"lost-after: soon\nsources: {}", "space.yaml:1:13: \"soon\" is not a number"},
      {"lost-after: -1\nsources: {}", "space.yaml:1:13: -1 is not from 0 to 1000000"},
      {"tracks: yes\nsources: {}",
       "space.yaml:1:9: there is no \"yes\" here (there are false, true)"},
      {"sources: {7: {}, 07: {}}", "space.yaml:1:18: camera 7 is here twice"},
      {"description: a\nsources:\n  g\xe4te: {}",
       "space.yaml:3:5: invalid trailing UTF-8 octet (save the file as UTF-8)"},
      {"max-tracks: 1.5\nsources: {}", "space.yaml:1:13: a whole number is expected"},
      {"size: [1, 2]\nsources: {}",
       "space.yaml:1:1: \"size\" says what picture pixels refer to: it needs coordinates: pixels"},
      {"sources: {}\nsources: {}", "space.yaml:2:1: \"sources\" is here twice"},
      {"sources:\n  0:\n    line: {}",
       "space.yaml:3:5: there is no \"line\" here (did you mean lines?)"},
      {line + "{point: []}", "space.yaml:4:14: there is no \"point\" here (did you mean points?)"},
      {line + "{points: [[0, 0]]}",
       "space.yaml:4:7: \"points\" of gate: a line has two points or more"},
      {line + "{points: [[0, 0], [1, 1, 1]]}",
       "space.yaml:4:31: a point has two numbers, as in [0.1, 0.5]"},
      {line + "{points: [[0, 0], [1, 200]]}",
       "space.yaml:4:35: 200 is no part of the picture, which is from 0 to 1 (write "
       "\"coordinates: pixels\" at the top of the file for pixels)"},
      {line + "{points: [[0, 0], [1, 1], [1, 0], [0, 1]]}",
       "space.yaml:4:23: the line touches itself, from this point on (a closed line is a zone)"},
      {line + "{points: [[0, 0], [1, 1]], directions: [in]}",
       "space.yaml:4:52: expected two names, as in [in, out]"},
      {line + "{points: [[0, 0], [1, 1]], directions: [in, in]}",
       "space.yaml:4:52: the two directions have the same name"},
      {line + "{points: [[0, 0], [1, 1]], directions: [in, the exit]}",
       "space.yaml:4:57: \"the exit\" is not a name: up to 64 letters, digits, \"-\" and \"_\""},
      {line + "{points: [[0, 0], [1, 1]], anchor: botom-center}",
       "space.yaml:4:48: there is no \"botom-center\" here (did you mean bottom-center?)"},
      {line + "{points: [[0, 0], [1, 1]], labels: []}",
       "space.yaml:4:48: the list is empty: nothing would be counted"},
      {zone + "{points: [[0, 0], [1, 1]]}",
       "space.yaml:4:7: \"points\" of yard: a zone has three corners or more"},
      {zone + "{points: [[0, 0], [1, 1], [1, 0], [0, 1]]}",
       "space.yaml:4:23: the zone's border touches itself, from this corner on"},
      {zone + "{points: [[0, 0], [1, 1], [1, 0]], crowd: {for: 3}}",
       "space.yaml:4:55: \"count\" is missing: how many make a crowd"},
      {line + "{points: [[0, 0], [1, 1]]}\n    zones:\n      gate: {}",
       "space.yaml:6:7: \"gate\" is a line and a zone of this camera: they share their names"},
      {"sources: [", "space.yaml:2:1: did not find expected node content"},
  };
  for (const auto& mistake : kMistakes) EXPECT_EQ(ErrorOf(mistake.text), mistake.error);
}

TEST(SpaceRules, SaysWhichFileCannotBeRead) {
  const auto rules = Rules::Load("/nonexistent/space.yaml");
  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(rules.status().message(),
              testing::HasSubstr("cannot read the lines and zones of /nonexistent/space.yaml: "));
}

}  // namespace
}  // namespace dsmsg::space
