// SPDX-License-Identifier: Apache-2.0
#include "msgconv/json_writer.h"

#include <gmock/gmock.h>

#include <bit>
#include <charconv>
#include <limits>
#include <random>

#include "json_check.h"
#include "msgconv/utf8.h"

namespace dsmsg::msgconv {
namespace {

std::string Quoted(std::string_view text) {
  JsonWriter writer;
  writer.String(text);
  return std::string(writer.view());
}

template <class T>
std::string Numbered(T value) {
  JsonWriter writer;
  writer.Number(value);
  return std::string(writer.view());
}

constexpr char kWrong[] = "\xEF\xBF\xBD";

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(Quoted(""), R"("")");
  EXPECT_EQ(Quoted("plain / text"), R"("plain / text")");
  EXPECT_EQ(Quoted("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(Quoted(std::string_view("\0\x01\x1f\x7f", 4)), R"("\u0000\u0001\u001f\u007f")");
}

TEST(JsonWriter, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(Quoted("Zürich 東京 🚗"), "\"Zürich 東京 🚗\"");
  const std::string wrong = kWrong;
  EXPECT_EQ(Quoted("a\xFF"), "\"a" + wrong + "\"");
  EXPECT_EQ(Quoted("\xC3"), "\"" + wrong + "\"");  // cut short
  EXPECT_EQ(Quoted("\xE6\x9D"
                   "b"),
            "\"" + wrong + wrong + "b\"");                                 // cut short
  EXPECT_EQ(Quoted("\xC0\xAF"), "\"" + wrong + wrong + "\"");              // overlong
  EXPECT_EQ(Quoted("\xE0\x80\x80"), "\"" + wrong + wrong + wrong + "\"");  // overlong
  EXPECT_EQ(Quoted("\xED\xA0\x80"), "\"" + wrong + wrong + wrong + "\"");  // surrogate
  EXPECT_EQ(Quoted("\xF4\x90\x80\x80"),
            "\"" + wrong + wrong + wrong + wrong + "\"");  // beyond U+10FFFF
  EXPECT_EQ(Quoted("\x80"), "\"" + wrong + "\"");
}

TEST(Utf8, IsRepaired) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("Zürich 東京 🚗"));
  EXPECT_FALSE(IsUtf8("a\xFF"));
  EXPECT_FALSE(IsUtf8("\xC3"));
  EXPECT_EQ(Repaired("a\xFFü\xC3"), std::string("a") + kWrong + "ü" + kWrong);
  EXPECT_EQ(Repaired("\xED\xA0\x80"), std::string(kWrong) + kWrong + kWrong);
}

TEST(JsonWriter, WritesValidJsonForAnyBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string json = Quoted(bytes);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
    ASSERT_FALSE(document.HasParseError()) << round;
    ASSERT_TRUE(document.IsString());
  }
}

TEST(JsonWriter, NumbersAreShort) {
  EXPECT_EQ(Numbered(0.0), "0");
  EXPECT_EQ(Numbered(-0.0), "0");
  EXPECT_EQ(Numbered(100.0), "100");
  EXPECT_EQ(Numbered(-17.0F), "-17");
  EXPECT_EQ(Numbered(1e6F), "1000000");
  EXPECT_EQ(Numbered(0.95F), "0.95");
  EXPECT_EQ(Numbered(0.1), "0.1");
  EXPECT_EQ(Numbered(45.293701), "45.293701");
  EXPECT_EQ(Numbered(uint64_t{18446744073709551615U}), "18446744073709551615");
  EXPECT_EQ(Numbered(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
}

TEST(JsonWriter, NeverWritesNanOrInfinity) {
  EXPECT_EQ(Numbered(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(Numbered(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(Numbered(-std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonWriter, EveryNumberReadsBackAsItself) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100000; ++round) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string json = Numbered(value);
    double back = 0;
    std::from_chars(json.data(), json.data() + json.size(), back);
    ASSERT_EQ(back, value) << json;
    ASSERT_FALSE(dsmsg_test::ParseJson(json).HasParseError());
  }
}

TEST(JsonWriter, GrowsOverManyPieces) {
  JsonWriter writer;
  std::string expected;
  for (int i = 0; i < 20000; ++i) {
    writer.Raw("ab,");
    writer.Number(i);
    expected += "ab," + std::to_string(i);
  }
  EXPECT_EQ(writer.view(), expected);
  writer.Clear();
  EXPECT_EQ(writer.view(), "");
  writer.Raw('x');
  EXPECT_EQ(writer.view(), "x");
}

}  // namespace
}  // namespace dsmsg::msgconv
