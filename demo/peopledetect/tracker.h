// SPDX-License-Identifier: Apache-2.0
// Gives people the number that they had in the frame before: the nearest one whose box overlaps.
// As simple as a tracker can be, for the example. One thread.
#ifndef DSMSG_DEMO_PEOPLEDETECT_TRACKER_H_
#define DSMSG_DEMO_PEOPLEDETECT_TRACKER_H_

#include <algorithm>
#include <opencv2/core.hpp>
#include <vector>

class Tracker {
 public:
  /// The numbers of these boxes, all different.
  std::vector<int> Follow(const std::vector<cv::Rect>& boxes) {
    struct Pair {
      double overlap;
      size_t box, track;
    };
    std::vector<Pair> pairs;
    for (size_t i = 0; i < boxes.size(); ++i) {
      for (size_t j = 0; j < tracks_.size(); ++j) {
        const double overlap = Overlap(boxes[i], tracks_[j].box);
        if (overlap > kLeastOverlap) pairs.push_back({overlap, i, j});
      }
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const Pair& a, const Pair& b) { return a.overlap > b.overlap; });
    std::vector<int> numbers(boxes.size(), -1);
    for (Track& track : tracks_) ++track.missing;
    for (const Pair& pair : pairs) {
      Track& track = tracks_[pair.track];
      if (numbers[pair.box] >= 0 || track.missing == 0) continue;
      track.box = boxes[pair.box];
      track.missing = 0;
      numbers[pair.box] = track.number;
    }
    tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(),
                                 [](const Track& track) { return track.missing > kPatience; }),
                  tracks_.end());
    for (size_t i = 0; i < boxes.size(); ++i) {
      if (numbers[i] >= 0) continue;
      numbers[i] = next_++;
      tracks_.push_back({boxes[i], numbers[i], 0});
    }
    return numbers;
  }

 private:
  struct Track {
    cv::Rect box;
    int number;
    int missing;  // frames
  };
  static constexpr double kLeastOverlap = 0.2;
  static constexpr int kPatience = 10;

  static double Overlap(const cv::Rect& a, const cv::Rect& b) {
    const int common = (a & b).area();
    return static_cast<double>(common) / (a.area() + b.area() - common);
  }

  std::vector<Track> tracks_;
  int next_ = 1;
};

#endif  // DSMSG_DEMO_PEOPLEDETECT_TRACKER_H_
