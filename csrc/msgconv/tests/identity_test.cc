// SPDX-License-Identifier: Apache-2.0
#include "msgconv/identity.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "json_check.h"

namespace dsmsg::msgconv {
namespace {

std::string NextOf(UuidGenerator* generator) {
  std::string text(UuidGenerator::kLength, '?');
  generator->Next(text.data());
  return text;
}

TEST(UuidGenerator, MakesVersionFour) {
  UuidGenerator generator;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = NextOf(&generator);
    EXPECT_TRUE(dsmsg_test::IsUuid(uuid)) << uuid;
  }
}

TEST(UuidGenerator, NeverRepeats) {
  std::set<std::string> seen;
  UuidGenerator first, second;
  for (int i = 0; i < 50000; ++i) {
    EXPECT_TRUE(seen.insert(NextOf(&first)).second);
    EXPECT_TRUE(seen.insert(NextOf(&second)).second);
  }
}

TEST(TimeFormatter, WritesRfc3339) {
  TimeFormatter formatter;
  EXPECT_EQ(formatter.Format(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(formatter.Format(1'705'314'600'000'000'000), "2024-01-15T10:30:00.000Z");
  EXPECT_EQ(formatter.Format(1'705'314'600'123'999'999), "2024-01-15T10:30:00.123Z");
  EXPECT_EQ(formatter.Format(1'705'314'600'124'000'000), "2024-01-15T10:30:00.124Z");
  EXPECT_EQ(formatter.Format(1'705'314'601'005'000'000), "2024-01-15T10:30:01.005Z");
  EXPECT_EQ(formatter.Format(951'782'400'000'000'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(formatter.Format(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(formatter.Format(UINT64_MAX).size(), 24U);
}

TEST(ParseTime, ReadsRfc3339) {
  constexpr uint64_t kNoon = 1'705'314'600'000'000'000;
  EXPECT_EQ(ParseTime("2024-01-15T10:30:00Z"), kNoon);
  EXPECT_EQ(ParseTime("2024-01-15t10:30:00"), kNoon);
  EXPECT_EQ(ParseTime("2024-01-15 10:30:00.123Z"), kNoon + 123'000'000);
  EXPECT_EQ(ParseTime("2024-01-15T10:30:00.1234567891Z"), kNoon + 123'456'789);
  EXPECT_EQ(ParseTime("2024-01-15T12:30:00+02:00"), kNoon);
  EXPECT_EQ(ParseTime("2024-01-15T05:00:00-0530"), kNoon);
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0U);
  EXPECT_EQ(ParseTime("2000-02-29T00:00:00Z"), 951'782'400'000'000'000U);
}

TEST(ParseTime, RefusesWhatIsNoTime) {
  for (const char* text : {"", "now", "2024-01-15", "2024-13-15T10:30:00Z", "2023-02-29T10:30:00Z",
                           "2024-01-15T24:30:00Z", "2024-01-15T10:30:00X", "2024-01-15T10:30:00+1",
                           "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00",
                           "9999-01-01T00:00:00Z", "2024-01-15T10:30:00Z "}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
