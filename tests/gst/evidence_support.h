// SPDX-License-Identifier: Apache-2.0
// What the tests of pictures share: frames that show their own number inside the box of their
// object, in any format, and a reader of that number in JPEG files, which are decoded by GStreamer.
#ifndef DSMSG_TESTS_GST_EVIDENCE_SUPPORT_H_
#define DSMSG_TESTS_GST_EVIDENCE_SUPPORT_H_

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "conv_support.h"
#include "dsmsg_meta.h"

namespace dsmsg_test {

inline constexpr int kWide = 640, kHigh = 360;
inline constexpr int kBars = 16, kBarWidth = 8, kBoxHeight = 64;

struct Spot {
  int left = 0, top = 0;
};

/// Where the object of this frame is; even numbers, and never the same as in the frame before.
inline Spot SpotOf(unsigned number) {
  return {static_cast<int>(number * 37 % 240) * 2, static_cast<int>(number * 11 % 140) * 2};
}

/// Caps of this format.
inline std::string CapsOf(const std::string& format) {
  return "video/x-raw,format=" + format + ",width=640,height=360,framerate=30/1";
}

/// A gray picture in which the box at SpotOf(number) shows the number: bars, the highest bit first,
/// white for 1 and black for 0.
inline GstBuffer* NumberedPicture(unsigned number, const std::string& format = "GRAY8") {
  GstVideoInfo gray, wanted;
  gst_video_info_set_format(&gray, GST_VIDEO_FORMAT_GRAY8, kWide, kHigh);
  gray.colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;
  GstBuffer* const picture = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&gray), nullptr);
  GstMapInfo map;
  gst_buffer_map(picture, &map, GST_MAP_WRITE);
  std::fill(map.data, map.data + map.size, guint8{128});
  const Spot spot = SpotOf(number);
  for (int y = 0; y < kBoxHeight; ++y) {
    for (int x = 0; x < kBars * kBarWidth; ++x) {
      const bool one = ((number >> (kBars - 1 - x / kBarWidth)) & 1U) != 0;
      map.data[(spot.top + y) * GST_VIDEO_INFO_PLANE_STRIDE(&gray, 0) + spot.left + x] =
          one ? 255 : 0;
    }
  }
  gst_buffer_unmap(picture, &map);
  GstBuffer* converted = picture;
  GstCaps* const caps = gst_caps_from_string(CapsOf(format).c_str());
  gst_video_info_from_caps(&wanted, caps);
  gst_caps_unref(caps);
  gray.fps_n = wanted.fps_n;
  gray.fps_d = wanted.fps_d;
  if (format != "GRAY8") {
    GstVideoConverter* const converter = gst_video_converter_new(&gray, &wanted, nullptr);
    converted = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&wanted), nullptr);
    GstVideoFrame in, out;
    gst_video_frame_map(&in, &gray, picture, GST_MAP_READ);
    gst_video_frame_map(&out, &wanted, converted, GST_MAP_WRITE);
    gst_video_converter_frame(converter, &in, &out);
    gst_video_frame_unmap(&in);
    gst_video_frame_unmap(&out);
    gst_video_converter_free(converter);
    gst_buffer_unref(picture);
  }
  GST_BUFFER_PTS(converted) = number * GST_SECOND / 30;
  return converted;
}

/// The same with an event about the object in the box.
inline GstBuffer* EventPicture(unsigned number, const std::string& format = "GRAY8") {
  GstBuffer* const buffer = NumberedPicture(number, format);
  GstStructure* const event = dsmsg_buffer_add_event(buffer, "stopped", "car");
  dsmsg_event_set_object(event, number, 0.5);
  const Spot spot = SpotOf(number);
  dsmsg_event_set_box(event, static_cast<float>(spot.left), static_cast<float>(spot.top),
                      kBars * kBarWidth, kBoxHeight);
  return buffer;
}

/// The gray levels of a decoded JPEG file.
struct GrayPicture {
  int width = 0, height = 0;
  std::vector<uint8_t> levels;
  int At(int x, int y) const { return levels.at(static_cast<size_t>(y * width + x)); }
};

inline GrayPicture Decode(const std::string& jpeg) {
  GrayPicture picture;
  GstHarness* const harness = gst_harness_new("jpegdec");
  gst_harness_set_src_caps_str(harness, "image/jpeg");
  GstBuffer* const in = gst_buffer_new_memdup(jpeg.data(), jpeg.size());
  EXPECT_EQ(gst_harness_push(harness, in), GST_FLOW_OK);
  gst_harness_push_event(harness, gst_event_new_eos());
  GstBuffer* const out = gst_harness_pull(harness);
  GstCaps* const caps = gst_pad_get_current_caps(harness->sinkpad);
  GstVideoInfo info;
  GstVideoFrame frame;
  if (out == nullptr || caps == nullptr || gst_video_info_from_caps(&info, caps) == FALSE ||
      gst_video_frame_map(&frame, &info, out, GST_MAP_READ) == FALSE) {
    ADD_FAILURE() << "the file of " << jpeg.size() << " bytes is no JPEG";
    return picture;
  }
  picture.width = GST_VIDEO_INFO_WIDTH(&info);
  picture.height = GST_VIDEO_INFO_HEIGHT(&info);
  // The first plane of I420, Y42B, Y444 and GRAY8 is brightness.
  for (int y = 0; y < picture.height; ++y) {
    const auto* row = static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)) +
                      y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
    picture.levels.insert(picture.levels.end(), row, row + picture.width);
  }
  gst_video_frame_unmap(&frame);
  gst_caps_unref(caps);
  gst_buffer_unref(out);
  gst_harness_teardown(harness);
  return picture;
}

/// The number that the bars show, beginning at this place; -1: they are not clear.
inline int NumberIn(const GrayPicture& picture, int left, int top, double scale = 1) {
  int number = 0;
  for (int bar = 0; bar < kBars; ++bar) {
    const int x = static_cast<int>((left + bar * kBarWidth + kBarWidth / 2) * scale);
    const int y = static_cast<int>((top + kBoxHeight / 2) * scale);
    if (x >= picture.width || y >= picture.height) return -1;
    const int level = picture.At(x, y);
    if (level > 40 && level < 215) return -1;
    number = number * 2 + (level > 127 ? 1 : 0);
  }
  return number;
}

inline std::string BytesOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// All files below a folder, in order.
inline std::vector<std::filesystem::path> FilesIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_EVIDENCE_SUPPORT_H_
