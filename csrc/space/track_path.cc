// SPDX-License-Identifier: Apache-2.0
#include "space/track_path.h"

#include <cmath>
#include <utility>

namespace dsmsg::space {
namespace {

using msgconv::Point;

/// Twice the area of the triangle.
float AreaOf(Point a, Point b, Point c) {
  return std::abs((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x));
}

/// How far the middle point is from the straight way between its neighbours.
float BendOf(Point a, Point b, Point c) {
  const float length = std::hypot(c.x - a.x, c.y - a.y);
  return length > 0 ? AreaOf(a, b, c) / length : std::hypot(b.x - a.x, b.y - a.y);
}

size_t LeastImportant(const std::vector<Point>& points) {
  size_t least = 1;
  float area = INFINITY;
  for (size_t i = 1; i + 1 < points.size(); ++i) {
    const float own = AreaOf(points[i - 1], points[i], points[i + 1]);
    if (own < area) {
      area = own;
      least = i;
    }
  }
  return least;
}

}  // namespace

void TrackPath::Add(Point point) {
  if (!std::isfinite(point.x) || !std::isfinite(point.y)) return;
  last_ = point;
  if (!points_.empty() &&
      std::hypot(point.x - points_.back().x, point.y - points_.back().y) < kStep)
    return;
  points_.push_back(point);
  // One place is for the last point, which is always part of the way.
  if (points_.size() >= kMost)
    points_.erase(points_.begin() + static_cast<ptrdiff_t>(LeastImportant(points_)));
}

std::vector<Point> TrackPath::Take() {
  std::vector<Point> points = std::exchange(points_, {});
  if (points.empty()) return points;
  if (points.back().x != last_.x || points.back().y != last_.y) points.push_back(last_);
  while (points.size() > 2) {
    const size_t least = LeastImportant(points);
    if (BendOf(points[least - 1], points[least], points[least + 1]) >= kStep) break;
    points.erase(points.begin() + static_cast<ptrdiff_t>(least));
  }
  return points;
}

}  // namespace dsmsg::space
