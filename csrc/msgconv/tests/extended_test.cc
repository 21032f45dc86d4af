// SPDX-License-Identifier: Apache-2.0
// What the schema of DeepStream has no place for. data/extended.pb is decoded by the stock runtime
// of protobuf in tests/python/test_payloads.py; with DSMSG_WRITE_DATA=1 it is written anew.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "dialect_text.h"
#include "render.h"
#include "warehouse.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::Keys;
using dsmsg_test::KeysOf;
using dsmsg_test::Number;
using dsmsg_test::Numbers;
using dsmsg_test::ParseJson;
using dsmsg_test::RenderAll;
using dsmsg_test::Rendered;
using dsmsg_test::Text;
using dsmsg_test::Warehouse;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Extended, HasItsKeysInJson) {
  const auto document = ParseJson(Rendered({}, Warehouse()));
  EXPECT_EQ(KeysOf(document),
            (Keys{"messageid", "mdsversion", "@timestamp", "sensor", "object", "event", "videoPath",
                  "counts", "fov", "interactions", "congestions", "llm", "sources"}));
  EXPECT_EQ(Text(document, {"sensor", "id"}), "N1");
  EXPECT_EQ(Text(document, {"sensor", "name"}), "north gate");
  const auto& object = At(document, {"object"});
  EXPECT_EQ(KeysOf(object),
            (Keys{"id", "speed", "direction", "orientation", "person", "bbox", "embedding", "mask",
                  "bbox3d", "SV3DT", "zones", "crowdedZones", "lines", "heading", "state"}));
  EXPECT_EQ(Number(object, {"bbox", "rotation"}), 12.5);
  EXPECT_EQ(KeysOf(At(object, {"mask"})), (Keys{"width", "height", "runs"}));
  EXPECT_THAT(Numbers(At(object, {"mask", "runs"})), ElementsAre(2, 3, 7));
  EXPECT_THAT(Numbers(At(object, {"bbox3d", "coordinates"})),
              ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  EXPECT_EQ(Number(object, {"bbox3d", "confidence"}), 0.75);
  EXPECT_THAT(Numbers(At(object, {"bbox3d", "embedding_vector"})), ElementsAre(1, 2, 3));
  EXPECT_EQ(Number(object, {"SV3DT", "visibility"}), 0.5);
  EXPECT_THAT(Numbers(At(object, {"SV3DT", "footLocation2D"})), ElementsAre(10, 20));
  EXPECT_THAT(Numbers(At(object, {"SV3DT", "footLocation3D"})), ElementsAre(-1.5, 2.5));
  EXPECT_THAT(Numbers(At(object, {"SV3DT", "convexHull"})), ElementsAre(1, 2, 3, 4));
  EXPECT_STREQ(At(object, {"zones"})[0].GetString(), "dock");
  EXPECT_STREQ(At(object, {"crowdedZones"})[0].GetString(), "ramp");
  EXPECT_STREQ(At(object, {"lines"})[0].GetString(), "door");
  EXPECT_EQ(Text(object, {"heading"}), "South");
  EXPECT_EQ(Text(object, {"state"}), "waiting");
  const auto& counts = At(document, {"counts"});
  ASSERT_EQ(counts.Size(), 6U);
  EXPECT_EQ(Text(counts[1], {"kind"}), "zone");
  EXPECT_EQ(Text(counts[1], {"name"}), "dock");
  EXPECT_EQ(Text(counts[5], {"kind"}), "lineTotal");
  EXPECT_EQ(Number(counts[5], {"value"}), 12);
}

TEST(Extended, WhatWasFoundInAScene) {
  Frame frame = Warehouse();
  for (const PayloadType type : {PayloadType::kFull, PayloadType::kMinimal}) {
    const auto document = ParseJson(Rendered({type}, frame));
    const auto& fov = At(document, {"fov"})[0];
    EXPECT_EQ(KeysOf(fov), (Keys{"id", "type", "count", "coordinates", "objectIds", "info"}));
    EXPECT_EQ(Text(fov, {"id"}), "hall");
    EXPECT_EQ(Text(fov, {"type"}), "Person");
    EXPECT_EQ(Number(fov, {"count"}), 3);
    EXPECT_EQ(Number(At(fov, {"coordinates"})[0], {"x"}), 1.5);
    EXPECT_STREQ(At(fov, {"objectIds"})[0].GetString(), "5");
    EXPECT_EQ(Text(fov, {"info", "site"}), "Turin");
    const auto& interaction = At(document, {"interactions"})[0];
    EXPECT_EQ(KeysOf(interaction), (Keys{"id", "description", "coordinates", "objectIds"}));
    EXPECT_EQ(Text(interaction, {"description"}), "lifts a box");
    EXPECT_EQ(At(interaction, {"coordinates"}).Size(), 2U);
    const auto& congestion = At(document, {"congestions"})[0];
    EXPECT_EQ(KeysOf(congestion), (Keys{"id", "amount", "objectIds"}));
    EXPECT_EQ(Number(congestion, {"amount"}), 0.25);
    const auto& llm = At(document, {"llm"});
    EXPECT_EQ(KeysOf(llm), (Keys{"conversations", "embeddings", "info"}));
    EXPECT_EQ(Text(At(llm, {"conversations"})[0], {"query"}), "Who is there?");
    EXPECT_EQ(Text(At(llm, {"conversations"})[1], {"response"}), "Yes.");
    EXPECT_THAT(Numbers(At(At(llm, {"embeddings"})[1], {"vector"})), ElementsAre(1, 2, 3));
    EXPECT_EQ(Text(llm, {"info", "model"}), "vlm-2");
    EXPECT_EQ(Text(At(document, {"sources"})[1], {"id"}), "cam-2");
    EXPECT_EQ(Text(At(document, {"sources"})[0], {"timestamp"}), "2024-01-15T10:30:00.123Z");
  }
  // Of an event, where no detector made one.
  frame.segmentation.reset();
  frame.findings[0].segmentation = Segmentation{0, 0, {0, 6}, {0, 1}};
  const auto event = ParseJson(Rendered({}, frame));
  EXPECT_EQ(KeysOf(At(event, {"segmentation"})), (Keys{"runs", "info"}));
  // Another object's message says nothing of it.
  EXPECT_FALSE(ParseJson(RenderAll(ConverterOptions(), frame).at(1)).HasMember("fov"));
}

TEST(Extended, HasItsKeysInMinimalJson) {
  const auto document = ParseJson(Rendered({PayloadType::kMinimal}, Warehouse()));
  EXPECT_EQ(KeysOf(document),
            (Keys{"messageid", "mdsversion", "@timestamp", "sensorId", "objects", "counts",
                  "segmentation", "fov", "interactions", "congestions", "llm", "sources"}));
  EXPECT_EQ(Text(document, {"sensorId"}), "N1");
  EXPECT_THAT(Numbers(At(document, {"segmentation", "runs"})), ElementsAre(1, 3, 0, 2, 2, 1));
  const auto& objects = At(document, {"objects"});
  EXPECT_EQ(KeysOf(objects[0]), (Keys{"id", "type", "confidence", "bbox", "mask", "bbox3d", "SV3DT",
                                      "zones", "crowdedZones", "lines", "heading", "state"}));
  EXPECT_EQ(Number(objects[1], {"confidence"}), 0);
}

TEST(Extended, TheConfigurationNamesTheCameraBetterThanTheSource) {
  Frame frame = Warehouse();
  const auto sensor_id = [&frame](std::string_view config) {
    return Text(ParseJson(Rendered({PayloadType::kMinimal}, frame, config)), {"sensorId"});
  };
  EXPECT_EQ(sensor_id("[sensor0]\nid=CAM\n"), "CAM");
  frame.sensor_id = "of the event";
  EXPECT_EQ(sensor_id("[sensor0]\nid=CAM\n"), "of the event");
  frame.sensor_id = frame.source_sensor = {};
  EXPECT_EQ(sensor_id(""), "north gate");
}

TEST(Extended, OfNamedClassesOnlyTheEmbeddingInSpaceIsKept) {
  ConverterOptions options;
  options.embedding_filter = "Forklift, Person";
  EXPECT_TRUE(At(ParseJson(Rendered(options, Warehouse())), {"object", "bbox3d"})
                  .HasMember("embedding_vector"));
  options.embedding_filter = "Forklift,Box";
  EXPECT_FALSE(At(ParseJson(Rendered(options, Warehouse())), {"object", "bbox3d"})
                   .HasMember("embedding_vector"));
}

// Objects that only have a box in space are events to DeepStream: with the time and the sensor of
// their scene, and the details of their class.
TEST(Extended, ASceneInDeepStreamsDialect) {
  Frame frame = Warehouse();
  frame.objects.erase(frame.objects.begin());
  frame.attributes = {{"classConfidence", "0.875000", {}}, {"ocrId", "F-17", {}}};
  frame.objects[0].attribute_count = 2;
  ConverterOptions options;
  options.type = PayloadType::kProtobuf;
  options.dialect = Dialect::kDeepStream;
  options.embedding_filter = "Person";
  const std::string made = dsmsg_test::ProtobufText(Rendered(options, frame));
  EXPECT_THAT(made, HasSubstr(".3.1: 1705314600\n.3.2: 123000000\n.4: N1\n"));
  EXPECT_THAT(made, HasSubstr(".5.3: Box\n"));
  EXPECT_THAT(made, HasSubstr(".5.14.1: 1 2 3 4 5 6 7 8 9 10 11 12 \n.5.14.3: 0.75\n"));
  EXPECT_THAT(made, HasSubstr(".5.5[classConfidence]: 0.875000\n.5.5[ocrId]: F-17\n"));
  options.embedding_filter = "Person, Box";
  EXPECT_THAT(dsmsg_test::ProtobufText(Rendered(options, frame)), HasSubstr(".5.14.2: "));
}

TEST(Extended, IsWhatTheStockRuntimeReads) {
  const std::string path = std::string(DSMSG_MSGCONV_DATA) + "/extended.pb";
  const std::string made = Rendered({PayloadType::kProtobuf}, Warehouse());
  if (std::getenv("DSMSG_WRITE_DATA") != nullptr) std::ofstream(path, std::ios::binary) << made;
  std::ifstream file(path, std::ios::binary);
  EXPECT_EQ(made, std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace
}  // namespace dsmsg::msgconv
