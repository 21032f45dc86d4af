// SPDX-License-Identifier: Apache-2.0
// What YAML would do to a map: expressions without quotes, and the parts of YAML that are refused
// rather than read in silence as something else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "msgconv/map.h"
#include "msgconv/map_maker.h"
#include "msgconv/yaml_shield.h"
#include "render.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::ConfigOf;
using dsmsg_test::RenderAll;
using testing::HasSubstr;

std::string Made(const std::string& text) {
  const auto map = Map::Parse(text, "m.yaml");
  if (!map.ok()) return map.status().message();
  Frame frame;
  frame.objects.emplace_back();
  frame.objects[0].label = "car";
  frame.objects[0].box = {10.5F, 20, 30, 40};
  MapMaker maker(map.value(), ConfigOf(""));
  const auto made = RenderAll(&maker, frame);
  return made.empty() ? "nothing" : made[0];
}

TEST(YamlForms, ExpressionsNeedNoQuotesInsideBraces) {
  EXPECT_EQ(Made("each: object\nmessage:\n  box: {x: ${object.box.left | int}, y: ${object.box.top "
                 "| int}}\n"),
            R"({"box":{"x":10,"y":20}})");
  EXPECT_EQ(Made("each: object\nmessage: {l: [${object.label}, a, ${object.box.top}]}\n"),
            R"({"l":["car","a",20]})");
}

TEST(YamlForms, WhatYamlWouldEndATextAt) {
  EXPECT_EQ(
      Made("each: object\nmessage:\n  a: ${object.label in [car, bus]}\n  b: x ${object.label | "
           "default: 'a: b'} # comment\n"),
      R"({"a":true,"b":"x car"})");
  EXPECT_EQ(Made("each: object\nmessage: {a: ${object.event ?? \" #1\"}}\n"), R"({"a":" #1"})");
}

TEST(YamlForms, QuotedAndBlockTextsAreAsBefore) {
  EXPECT_EQ(Made("each: object\nmessage: {a: \"${object.label}\\u00e9\", b: '${object.label}'}\n"),
            "{\"a\":\"car\xc3\xa9\",\"b\":\"car\"}");
  EXPECT_EQ(Made("each: object\nmessage:\n  a: >-\n    ${object.label}\n    {x}\n"),
            R"({"a":"car {x}"})");
  EXPECT_EQ(Made("# like ${this\neach: object\nmessage: {a: 1} # and }\n"), R"({"a":1})");
}

TEST(YamlForms, MistakesKeepTheirColumn) {
  EXPECT_THAT(Made("each: object\nmessage: {a: 1, box: {x: ${object.bax.left}}}\n"),
              HasSubstr("m.yaml:2:28: there is no value \"object.bax.left\""));
  EXPECT_THAT(Made("each: object\nmessage: {x: ${object.label}, b: [}\n"),
              HasSubstr("m.yaml:2:35: "));
}

TEST(YamlForms, ColumnsAreCharacters) {
  EXPECT_THAT(Made("message:\n  a: h\xc3\xb6he ${frame.tim}\n"), HasSubstr("m.yaml:2:13: "));
}

TEST(YamlForms, WhatWouldBeIgnoredIsRefused) {
  EXPECT_EQ(Made("message: {a: 1}\n---\nmessage: {a: 2}\n"),
            "m.yaml:3:1: a second document begins here; only one is read");
  EXPECT_EQ(Made("message:\n  <<: {a: 1}\n"),
            "m.yaml:2:3: \"<<\" (a merge key) is not supported: write the members themselves");
  EXPECT_EQ(Made("message:\n  a: !mine 3\n"),
            "m.yaml:2:6: tags (!...) are not supported: put a text in quotes");
  EXPECT_EQ(Made("---\neach: object\nmessage: {\"<<\": 1}\n...\n"), R"({"<<":1})");
}

TEST(YamlForms, CharactersForPrivateUseStay) {
  const std::string text = "a: \xEF\xA1\xB0 ${x}";
  EXPECT_EQ(ShieldExpressions(text), text);
  EXPECT_EQ(ShieldExpressions("a: ${x"), "a: ${x");
  EXPECT_EQ(ShieldExpressions("a: ${x\n}"), "a: ${x\n}");
}

}  // namespace
}  // namespace dsmsg::msgconv
