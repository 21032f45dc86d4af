// SPDX-License-Identifier: Apache-2.0
#include "space/geometry.h"

#include <algorithm>
#include <cmath>

namespace dsmsg::space {
namespace {

__extension__ typedef __int128 Wide;

int SignOf(int64_t value) { return (value > 0) - (value < 0); }
Place Minus(Place a, Place b) { return {a.x - b.x, a.y - b.y}; }
int64_t Cross(Place a, Place b) { return a.x * b.y - a.y * b.x; }
int64_t Dot(Place a, Place b) { return a.x * b.x + a.y * b.y; }
/// Above 0: right of the straight line from a to b.
int64_t Cross(Place a, Place b, Place c) { return Cross(Minus(b, a), Minus(c, a)); }

/// Where on a step, from 0 to 1; the denominator is above 0.
struct Moment {
  int64_t numerator = 0, denominator = 1;
  friend bool operator==(Moment a, Moment b) {
    return Wide{a.numerator} * b.denominator == Wide{b.numerator} * a.denominator;
  }
  friend bool operator<(Moment a, Moment b) {
    return Wide{a.numerator} * b.denominator < Wide{b.numerator} * a.denominator;
  }
};
constexpr Moment kBegin{0, 1}, kEnd{1, 1};

/// While a step is on one part of a line.
struct Touch {
  size_t part = 0;
  Moment begin, end;
  // Whether the step is then at the first or the last point of the part.
  bool begin_first = false, begin_last = false, end_first = false, end_last = false;
};

bool Opposite(int64_t a, int64_t b) { return SignOf(a) * SignOf(b) <= 0; }

/// A step that runs along the part.
std::optional<Touch> TouchAlong(size_t part, Place first, Place last, Place from, Place to) {
  const Place step = Minus(to, from);
  const int64_t length = Dot(step, step);
  const Moment at_first{Dot(Minus(first, from), step), length};
  const Moment at_last{Dot(Minus(last, from), step), length};
  Touch touch{part, std::min(at_first, at_last), std::max(at_first, at_last)};
  if (touch.begin < kBegin) touch.begin = kBegin;
  if (kEnd < touch.end) touch.end = kEnd;
  if (touch.end < touch.begin) return std::nullopt;
  touch.begin_first = touch.begin == at_first;
  touch.begin_last = touch.begin == at_last;
  touch.end_first = touch.end == at_first;
  touch.end_last = touch.end == at_last;
  return touch;
}

std::optional<Touch> TouchOf(size_t part, Place first, Place last, Place from, Place to) {
  const int64_t side_from = Cross(first, last, from), side_to = Cross(first, last, to);
  if (!Opposite(side_from, side_to)) return std::nullopt;
  if (side_from == 0 && side_to == 0) return TouchAlong(part, first, last, from, to);
  const int64_t side_first = Cross(from, to, first), side_last = Cross(from, to, last);
  if (!Opposite(side_first, side_last)) return std::nullopt;
  Moment moment{side_from, side_from - side_to};
  if (moment.denominator < 0) moment = {-moment.numerator, -moment.denominator};
  const bool at_first = side_first == 0, at_last = side_last == 0;
  return Touch{part, moment, moment, at_first, at_last, at_first, at_last};
}

bool Disjoint(const Bounds& bounds, Place from, Place to) {
  return std::max(from.x, to.x) < bounds.low.x || std::min(from.x, to.x) > bounds.high.x ||
         std::max(from.y, to.y) < bounds.low.y || std::min(from.y, to.y) > bounds.high.y;
}

/// From the part between two points, in units.
double DistanceTo(Place first, Place last, Place place) {
  const Place part = Minus(last, first), to = Minus(place, first);
  const auto length = static_cast<double>(Dot(part, part));
  const double along = std::clamp(static_cast<double>(Dot(to, part)) / length, 0.0, 1.0);
  return std::hypot(static_cast<double>(to.x) - along * static_cast<double>(part.x),
                    static_cast<double>(to.y) - along * static_cast<double>(part.y));
}

Contact ContactFrom(Side side) {
  if (side == Side::kOn) return Contact::kFromNowhere;
  return side == Side::kLeft ? Contact::kFromLeft : Contact::kFromRight;
}

Side SideFrom(Contact contact) {
  if (contact == Contact::kFromLeft) return Side::kLeft;
  return contact == Contact::kFromRight ? Side::kRight : Side::kOn;
}

}  // namespace

std::optional<Place> PlaceOf(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  const auto units = [](double value) {
    return static_cast<int64_t>(
        std::llround(std::clamp(value, -kFarthest, kFarthest) * double{kUnits}));
  };
  return Place{units(x), units(y)};
}

void Bounds::Add(Place place) {
  low = {std::min(low.x, place.x), std::min(low.y, place.y)};
  high = {std::max(high.x, place.x), std::max(high.y, place.y)};
}

Line::Line(std::vector<Place> points) : points_(std::move(points)) {
  for (const Place place : points_) bounds_.Add(place);
}

/// Which side of the line a direction leads to, from a point of that part.
Side Line::SideAt(size_t part, bool at_first, bool at_last, Place direction) const {
  const size_t at = at_last ? part + 1 : part;
  Place ahead = Minus(points_[part + 1], points_[part]);
  Place behind = {-ahead.x, -ahead.y};
  if (at_first || at_last) {
    // A corner lies between two parts; an end is in the middle of a longer line.
    if (at + 1 < points_.size()) ahead = Minus(points_[at + 1], points_[at]);
    behind = at > 0 ? Minus(points_[at - 1], points_[at]) : Place{-ahead.x, -ahead.y};
  }
  const int64_t from_ahead = Cross(ahead, direction), to_behind = Cross(direction, behind);
  if (from_ahead == 0 && Dot(ahead, direction) > 0) return Side::kOn;
  if (to_behind == 0 && Dot(behind, direction) > 0) return Side::kOn;
  const int64_t turn = Cross(ahead, behind);
  bool right = from_ahead > 0;
  if (turn > 0) right = from_ahead > 0 && to_behind > 0;
  if (turn < 0) right = from_ahead > 0 || to_behind > 0;
  return right ? Side::kRight : Side::kLeft;
}

void Line::Follow(Place from, Place to, Contact* contact, std::vector<Side>* sides) const {
  if (from == to) return;
  const Contact before = *contact;
  *contact = Contact::kNone;
  if (Disjoint(bounds_, from, to)) return;
  thread_local std::vector<Touch> touches;  // kept for its memory
  touches.clear();
  for (size_t part = 0; part + 1 < points_.size(); ++part) {
    if (const auto touch = TouchOf(part, points_[part], points_[part + 1], from, to))
      touches.push_back(*touch);
  }
  std::sort(touches.begin(), touches.end(), [](const Touch& a, const Touch& b) {
    return a.begin == b.begin ? a.end < b.end : a.begin < b.begin;
  });
  const Place step = Minus(to, from), back = Minus(from, to);
  for (size_t i = 0; i < touches.size();) {
    const Touch& first = touches[i];
    size_t last = i;
    // Parts that meet at a corner are touched without a pause.
    while (last + 1 < touches.size() && touches[last + 1].begin == touches[last].end) ++last;
    const Touch& end = touches[last];
    i = last + 1;
    const Side came = first.begin == kBegin
                          ? SideFrom(before)
                          : SideAt(first.part, first.begin_first, first.begin_last, back);
    if (end.end == kEnd) {
      *contact = ContactFrom(came);
      return;
    }
    const Side leaves = SideAt(end.part, end.end_first, end.end_last, step);
    if (came != Side::kOn && leaves != Side::kOn && came != leaves) sides->push_back(leaves);
  }
}

double Line::Distance(Place place) const {
  double nearest = INFINITY;
  for (size_t i = 0; i + 1 < points_.size(); ++i)
    nearest = std::min(nearest, DistanceTo(points_[i], points_[i + 1], place));
  return nearest / double{kUnits};
}

Zone::Zone(std::vector<Place> corners) : corners_(std::move(corners)) {
  for (const Place place : corners_) bounds_.Add(place);
}

Zone::Where Zone::Find(Place place) const {
  if (Disjoint(bounds_, place, place)) return Where::kOutside;
  // Counts the sides that a ray to the right crosses.
  bool inside = false;
  for (size_t i = 0; i < corners_.size(); ++i) {
    const Place a = corners_[i], b = corners_[i + 1 < corners_.size() ? i + 1 : 0];
    const int64_t side = Cross(a, b, place);
    if (side == 0 && Dot(Minus(a, place), Minus(b, place)) <= 0) return Where::kBorder;
    if ((a.y > place.y) == (b.y > place.y)) continue;
    if ((side > 0) == (b.y > a.y)) inside = !inside;
  }
  return inside ? Where::kInside : Where::kOutside;
}

double Zone::Distance(Place place) const {
  double nearest = INFINITY;
  for (size_t i = 0; i < corners_.size(); ++i) {
    const Place next = corners_[i + 1 < corners_.size() ? i + 1 : 0];
    nearest = std::min(nearest, DistanceTo(corners_[i], next, place));
  }
  return nearest / double{kUnits};
}

std::optional<size_t> Touches(std::span<const Place> points, bool closed) {
  const size_t parts = closed ? points.size() : points.size() - 1;
  const auto at = [&](size_t i) { return points[i % points.size()]; };
  for (size_t i = 0; i < parts; ++i) {
    if (at(i) == at(i + 1)) return i;
    for (size_t j = i + 1; j < parts; ++j) {
      const bool next = j == i + 1, before = closed && i == 0 && j + 1 == parts;
      const auto touch =
          at(j) == at(j + 1) ? std::nullopt : TouchOf(j, at(j), at(j + 1), at(i), at(i + 1));
      if (!touch) continue;
      // Neighbours share exactly one point.
      if (touch->begin == touch->end && (next || before)) {
        if (next && touch->begin == kEnd) continue;
        if (before && touch->begin == kBegin) continue;
      }
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace dsmsg::space
