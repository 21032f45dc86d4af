// SPDX-License-Identifier: Apache-2.0
// An independent oracle for crossings and zones: it looks at a whole path at once, finds all
// moments at which it touches the line, and compares angles. On a grid of small whole numbers, such
// moments are far apart (1/16384 and more), so its doubles are exact enough.
#ifndef DSMSG_SPACE_TESTS_ORACLE_H_
#define DSMSG_SPACE_TESTS_ORACLE_H_

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "space/geometry.h"

namespace dsmsg::space {

inline constexpr double kTiny = 1e-9;

struct Vec {
  double x, y;
};
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y}; }
inline Vec At(Vec a, Vec b, double t) { return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t}; }
inline double Length(Vec a) { return std::hypot(a.x, a.y); }
inline Vec Of(Place p) { return {static_cast<double>(p.x), static_cast<double>(p.y)}; }

inline double DistanceTo(Vec a, Vec b, Vec p) {
  const Vec d = b - a, e = p - a;
  const double t = std::clamp((e.x * d.x + e.y * d.y) / (d.x * d.x + d.y * d.y), 0.0, 1.0);
  return Length(p - At(a, b, t));
}

class Oracle {
 public:
  explicit Oracle(std::vector<Place> line) {
    for (const Place p : line) line_.push_back(Of(p));
  }

  std::vector<Side> Crossings(const std::vector<Place>& path) const {
    std::vector<Vec> points;
    for (const Place p : path) {
      if (points.empty() || Length(Of(p) - points.back()) > kTiny) points.push_back(Of(p));
    }
    std::vector<double> moments;
    for (size_t k = 0; k + 1 < points.size(); ++k) AddMoments(points, k, &moments);
    std::sort(moments.begin(), moments.end());
    moments.erase(std::unique(moments.begin(), moments.end(),
                              [](double a, double b) { return b - a < kTiny; }),
                  moments.end());
    std::vector<Side> sides;
    for (size_t i = 0; i < moments.size(); ++i) {
      if (!On(Position(points, moments[i]))) continue;
      size_t last = i;
      while (last + 1 < moments.size() && On(Middle(points, moments, last)) &&
             On(Position(points, moments[last + 1])))
        ++last;
      const Side came =
          i == 0 ? Side::kOn : SideOf(Position(points, moments[i]), Middle(points, moments, i - 1));
      const Side leaves = last + 1 == moments.size() ? Side::kOn
                                                     : SideOf(Position(points, moments[last]),
                                                              Middle(points, moments, last));
      if (came != Side::kOn && leaves != Side::kOn && came != leaves) sides.push_back(leaves);
      i = last;
    }
    return sides;
  }

 private:
  void AddMoments(const std::vector<Vec>& points, size_t k, std::vector<double>* moments) const {
    const Vec a = points[k], d = points[k + 1] - points[k];
    const auto add = [&](double t) {
      if (t >= -kTiny && t <= 1 + kTiny) moments->push_back(static_cast<double>(k) + t);
    };
    add(0);
    add(1);
    for (size_t i = 0; i + 1 < line_.size(); ++i) {
      const Vec c = line_[i], e = line_[i + 1] - line_[i];
      const double denominator = d.x * e.y - d.y * e.x;
      if (std::abs(denominator) > kTiny) add(((c.x - a.x) * e.y - (c.y - a.y) * e.x) / denominator);
      for (const Vec end : {line_[i], line_[i + 1]})
        add(((end.x - a.x) * d.x + (end.y - a.y) * d.y) / (d.x * d.x + d.y * d.y));
    }
  }
  static Vec Position(const std::vector<Vec>& points, double moment) {
    const auto k = std::min(static_cast<size_t>(moment + kTiny), points.size() - 2);
    return At(points[k], points[k + 1], moment - static_cast<double>(k));
  }
  static Vec Middle(const std::vector<Vec>& points, const std::vector<double>& moments, size_t i) {
    return Position(points, (moments[i] + moments[i + 1]) / 2);
  }
  bool On(Vec p) const {
    for (size_t i = 0; i + 1 < line_.size(); ++i) {
      if (DistanceTo(line_[i], line_[i + 1], p) < kTiny) return true;
    }
    return false;
  }
  /// Of a point near `at`, a point of the line.
  Side SideOf(Vec at, Vec near) const {
    Vec ahead{}, behind{};
    for (size_t i = 0; i + 1 < line_.size(); ++i) {
      if (DistanceTo(line_[i], line_[i + 1], at) > kTiny) continue;
      ahead = line_[i + 1] - line_[i];
      behind = line_[i] - line_[i + 1];
      if (Length(line_[i + 1] - at) < kTiny && i + 2 < line_.size()) {
        ahead = line_[i + 2] - line_[i + 1];
      }
      break;
    }
    const Vec to = near - at;
    const auto turn = [&](Vec v) {  // clockwise as seen, from 0 to 2 pi
      double angle = std::atan2(v.y, v.x) - std::atan2(ahead.y, ahead.x);
      while (angle < -kTiny) angle += 2 * std::numbers::pi;
      return angle;
    };
    if (turn(to) < kTiny || turn(to) > 2 * std::numbers::pi - kTiny ||
        std::abs(turn(to) - turn(behind)) < kTiny)
      return Side::kOn;
    return turn(to) < turn(behind) ? Side::kRight : Side::kLeft;
  }

  std::vector<Vec> line_;
};

struct Found {
  Zone::Where where;
  double distance;  // from the border
};
/// Adds up the angles under which the sides are seen: a whole turn from inside.
inline Found LookUp(const std::vector<Place>& corners, Place place) {
  double turns = 0, distance = INFINITY;
  const Vec p = Of(place);
  for (size_t i = 0; i < corners.size(); ++i) {
    const Vec a = Of(corners[i]), b = Of(corners[(i + 1) % corners.size()]);
    distance = std::min(distance, DistanceTo(a, b, p));
    const Vec u = a - p, v = b - p;
    turns += std::atan2(u.x * v.y - u.y * v.x, u.x * v.x + u.y * v.y);
  }
  if (distance < kTiny) return {Zone::Where::kBorder, distance};
  return {std::abs(turns) > 1 ? Zone::Where::kInside : Zone::Where::kOutside, distance};
}

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_TESTS_ORACLE_H_
