// SPDX-License-Identifier: Apache-2.0
// The way of a track, with the points that matter least left out (Visvalingam's way: those that
// make the smallest triangle with their neighbours), so that it never needs more than kMost points.
// One thread at a time.
#ifndef DSMSG_SPACE_TRACK_PATH_H_
#define DSMSG_SPACE_TRACK_PATH_H_

#include <cstddef>
#include <vector>

#include "msgconv/model.h"

namespace dsmsg::space {

class TrackPath {
 public:
  static constexpr size_t kMost = 32;
  /// Shorter steps, and bends that are flatter, are no part of the way: pixels.
  static constexpr float kStep = 2;

  void Add(msgconv::Point point);
  /// From the first point to the last, without the points on straight parts.
  std::vector<msgconv::Point> Take();

 private:
  std::vector<msgconv::Point> points_;
  msgconv::Point last_;
};

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_TRACK_PATH_H_
