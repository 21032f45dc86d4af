// SPDX-License-Identifier: Apache-2.0
// YAML, CSV and the groups of DeepStream's other files.
#include <gmock/gmock.h>

#include <random>

#include "msgconv/conv_config.h"

namespace dsmsg::msgconv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ConvConfig Good(std::string_view text, const char* name) {
  Result<ConvConfig> config = ConvConfig::Parse(text, name);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? config.value() : ConvConfig();
}

std::string Refused(std::string_view text, const char* name = "cam.yml") {
  const Result<ConvConfig> config = ConvConfig::Parse(text, name);
  EXPECT_FALSE(config.ok());
  return config.status().message();
}

constexpr char kYaml[] = R"(# cameras
sensor0:
  enable: 1
  type: Camera
  id: CAMERA_001
  location: 45.293701;-75.830391;48.155
  description: "Entrance: north"
  coordinate: [5.2, 10.1, 11.2]
sensor1:
  enable: false
place0:
  id: 1
  name: ParkingLot_A
  place-sub-field2: Lane_1
analytics0:
  id: ANALYTICS_001
  version: 1.0
)";

TEST(ConvConfig, TheLibraryMayBeToldItsDialect) {
  const auto parsed = [](const std::string& value) {
    return ConvConfig::Parse("[message-converter]\ndialect=" + value + "\n", "c.txt");
  };
  EXPECT_EQ(parsed("dsmsg")->dialect(), Dialect::kDsmsg);
  EXPECT_EQ(parsed("deepstream")->dialect(), Dialect::kDeepStream);
  EXPECT_EQ(ConvConfig::Parse("[sensor0]\nid=a\n", "c.txt")->dialect(), std::nullopt);
  ASSERT_FALSE(parsed("nvidia").ok());
  EXPECT_THAT(parsed("nvidia").status().message(), HasSubstr("expected deepstream or dsmsg"));
}

// DeepStream's names of lidar data: one note, and none for its known keys.
TEST(ConvConfig, AcceptsDataMaps) {
  const auto config = ConvConfig::Parse(
      "ds3d::datamap:\n  2d_objects_key: a\n  3d_objects_key: b\n  fused_detection_key: c\n"
      "  lidar_data_key: d\n  lidar_element_size: 4\n  lidar_element_max_points: 100\n",
      "c.yml");
  ASSERT_TRUE(config.ok()) << config.status().message();
  ASSERT_EQ(config->warnings().size(), 1U);
  EXPECT_THAT(config->warnings()[0], HasSubstr("[ds3d::datamap] has no effect here"));
  const auto other = ConvConfig::Parse("ds3d::datamap:\n  lidar: a\n", "c.yml");
  ASSERT_TRUE(other.ok());
  EXPECT_THAT(other->warnings().back(), HasSubstr("unknown key \"lidar\""));
}

TEST(ConfigYaml, ReadsTheSameGroups) {
  const ConvConfig config = Good(kYaml, "cam.yaml");
  EXPECT_THAT(config.warnings(), ElementsAre());
  ASSERT_NE(config.Sensor(0), nullptr);
  EXPECT_EQ(config.Sensor(0)->id, "CAMERA_001");
  EXPECT_EQ(config.Sensor(0)->description, "Entrance: north");
  EXPECT_EQ(config.Sensor(0)->location, (Triple{45.293701, -75.830391, 48.155}));
  EXPECT_EQ(config.Sensor(0)->coordinate, (Triple{5.2, 10.1, 11.2}));
  EXPECT_EQ(config.Sensor(1), nullptr);
  ASSERT_NE(config.Place(0), nullptr);
  EXPECT_EQ(config.Place(0)->id, "1");
  EXPECT_EQ(config.Place(0)->sub_field[1], "Lane_1");
  EXPECT_EQ(config.Analytics(0)->version, "1.0");
}

// As DeepStream's own files have it.
TEST(ConfigYaml, AVersionNeedsNoMarkOfADocument) {
  for (const char* begin : {"%YAML 1.2\n", "# text\n\n%YAML 1.1\n", "%YAML 1.2\n---\n"}) {
    EXPECT_EQ(Good(begin + std::string(kYaml), "cam.yml").Sensor(0)->id, "CAMERA_001") << begin;
  }
}

TEST(ConfigYaml, NamesFileAndLine) {
  EXPECT_THAT(Refused("sensor0:\n  id: a\n  location: 1;2\n"),
              HasSubstr("cam.yml:3: location=1;2 in [sensor0]: expected three numbers"));
  EXPECT_THAT(Refused("sensor0:\n  enable: maybe\n"),
              HasSubstr("cam.yml:2: enable=maybe in [sensor0]: expected 0 or 1"));
  EXPECT_THAT(Refused("sensor0:\n  id: a\nsensor0:\n  id: b\n"),
              HasSubstr("cam.yml:3: group [sensor0] appears twice (first at line 1)"));
  EXPECT_THAT(Refused("sensor0:\n  id: {a: b}\n"),
              HasSubstr("cam.yml:2: expected a value for \"id\" in [sensor0]"));
  EXPECT_THAT(Refused("sensor0:\n  location: [[1], 2, 3]\n"),
              HasSubstr("cam.yml:2: expected numbers in the list of \"location\""));
  EXPECT_THAT(Refused("- sensor0\n"), HasSubstr("cam.yml:1: expected groups such as"));
  EXPECT_THAT(Refused("sensor0: text\n"), HasSubstr("cam.yml:1: expected keys and values"));
  EXPECT_THAT(Refused("sensor0:\n  id: \"a\n"), HasSubstr("cam.yml:"));
  EXPECT_THAT(Refused("sensor0:\n\tid: a\n"), HasSubstr("cam.yml:2: "));
  EXPECT_THAT(Refused(std::string("sensor0:\0", 9)), HasSubstr("byte 8 is 0"));
}

TEST(ConfigYaml, WarnsOfWhatItDoesNotKnow) {
  const ConvConfig config =
      Good("sensor0:\n  id: a\n  colour: b\n  id: c\ncamera:\n  x: 1\n", "cam.yml");
  EXPECT_THAT(config.warnings(),
              ElementsAre(HasSubstr("cam.yml:4: key \"id\" is given again (first at line 2)"),
                          HasSubstr("cam.yml:3: unknown key \"colour\" in [sensor0]"),
                          HasSubstr("cam.yml:5: unknown group [camera]")));
  EXPECT_EQ(config.Sensor(0)->id, "c");
  EXPECT_THAT(Good("# nothing\n", "cam.yml").warnings(), ElementsAre(HasSubstr("is empty")));
  EXPECT_THAT(Good("sensor0:\n", "cam.yml").warnings(), ElementsAre());
}

TEST(ConfigYaml, SurvivesAnyText) {
  std::mt19937 random(5);
  constexpr std::string_view kBytes = "[]{}:-,#\n\t 0\"'\\\xFF&*!|>%@";
  int good = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = kYaml;
    for (size_t edits = random() % 6; edits > 0; --edits) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, random() % 40);
      } else {
        text.insert(at, 1, kBytes[random() % kBytes.size()]);
      }
    }
    const Result<ConvConfig> config = ConvConfig::Parse(text, "cam.yml");
    good += config.ok() ? 1 : 0;
    ASSERT_TRUE(config.ok() || config.status().message().starts_with("cam.yml"))
        << config.status().message();
  }
  EXPECT_GT(good, 1000);
  EXPECT_LT(good, 19000);
}

TEST(ConfigCsv, ReadsDeepStreamsColumns) {
  const ConvConfig config = Good(
      "cameraId,id,description,name,level,area,lane\r\n"
      "0,CAM_A,\"Entrance, north \"\"A\"\"\",cam a,P1,Zone A,L1\r\n"
      "1,CAM_B,Exit,cam b,P2,Zone B,L2\r\n",
      "cam.csv");
  ASSERT_NE(config.Sensor(1), nullptr);
  EXPECT_EQ(config.Sensor(0)->id, "CAM_A");
  EXPECT_EQ(config.Sensor(0)->type, "Camera");
  EXPECT_EQ(config.Sensor(0)->description, "Entrance, north \"A\"");
  EXPECT_EQ(config.Place(1)->sub_field, (std::array<std::string, 3>{"P2", "Zone B", "L2"}));
  EXPECT_THAT(config.warnings(), ElementsAre(HasSubstr("the CSV form has no analytics")));
  EXPECT_THAT(Refused("a,b\n1,2,3\n", "cam.csv"),
              HasSubstr("cam.csv:2: a line has 3 fields, expected 7"));
}

TEST(ConfigHost, GroupsOfDeepStreamsOtherFilesAreNoted) {
  const ConvConfig config = Good(
      "[message-converter]\nenable=1\npayload-type=1\nminimal-format=delimited\nidd=1\n"
      "[schema]\nanything=1\n[sensor0]\nid=a\n",
      "cam.txt");
  EXPECT_THAT(config.warnings(),
              ElementsAre(HasSubstr("cam.txt:2: enable in [message-converter] has no effect here"),
                          HasSubstr("cam.txt:3: payload-type in [message-converter] has no effect "
                                    "here: set the converter's property payload-type=1"),
                          HasSubstr("cam.txt:5: unknown key \"idd\" in [message-converter]"),
                          HasSubstr("cam.txt:6: group [schema] has no effect here")));
  EXPECT_EQ(config.minimal_format(), MinimalFormat::kDelimited);
  EXPECT_THAT(Refused("[message-converter]\nminimal-format=x\n", "cam.txt"),
              HasSubstr("cam.txt:2: minimal-format=x in [message-converter]: expected objects"));
}

}  // namespace
}  // namespace dsmsg::msgconv
