// SPDX-License-Identifier: Apache-2.0
// The payloads, key by key and in order.
#include "msgconv/converter.h"

#include <gmock/gmock.h>

#include <limits>
#include <set>

#include "render.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::ConfigOf;
using dsmsg_test::Keys;
using dsmsg_test::KeysOf;
using dsmsg_test::Number;
using dsmsg_test::ParseJson;
using dsmsg_test::RenderAll;
using dsmsg_test::Text;
using testing::ElementsAre;

constexpr char kConfig[] =
    "[sensor0]\ntype=Camera\nid=CAMERA_001\nlocation=45.293701;-75.830391;48.155\n"
    "description=Entrance \"A\"\ncoordinate=5.2;10.1;11.2\n"
    "[place0]\nid=1\ntype=garage\nname=ParkingLot_A\nlocation=30.32;-40.55;100\ncoordinate=1;2;3\n"
    "place-sub-field1=Zone_A\nplace-sub-field2=Lane_1\nplace-sub-field3=Level_P1\n"
    "[analytics0]\nid=XYZ\ndescription=Detection\nsource=HOG\nversion=1.0\n"
    "[sensor1]\nid=plain\n[place1]\nid=2\n";

// A car with two classifiers' results and a person with none.
Frame Street() {
  Frame frame;
  frame.number = 42;
  frame.time_ns = 1'705'314'600'123'000'000;
  frame.width = 640;
  frame.height = 480;
  Object car;
  car.id = 18;
  car.label = "car";
  car.confidence = 0.95F;
  car.box = {100, 200, 200, 150.5F};
  car.attribute_count = 2;
  frame.attributes = {{"color", "blue", 0.9F}, {"mood", "calm", std::nullopt}};
  Object person;
  person.id = 19;
  person.label = "person";
  person.confidence = 0.88F;
  person.box = {400, 150, 50, 200};
  person.first_attribute = 2;
  frame.objects = {car, person};
  return frame;
}

std::vector<std::string> FullOf(const Frame& frame) { return RenderAll({}, frame, kConfig); }

rapidjson::Document FullOfObject(Object object, std::vector<Attribute> attributes = {}) {
  Frame frame;
  object.attribute_count = static_cast<uint32_t>(attributes.size());
  frame.attributes = std::move(attributes);
  frame.objects = {object};
  return ParseJson(FullOf(frame).at(0));
}

TEST(Full, HasEveryKeyInOrder) {
  const std::vector<std::string> payloads = FullOf(Street());
  ASSERT_EQ(payloads.size(), 2U);
  const rapidjson::Document car = ParseJson(payloads[0]);
  EXPECT_EQ(KeysOf(car), (Keys{"messageid", "mdsversion", "@timestamp", "place", "sensor",
                               "analyticsModule", "object", "event", "videoPath"}));
  EXPECT_EQ(KeysOf(At(car, {"place"})),
            (Keys{"id", "name", "type", "location", "place-sub-field"}));
  EXPECT_EQ(KeysOf(At(car, {"place", "location"})), (Keys{"lat", "lon", "alt"}));
  EXPECT_EQ(KeysOf(At(car, {"place", "place-sub-field"})),
            (Keys{"id", "name", "level", "coordinate"}));
  EXPECT_EQ(KeysOf(At(car, {"sensor"})),
            (Keys{"id", "type", "description", "location", "coordinate"}));
  EXPECT_EQ(KeysOf(At(car, {"sensor", "coordinate"})), (Keys{"x", "y", "z"}));
  EXPECT_EQ(KeysOf(At(car, {"analyticsModule"})), (Keys{"id", "description", "source", "version"}));
  EXPECT_EQ(KeysOf(At(car, {"object"})),
            (Keys{"id", "speed", "direction", "orientation", "vehicle", "bbox"}));
  EXPECT_EQ(
      KeysOf(At(car, {"object", "vehicle"})),
      (Keys{"type", "make", "model", "color", "licenseState", "license", "confidence", "mood"}));
  EXPECT_EQ(KeysOf(At(car, {"object", "bbox"})),
            (Keys{"topleftx", "toplefty", "bottomrightx", "bottomrighty"}));
  EXPECT_EQ(KeysOf(At(car, {"event"})), (Keys{"id", "type"}));
}

TEST(Full, HasTheValues) {
  const std::vector<std::string> payloads = FullOf(Street());
  const rapidjson::Document car = ParseJson(payloads.at(0));
  EXPECT_TRUE(dsmsg_test::IsUuid(Text(car, {"messageid"})));
  EXPECT_TRUE(dsmsg_test::IsUuid(Text(car, {"event", "id"})));
  EXPECT_NE(Text(car, {"event", "id"}), Text(car, {"messageid"}));
  EXPECT_EQ(Text(car, {"mdsversion"}), "1.0");
  EXPECT_EQ(Text(car, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  EXPECT_EQ(Text(car, {"place", "name"}), "ParkingLot_A");
  EXPECT_EQ(Number(car, {"place", "location", "lon"}), -40.55);
  EXPECT_EQ(Text(car, {"place", "place-sub-field", "level"}), "Level_P1");
  EXPECT_EQ(Number(car, {"place", "place-sub-field", "coordinate", "z"}), 3);
  EXPECT_EQ(Text(car, {"sensor", "id"}), "CAMERA_001");
  EXPECT_EQ(Text(car, {"sensor", "description"}), "Entrance \"A\"");
  EXPECT_EQ(Number(car, {"sensor", "location", "alt"}), 48.155);
  EXPECT_EQ(Text(car, {"analyticsModule", "source"}), "HOG");
  EXPECT_EQ(Text(car, {"object", "id"}), "18");
  EXPECT_EQ(Number(car, {"object", "speed"}), 0);
  EXPECT_EQ(Text(car, {"object", "vehicle", "type"}), "car");
  EXPECT_EQ(Text(car, {"object", "vehicle", "color"}), "blue");
  EXPECT_EQ(Text(car, {"object", "vehicle", "license"}), "");
  EXPECT_EQ(Text(car, {"object", "vehicle", "mood"}), "calm");
  EXPECT_EQ(Number(car, {"object", "vehicle", "confidence"}), 0.95);
  EXPECT_EQ(Number(car, {"object", "bbox", "topleftx"}), 100);
  EXPECT_EQ(Number(car, {"object", "bbox", "toplefty"}), 200);
  EXPECT_EQ(Number(car, {"object", "bbox", "bottomrightx"}), 300);
  EXPECT_EQ(Number(car, {"object", "bbox", "bottomrighty"}), 350.5);
  EXPECT_EQ(Text(car, {"event", "type"}), "");
  EXPECT_EQ(Text(car, {"videoPath"}), "");
  EXPECT_EQ(Text(ParseJson(payloads.at(1)), {"object", "id"}), "19");
}

TEST(Full, EveryClassHasItsMember) {
  Object object;
  object.confidence = 0.5F;
  object.label = "Pedestrian";
  const auto person = FullOfObject(object, {{"gender", "f", {}}, {"age", "34", {}}});
  EXPECT_EQ(KeysOf(At(person, {"object", "person"})),
            (Keys{"age", "gender", "hair", "cap", "apparel", "confidence"}));
  EXPECT_EQ(Number(person, {"object", "person", "age"}), 34);
  EXPECT_EQ(Text(person, {"object", "person", "gender"}), "f");
  object.label = "face";
  const auto face = FullOfObject(object, {{"age", "20-30", {}}});
  EXPECT_EQ(KeysOf(At(face, {"object", "face"})),
            (Keys{"age", "gender", "hair", "cap", "glasses", "facialhair", "name", "eyecolor",
                  "confidence"}));
  EXPECT_EQ(Text(face, {"object", "face", "age"}), "20-30");
  object.label = "Product";
  const auto product = FullOfObject(object, {{"brand", "x", {}}});
  EXPECT_EQ(KeysOf(At(product, {"object", "product"})), (Keys{"brand", "type", "shape"}));
  object.label = "truck";
  EXPECT_EQ(Text(FullOfObject(object, {{"type", "tanker", {}}}), {"object", "vehicle", "type"}),
            "tanker");
  object.label = "person";
  EXPECT_EQ(Number(FullOfObject(object), {"object", "person", "age"}), 0);
}

TEST(Full, OtherClassesAreNamedByTheirLabel) {
  Object object;
  object.label = "road \"sign\"";
  object.confidence = 0.25F;
  const auto sign =
      FullOfObject(object, {{"limit", "50", {}}, {"confidence", "x", {}}, {"limit", "60", {}}});
  EXPECT_EQ(KeysOf(At(sign, {"object"})),
            (Keys{"id", "speed", "direction", "orientation", "road \"sign\"", "bbox"}));
  EXPECT_EQ(KeysOf(At(sign, {"object", "road \"sign\""})), (Keys{"confidence", "limit"}));
  EXPECT_EQ(Text(sign, {"object", "road \"sign\"", "limit"}), "50");
  object.label = "";
  EXPECT_EQ(Number(FullOfObject(object), {"object", "unknown", "confidence"}), 0.25);
  object.label = "bbox";
  const auto box = FullOfObject(object);
  EXPECT_EQ(KeysOf(At(box, {"object"})),
            (Keys{"id", "speed", "direction", "orientation", "bbox_", "bbox"}));
}

TEST(Full, WhatIsUnknownIsStillValid) {
  Object object;
  object.label = "person";
  object.box = {std::numeric_limits<float>::quiet_NaN(), 0, 1, 1};
  const auto document = FullOfObject(object);
  EXPECT_EQ(Text(document, {"object", "id"}), "");
  EXPECT_EQ(Number(document, {"object", "person", "confidence"}), 0);
  EXPECT_TRUE(At(document, {"object", "bbox", "topleftx"}).IsNull());
}

TEST(Full, LocationAndCoordinateWherePresent) {
  Object object;
  object.label = "person";
  object.location = Triple{1, 2, 3};
  object.coordinate = Triple{4, 5, 6.5};
  object.speed = 1.5F;
  const auto document = FullOfObject(object);
  EXPECT_EQ(KeysOf(At(document, {"object"})), (Keys{"id", "speed", "direction", "orientation",
                                                    "person", "bbox", "location", "coordinate"}));
  EXPECT_EQ(Number(document, {"object", "location", "lon"}), 2);
  EXPECT_EQ(Number(document, {"object", "coordinate", "z"}), 6.5);
  EXPECT_EQ(Number(document, {"object", "speed"}), 1.5);
}

TEST(Full, ThePlaceDependsOnTheEvent) {
  const auto check = [](EventType event, const char* name, const char* member, const Keys& keys,
                        const char* label = "car") {
    Object object;
    object.label = label;
    object.event = event;
    const auto document = FullOfObject(object);
    EXPECT_EQ(Text(document, {"event", "type"}), name);
    EXPECT_EQ(KeysOf(At(document, {"place", member})), keys);
    EXPECT_EQ(KeysOf(At(document, {"place"})).size(), 5U);
  };
  check(EventType::kMoving, "moving", "aisle", {"id", "name", "level", "coordinate"});
  check(EventType::kStopped, "stopped", "aisle", {"id", "name", "level", "coordinate"});
  check(EventType::kParked, "parked", "parkingSpot", {"id", "type", "level", "coordinate"});
  check(EventType::kEmpty, "empty", "parkingSpot", {"id", "type", "level", "coordinate"});
  check(EventType::kEntry, "entry", "aisle", {"id", "name", "level", "coordinate"});
  check(EventType::kEntry, "entry", "entrance", {"name", "lane", "level", "coordinate"}, "person");
  check(EventType::kExit, "exit", "entrance", {"name", "lane", "level", "coordinate"}, "dog");
  check(EventType::kReset, "reset", "place-sub-field", {"id", "name", "level", "coordinate"});
}

TEST(Full, MissingGroupsLeaveTheirObjectsOut) {
  Frame frame = Street();
  frame.source_id = 9;
  const auto bare = ParseJson(FullOf(frame).at(0));
  EXPECT_EQ(KeysOf(bare),
            (Keys{"messageid", "mdsversion", "@timestamp", "object", "event", "videoPath"}));
  frame.source_id = 1;
  const auto part = ParseJson(FullOf(frame).at(0));
  EXPECT_EQ(KeysOf(At(part, {"sensor"})), (Keys{"id", "type", "description"}));
  EXPECT_EQ(KeysOf(At(part, {"place"})), (Keys{"id", "name", "type"}));
  EXPECT_FALSE(part.HasMember("analyticsModule"));
}

TEST(Full, BoxesAreScaledToTheCamera) {
  Frame frame = Street();
  frame.source_width = 1280;
  frame.source_height = 240;
  const auto document = ParseJson(FullOf(frame).at(0));
  EXPECT_EQ(Number(document, {"object", "bbox", "topleftx"}), 200);
  EXPECT_EQ(Number(document, {"object", "bbox", "toplefty"}), 100);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrightx"}), 600);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrighty"}), 175.25);
}

std::vector<std::string> MinimalOf(const Frame& frame, MinimalFormat format,
                                   bool one_per_object = false) {
  return RenderAll({PayloadType::kMinimal, format, one_per_object}, frame, kConfig);
}

TEST(Minimal, HasEveryKeyInOrder) {
  const auto payloads = MinimalOf(Street(), MinimalFormat::kObjects);
  ASSERT_EQ(payloads.size(), 1U);
  const auto document = ParseJson(payloads[0]);
  EXPECT_EQ(KeysOf(document),
            (Keys{"messageid", "mdsversion", "@timestamp", "sensorId", "objects"}));
  EXPECT_EQ(Text(document, {"sensorId"}), "CAMERA_001");
  const auto& objects = At(document, {"objects"});
  ASSERT_EQ(objects.Size(), 2U);
  EXPECT_EQ(KeysOf(objects[0]), (Keys{"id", "type", "confidence", "bbox", "attributes"}));
  EXPECT_EQ(KeysOf(objects[1]), (Keys{"id", "type", "confidence", "bbox"}));
  EXPECT_EQ(KeysOf(At(objects[0], {"bbox"})),
            (Keys{"topleftx", "toplefty", "bottomrightx", "bottomrighty"}));
  EXPECT_EQ(KeysOf(At(objects[0], {"attributes"})), (Keys{"color", "mood"}));
  EXPECT_EQ(Text(objects[0], {"attributes", "color"}), "blue");
  EXPECT_EQ(Text(objects[1], {"id"}), "19");
  EXPECT_EQ(Text(objects[1], {"type"}), "person");
  EXPECT_EQ(Number(objects[1], {"confidence"}), 0.88);
  EXPECT_EQ(Number(objects[1], {"bbox", "bottomrighty"}), 350);
}

TEST(Minimal, OneMessageForEachObjectOnRequest) {
  const auto payloads = MinimalOf(Street(), MinimalFormat::kObjects, true);
  ASSERT_EQ(payloads.size(), 2U);
  const auto second = ParseJson(payloads[1]);
  ASSERT_EQ(At(second, {"objects"}).Size(), 1U);
  EXPECT_EQ(Text(At(second, {"objects"})[0], {"type"}), "person");
  const auto delimited = MinimalOf(Street(), MinimalFormat::kDelimited, true);
  ASSERT_EQ(delimited.size(), 2U);
  EXPECT_EQ(At(ParseJson(delimited[1]), {"objects"}).Size(), 1U);
}

TEST(Minimal, WithoutASensorItNamesTheSource) {
  Frame frame = Street();
  frame.source_id = 9;
  EXPECT_EQ(Text(ParseJson(MinimalOf(frame, MinimalFormat::kObjects).at(0)), {"sensorId"}), "9");
}

TEST(Minimal, Delimited) {
  Frame frame = Street();
  Object sign;
  sign.label = "road|sign";
  sign.box = {1, 2, 3, 4};
  sign.first_attribute = 2;
  frame.objects.push_back(sign);
  Object face;
  face.label = "Face";
  face.id = 7;
  face.confidence = 0.5F;
  face.first_attribute = 2;
  face.attribute_count = 2;
  frame.attributes.push_back({"gender", "m|f", {}});
  frame.attributes.push_back({"age", "30", {}});
  frame.objects.push_back(face);
  const auto document = ParseJson(MinimalOf(frame, MinimalFormat::kDelimited).at(0));
  EXPECT_EQ(KeysOf(document), (Keys{"version", "id", "@timestamp", "sensorId", "objects"}));
  EXPECT_EQ(Text(document, {"version"}), "4.0");
  EXPECT_EQ(Text(document, {"id"}), "42");
  EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  std::vector<std::string> objects;
  for (const auto& object : At(document, {"objects"}).GetArray())
    objects.emplace_back(object.GetString());
  EXPECT_THAT(objects, ElementsAre("18|100|200|300|350.5|car|#|car|||blue|||0.95",
                                   "19|400|150|450|350|person|#||||||0.88", "|1|2|4|6|road_sign",
                                   "7|0|0|0|0|Face|#|m_f|30|||||||0.5"));
}

TEST(Converter, AFrameWithoutObjectsMakesNoMessage) {
  EXPECT_TRUE(FullOf({}).empty());
  EXPECT_TRUE(MinimalOf({}, MinimalFormat::kObjects).empty());
}

TEST(Converter, MessageIdsNeverRepeat) {
  std::set<std::string> ids;
  Converter converter(ConfigOf(kConfig), {});
  const Frame frame = Street();
  for (int i = 0; i < 1000; ++i) {
    for (const std::string& payload : RenderAll(&converter, frame)) {
      EXPECT_TRUE(ids.insert(Text(ParseJson(payload), {"messageid"})).second);
    }
  }
}

TEST(Converter, HostileTextStaysText) {
  Frame frame = Street();
  frame.objects[0].label = "\"},\xFF{\n";
  frame.objects[1].label = "person";
  frame.objects[1].first_attribute = 0;
  frame.objects[1].attribute_count = 2;
  frame.attributes[0] = {"\x80\"", "a\\\"b", {}};
  for (const std::string& payload : FullOf(frame)) EXPECT_FALSE(ParseJson(payload).HasParseError());
  for (const MinimalFormat format : {MinimalFormat::kObjects, MinimalFormat::kDelimited}) {
    EXPECT_FALSE(ParseJson(MinimalOf(frame, format).at(0)).HasParseError());
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
