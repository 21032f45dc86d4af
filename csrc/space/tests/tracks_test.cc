// SPDX-License-Identifier: Apache-2.0
// Synthetic tracks through the whole engine against the oracle: ids that are lost and found again,
// frames without them, jumps, pauses on the line.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "oracle.h"
#include "scene.h"

namespace dsmsg::space {
namespace {

constexpr int kFrames = 40;
constexpr uint64_t kIds = 4;

std::string Points(const std::vector<Place>& points) {
  std::string text;
  for (const Place p : points) {
    text += (text.empty() ? "[[" : ", [") + std::to_string(p.x) + ", " + std::to_string(p.y) + "]";
  }
  return text + "]";
}

class Tracks : public testing::TestWithParam<unsigned> {
 protected:
  std::vector<Place> Shape(int least, int most, bool closed) {
    std::vector<Place> points;
    do {
      points.assign(static_cast<size_t>(Draw(least, most)), {});
      for (Place& p : points) p = {Draw(0, 8), Draw(0, 8)};
    } while (Touches(points, closed));
    return points;
  }
  int Draw(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }

  std::mt19937 random_{GetParam()};
};

TEST_P(Tracks, AgreeWithTheOracle) {
  for (int round = 0; round < 100; ++round) {
    const auto line = Shape(2, 5, false), zone = Shape(3, 6, true);
    Scene scene("lost-after: 1\nsources: {0: {lines: {line: {points: " + Points(line) +
                "}}, zones: {zone: {points: " + Points(zone) + "}}}}");
    const Oracle oracle(line);
    // The whole path of each track, and what is known of it at the frame at hand.
    struct Known {
      std::vector<Place> path;
      int seen = 0;
      bool inside = false;
    };
    std::map<uint64_t, Known> open;
    int64_t right = 0, left = 0;
    const auto close = [&](const Known& known) {
      for (const Side side : oracle.Crossings(known.path)) ++(side == Side::kRight ? right : left);
    };
    std::string story;
    for (int frame = 0; frame < kFrames; ++frame) {
      std::vector<Scene::Seen> objects;
      for (uint64_t id = 0; id < kIds; ++id) {
        // Often there for a while, then away for a while, and now and then for good.
        if ((frame / 4 * 7 + static_cast<int>(id) * 5) % 6 == 0 || Draw(0, 4) == 0) continue;
        const Place place{Draw(-1, 9), Draw(-1, 9)};
        objects.push_back({id, static_cast<float>(place.x), static_cast<float>(place.y)});
        Known& known = open[id];
        if (known.path.empty() || !(known.path.back() == place)) known.path.push_back(place);
        known.seen = frame;
        const auto where = LookUp(zone, place).where;
        if (where != Zone::Where::kBorder) known.inside = where == Zone::Where::kInside;
        story += " " + std::to_string(id) + ":" + std::to_string(place.x) + "," +
                 std::to_string(place.y);
      }
      story += ";";
      scene.Apply(frame * 0.25, objects);
      for (auto at = open.begin(); at != open.end();) {
        const bool lost = frame - at->second.seen >= 4;
        if (lost) close(at->second);
        at = lost ? open.erase(at) : std::next(at);
      }
      int64_t inside = 0;
      for (const auto& [id, known] : open) inside += known.inside ? 1 : 0;
      ASSERT_EQ(scene.In("zone"), inside)
          << "frame " << frame << ", zone " << Points(zone) << story;
      ASSERT_EQ(scene.engine().tracks(), open.size());
    }
    std::multiset<std::string> leaves;
    for (const auto& [id, known] : open) {
      close(known);
      if (known.inside) leaves.insert(std::to_string(id) + " zone-leave zone");
    }
    const auto told = scene.End();
    ASSERT_EQ(std::multiset(told.begin(), told.end()), leaves) << "zone " << Points(zone) << story;
    ASSERT_EQ(scene.In("zone"), 0);
    ASSERT_EQ(scene.engine().tracks(), 0U);
    ASSERT_EQ(scene.Total("line.right"), right) << "line " << Points(line) << story;
    ASSERT_EQ(scene.Total("line.left"), left) << "line " << Points(line) << story;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Tracks, testing::Range(0U, 25U));

}  // namespace
}  // namespace dsmsg::space
