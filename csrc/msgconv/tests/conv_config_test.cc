// SPDX-License-Identifier: Apache-2.0
#include "msgconv/conv_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace dsmsg::msgconv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ConvConfig Good(std::string_view text) {
  Result<ConvConfig> config = ConvConfig::Parse(text, "cam.txt");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? config.value() : ConvConfig();
}

std::string Refused(std::string_view text) {
  Result<ConvConfig> config = ConvConfig::Parse(text, "cam.txt");
  EXPECT_FALSE(config.ok());
  return config.status().message();
}

constexpr char kSeed[] = R"(# msgconv_config.txt

[sensor0]
enable=1
type=Camera
id=CAMERA_001
location=45.293701;-75.830391;48.155
description=Entrance Camera
coordinate=5.2;10.1;11.2

[sensor1]
enable=0
type=Camera
id=CAMERA_002

[place0]
enable=1
id=1
type=garage
name=ParkingLot_A
location=30.32;-40.55;100.0
coordinate=1.0;2.0;3.0
place-sub-field1=Zone_A
place-sub-field2=Lane_1
place-sub-field3=Level_P1

[analytics0]
enable=1
id=ANALYTICS_001
description=Vehicle Detection and Tracking
source=ResNet18_TrafficCamNet
version=1.0
)";

TEST(ConvConfig, ReadsEveryKey) {
  const ConvConfig config = Good(kSeed);
  EXPECT_THAT(config.warnings(), ElementsAre());
  const SensorInfo* sensor = config.Sensor(0);
  ASSERT_NE(sensor, nullptr);
  EXPECT_EQ(sensor->id, "CAMERA_001");
  EXPECT_EQ(sensor->type, "Camera");
  EXPECT_EQ(sensor->description, "Entrance Camera");
  EXPECT_THAT(sensor->location.value(), ElementsAre(45.293701, -75.830391, 48.155));
  EXPECT_THAT(sensor->coordinate.value(), ElementsAre(5.2, 10.1, 11.2));
  const PlaceInfo* place = config.Place(0);
  ASSERT_NE(place, nullptr);
  EXPECT_EQ(place->id, "1");
  EXPECT_EQ(place->type, "garage");
  EXPECT_EQ(place->name, "ParkingLot_A");
  EXPECT_THAT(place->location.value(), ElementsAre(30.32, -40.55, 100));
  EXPECT_THAT(place->coordinate.value(), ElementsAre(1, 2, 3));
  EXPECT_THAT(place->sub_field, ElementsAre("Zone_A", "Lane_1", "Level_P1"));
  const AnalyticsInfo* analytics = config.Analytics(0);
  ASSERT_NE(analytics, nullptr);
  EXPECT_EQ(analytics->id, "ANALYTICS_001");
  EXPECT_EQ(analytics->description, "Vehicle Detection and Tracking");
  EXPECT_EQ(analytics->source, "ResNet18_TrafficCamNet");
  EXPECT_EQ(analytics->version, "1.0");
}

TEST(ConvConfig, DisabledIsAbsentButNotMissing) {
  const ConvConfig config = Good(kSeed);
  EXPECT_EQ(config.Sensor(1), nullptr);
  EXPECT_EQ(config.Missing(0, false), "");
  EXPECT_EQ(config.Missing(1, false), "[place1], [analytics1]");
  EXPECT_EQ(config.Missing(1, true), "");
  EXPECT_EQ(config.Missing(7, true), "[sensor7]");
}

TEST(ConvConfig, ReadsFilesAsPeopleWriteThem) {
  const ConvConfig config = Good(
      "\xEF\xBB\xBF[sensor3]\r\n  id = \"cam 3\" \r\n\tdescription=C:\\new;x\r\n"
      "location = +1.5 ; 2 ;-3e1;\r\nenable=true");
  EXPECT_THAT(config.warnings(), ElementsAre());
  ASSERT_NE(config.Sensor(3), nullptr);
  EXPECT_EQ(config.Sensor(3)->id, "cam 3");
  EXPECT_EQ(config.Sensor(3)->description, "C:\\new;x");
  EXPECT_THAT(config.Sensor(3)->location.value(), ElementsAre(1.5, 2, -30));
}

TEST(ConvConfig, NamesBadNumbersWithTheirLine) {
  EXPECT_EQ(Refused("[sensor0]\nid=a\n\nlocation=45;x;1\n"),
            "cam.txt:4: location=45;x;1 in [sensor0]: expected three numbers \"a;b;c\", e.g. "
            "45.29;-75.83;48.1");
  for (const char* value : {"1;2", "1;2;3;4", "", "nan;1;2", "1;inf;2", "1 2;3;4", "1;;2"}) {
    EXPECT_THAT(Refused("[place2]\ncoordinate=" + std::string(value)),
                HasSubstr("cam.txt:2: coordinate="));
  }
  EXPECT_EQ(Refused("[analytics0]\nenable=maybe"),
            "cam.txt:2: enable=maybe in [analytics0]: expected 0 or 1");
}

TEST(ConvConfig, NamesDuplicateGroups) {
  EXPECT_EQ(Refused("[sensor0]\nid=a\n[place0]\nid=1\n[sensor0]\nid=b\n"),
            "cam.txt:5: group [sensor0] appears twice (first at line 1): give every source its own "
            "number");
}

TEST(ConvConfig, NamesWhatIsNoIni) {
  EXPECT_THAT(Refused("[sensor0]\nenable: 1\n"), HasSubstr("cam.txt:2: not \"key=value\""));
  EXPECT_THAT(Refused("id=1\n[sensor0]\n"),
              HasSubstr("cam.txt:1: key \"id\" comes before the first group"));
}

TEST(ConvConfig, WarnsOfWhatItDoesNotKnow) {
  const ConvConfig config = Good(
      "[sensor0]\nid=a\nidd=b\nid=c\n[camera1]\nx=1\n[sensor01]\n[message-converter]\nenable=1\n");
  EXPECT_THAT(
      config.warnings(),
      ElementsAre("cam.txt:4: key \"id\" is given again (first at line 2): the last one counts",
                  "cam.txt:3: unknown key \"idd\" in [sensor0] (known: enable, type, id, location, "
                  "description, coordinate)",
                  HasSubstr("cam.txt:5: unknown group [camera1] (known: [sensorN]"),
                  HasSubstr("cam.txt:7: unknown group [sensor01]"),
                  HasSubstr("cam.txt:9: enable in [message-converter] has no effect here")));
  EXPECT_EQ(config.Sensor(0)->id, "c");
}

TEST(ConvConfig, WarnsOfACommentBehindAValue) {
  const ConvConfig config = Good("[sensor0]\nid=gate   # note\ndescription=lane#2 a;b\n");
  EXPECT_EQ(config.Sensor(0)->id, "gate   # note");
  EXPECT_THAT(config.warnings(),
              ElementsAre(HasSubstr("cam.txt:2: key \"id\": what looks like a comment")));
  const Result<ConvConfig> number =
      ConvConfig::Parse("[sensor0]\nlocation=1;2;3 # metres\n", "cam.txt");
  ASSERT_FALSE(number.ok());
  EXPECT_THAT(number.status().message(), HasSubstr("a comment needs a line of its own"));
}

TEST(ConvConfig, AnEmptyFileIsReported) {
  EXPECT_THAT(Good("# nothing\n").warnings(),
              ElementsAre(HasSubstr("cam.txt: the configuration is empty")));
}

TEST(ConvConfig, SaysWhyAFileCannotBeRead) {
  const Result<ConvConfig> missing = ConvConfig::Load("/nowhere/at/all.txt");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.status().message(), HasSubstr("/nowhere/at/all.txt"));
}

TEST(ConvConfig, SurvivesAnyText) {
  std::mt19937 random(3);
  constexpr std::string_view kBytes = "[]=;#\n\r\t 0\"\\\xFF.-e";
  int good = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = kSeed;
    for (size_t edits = random() % 8; edits > 0; --edits) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, random() % 40);
      } else {
        text.insert(at, 1, random() % 20 == 0 ? '\0' : kBytes[random() % kBytes.size()]);
      }
    }
    const Result<ConvConfig> config = ConvConfig::Parse(text, "cam.txt");
    good += config.ok() ? 1 : 0;
    ASSERT_TRUE(config.ok() || config.status().message().starts_with("cam.txt"))
        << config.status().message();
  }
  EXPECT_GT(good, 1000);
  EXPECT_LT(good, 19000);
}

TEST(ConvConfig, TheExamplesAreGood) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DSMSG_CFG_DIR)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("msgconv_")) continue;
    ++count;
    const Result<ConvConfig> config = ConvConfig::Load(entry.path());
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_THAT(config.value().warnings(), ElementsAre());
    EXPECT_NE(config.value().Sensor(0), nullptr);
  }
  EXPECT_GE(count, 2U);
}

}  // namespace
}  // namespace dsmsg::msgconv
