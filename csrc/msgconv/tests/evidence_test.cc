// SPDX-License-Identifier: Apache-2.0
// Where an object's pictures are, in every form of a message.
#include <gmock/gmock.h>

#include "msgconv/map_maker.h"
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
using dsmsg_test::Rendered;
using dsmsg_test::Text;
using testing::HasSubstr;
using testing::Not;

const std::string kDigest(64, 'a');

/// A car without pictures, and one whose crop is stored and whose frame is lost.
Frame TwoCars() {
  Frame frame;
  Object car;
  car.id = 7;
  car.label = "car";
  car.confidence = 0.5F;
  frame.objects = {car, car};
  frame.evidence = {{false, Evidence::State::kStored, "file:///e/1.jpg", kDigest, 1234, {}},
                    {true, Evidence::State::kLost, "file:///e/2.jpg", {}, 0, "disk \"full\""}};
  frame.objects[1].evidence = {0, 2};
  return frame;
}

void ExpectPictures(const rapidjson::Value& evidence) {
  EXPECT_EQ(KeysOf(At(evidence, {"crop"})), (Keys{"state", "uri", "digest", "size"}));
  EXPECT_EQ(Text(evidence, {"crop", "state"}), "stored");
  EXPECT_EQ(Text(evidence, {"crop", "uri"}), "file:///e/1.jpg");
  EXPECT_EQ(Text(evidence, {"crop", "digest"}), kDigest);
  EXPECT_EQ(Number(evidence, {"crop", "size"}), 1234);
  EXPECT_EQ(KeysOf(At(evidence, {"frame"})), (Keys{"state", "reason", "uri"}));
  EXPECT_EQ(Text(evidence, {"frame", "state"}), "lost");
  EXPECT_EQ(Text(evidence, {"frame", "reason"}), "disk \"full\"");
}

TEST(Evidence, IsAMemberOfItsObject) {
  const auto maker = MakeConverter(ConfigOf(""), {});
  const auto full = RenderAll(maker.get(), TwoCars());
  ASSERT_EQ(full.size(), 2U);
  EXPECT_THAT(full[0], Not(HasSubstr("evidence")));
  ExpectPictures(At(ParseJson(full[1]), {"object", "evidence"}));
  const auto minimal = ParseJson(Rendered({PayloadType::kMinimal}, TwoCars()));
  EXPECT_FALSE(At(minimal, {"objects"})[0].HasMember("evidence"));
  ExpectPictures(At(At(minimal, {"objects"})[1], {"evidence"}));
}

TEST(Evidence, OfObjectsThatAreTextsStandsBesideThem) {
  for (const ConverterOptions& options :
       {ConverterOptions{PayloadType::kMinimal, MinimalFormat::kDelimited},
        ConverterOptions{PayloadType::kMinimal, {}, false, Dialect::kDeepStream}}) {
    const auto document = ParseJson(Rendered(options, TwoCars()));
    const auto& list = At(document, {"evidence"});
    ASSERT_EQ(list.Size(), 1U);
    EXPECT_EQ(Number(list[0], {"object"}), 1);
    ExpectPictures(list[0]);
  }
}

TEST(Evidence, OfTheDialectStandsAtTheEnd) {
  const auto maker = MakeConverter(
      ConfigOf(""), ConverterOptions{PayloadType::kFull, {}, false, Dialect::kDeepStream});
  const auto full = RenderAll(maker.get(), TwoCars());
  ASSERT_EQ(full.size(), 2U);
  EXPECT_THAT(full[0], Not(HasSubstr("evidence")));
  ExpectPictures(At(ParseJson(full[1]), {"evidence"}));
}

TEST(Evidence, IsInTheInfoOfProtobuf) {
  for (const Dialect dialect : {Dialect::kDsmsg, Dialect::kDeepStream}) {
    const std::string bytes =
        Rendered(ConverterOptions{PayloadType::kProtobuf, {}, false, dialect}, TwoCars());
    for (const char* text : {"evidence.crop.state", "stored", "evidence.crop.uri",
                             "evidence.crop.size", "1234", "evidence.frame.reason", "lost"})
      EXPECT_THAT(bytes, HasSubstr(text));
    EXPECT_THAT(bytes, HasSubstr(kDigest));
  }
}

TEST(Evidence, IsReadByMaps) {
  const auto map = Map::Parse(R"(
each: object
when: object.evidence.state == "stored"
message:
  uri: ${object.evidence.uri}
  digest: ${object.evidence.digest}
  size: ${object.evidence.size}
  reason: ${object.evidence.reason}
  frame: {state: "${object.evidence.frame.state}", why: "${object.evidence.frame.reason}", size: "${object.evidence.frame.size}"}
)",
                              "m.yaml");
  ASSERT_TRUE(map.ok()) << map.status().message();
  MapMaker maker(map.value(), ConfigOf(""));
  const auto made = RenderAll(&maker, TwoCars());
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0], R"({"uri":"file:///e/1.jpg","digest":")" + kDigest +
                         R"(","size":1234,"frame":{"state":"lost","why":"disk \"full\""}})");
}

}  // namespace
}  // namespace dsmsg::msgconv
