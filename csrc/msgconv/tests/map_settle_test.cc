// SPDX-License-Identifier: Apache-2.0
// Maps: what depends on the configuration only is rendered once for each combination of its groups;
// and counts by name.
#include <gtest/gtest.h>

#include "msgconv/map_maker.h"
#include "render.h"

namespace dsmsg::msgconv {
namespace {

using Strings = std::vector<std::string>;

constexpr const char* kConfig =
    "[sensor0]\ntype=Camera\nid=A\n[place0]\nid=1\nname=Yard\n[sensor1]\ntype=Radar\nid=B\n"
    "[place1]\nid=2\nname=Gate\n";

MapMaker MakerOf(std::string_view text) {
  const auto map = Map::Parse(text, "m.yaml");
  EXPECT_TRUE(map.ok()) << map.status().message();
  return MapMaker(map.value(), dsmsg_test::ConfigOf(kConfig));
}

Frame FrameOf(uint32_t source, size_t objects = 1) {
  Frame frame;
  frame.source_id = source;
  frame.objects.resize(objects);
  return frame;
}

TEST(MapSettle, EachCameraHasItsOwn) {
  MapMaker maker = MakerOf(R"(
each: object
message:
  first: 1
  place: {id: "${place.id}", name: "at ${place.name}", floor: "${place.sub_field1}"}
  sensor: {type: "${sensor.type | upper}"}
  n: ${object.index}
  last: [ "${place.name}", x ]
)");
  const auto made = [&](uint32_t source) {
    return dsmsg_test::RenderAll(&maker, FrameOf(source)).at(0);
  };
  const std::string yard =
      R"({"first":1,"place":{"id":"1","name":"at Yard"},"sensor":{"type":"CAMERA"},"n":0,"last":["Yard","x"]})";
  const std::string gate =
      R"({"first":1,"place":{"id":"2","name":"at Gate"},"sensor":{"type":"RADAR"},"n":0,"last":["Gate","x"]})";
  const std::string none = R"({"first":1,"place":{},"sensor":{},"n":0,"last":["x"]})";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(made(0), yard);
    EXPECT_EQ(made(1), gate);
    EXPECT_EQ(made(7), none);
  }
  // More cameras than are remembered.
  for (uint32_t source = 10; source < 10'000; ++source) ASSERT_EQ(made(source), none);
  EXPECT_EQ(made(1), gate);
}

TEST(MapSettle, ObjectsMayNameGroups) {
  MapMaker maker = MakerOf(R"(
each: frame
message: {camera: "${sensor.type}", all: {$each: object, $item: {at: "${place.name}", of: "${sensor.id}"}}}
)");
  Frame frame = FrameOf(0, 2);
  frame.objects[1].place_group = 1;
  EXPECT_EQ(
      dsmsg_test::RenderAll(&maker, frame),
      Strings{R"({"camera":"Camera","all":[{"at":"Yard","of":"A"},{"at":"Gate","of":"A"}]})"});
}

TEST(MapSettle, APartWithoutValuesLeavesNothing) {
  MapMaker maker = MakerOf(
      "each: object\nmessage: {a: '${place.name}', n: '${object.index}', b: '${place.id}', c: "
      "'${place.type}'}\n");
  EXPECT_EQ(dsmsg_test::RenderAll(&maker, FrameOf(7)), Strings{R"({"n":0})"});
  EXPECT_EQ(dsmsg_test::RenderAll(&maker, FrameOf(0)), Strings{R"({"a":"Yard","n":0,"b":"1"})"});
}

TEST(MapSettle, ConditionsAreNotSettled) {
  MapMaker maker = MakerOf(
      "each: object\nmessage: {p: {$when: object.index == 1, name: '${place.name}', k: 1}}\n");
  EXPECT_EQ(dsmsg_test::RenderAll(&maker, FrameOf(0, 2)),
            (Strings{"{}", R"({"p":{"name":"Yard","k":1}})"}));
}

TEST(MapCounts, AreReadByName) {
  MapMaker maker = MakerOf(R"(
each: frame
message:
  yard: ${frame.counts.yard | default:0}
  in: ${frame.counts.gate.in}
  cars: ${frame.counts.dock-2.car}
  other: ${frame.counts.other | default:0}
  none: ${frame.counts.other}
)");
  Frame frame = FrameOf(0);
  frame.counts = {{CountKind::kCrowded, "yard", 1},
                  {CountKind::kZone, "yard", 3},
                  {CountKind::kLine, "gate.in", 1},
                  {CountKind::kLineTotal, "gate.in", 12},
                  {CountKind::kZone, "dock-2.car", 2}};
  EXPECT_EQ(dsmsg_test::RenderAll(&maker, frame),
            Strings{R"({"yard":3,"in":12,"cars":2,"other":0})"});
}

}  // namespace
}  // namespace dsmsg::msgconv
