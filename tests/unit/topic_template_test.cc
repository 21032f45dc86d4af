// SPDX-License-Identifier: Apache-2.0
#include "core/options/topic_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace dsmsg {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kPayload =
    R"({"sensor":{"id":"cam-1"},"place":{"id":7},"empty":"","bad":"a\u0000b\nc","größe":"ü"})";

std::string Render(std::string_view text, std::string_view topic = "T", bool complete = true) {
  const auto compiled = Template::Compile(text);
  EXPECT_TRUE(compiled.ok()) << text << ": " << compiled.status().message();
  if (!compiled.ok()) return "(error)";
  std::string out = ">";  // rendering appends
  EXPECT_EQ(compiled->Render(kPayload, topic, &out), complete) << text;
  return out.substr(1);
}

std::string Error(std::string_view text) {
  const auto compiled = Template::Compile(text);
  EXPECT_FALSE(compiled.ok()) << text;
  EXPECT_EQ(compiled.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(compiled.status().message(), HasSubstr("write ${sensor.id}"));
  return compiled.status().message();
}

TEST(TemplateTest, Fields) {
  EXPECT_EQ(Render("events/${sensor.id}"), "events/cam-1");
  EXPECT_EQ(Render("${place.id}-${sensor.id}-${place.id}"), "7-cam-1-7");
  EXPECT_EQ(Render("${topic}/${sensor.id}", "caller/topic"), "caller/topic/cam-1");
  EXPECT_EQ(Render("${größe}"), "ü");
  EXPECT_EQ(Render(""), "");
  EXPECT_EQ(Render("plain"), "plain");
}

TEST(TemplateTest, MissingFieldsAndDefaults) {
  EXPECT_EQ(Render("a/${nope}/b", "T", false), "a/unknown/b");
  EXPECT_EQ(Render("a/${nope:-dflt}/b"), "a/dflt/b");
  EXPECT_EQ(Render("a/${nope:-}/b"), "a//b");
  EXPECT_EQ(Render("${nope:-a:-b $ c}"), "a:-b $ c");
  EXPECT_EQ(Render("${sensor.id:-dflt}"), "cam-1");
  EXPECT_EQ(Render("${empty:-dflt}"), "dflt");
  EXPECT_EQ(Render("[${empty}]"), "[]");
  EXPECT_EQ(Render("${sensor}", "T", false), "unknown");
  EXPECT_EQ(Render("${topic}", "", false), "unknown");
  EXPECT_EQ(Render("${topic:-t}", ""), "t");
}

TEST(TemplateTest, DollarSigns) {
  EXPECT_EQ(Render("$$"), "$");
  EXPECT_EQ(Render("$${sensor.id}"), "${sensor.id}");
  EXPECT_EQ(Render("$$$${"), "$${");
  EXPECT_EQ(Render("$$${sensor.id}"), "$cam-1");
  EXPECT_EQ(Render("$SYS/x"), "$SYS/x");
  EXPECT_EQ(Render("end$"), "end$");
  EXPECT_EQ(Render("a}b{c"), "a}b{c");
}

TEST(TemplateTest, ErrorsNameThePosition) {
  EXPECT_THAT(Error("ab/${sensor.id"), HasSubstr("at character 4: ${ has no closing }"));
  EXPECT_THAT(Error("${"), HasSubstr("at character 1: ${ has no closing }"));
  EXPECT_THAT(Error("x${}"), HasSubstr("at character 2: there is no field name"));
  EXPECT_THAT(Error("${:-x}"), HasSubstr("at character 1: there is no field name"));
  EXPECT_THAT(Error("${a..b}"), HasSubstr("a name between two dots is empty"));
  EXPECT_THAT(Error("${.a}"), HasSubstr("empty"));
  EXPECT_THAT(Error("${ a }"), HasSubstr("not contain blanks"));
  EXPECT_THAT(Error("${a:-${b}}"), HasSubstr("inside another"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "${f" + std::to_string(i) + "}";
  EXPECT_THAT(Error(many), HasSubstr("more than 64"));
}

TEST(TemplateTest, Constant) {
  EXPECT_TRUE(Template::Compile("plain $$ text").value().constant());
  EXPECT_TRUE(Template::Compile("").value().constant());
  EXPECT_FALSE(Template::Compile("${topic}").value().constant());
  EXPECT_FALSE(Template::Compile("${a}").value().constant());
}

TEST(TemplateTest, NeedsTopic) {
  EXPECT_TRUE(Template::Compile("a/${topic}").value().needs_topic());
  EXPECT_FALSE(Template::Compile("a/${topic:-b}").value().needs_topic());
  EXPECT_FALSE(Template::Compile("a/${b}").value().needs_topic());
}

TEST(TemplateTest, ControlCharactersOfAPayloadDoNotGetThrough) {
  EXPECT_EQ(Render("${bad}"), "a_b_c");
}

TEST(TemplateTest, VeryLong) {
  const std::string text(2'000'000, 'x');
  EXPECT_EQ(Render(text + "${sensor.id}" + text), text + "cam-1" + text);
  std::string repeated, expected;
  for (int i = 0; i < 10000; ++i) {
    repeated += "${sensor.id}/";
    expected += "cam-1/";
  }
  EXPECT_EQ(Render(repeated), expected);
}

TEST(TemplateTest, RendersFromManyThreads) {
  const auto compiled = Template::Compile("${topic}/${sensor.id}/${nope:-x}");
  ASSERT_TRUE(compiled.ok());
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        results[t].clear();
        (void)compiled->Render(kPayload, "T", &results[t]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& result : results) EXPECT_EQ(result, "T/cam-1/x");
}

TEST(TemplateTest, RandomTextNeverCrashes) {
  std::mt19937 random(5);
  constexpr std::string_view kAlphabet = "${}:-.ab topic\xff/";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto i = random() % 20; i > 0; --i) text += kAlphabet[random() % kAlphabet.size()];
    const auto compiled = Template::Compile(text);
    std::string out;
    if (compiled.ok()) (void)compiled->Render(kPayload, "T", &out);
    EXPECT_TRUE(compiled.ok() || !compiled.status().message().empty());
  }
}

}  // namespace
}  // namespace dsmsg
