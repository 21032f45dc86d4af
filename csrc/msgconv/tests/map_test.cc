// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "json_check.h"
#include "msgconv/map_fields.h"
#include "msgconv/map_maker.h"
#include "render.h"
#include "rich_frame.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::ConfigOf;
using dsmsg_test::RenderAll;
using Strings = std::vector<std::string>;

std::shared_ptr<const Map> MapOf(std::string_view text) {
  const auto map = Map::Parse(text, "m.yaml");
  EXPECT_TRUE(map.ok()) << map.status().message();
  return map.ok() ? map.value() : nullptr;
}

Strings Made(std::string_view text, const Frame& frame, std::string_view config = "") {
  MapMaker maker(MapOf(text), ConfigOf(config));
  return RenderAll(&maker, frame);
}

/// A value as it comes out for the first object of a frame; "-": left out.
std::string ValueOf(const std::string& value, const Frame& frame, std::string_view config = "") {
  const Strings made =
      Made("each: object\nwhen: object.index == 0\nmessage: {v: '" + value + "'}\n", frame, config);
  EXPECT_EQ(made.size(), 1U);
  if (made.empty() || made[0] == "{}") return "-";
  return made[0].substr(5, made[0].size() - 6);
}

std::string MistakeIn(std::string_view text) {
  const auto map = Map::Parse(text, "m.yaml");
  EXPECT_FALSE(map.ok()) << text;
  return map.ok() ? "" : map.status().message();
}

Frame Scene() {
  Frame frame;
  frame.source_id = 2;
  frame.number = 41;
  frame.time_ns = 1'705'314'600'123'456'789;
  frame.attributes = {{"color", "blue", 0.5F}, {"make-of", "Ford", {}}, {"color", "red", {}}};
  frame.texts = {"door", "gate"};
  Object car;
  car.id = 7;
  car.label = "car";
  car.label_id = -1;
  car.confidence = 0.9F;
  car.box = {10.75F, 20, 30, 40.5F};
  car.attribute_count = 3;
  car.zones = {0, 2};
  car.event = EventType::kEntry;
  Object bus;
  bus.label = "bus";
  bus.confidence = -0.1F;
  Object person;
  person.id_text = "p-1";
  person.label = "person \"x\"";
  person.confidence = 0.4F;
  frame.objects = {car, bus, person};
  return frame;
}

TEST(MapTest, TheExampleOfTheManual) {
  EXPECT_EQ(
      Made(R"(
each: object
when: object.confidence > 0.5 and object.label in [car, bus]
message:
  ts: ${frame.time | rfc3339}
  site: north
  floor: 2
  box: {left: "${object.box.left | int}"}
)",
           Scene()),
      Strings{R"({"ts":"2024-01-15T10:30:00.123Z","site":"north","floor":2,"box":{"left":10}})"});
}

TEST(MapTest, ValuesKeepTheirTypes) {
  const Frame frame = Scene();
  const std::pair<const char*, const char*> kCases[] = {
      {"${frame.source}", "2"},
      {"${frame.number}", "41"},
      {"${frame.objects}", "3"},
      {"${frame.width}", "-"},
      {"${frame.time}", R"("2024-01-15T10:30:00.123Z")"},
      {"${frame.time | unix_ms}", "1705314600123"},
      {"${frame.time | unix_ns}", "1705314600123456789"},
      {"${frame.time | unix}", "1705314600.123"},
      {"${sensor.id}", R"("2")"},
      {"${object.id}", "7"},
      {"${object.id | text}", R"("7")"},
      {"${object.label_id}", "-1"},
      {"${object.confidence}", "0.9"},
      {"${object.confidence * 100 | round}", "90"},
      {"${object.box.left | round:1}", "10.8"},
      {"${object.box.left | int}", "10"},
      {"${object.box.right}", "40.75"},
      {"${object.box.width * 2 + 1}", "61"},
      {"${(frame.number + 1) / 4}", "10.5"},
      {"${frame.number / 0}", "-"},
      {"${-frame.number}", "-41"},
      {"${object.attributes.color}", R"("blue")"},
      {"${object.attributes.make-of | upper}", R"("FORD")"},
      {"/${object.attributes.make-of | uri}/${object.heading | default:\"hall 1/ü\" | uri}",
       R"("/Ford/hall%201%2F%C3%BC")"},
      {"${object.heading | uri}", "-"},
      {"${object.attributes.none}", "-"},
      {"${object.attributes.none | default:unknown}", R"("unknown")"},
      {"${object.attributes.none | default:\"a \\\"b\"}", R"("a \"b")"},
      {"${object.attributes.none ?? object.heading | default:-1.5}", "-1.5"},
      {"${object.attributes.none | default:true}", "true"},
      {"${object.attributes.none | default:1 | text}", R"("1")"},
      {"${object.label | default:unknown}", R"("car")"},
      {"${1e300 | round:9}", "1e+300"},
      {"${1e19 | int}", "1e+19"},
      {"${object.attributes}", R"({"color":"blue","make-of":"Ford"})"},
      {"${object.zones}", R"(["door","gate"])"},
      {"${object.lines}", "[]"},
      {"${object.event}", R"("entry")"},
      {"${object.heading is missing}", "true"},
      {"${object.label is not missing}", "true"},
      {"a ${object.label} of ${object.id} $$5", R"("a car of 7 $5")"},
      {"a ${object.heading}", "-"},
      {"a ${object.heading | default:\"}\"}", R"("a }")"},
      {"$${x}", R"("${x}")"},
  };
  for (const auto& [value, expected] : kCases)
    EXPECT_EQ(ValueOf(value, Scene()), expected) << value;
  EXPECT_EQ(ValueOf("${sensor.id} ${sensor.type} ${place.name}", frame,
                    "[sensor2]\nid=CAM\ntype=dome\n[place2]\nname=Hall\n"),
            R"("CAM dome Hall")");
}

TEST(MapTest, WhatYamlSaysIsWhatJsonSays) {
  EXPECT_EQ(Made("message: {a: 1, b: -2.5, c: true, d: null, e: '1', f: 007, g: [1, x], h: 1e3, "
                 "i: '', 'q\"': 1.0}\n",
                 Scene()),
            Strings{R"({"a":1,"b":-2.5,"c":true,"d":null,"e":"1","f":"007","g":[1,"x"],"h":1e3,)"
                    R"("i":"","q\"":1.0})"});
}

// What JSON does not have as a number is a text.
TEST(MapTest, NumbersAreThoseOfJson) {
  EXPECT_EQ(
      Made("message: {a: 1.E5, b: 1., c: .5, d: +1, e: 1.5E+3, f: 0E5, g: -0, h: -01, i: 0x1f, "
           "j: 1e999, k: 1_000}\n",
           Scene()),
      Strings{R"({"a":"1.E5","b":"1.","c":".5","d":"+1","e":1.5E+3,"f":0E5,"g":-0,"h":"-01",)"
              R"("i":"0x1f","j":"1e999","k":"1_000"})"});
}

TEST(MapTest, Conditions) {
  const std::pair<const char*, const char*> kCases[] = {
      {"object.confidence > 0.5", "car"},
      {"object.confidence >= 0.9", "car"},
      {"object.confidence < 0.5", "person \"x\""},
      {"object.confidence is missing", "bus"},
      {"not object.confidence > 0.5 and object.label != \"bus\"", "person \"x\""},
      {"object.label in [car, lorry]", "car"},
      {"object.label not in [car, bus]", "person \"x\""},
      {"\"gate\" in object.zones", "car"},
      {"object.id == 7", "car"},
      {"object.id == \"p-1\"", "person \"x\""},
      {"(object.label == 'car' or object.label == \"bus\") and object.id is missing", "bus"},
      {"object.box.width - 1 > 20", "car"},
      {"object.event == \"entry\"", "car"},
      {"object.index == 1", "bus"},
      {"object.confidence + 0.1 > 0.99 and true", "car"},
  };
  for (const auto& [condition, label] : kCases) {
    JsonWriter expected;
    expected.String(label);
    const std::string map = std::string("each: object\nwhen: >-\n  ") + condition +
                            "\nmessage: {l: '${object.label}'}\n";
    EXPECT_EQ(Made(map, Scene()), Strings{R"({"l":)" + std::string(expected.view()) + "}"})
        << condition;
  }
}

TEST(MapTest, ListsOverObjects) {
  EXPECT_EQ(Made(R"(
message:
  all: {$each: object, $item: "${object.label}"}
  sure:
    $each: object
    $when: object.confidence > 0.3
    $item: {id: "${object.id}"}
  events: {$each: event, $item: "${object.event}"}
  numbers: {$each: object, $item: "${object.id | default:0}"}
  some: {$when: frame.objects > 5, never: 1}
  $$each: plain
)",
                 Scene()),
            Strings{R"({"all":["car","bus","person \"x\""],"sure":[{"id":7},{"id":"p-1"}],)"
                    R"("events":["entry"],"numbers":[7,0,"p-1"],"$each":"plain"})"});
}

TEST(MapTest, EachDecidesWhatHasAMessage) {
  EXPECT_EQ(Made("each: event\nmessage: {l: '${object.label}'}\n", Scene()),
            Strings{R"({"l":"car"})"});
  EXPECT_EQ(Made("each: frame\nwhen: frame.objects > 3\nmessage: {a: 1}\n", Scene()), Strings{});
  EXPECT_EQ(Made("message: {a: '${object.label}'}\neach: object\n", Frame()), Strings{});
  EXPECT_EQ(Made("message: {a: '${frame.objects}'}\n", Frame()), Strings{R"({"a":0})"});
}

TEST(MapTest, WhatCannotBeANumberIsMissing) {
  Frame frame = Scene();
  frame.objects[0].speed = std::numeric_limits<float>::quiet_NaN();
  frame.objects[0].direction = std::numeric_limits<float>::infinity();
  const std::pair<const char*, const char*> kCases[] = {
      {"${object.speed | default:0}", "0"},
      {"${object.speed ?? object.direction ?? object.index}", "0"},
      {"${object.speed is missing and object.direction is missing}", "true"},
      {"${object.speed == 1 or object.speed <= 1 or object.direction > 1}", "false"},
      {"${object.speed != 1}", "true"},
      {"${object.speed + 1 is missing}", "true"},
      {"${object.speed in [1, 2]}", "false"},
  };
  for (const auto& [value, expected] : kCases) EXPECT_EQ(ValueOf(value, frame), expected) << value;
  EXPECT_EQ(ValueOf("${object.speed}", Frame(frame)).substr(0, 1), "-");
  EXPECT_EQ(Made("each: event\nmessage: {a: '${object.speed}', b: 'x${object.direction}', "
                 "c: '${object.direction | int}', d: '${object.speed > 1}'}\n",
                 frame),
            Strings{R"({"d":false})"});
}

TEST(MapTest, MistakesAreToldWithLineAndColumn) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "m.yaml:1:1: the file is empty"},
      {"- a\n", "m.yaml:1:1: expected \"message:\""},
      {"each: frame\n", "m.yaml:1:1: \"message:\" is missing"},
      {"message: x\n", "m.yaml:1:10: a message has names and values"},
      {"mesage: {}\n", "m.yaml:1:1: there is no \"mesage\" here (did you mean message?)"},
      {"each: tracks\nmessage: {}\n", "m.yaml:1:7: must be frame, object, event, track or message"},
      {"message: {a: 1, a: 2}\n", "m.yaml:1:17: \"a\" is here twice"},
      {"message:\n  a: ${frame.tim}\n",
       "m.yaml:2:8: there is no value \"frame.tim\" (did you mean frame.time?)"},
      {"message:\n  a: \"x ${frame.tim}\"\n", "m.yaml:2:11: there is no value \"frame.tim\""},
      {"message:\n  a: ${object.label}\n", "m.yaml:2:8: object.label belongs to an object"},
      {"message:\n  a: ${frame.time | rfc339}\n",
       "m.yaml:2:21: there is no filter \"rfc339\" (did you mean rfc3339?)"},
      {"message:\n  a: ${sensor.id | int}\n",
       "m.yaml:2:8: | int needs a number, and this is a text"},
      {"message:\n  a: ${frame.time\n", "m.yaml:2:6: a value has no closing \"}\""},
      {"message:\n  a: $x\n", "m.yaml:2:6: \"$\" begins a value"},
      {"message:\n  a: ${}\n", "m.yaml:2:8: the expression ends where a value is expected"},
      {"message:\n  a: ${frame.number +}\n", "the expression ends where a value is expected"},
      {"message:\n  a: ${(frame.number}\n", "\")\" is missing"},
      {"message:\n  a: ${frame.number frame.time}\n", "more than one expression"},
      {"message:\n  a: ${\"x}\n", "m.yaml:2:6: a value has no closing \"}\""},
      {"when: frame.number\nmessage: {}\n", "m.yaml:1:7: must be true or false"},
      {"when: frame.number = 1\nmessage: {}\n", "write \"==\""},
      {"when: frame.number > \"1\"\nmessage: {}\n", "> compares a number with a text"},
      {"when: frame.number > 1 and frame.time\nmessage: {}\n",
       "and needs a condition (true or false), and this is a time"},
      {"each: object\nwhen: object.label == car\nmessage: {}\n",
       "m.yaml:2:23: there is no value \"car\"; a text needs quotes"},
      {"each: object\nwhen: object.label in car\nmessage: {}\n", "there is no value \"car\""},
      {"each: object\nwhen: object.label in [car, 7]\nmessage: {}\n",
       "m.yaml:2:29: in compares a text with a number"},
      {"when: frame.number in [\"7\"]\nmessage: {}\n",
       "m.yaml:1:24: in compares a number with a text"},
      {"each: object\nwhen: object.zones == \"a\"\nmessage: {}\n",
       "whether a list has one says \"in\""},
      {"message: {a: {$each: object}}\n", "a list needs both $each and $item"},
      {"message: {a: {$each: frame, $item: 1}}\n", "m.yaml:1:22: there is no \"frame\" here"},
      {"message: {a: {$each: object, $item: 1, b: 2}}\n", "beside $each there are only"},
      {"message: {$foo: 1}\n", "a name that begins with $ is written $$"},
      {"message: {a: \"${env:DSMSG_NOT_THERE}\"}\n",
       "the environment variable DSMSG_NOT_THERE is not set"},
      {"message: {a: '${frame.number | round:x}'}\n", "round: needs a number of digits"},
      {"message: {a: '${frame.number | round:10}'}\n",
       "m.yaml:1:38: round: needs a number of digits from 0 to 9"},
      {"each: object\nmessage: {a: 'x ${object.zones}'}\n", "a list cannot stand in a text"},
      {"message: [\n", "m.yaml:2:1: "},
      {"message: {a: &a [*a]}\n", "nested too deeply"},
  };
  for (const auto& [text, expected] : kCases) {
    const std::string mistake = MistakeIn(text);
    EXPECT_TRUE(mistake.starts_with("m.yaml:")) << mistake;
    EXPECT_NE(mistake.find(expected), mistake.npos) << text << "\n" << mistake;
  }
  std::string deep = "message: {a: '${";
  for (int i = 0; i < 5000; ++i) deep += "(";
  EXPECT_NE(MistakeIn(deep + "}'}\n").find("nested too deeply"), std::string::npos);
  std::string laughs = "message:\n  a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (char c = 'b'; c < 'j'; ++c) {
    const std::string before = std::string("*") + static_cast<char>(c - 1);
    laughs +=
        std::string("  ") + c + ": &" + c + " [" + before + ", " + before + ", " + before + "]\n";
  }
  EXPECT_NE(MistakeIn(laughs).find("too many parts"), std::string::npos);
}

TEST(MapTest, EnvironmentIsReadAtTheStart) {
  setenv("DSMSG_MAP_SITE", "north \"1\"", 1);
  EXPECT_EQ(ValueOf("${env:DSMSG_MAP_SITE}", Scene()), R"("north \"1\"")");
  unsetenv("DSMSG_MAP_SITE");
  EXPECT_EQ(ValueOf("${env:DSMSG_MAP_SITE | default:\"\"}", Scene()), R"("")");
}

TEST(MapTest, DamagedMapsAreRefusedOrMakeJson) {
  constexpr std::string_view kGood = R"(each: object
when: object.confidence > 0.5 and not object.label in [car, "b\"us"] or object.id is missing
message:
  ts: ${frame.time | rfc3339}
  t: "a ${object.box.left * -2 + (frame.number / 3) | round:2} $$ ${object.zones is missing}"
  l: {$each: object, $when: "'gate' in object.zones", $item: [1, "${object.attributes.color | upper}"]}
)";
  constexpr std::string_view kBytes = "{}[]()$:|\"'\\ \n.,-+*/=<>!&#0aeio_\xc3";
  std::mt19937 random(7);
  size_t made = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text(kGood);
    for (auto i = 1 + random() % 4; i > 0; --i) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 5);
          break;
        case 1:
          text.insert(at, 1, kBytes[random() % kBytes.size()]);
          break;
        default:
          text[at] = kBytes[random() % kBytes.size()];
      }
    }
    const auto map = Map::Parse(text, "m.yaml");
    if (!map.ok()) {
      ASSERT_FALSE(map.status().message().empty());
      continue;
    }
    MapMaker maker(map.value(), ConfigOf(""));
    for (const std::string& each : RenderAll(&maker, Scene())) {
      ASSERT_TRUE(dsmsg_test::ParseJson(each).IsObject()) << text << "\n" << each;
      ++made;
    }
  }
  EXPECT_GT(made, 300U);
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file.good()) << path;
  return text.str();
}

std::string Shipped(const std::string& name) {
  return TextOf(std::string(DSMSG_CFG_DIR) + "/maps/" + name);
}

TEST(MapTest, TheMinimalFormAsAMap) {
  Frame frame = Scene();
  frame.attributes.clear();
  for (Object& object : frame.objects) object.attribute_count = 0, object.zones = {};
  ConverterOptions options;
  options.type = PayloadType::kMinimal;
  const std::string written = dsmsg_test::Rendered(options, frame);
  const Strings mapped = Made(Shipped("minimal.yaml"), frame);
  ASSERT_EQ(mapped.size(), 1U);
  const auto without_id = [](const std::string& text) {
    return text.substr(text.find("\"mdsversion\""));
  };
  EXPECT_EQ(without_id(mapped[0]), without_id(written));
}

TEST(MapTest, ShippedMapsMakeJson) {
  const Frame rich = dsmsg_test::RichFrame();
  for (const char* name : {"minimal.yaml", "cloudevents.yaml", "rows.yaml"}) {
    const Strings made = Made(Shipped(name), rich);
    ASSERT_EQ(made.size(), 1U) << name;
    EXPECT_TRUE(dsmsg_test::ParseJson(made[0]).IsObject()) << made[0];
  }
  const std::string rows = Made(Shipped("rows.yaml"), rich)[0];
  EXPECT_EQ(rows,
            R"({"ts":1705314600123,"camera":"0","site":"home","track":"18446744073709551615",)"
            R"("label":"Person","confidence":0.625,"x":250,"y":460.5,"area":12100})");
}

TEST(MapTest, ThePageListsEveryField) {
  const std::string page = TextOf(std::string(DSMSG_CFG_DIR) + "/../docs/maps.md");
  EXPECT_NE(page.find(MapTables()), page.npos) << "make generate renews docs/maps.md";
}

}  // namespace
}  // namespace dsmsg::msgconv
