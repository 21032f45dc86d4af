// SPDX-License-Identifier: Apache-2.0
// Crossings of lines and places in zones, exactly: coordinates are whole numbers, so no answer
// depends on rounding. Pure functions and values: any thread.
//
// A path crosses a line where it comes from one side and leaves to the other, however long it was
// on the line in between. It does not cross where it touches the line and returns to the side that
// it came from, where it began on the line, or where it leaves or reaches the line along it,
// beyond its end. At the very end of a line the sides are those of the line drawn further.
#ifndef DSMSG_SPACE_GEOMETRY_H_
#define DSMSG_SPACE_GEOMETRY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dsmsg::space {

/// In parts of a pixel, kUnits for each; x to the right, y down.
struct Place {
  int64_t x = 0, y = 0;
  friend bool operator==(const Place&, const Place&) = default;
};
inline constexpr int64_t kUnits = 256;
/// Places are at most so far from the picture's corner, in pixels: products fit 64 bits.
inline constexpr double kFarthest = 1 << 20;

/// nullopt: not a number. Places beyond kFarthest are moved there.
std::optional<Place> PlaceOf(double x, double y);

/// Seen by someone who looks along the line, from its first point to its last.
enum class Side : int8_t { kLeft = -1, kOn = 0, kRight = 1 };

/// The smallest rectangle around points.
struct Bounds {
  Place low{INT64_MAX, INT64_MAX}, high{INT64_MIN, INT64_MIN};
  void Add(Place place);
};

/// What is remembered of a path that ends on the line: the side that it came from.
enum class Contact : uint8_t { kNone, kFromLeft, kFromRight, kFromNowhere };

/// Points joined by straight parts. It does not touch itself (see Touches).
class Line {
 public:
  explicit Line(std::vector<Place> points);

  /// Follows a straight step of a path. `contact`: of its beginning; becomes that of its end.
  /// Appends to `sides` the side that each crossing leads to, in the path's order.
  void Follow(Place from, Place to, Contact* contact, std::vector<Side>* sides) const;
  /// From the nearest point of the line, pixels.
  double Distance(Place place) const;
  std::span<const Place> points() const { return points_; }

 private:
  Side SideAt(size_t part, bool at_first, bool at_last, Place direction) const;

  std::vector<Place> points_;
  Bounds bounds_;
};

/// A closed polygon that does not touch itself. Its border belongs to neither side.
class Zone {
 public:
  enum class Where : int8_t { kOutside, kBorder, kInside };

  explicit Zone(std::vector<Place> corners);

  Where Find(Place place) const;
  /// From the nearest point of its border, pixels.
  double Distance(Place place) const;
  const Bounds& bounds() const { return bounds_; }

 private:
  std::vector<Place> corners_;
  Bounds bounds_;
};

/// The first part of the line (or, closed, of the polygon) that touches another one otherwise than
/// by their common end, or has no length; nullopt: none.
std::optional<size_t> Touches(std::span<const Place> points, bool closed);

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_GEOMETRY_H_
