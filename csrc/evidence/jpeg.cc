// SPDX-License-Identifier: Apache-2.0
#include "evidence/jpeg.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>

namespace dsmsg::evidence {
namespace {

constexpr int kLargestEdge = 65500;  // of a JPEG file

// Of turbojpeg.h, whose C interface has been the same since libjpeg-turbo 1.4: with these few
// declarations no build needs its header.
constexpr int kSampling420 = 2, kSamplingGray = 3;  // TJSAMP_420, TJSAMP_GRAY
constexpr int kAccurate = 4096;                     // TJFLAG_ACCURATEDCT

struct Library {
  void* (*init)() = nullptr;                                              // tjInitCompress
  int (*compress)(void* handle, const unsigned char** planes, int width,  // tjCompress-
                  const int* strides, int height, int sampling,           //   FromYUVPlanes
                  unsigned char** jpeg, unsigned long* size, int quality, int flags) = nullptr;
  char* (*error)(void* handle) = nullptr;            // tjGetErrorStr2
  void (*release)(unsigned char* buffer) = nullptr;  // tjFree
  int (*destroy)(void* handle) = nullptr;            // tjDestroy
  std::string missing;                               // why it cannot be used
};

Library Load() {
  Library library;
  void* const handle = dlopen("libturbojpeg.so.0", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    library.missing = std::string(why == nullptr ? "libturbojpeg.so.0 cannot be loaded" : why) +
                      " (pictures need it: install libturbojpeg0, on Ubuntu libturbojpeg)";
    return library;
  }
  const auto find = [handle](const char* name, auto* function) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(handle, name));
    return *function != nullptr;
  };
  const bool all = find("tjInitCompress", &library.init) &&
                   find("tjCompressFromYUVPlanes", &library.compress) &&
                   find("tjGetErrorStr2", &library.error) && find("tjFree", &library.release) &&
                   find("tjDestroy", &library.destroy);
  if (!all) library.missing = "libturbojpeg.so.0 lacks functions of libjpeg-turbo 1.4";
  return library;
}

// Stays loaded for the life of the process.
const Library& TurboJpeg() {
  static const auto* const library = new Library(Load());
  return *library;
}

struct ConverterFree {
  void operator()(GstVideoConverter* converter) const { gst_video_converter_free(converter); }
};
struct BufferUnref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
};
using BufferPtr = std::unique_ptr<GstBuffer, BufferUnref>;

/// A mapped frame.
class Mapped {
 public:
  Mapped(const GstVideoInfo& info, GstBuffer* buffer, GstMapFlags flags)
      : ok_(gst_video_frame_map(&frame_, &info, buffer, flags) != FALSE) {}
  ~Mapped() {
    if (ok_) gst_video_frame_unmap(&frame_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  bool ok() const { return ok_; }
  GstVideoFrame* get() { return &frame_; }

 private:
  GstVideoFrame frame_;
  const bool ok_;
};

/// What a JPEG file holds: all levels from 0 to 255, and the colors of JFIF.
GstVideoInfo TargetOf(const GstVideoInfo& from, int max_edge) {
  const int width = GST_VIDEO_INFO_WIDTH(&from), height = GST_VIDEO_INFO_HEIGHT(&from);
  const int limit = max_edge == 0 ? kLargestEdge : std::min(max_edge, kLargestEdge);
  const double scale = std::min(1.0, static_cast<double>(limit) / std::max(width, height));
  const auto scaled = [scale](int edge) {
    return static_cast<guint>(std::max(1L, std::lround(edge * scale)));
  };
  GstVideoInfo to;
  gst_video_info_set_format(
      &to, GST_VIDEO_INFO_IS_GRAY(&from) ? GST_VIDEO_FORMAT_GRAY8 : GST_VIDEO_FORMAT_I420,
      scaled(width), scaled(height));
  to.colorimetry = from.colorimetry;
  to.colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;
  to.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_BT601;
  return to;
}

BufferPtr Wrap(const RawPicture& picture) {
  return BufferPtr(gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, picture.bytes.get(),
                                               picture.size(), 0, picture.size(), nullptr,
                                               nullptr));
}

}  // namespace

Result<std::unique_ptr<JpegEncoder>> JpegEncoder::Create(int quality, int max_edge) {
  const Library& library = TurboJpeg();
  if (!library.missing.empty()) return Status(Code::kNotSupported, library.missing);
  void* const compressor = library.init();
  if (compressor == nullptr) return Status(Code::kInternal, "no memory for a JPEG encoder");
  return std::unique_ptr<JpegEncoder>(new JpegEncoder(compressor, quality, max_edge));
}

JpegEncoder::~JpegEncoder() { TurboJpeg().destroy(compressor_); }

Result<std::string> JpegEncoder::Encode(const RawPicture& picture) {
  GstVideoInfo from = picture.info, to = TargetOf(from, max_edge_);
  const std::unique_ptr<GstVideoConverter, ConverterFree> converter(
      gst_video_converter_new(&from, &to, nullptr));
  if (converter == nullptr)
    return Status(Code::kInternal, "GStreamer cannot convert this picture for JPEG");
  const BufferPtr in = Wrap(picture);
  const BufferPtr out(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&to), nullptr));
  if (out == nullptr) return Status(Code::kInternal, "no memory for a picture");
  Mapped source(from, in.get(), GST_MAP_READ), target(to, out.get(), GST_MAP_READWRITE);
  if (!source.ok() || !target.ok()) return Status(Code::kInternal, "a picture cannot be read");
  gst_video_converter_frame(converter.get(), source.get(), target.get());
  return Compress(*target.get());
}

Result<std::string> JpegEncoder::Compress(const GstVideoFrame& frame) {
  const bool gray = GST_VIDEO_INFO_IS_GRAY(&frame.info);
  const unsigned char* planes[3] = {};
  int strides[3] = {};
  for (guint i = 0; i < (gray ? 1U : 3U); ++i) {
    planes[i] = static_cast<const unsigned char*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, i));
    strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, i);
  }
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int failed = TurboJpeg().compress(
      compressor_, planes, GST_VIDEO_FRAME_WIDTH(&frame), strides, GST_VIDEO_FRAME_HEIGHT(&frame),
      gray ? kSamplingGray : kSampling420, &bytes, &size, quality_, kAccurate);
  std::string file;
  if (failed == 0) file.assign(reinterpret_cast<const char*>(bytes), size);
  if (bytes != nullptr) TurboJpeg().release(bytes);
  if (failed != 0)
    return Status(Code::kInternal, std::string("JPEG: ") + TurboJpeg().error(compressor_));
  return file;
}

}  // namespace dsmsg::evidence
