// SPDX-License-Identifier: Apache-2.0
// Lines and zones against the oracle.
#include "space/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "oracle.h"

namespace dsmsg::space {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Side> Follow(const Line& line, const std::vector<Place>& path) {
  std::vector<Side> sides;
  Contact contact = Contact::kNone;
  for (size_t i = 0; i + 1 < path.size(); ++i) line.Follow(path[i], path[i + 1], &contact, &sides);
  return sides;
}

constexpr Side kRight = Side::kRight, kLeft = Side::kLeft;

// To the right, so that its right-hand side is below.
const Line kFlat({{0, 4}, {8, 4}});

TEST(SpaceLine, IsCrossedToEitherSide) {
  EXPECT_THAT(Follow(kFlat, {{4, 0}, {4, 8}}), ElementsAre(kRight));
  EXPECT_THAT(Follow(kFlat, {{4, 8}, {4, 0}}), ElementsAre(kLeft));
  EXPECT_THAT(Follow(kFlat, {{4, 0}, {4, 8}, {5, 0}}), ElementsAre(kRight, kLeft));
}

TEST(SpaceLine, IsNotCrossedBesideItsEnds) {
  EXPECT_THAT(Follow(kFlat, {{9, 0}, {9, 8}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{-1, 0}, {-1, 8}, {4, 8}}), IsEmpty());
}

TEST(SpaceLine, AtItsVeryEndIsCrossed) {
  EXPECT_THAT(Follow(kFlat, {{8, 0}, {8, 8}}), ElementsAre(kRight));
  EXPECT_THAT(Follow(kFlat, {{-2, 8}, {2, 0}}), ElementsAre(kLeft));
}

TEST(SpaceLine, IsNotCrossedByATouch) {
  EXPECT_THAT(Follow(kFlat, {{2, 0}, {4, 4}, {6, 0}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{2, 8}, {4, 4}, {5, 4}, {6, 8}}), IsEmpty());
}

TEST(SpaceLine, IsCrossedOnceHoweverLongThePathStaysOnIt) {
  EXPECT_THAT(Follow(kFlat, {{2, 0}, {3, 4}, {3, 4}, {5, 4}, {4, 4}, {6, 8}}), ElementsAre(kRight));
  EXPECT_THAT(Follow(kFlat, {{2, 8}, {3, 4}, {6, 4}, {6, 0}}), ElementsAre(kLeft));
}

TEST(SpaceLine, IsNotCrossedByAPathThatBeginsOrEndsOnIt) {
  EXPECT_THAT(Follow(kFlat, {{4, 4}, {4, 8}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{4, 0}, {4, 4}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{4, 4}, {4, 8}, {4, 0}}), ElementsAre(kLeft));
}

TEST(SpaceLine, IsNotCrossedAlongIt) {
  EXPECT_THAT(Follow(kFlat, {{-4, 4}, {12, 4}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{2, 0}, {2, 4}, {12, 4}, {12, 8}}), IsEmpty());
  EXPECT_THAT(Follow(kFlat, {{-4, 4}, {4, 4}, {4, 8}}), IsEmpty());
}

TEST(SpaceLine, IsCrossedOnceThroughACorner) {
  const Line corner({{0, 0}, {4, 4}, {0, 8}});
  EXPECT_THAT(Follow(corner, {{0, 4}, {8, 4}}), ElementsAre(kLeft));
  EXPECT_THAT(Follow(corner, {{8, 4}, {4, 4}, {0, 4}}), ElementsAre(kRight));
  EXPECT_THAT(Follow(corner, {{4, 0}, {4, 8}}), IsEmpty());  // grazes the corner
}

TEST(SpaceLine, IsCrossedTwiceInOneStep) {
  const Line bend({{0, 0}, {4, 8}, {8, 0}});
  EXPECT_THAT(Follow(bend, {{-1, 4}, {9, 4}}), ElementsAre(kLeft, kRight));
}

/// A random line that does not touch itself, of up to five parts.
Line RandomLine(std::mt19937* random, std::vector<Place>* points) {
  std::uniform_int_distribution<int> coordinate(0, 8), count(2, 6);
  do {
    points->assign(static_cast<size_t>(count(*random)), {});
    for (Place& p : *points) p = {coordinate(*random), coordinate(*random)};
  } while (Touches(*points, false));
  return Line(*points);
}

TEST(SpaceLine, AgreesWithTheOracle) {
  std::mt19937 random(20);
  std::uniform_int_distribution<int> coordinate(-1, 9), count(2, 12), pause(0, 5);
  size_t crossings = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Place> points, path;
    const Line line = RandomLine(&random, &points);
    for (int i = count(random); i > 0; --i) {
      path.push_back({coordinate(random), coordinate(random)});
      if (pause(random) == 0) path.push_back(path.back());
      if (pause(random) == 0) path.push_back(points[static_cast<size_t>(i) % points.size()]);
    }
    const auto expected = Oracle(points).Crossings(path);
    crossings += expected.size();
    std::string text = "line";
    for (const Place p : points) text += " " + std::to_string(p.x) + "," + std::to_string(p.y);
    text += " path";
    for (const Place p : path) text += " " + std::to_string(p.x) + "," + std::to_string(p.y);
    ASSERT_EQ(Follow(line, path), expected) << text;
  }
  EXPECT_GT(crossings, 15'000U);
}

TEST(SpaceLine, AgreesWithTheOracleAlongIt) {
  // On a smaller grid, most steps touch the line.
  std::mt19937 random(21);
  std::uniform_int_distribution<int> coordinate(0, 3), count(2, 10);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Place> points, path;
    do {
      points.assign(static_cast<size_t>(count(random)) / 2 + 1, {});
      for (Place& p : points) p = {coordinate(random), coordinate(random)};
    } while (Touches(points, false));
    for (int i = count(random); i > 0; --i)
      path.push_back({coordinate(random), coordinate(random)});
    std::string text = "line";
    for (const Place p : points) text += " " + std::to_string(p.x) + "," + std::to_string(p.y);
    text += " path";
    for (const Place p : path) text += " " + std::to_string(p.x) + "," + std::to_string(p.y);
    ASSERT_EQ(Follow(Line(points), path), Oracle(points).Crossings(path)) << text;
  }
}

TEST(SpaceLine, IsTheSameFarAway) {
  const int64_t far = static_cast<int64_t>(kFarthest) * kUnits;
  const Line line({{-far, far - 1}, {far, -far}});
  EXPECT_THAT(Follow(line, {{-far, -far}, {far, far}, {-far, -far}}), ElementsAre(kRight, kLeft));
}

TEST(SpaceLine, TouchesItself) {
  const std::vector<Place> crossed = {{0, 0}, {4, 4}, {4, 0}, {0, 4}},
                           back = {{0, 0}, {4, 0}, {2, 0}}, twice = {{0, 0}, {0, 0}},
                           closed = {{0, 0}, {4, 0}, {4, 4}, {0, 0}},
                           fine = {{0, 0}, {4, 0}, {4, 4}};
  EXPECT_EQ(Touches(crossed, false), 0U);
  EXPECT_EQ(Touches(back, false), 0U);
  EXPECT_EQ(Touches(twice, false), 0U);
  EXPECT_EQ(Touches(closed, false), 0U);
  EXPECT_EQ(Touches(fine, false), std::nullopt);
  EXPECT_EQ(Touches(fine, true), std::nullopt);
}

TEST(SpaceZone, AgreesWithTheOracle) {
  std::mt19937 random(22);
  std::uniform_int_distribution<int> coordinate(0, 6), count(3, 7);
  for (int round = 0; round < 3'000; ++round) {
    std::vector<Place> corners;
    do {
      corners.assign(static_cast<size_t>(count(random)), {});
      for (Place& p : corners) p = {coordinate(random), coordinate(random)};
    } while (Touches(corners, true));
    const Zone zone(corners);
    for (int x = -1; x <= 7; ++x) {
      for (int y = -1; y <= 7; ++y) {
        const auto [expected, distance] = LookUp(corners, {x, y});
        ASSERT_EQ(zone.Find({x, y}), expected) << x << "," << y << " in round " << round;
        ASSERT_NEAR(zone.Distance({x, y}) * static_cast<double>(kUnits), distance, 1e-6);
      }
    }
  }
}

TEST(SpacePlace, IsNoPlaceWithoutNumbers) {
  EXPECT_EQ(PlaceOf(NAN, 1), std::nullopt);
  EXPECT_EQ(PlaceOf(1.5, -0.25), (Place{384, -64}));
  EXPECT_EQ(PlaceOf(INFINITY, 0)->x, static_cast<int64_t>(kFarthest) * kUnits);
}

}  // namespace
}  // namespace dsmsg::space
