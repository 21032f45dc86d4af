// SPDX-License-Identifier: Apache-2.0
// Pixels taken out of a stream's buffers: a copy, so that no pool upstream waits for its buffer
// while a picture is encoded and stored. PictureSource: one thread at a time. A RawPicture is
// immutable: any thread may read it.
#ifndef DSMSG_EVIDENCE_RAW_PICTURE_H_
#define DSMSG_EVIDENCE_RAW_PICTURE_H_

#include <gst/video/video.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/status.h"

namespace dsmsg::evidence {

struct RawPicture {
  GstVideoInfo info;                 // of `bytes`
  std::unique_ptr<uint8_t[]> bytes;  // all planes
  size_t size() const { return GST_VIDEO_INFO_SIZE(&info); }
};

/// In pixels of the buffer.
struct PixelBox {
  int x = 0, y = 0, width = 0, height = 0;
  bool empty() const { return width <= 0 || height <= 0; }
};

/// The box with `margin` of its size on each side, as far as it lies in a picture of this size.
PixelBox WithMargin(double left, double top, double width, double height, double margin,
                    int picture_width, int picture_height);

class PictureSource {
 public:
  void SetCaps(const GstCaps* caps);
  /// Why no picture can be taken: it is compressed, not in system memory, ...; "": it can be.
  const std::string& why_not() const { return why_not_; }
  int width() const { return GST_VIDEO_INFO_WIDTH(&info_); }
  int height() const { return GST_VIDEO_INFO_HEIGHT(&info_); }
  /// The part of the buffer's picture in `box`, which lies within it. A subsampled format may give
  /// a few pixels more.
  Result<std::shared_ptr<const RawPicture>> Take(GstBuffer* buffer, const PixelBox& box) const;
  /// About how many bytes that is.
  size_t SizeOf(const PixelBox& box) const;

 private:
  GstVideoInfo InfoOf(const PixelBox& box) const;

  GstVideoInfo info_{};
  std::string why_not_ = "the stream has no caps";
};

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_RAW_PICTURE_H_
