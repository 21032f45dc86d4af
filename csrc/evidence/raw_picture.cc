// SPDX-License-Identifier: Apache-2.0
#include "evidence/raw_picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dsmsg::evidence {
namespace {

// Formats whose pixels are bytes in rows: I420, NV12, RGB, BGRA, GRAY8 and their relatives.
bool IsPlain(const GstVideoFormatInfo* format) {
  constexpr unsigned kOther =
      GST_VIDEO_FORMAT_FLAG_COMPLEX | GST_VIDEO_FORMAT_FLAG_PALETTE | GST_VIDEO_FORMAT_FLAG_TILED;
  constexpr unsigned kColors =
      GST_VIDEO_FORMAT_FLAG_YUV | GST_VIDEO_FORMAT_FLAG_RGB | GST_VIDEO_FORMAT_FLAG_GRAY;
  return (format->flags & kOther) == 0 && (format->flags & kColors) != 0 && format->bits == 8 &&
         GST_VIDEO_FORMAT_INFO_DEPTH(format, 0) == 8;
}

std::string Text(const GstCaps* caps) {
  gchar* const text = gst_caps_to_string(caps);
  std::string copy = text;
  g_free(text);
  return copy;
}

/// The first component of a plane: the plane has one unit of its size for each of that one's.
guint ComponentOf(const GstVideoFormatInfo* format, guint plane) {
  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); ++i) {
    if (GST_VIDEO_FORMAT_INFO_PLANE(format, i) == plane) return i;
  }
  return 0;
}

/// Pixels that share a sample of color.
PixelBox Aligned(const GstVideoFormatInfo* format, PixelBox box, int width, int height) {
  guint across = 0, down = 0;
  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); ++i) {
    across = std::max<guint>(across, GST_VIDEO_FORMAT_INFO_W_SUB(format, i));
    down = std::max<guint>(down, GST_VIDEO_FORMAT_INFO_H_SUB(format, i));
  }
  const auto widen = [](int* at, int* size, guint shift, int limit) {
    const int step = 1 << shift;
    const int end = std::min((*at + *size + step - 1) / step * step, limit);
    *at = *at / step * step;
    *size = end - *at;
  };
  widen(&box.x, &box.width, across, width);
  widen(&box.y, &box.height, down, height);
  return box;
}

void CopyPlane(const GstVideoFrame& from, guint plane, const PixelBox& box, RawPicture* to) {
  const GstVideoFormatInfo* const format = from.info.finfo;
  const guint component = ComponentOf(format, plane);
  const auto across = [&](int pixels) {
    return static_cast<size_t>(GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, component, pixels)) *
           static_cast<size_t>(GST_VIDEO_FORMAT_INFO_PSTRIDE(format, component));
  };
  const auto down = [&](int pixels) {
    return GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, component, pixels);
  };
  const auto* source = static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&from, plane));
  const ptrdiff_t stride = GST_VIDEO_FRAME_PLANE_STRIDE(&from, plane);
  source += down(box.y) * stride + static_cast<ptrdiff_t>(across(box.x));
  uint8_t* target = to->bytes.get() + GST_VIDEO_INFO_PLANE_OFFSET(&to->info, plane);
  const size_t length = across(box.width);
  for (int row = 0, rows = down(box.height); row < rows; ++row) {
    std::memcpy(target, source, length);
    source += stride;
    target += GST_VIDEO_INFO_PLANE_STRIDE(&to->info, plane);
  }
}

}  // namespace

PixelBox WithMargin(double left, double top, double width, double height, double margin,
                    int picture_width, int picture_height) {
  PixelBox box;
  if (!(width > 0 && height > 0) || !std::isfinite(left + top + width + height)) return box;
  const auto clamp = [](double value, int limit) {
    return static_cast<int>(std::clamp(value, 0.0, static_cast<double>(limit)));
  };
  box.x = clamp(std::floor(left - margin * width), picture_width);
  box.y = clamp(std::floor(top - margin * height), picture_height);
  box.width = clamp(std::ceil(left + width + margin * width), picture_width) - box.x;
  box.height = clamp(std::ceil(top + height + margin * height), picture_height) - box.y;
  return box;
}

void PictureSource::SetCaps(const GstCaps* caps) {
  gst_video_info_init(&info_);
  if (caps == nullptr || gst_caps_is_any(caps) || gst_caps_is_empty(caps)) {
    why_not_ = "the stream has no caps";
    return;
  }
  const GstStructure* const structure = gst_caps_get_structure(caps, 0);
  const GstCapsFeatures* const features = gst_caps_get_features(caps, 0);
  if (!gst_structure_has_name(structure, "video/x-raw")) {
    why_not_ = std::string("the stream is ") + gst_structure_get_name(structure) +
               ", not raw video (put the converter before the encoder)";
  } else if (features != nullptr &&
             (gst_caps_features_is_any(features) != FALSE ||
              gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY) ==
                  FALSE)) {
    gchar* const text = gst_caps_features_to_string(features);
    why_not_ = std::string("the video is in ") + text +
               ", not in system memory (take the pictures in a branch with a converter that "
               "brings it there)";
    g_free(text);
  } else if (gst_video_info_from_caps(&info_, caps) == FALSE || !IsPlain(info_.finfo)) {
    gst_video_info_init(&info_);
    why_not_ = "no picture can be taken of " + Text(caps) +
               " (formats such as I420, NV12, RGB, BGRA and GRAY8 can be: put a videoconvert "
               "before the detector)";
  } else {
    why_not_.clear();
  }
}

GstVideoInfo PictureSource::InfoOf(const PixelBox& box) const {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_INFO_FORMAT(&info_), static_cast<guint>(box.width),
                            static_cast<guint>(box.height));
  info.colorimetry = info_.colorimetry;
  info.chroma_site = info_.chroma_site;
  return info;
}

size_t PictureSource::SizeOf(const PixelBox& box) const {
  if (!why_not_.empty() || box.empty()) return 0;
  const GstVideoInfo info = InfoOf(box);
  return GST_VIDEO_INFO_SIZE(&info);
}

Result<std::shared_ptr<const RawPicture>> PictureSource::Take(GstBuffer* buffer,
                                                              const PixelBox& wanted) const {
  if (!why_not_.empty()) return Status(Code::kNotSupported, why_not_);
  GstVideoFrame frame;
  if (gst_video_frame_map(&frame, &info_, buffer, GST_MAP_READ) == FALSE)
    return Status(Code::kNotSupported, "the buffer does not hold the picture that its caps say");
  const PixelBox box =
      Aligned(info_.finfo, wanted, GST_VIDEO_FRAME_WIDTH(&frame), GST_VIDEO_FRAME_HEIGHT(&frame));
  auto picture = std::make_shared<RawPicture>();
  picture->info = InfoOf(box);
  picture->bytes = std::make_unique_for_overwrite<uint8_t[]>(picture->size());
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); ++plane)
    CopyPlane(frame, plane, box, picture.get());
  gst_video_frame_unmap(&frame);
  return std::shared_ptr<const RawPicture>(std::move(picture));
}

}  // namespace dsmsg::evidence
