// SPDX-License-Identifier: Apache-2.0
// Labels, the gate of frames and messages, the classes of the schema, and numbers in texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "msgconv/labels.h"
#include "msgconv/object_class.h"
#include "msgconv/source_gate.h"
#include "msgconv/text_parts.h"

namespace dsmsg::msgconv {
namespace {

using testing::HasSubstr;

Labels Loaded(const std::string& spec) {
  Result<Labels> labels = Labels::Load(spec);
  EXPECT_TRUE(labels.ok()) << labels.status().message();
  return labels.ok() ? labels.value() : Labels();
}

std::string TemporaryFile(std::string_view text) {
  std::string path = testing::TempDir() + "labelsXXXXXX";
  const int fd = mkstemp(path.data());
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  return path;
}

TEST(Labels, AreAList) {
  const Labels labels = Loaded("car, bicycle;person");
  EXPECT_EQ(labels.size(), 3U);
  EXPECT_EQ(labels.Name(0), "car");
  EXPECT_EQ(labels.Name(1), "bicycle");
  EXPECT_EQ(labels.Name(2), "person");
  EXPECT_EQ(labels.Name(3), "");
  EXPECT_EQ(labels.Name(-1), "");
  EXPECT_EQ(labels.Name(std::nullopt), "");
  EXPECT_TRUE(Loaded("").empty());
  EXPECT_EQ(Loaded("one").Name(0), "one");
}

TEST(Labels, AreAFile) {
  const std::string path = TemporaryFile(
      "\xEF\xBB\xBF"
      "car\r\n\nroad sign\nlast");
  const Labels labels = Loaded(path);
  EXPECT_EQ(labels.size(), 3U);
  EXPECT_EQ(labels.Name(0), "car");
  EXPECT_EQ(labels.Name(1), "road sign");
  EXPECT_EQ(labels.Name(2), "last");
  unlink(path.c_str());
}

TEST(Labels, RefuseAFileWithoutLabels) {
  const Result<Labels> labels = Labels::Load("labels.txt");
  ASSERT_FALSE(labels.ok());
  EXPECT_THAT(labels.status().message(), HasSubstr("labels.txt"));
  EXPECT_THAT(labels.status().message(), HasSubstr("or a list such as car,bicycle,person"));
  const std::string empty = TemporaryFile("\n\n");
  EXPECT_FALSE(Labels::Load(empty).ok());
  unlink(empty.c_str());
}

TEST(SourceGate, AdmitsEveryNthFrameOfEachSource) {
  SourceGate gate(3, 0);
  std::vector<bool> first, second;
  for (int i = 0; i < 7; ++i) first.push_back(gate.AdmitFrame(gate.Find(0)));
  for (int i = 0; i < 2; ++i) second.push_back(gate.AdmitFrame(gate.Find(9)));
  EXPECT_THAT(first, testing::ElementsAre(true, false, false, true, false, false, true));
  EXPECT_THAT(second, testing::ElementsAre(true, false));
}

int Admitted(SourceGate* gate, uint32_t source, int messages, uint64_t now_ns) {
  int admitted = 0;
  for (int i = 0; i < messages; ++i)
    admitted += gate->AdmitMessage(gate->Find(source), now_ns) ? 1 : 0;
  return admitted;
}

TEST(SourceGate, LimitsMessages) {
  constexpr uint64_t kSecond = 1'000'000'000;
  SourceGate gate(1, 10);
  EXPECT_EQ(Admitted(&gate, 0, 50, 5 * kSecond), 10);
  EXPECT_EQ(Admitted(&gate, 1, 50, 5 * kSecond), 10);  // a source of its own
  EXPECT_EQ(Admitted(&gate, 0, 50, 5 * kSecond + kSecond / 2), 5);
  EXPECT_EQ(Admitted(&gate, 0, 50, 60 * kSecond), 10);  // saves up one second's worth, no more
  EXPECT_EQ(gate.Find(0).limited, 40U + 45U + 40U);
  SourceGate slow(1, 0.5);
  EXPECT_EQ(Admitted(&slow, 0, 5, kSecond), 1);
  EXPECT_EQ(Admitted(&slow, 0, 5, 2 * kSecond), 0);
  EXPECT_EQ(Admitted(&slow, 0, 5, 3 * kSecond + 1000), 1);
  SourceGate open(1, 0);
  EXPECT_EQ(Admitted(&open, 0, 1000, kSecond), 1000);
}

TEST(ObjectClass, KnowsTheSchema) {
  EXPECT_EQ(ClassOf("Car").kind, ClassKind::kVehicle);
  EXPECT_EQ(ClassOf("vehicle").kind, ClassKind::kVehicle);
  EXPECT_EQ(ClassOf("PERSON").kind, ClassKind::kPerson);
  EXPECT_EQ(ClassOf("face").kind, ClassKind::kFace);
  EXPECT_EQ(ClassOf("product").kind, ClassKind::kProduct);
  EXPECT_EQ(ClassOf("roadsign").kind, ClassKind::kOther);
  EXPECT_EQ(ClassOf("").kind, ClassKind::kOther);
}

TEST(ObjectClass, FindsTheFieldOfAClassifier) {
  const ObjectClass& vehicle = ClassOf("car");
  const auto name = [&](std::string_view attribute) {
    const size_t field = FieldOf(vehicle, attribute);
    return field == kNoField ? std::string_view("-") : vehicle.fields[field].name;
  };
  EXPECT_EQ(name("color"), "color");
  EXPECT_EQ(name("Vehicle_Colour"), "color");
  EXPECT_EQ(name("license-plate"), "license");
  EXPECT_EQ(name("licenseState"), "licenseState");
  EXPECT_EQ(name("region"), "licenseState");
  EXPECT_EQ(name("type"), "type");
  EXPECT_EQ(name("vehicle-type"), "type");
  EXPECT_EQ(name("vehicle"), "-");
  EXPECT_EQ(name(""), "-");
  EXPECT_EQ(name(std::string(500, 'x')), "-");
}

std::string Short(double value) {
  std::string text = "|";
  AppendShort(&text, value);
  return text;
}

std::string Printed(double value) {
  std::array<char, 64> text;
  snprintf(text.data(), text.size(), "|%g", value);
  return text.data();
}

TEST(TextParts, ShortNumbersAreThoseOfPrintf) {
  for (const double value :
       {0.0,       -0.0,        1.0,      -1.0, 10.0,      0.5,    100.75,   0.8,      1.0 / 3,
        999999.0,  999999.4375, 999999.5, 1e6,  1234567.0, 1e-4,   9.99e-5,  0.1,      99999.95,
        9.9999996, 123456.5,    123457.5, 2.5,  1e300,     1e-300, HUGE_VAL, -HUGE_VAL}) {
    EXPECT_EQ(Short(value), Printed(value));
    const double rounded = static_cast<double>(static_cast<float>(value));
    EXPECT_EQ(Short(rounded), Printed(rounded));
  }
  std::mt19937 random(7);
  std::uniform_int_distribution<uint32_t> bits;
  std::uniform_int_distribution<int> exponent(-6, 7);
  for (int i = 0; i < 300'000; ++i) {
    const uint32_t any = bits(random);
    float value = 0;
    std::memcpy(&value, &any, sizeof(value));  // of any size
    if (i % 3 != 0) value = std::ldexp(static_cast<float>(any), exponent(random) * 3 - 32);
    // With few digits behind the point, so that halves are rounded.
    if (i % 3 == 1) value = std::round(value * 8) / 8;
    if (std::isnan(value)) continue;
    const double wide = static_cast<double>(value);
    ASSERT_EQ(Short(wide), Printed(wide));
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
