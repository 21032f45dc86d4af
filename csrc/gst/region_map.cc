// SPDX-License-Identifier: Apache-2.0
#include "gst/region_map.h"

#include <gst/video/video.h>

#include <algorithm>
#include <cmath>

namespace dsmsg {
namespace {

using msgconv::Box;
using msgconv::Frame;
using msgconv::Range;

// A mask that is to be finer than this is made coarser.
constexpr float kMostPixels = 2048;

/// Appends a mask of the pixels for which `is_set(x, y)`.
template <class IsSet>
Range AddMask(uint32_t width, uint32_t height, Frame* frame, IsSet is_set) {
  msgconv::Mask mask{width, height, {static_cast<uint32_t>(frame->runs.size()), 0}};
  bool set = false;
  uint32_t length = 0;
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      if (is_set(x, y) != set) {
        frame->runs.push_back(length);
        length = 0;
        set = !set;
      }
      ++length;
    }
  }
  frame->runs.push_back(length);
  mask.runs.count = static_cast<uint32_t>(frame->runs.size()) - mask.runs.first;
  frame->masks.push_back(mask);
  return {static_cast<uint32_t>(frame->masks.size() - 1), 1};
}

uint32_t GridSize(float size, float scale) {
  return static_cast<uint32_t>(std::clamp(std::round(size * scale), 1.0F, kMostPixels));
}

}  // namespace

RegionMap::RegionMap(const AnalyticsApi& api, const AnalyticsMtd& segmentation,
                     const Frame& frame) {
  gint left = 0, top = 0;
  guint width = 0, height = 0;
  buffer_ = api.mask(&segmentation, &left, &top, &width, &height);
  if (buffer_ == nullptr) return;
  area_ = {static_cast<float>(left), static_cast<float>(top), static_cast<float>(width),
           static_cast<float>(height)};
  if (width == 0 || height == 0) {
    area_ = {0, 0, static_cast<float>(frame.width), static_cast<float>(frame.height)};
  }
  const GstVideoMeta* video = gst_buffer_get_video_meta(buffer_);
  if (video == nullptr || video->width == 0 || video->height == 0 || video->stride[0] <= 0) return;
  big_endian_ = video->format == GST_VIDEO_FORMAT_GRAY16_BE;
  wide_ = big_endian_ || video->format == GST_VIDEO_FORMAT_GRAY16_LE;
  if (!wide_ && video->format != GST_VIDEO_FORMAT_GRAY8) return;
  if (gst_buffer_map(buffer_, &map_, GST_MAP_READ) == FALSE) return;
  stride_ = static_cast<size_t>(video->stride[0]);
  const size_t row = size_t{video->width} * (wide_ ? 2 : 1);
  const size_t rows = size_t{video->height} - 1;
  if (row > stride_ || video->offset[0] > map_.size ||
      rows > (map_.size - video->offset[0]) / stride_ ||
      row > map_.size - video->offset[0] - rows * stride_)
    return;
  pixels_ = map_.data + video->offset[0];
  width_ = video->width;
  height_ = video->height;
  index_.assign(wide_ ? 65536 : 256, -1);
  const gsize count = api.region_count(&segmentation);
  for (gsize i = 0; i < count; ++i) {
    const guint id = api.region_id(&segmentation, i);
    if (id < index_.size()) index_[id] = static_cast<int32_t>(i);
  }
}

RegionMap::~RegionMap() {
  if (map_.memory != nullptr) gst_buffer_unmap(buffer_, &map_);
  if (buffer_ != nullptr) gst_buffer_unref(buffer_);
}

guint RegionMap::At(uint32_t x, uint32_t y) const {
  const uint8_t* row = pixels_ + y * stride_;
  if (!wide_) return row[x];
  const guint first = row[2 * size_t{x}], second = row[2 * size_t{x} + 1];
  return big_endian_ ? first << 8 | second : second << 8 | first;
}

std::vector<RegionMap::Region> RegionMap::Regions() const {
  std::vector<Region> all;
  if (pixels_ == nullptr) return all;
  std::vector<int32_t> place(index_.size(), -1);  // in `all`
  for (uint32_t y = 0; y < height_; ++y) {
    for (uint32_t x = 0; x < width_; ++x) {
      const guint id = At(x, y);
      if (!Listed(id)) continue;
      if (place[id] < 0) {
        place[id] = static_cast<int32_t>(all.size());
        all.push_back({id, static_cast<size_t>(index_[id]), {}, x, y, x, y});
      }
      Region& region = all[static_cast<size_t>(place[id])];
      region.left = std::min(region.left, x);
      region.right = std::max(region.right, x);
      region.bottom = y;
    }
  }
  const float scale_x = area_.width / static_cast<float>(width_),
              scale_y = area_.height / static_cast<float>(height_);
  for (Region& region : all) {
    region.box = {area_.left + static_cast<float>(region.left) * scale_x,
                  area_.top + static_cast<float>(region.top) * scale_y,
                  static_cast<float>(region.right - region.left + 1) * scale_x,
                  static_cast<float>(region.bottom - region.top + 1) * scale_y};
  }
  std::sort(all.begin(), all.end(),
            [](const Region& a, const Region& b) { return a.index < b.index; });
  return all;
}

Range RegionMap::MaskOf(const Region& region, Frame* frame) const {
  return AddMask(
      region.right - region.left + 1, region.bottom - region.top + 1, frame,
      [&](uint32_t x, uint32_t y) { return At(region.left + x, region.top + y) == region.id; });
}

Range RegionMap::MaskWithin(const Box& box, Frame* frame) const {
  if (pixels_ == nullptr || !(area_.width > 0 && area_.height > 0)) return {};
  const float scale_x = static_cast<float>(width_) / area_.width,
              scale_y = static_cast<float>(height_) / area_.height;
  const uint32_t columns = GridSize(box.width, scale_x), rows = GridSize(box.height, scale_y);
  const auto place = [](uint32_t i, uint32_t count, float begin, float size) {
    return begin + (static_cast<float>(i) + 0.5F) * size / static_cast<float>(count);
  };
  return AddMask(columns, rows, frame, [&](uint32_t i, uint32_t j) {
    const float x = (place(i, columns, box.left, box.width) - area_.left) * scale_x;
    const float y = (place(j, rows, box.top, box.height) - area_.top) * scale_y;
    if (!(x >= 0 && y >= 0 && x < static_cast<float>(width_) && y < static_cast<float>(height_)))
      return false;
    const guint id = At(static_cast<uint32_t>(x), static_cast<uint32_t>(y));
    return id != 0 && Listed(id);
  });
}

}  // namespace dsmsg
