// SPDX-License-Identifier: Apache-2.0
// The reader of fields beside a plain one on RapidJSON's SAX parser: random documents and random
// damage to them.
#include "core/options/json_fields.h"

#include <gtest/gtest.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <optional>
#include <random>

#include "core/options/json_block.h"

namespace dsmsg {
namespace {

using Found = std::vector<std::optional<std::string>>;
using Path = std::vector<std::string>;

/// What the paths lead to, as simply as it can be said; a number that ends the text does not count.
class Reference : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Reference> {
 public:
  using Size = rapidjson::SizeType;
  Reference(std::string_view text, const std::vector<Path>& paths)
      : paths_(paths), found_(paths.size()), stream_(text.data(), text.size()) {
    for (size_t i = 0; i < paths.size(); ++i) hits_.push_back(i);
    rapidjson::Reader reader;
    too_big_ = reader
                   .Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag |
                          rapidjson::kParseStopWhenDoneFlag>(stream_, *this)
                   .Code() == rapidjson::kParseErrorNumberTooBig;
  }
  /// RapidJSON ended at a number that no double holds; to the reader all numbers are text.
  bool too_big() const { return too_big_; }
  const Found& found() const { return found_; }
  const std::optional<std::string>& first() const { return first_; }

  bool Null() { return Scalar(std::nullopt); }
  bool Bool(bool value) { return Scalar(value ? "true" : "false"); }
  bool RawNumber(const char* text, Size size, bool) {
    return stream_.src_ != stream_.end_ && Scalar(std::string(text, size));
  }
  bool String(const char* text, Size size, bool) { return Scalar(std::string(text, size)); }
  bool Key(const char* text, Size size, bool) {
    Next([name = std::string(text, size)](const std::string& wanted) { return wanted == name; });
    return true;
  }
  bool StartObject() { return Start(false); }
  bool StartArray() { return Start(true); }
  bool EndObject(Size) { return End(); }
  bool EndArray(Size) { return End(); }

 private:
  struct Container {
    bool array;
    std::vector<size_t> wanted;  // paths that lead into it and were not found in it yet
    uint32_t elements = 0;
  };

  template <typename Is>
  void Next(Is is) {
    hits_.clear();
    for (const size_t path : open_.back().wanted) {
      if (is(paths_[path][open_.size() - 1])) hits_.push_back(path);
    }
    for (const size_t path : hits_) std::erase(open_.back().wanted, path);
  }
  void CountElement() {
    if (open_.empty() || !open_.back().array) return;
    Next([index = open_.back().elements++](const std::string& name) {
      uint32_t number = 0;
      const char* end = name.data() + name.size();
      const auto [last, error] = std::from_chars(name.data(), end, number);
      return error == std::errc() && last == end && number == index;
    });
  }
  bool Scalar(const std::optional<std::string>& value) {
    CountElement();
    for (const size_t path : hits_) {
      if (!value || paths_[path].size() != open_.size()) continue;
      found_[path] = value;
      if (!first_) first_ = value;
    }
    hits_.clear();
    return true;
  }
  bool Start(bool array) {
    CountElement();
    std::erase_if(hits_, [&](size_t path) { return paths_[path].size() == open_.size(); });
    open_.push_back({array, hits_});
    hits_.clear();
    return true;
  }
  bool End() {
    open_.pop_back();
    return true;
  }

  const std::vector<Path>& paths_;
  Found found_;
  bool too_big_ = false;
  std::optional<std::string> first_;
  rapidjson::MemoryStream stream_;
  std::vector<Container> open_;
  std::vector<size_t> hits_;  // the paths that the next value belongs to
};

constexpr std::string_view kBytes("{}[]:,\"\\ \n\t\0\x1f\x7f-+.eE019tfnu/b\xc3\xbc", 30);

class Documents {
 public:
  explicit Documents(unsigned seed) : random_(seed) {}
  size_t Pick(size_t count) { return random_() % count; }

  std::string Document() {
    std::string text(Pick(4) == 0 ? Pick(70) : 0, ' ');
    Container(&text, 0);
    return text + (Pick(4) == 0 ? "\n" : "");
  }
  std::string Damaged(std::string text) {
    for (size_t i = 1 + Pick(3); i > 0 && !text.empty(); --i) {
      const size_t at = Pick(text.size());
      switch (Pick(4)) {
        case 0:
          text.resize(at);
          break;
        case 1:
          text.erase(at, 1 + Pick(3));
          break;
        case 2:
          text.insert(at, 1, kBytes[Pick(kBytes.size())]);
          break;
        default:
          text[at] = kBytes[Pick(kBytes.size())];
      }
    }
    return text;
  }

 private:
  void Blank(std::string* text) {
    while (Pick(6) == 0) *text += " \n\t\r"[Pick(4)];
  }
  void String(std::string* text, bool key) {
    constexpr const char* kParts[] = {
        "a",    "b",   "id",   "0", "1", "ü", "\\n", "\\u0061", "\\ud83d\\ude00", "\\\"",
        "\\\\", "\\/", "日本", "[", "}", ",", ":",   "x y",     "\\u0000"};
    *text += '"';
    if (key && Pick(8) != 0) {
      *text += kParts[Pick(5)];
    } else {
      for (size_t i = Pick(6) == 0 ? Pick(60) : Pick(4); i > 0; --i)
        *text += kParts[Pick(std::size(kParts))];
    }
    *text += '"';
  }
  void Value(std::string* text, size_t depth) {
    constexpr const char* kWords[] = {"true",
                                      "false",
                                      "null",
                                      "0",
                                      "-0",
                                      "12",
                                      "-3.25",
                                      "1e5",
                                      "1E-7",
                                      "0.5e+2",
                                      "18446744073709551616",
                                      "100000000000000000000"};
    const size_t kind = Pick(depth < 4 ? 7 : 4);
    if (kind < 2) {
      *text += kWords[Pick(std::size(kWords))];
    } else if (kind < 4) {
      String(text, false);
    } else {
      Container(text, depth);
    }
  }
  void Container(std::string* text, size_t depth) {
    const bool object = Pick(3) != 0;
    *text += object ? '{' : '[';
    Blank(text);
    for (size_t i = 0, count = Pick(5); i < count; ++i) {
      if (i > 0) *text += ',';
      Blank(text);
      if (object) {
        String(text, true);
        Blank(text);
        *text += ':';
        Blank(text);
      }
      Value(text, depth + 1);
      Blank(text);
    }
    *text += object ? '}' : ']';
  }

  std::mt19937 random_;
};

const std::vector<std::vector<Path>> kSets = {
    {{"a", "id"}, {"b"}},
    {{"id"}},
    {{"a"}, {"a", "a"}, {"a", "b"}, {"a", "b", "id"}, {"a", "0"}, {"b", "1", "a"}},
    {{"0"}, {"00"}, {"1", "0"}, {"1", "id"}, {"0", "0", "0"}, {"b", "b"}},
    {{"ü"}, {"id", "0"}, {"a\n"}, {"a", "a", "a", "a"}},
};

class SameAsSax : public testing::TestWithParam<size_t> {
 protected:
  SameAsSax() {
    for (const Path& path : paths_) {
      std::string text;
      for (const std::string& name : path) text += (text.empty() ? "" : ".") + name;
      EXPECT_TRUE(reader_.Add(text).ok());
    }
  }
  /// In memory of exactly its size, so that AddressSanitizer sees a read behind it. `damaged`: a
  /// fault may be in what no path leads to, which is passed unread: more may be found than by the
  /// parser, which ends there.
  void Compare(const std::string& text, bool damaged = false) {
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view payload(exact.data(), exact.size());
    const size_t begin = payload.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos || (payload[begin] != '{' && payload[begin] != '[')) return;
    const Reference reference(payload.substr(begin), paths_);
    if (reference.too_big()) return;
    std::vector<FieldValue> values;
    reader_.Extract(payload, &values);
    ASSERT_EQ(values.size(), paths_.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (damaged && !reference.found()[i]) continue;
      ASSERT_EQ(values[i].found ? std::optional(values[i].text) : std::nullopt,
                reference.found()[i])
          << "path " << i << " of set " << GetParam() << " in:\n"
          << text;
    }
    std::string first;
    const bool found = reader_.ExtractFirst(payload, &first);
    if (damaged && !reference.first()) return;
    ASSERT_EQ(found ? std::optional(first) : std::nullopt, reference.first()) << text;
  }

  const std::vector<Path>& paths_ = kSets[GetParam()];
  FieldReader reader_;
};

TEST_P(SameAsSax, RandomDocumentsWholeAndDamaged) {
  Documents documents(static_cast<unsigned>(GetParam()) + 1);
  for (int round = 0; round < 1500 && !HasFatalFailure(); ++round) {
    const std::string text = documents.Document();
    Compare(text);
    for (int i = 0; i < 4; ++i) Compare(documents.Damaged(text), true);
  }
}

TEST_P(SameAsSax, EveryPrefixAndEveryByte) {
  Documents documents(77);
  std::string text;
  while (text.size() < 150 || text.find('\\') == std::string::npos) text = documents.Document();
  for (size_t cut = 0; cut <= text.size() && !HasFatalFailure(); ++cut) {
    Compare(text.substr(0, cut));
    Compare(text.substr(0, cut) + std::string(documents.Pick(80), ' '));
    if (cut == text.size()) break;
    std::string changed = text;
    for (const char byte : kBytes) {
      changed[cut] = byte;
      Compare(changed, true);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(JsonFieldsTest, SameAsSax, testing::Range(size_t{0}, kSets.size()));

TEST(JsonFieldsTest, NumbersBeyondAnyRangeAreText) {
  FieldReader reader;
  ASSERT_TRUE(reader.Add("a").ok());
  ASSERT_TRUE(reader.Add("b").ok());
  std::vector<FieldValue> values;
  reader.Extract(R"({"a":1e400,"b":)" + std::string(400, '9') + "}", &values);
  EXPECT_EQ(values[0].text, "1e400");
  EXPECT_EQ(values[1].text, std::string(400, '9'));
}

TEST(JsonFieldsTest, BothWaysFindTheSameStops) {
  std::mt19937 random(5);
  char block[kJsonBlock];
  for (int round = 0; round < 20000; ++round) {
    for (char& byte : block)
      byte = static_cast<char>(round % 2 == 0 ? random() : random() % 3 + '!');
    uint64_t expected = 0;
    for (size_t i = 0; i < kJsonBlock; ++i) {
      const auto byte = static_cast<unsigned char>(block[i]);
      if (byte == '"' || byte == '\\' || byte < 0x20) expected |= uint64_t{1} << i;
    }
    ASSERT_EQ(StringStops(block), expected);
    ASSERT_EQ(StringStopsPortable(block), expected);
  }
}

TEST(JsonFieldsTest, BothWaysFindTheSameMarks) {
  std::mt19937 random(6);
  constexpr std::string_view kNear = "\"\\[]{}!#Z^z|~\x02\x1b\x5b\xdb\xfb\xfd\xa2\xdc";
  char block[kJsonBlock];
  for (int round = 0; round < 20000; ++round) {
    for (char& byte : block)
      byte = round % 2 == 0 ? static_cast<char>(random()) : kNear[random() % kNear.size()];
    JsonMarks expected;
    for (size_t i = 0; i < kJsonBlock; ++i) {
      const uint64_t bit = uint64_t{1} << i;
      if (block[i] == '"') expected.quotes |= bit;
      if (block[i] == '\\') expected.slashes |= bit;
      if (std::string_view("{}[]").find(block[i]) != std::string_view::npos) {
        expected.brackets |= bit;
      }
    }
    ASSERT_EQ(Marks(block), expected);
    ASSERT_EQ(MarksPortable(block), expected);
  }
}

// Whatever lies where in the blocks of what is skipped: quotes, brackets in strings, backslashes.
TEST(JsonFieldsTest, WhatIsSkippedEndsWhereItEnds) {
  FieldReader reader;
  ASSERT_TRUE(reader.Add("a").ok());
  constexpr std::string_view kStrings[] = {R"("}")", R"("\\")", R"("\"")", R"("\\\"]")",
                                           R"("\\\\")"};
  for (size_t before = 0; before < 3 * kJsonBlock; ++before) {
    for (const std::string_view string : kStrings) {
      const std::string text = R"({"x":{"y":[)" + std::string(before, ' ') + std::string(string) +
                               R"(,{}],"a":0},"a":"found"})";
      std::string found;
      ASSERT_TRUE(reader.ExtractFirst(text, &found)) << text;
      ASSERT_EQ(found, "found") << text;
    }
  }
}

// Nothing is looked at again and again.
TEST(JsonFieldsTest, WhatNeverEndsIsLookedAtOnce) {
  FieldReader reader;
  ASSERT_TRUE(reader.Add("a").ok());
  std::string found;
  EXPECT_FALSE(reader.ExtractFirst("{\"x\":" + std::string(3'000'000, '['), &found));
  EXPECT_FALSE(reader.ExtractFirst("{\"x\":[\"" + std::string(3'000'000, '\\'), &found));
}

}  // namespace
}  // namespace dsmsg
