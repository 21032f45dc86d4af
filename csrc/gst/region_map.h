// SPDX-License-Identifier: Apache-2.0
// The mask of a segmentation (GstAnalyticsSegmentationMtd): for each of its pixels the number of
// the region that it belongs to. One thread at a time.
#ifndef DSMSG_GST_REGION_MAP_H_
#define DSMSG_GST_REGION_MAP_H_

#include <gst/gst.h>

#include <cstdint>
#include <vector>

#include "gst/analytics_api.h"
#include "msgconv/model.h"

namespace dsmsg {

class RegionMap {
 public:
  struct Region {
    guint id = 0;
    size_t index = 0;                                   // its place in the segmentation's list
    msgconv::Box box;                                   // around its pixels, in pixels of the frame
    uint32_t left = 0, top = 0, right = 0, bottom = 0;  // the same in the mask, inclusive
  };

  /// Maps the mask, which the segmentation keeps. `frame` gives the size of the picture.
  RegionMap(const AnalyticsApi& api, const AnalyticsMtd& segmentation, const msgconv::Frame& frame);
  ~RegionMap();
  RegionMap(const RegionMap&) = delete;
  RegionMap& operator=(const RegionMap&) = delete;

  /// The listed regions that have pixels, in the list's order. None if the mask cannot be read.
  std::vector<Region> Regions() const;
  /// The pixels of one region within its box, appended to the frame's masks.
  msgconv::Range MaskOf(const Region& region, msgconv::Frame* frame) const;
  /// The same of the pixels within the box that belong to any listed region but 0.
  msgconv::Range MaskWithin(const msgconv::Box& box, msgconv::Frame* frame) const;

 private:
  guint At(uint32_t x, uint32_t y) const;
  bool Listed(guint id) const { return id < index_.size() && index_[id] >= 0; }

  GstBuffer* buffer_ = nullptr;
  GstMapInfo map_{};
  const uint8_t* pixels_ = nullptr;  // nullptr: cannot be read
  size_t stride_ = 0;
  uint32_t width_ = 0, height_ = 0;
  bool wide_ = false, big_endian_ = false;
  msgconv::Box area_;           // of the frame, that the mask covers
  std::vector<int32_t> index_;  // of a region in the list, by its number; -1: not in it
};

}  // namespace dsmsg

#endif  // DSMSG_GST_REGION_MAP_H_
