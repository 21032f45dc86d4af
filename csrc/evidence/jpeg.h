// SPDX-License-Identifier: Apache-2.0
// Makes JPEG files of pictures, with libjpeg-turbo, which is loaded when it is first needed: the
// elements work without it. One thread at a time.
#ifndef DSMSG_EVIDENCE_JPEG_H_
#define DSMSG_EVIDENCE_JPEG_H_

#include <memory>
#include <string>

#include "core/base/status.h"
#include "evidence/raw_picture.h"

namespace dsmsg::evidence {

class JpegEncoder {
 public:
  /// `quality`: 1 to 100. `max_edge`: larger pictures are made smaller, so that their longer edge
  /// has so many pixels; 0: they are not. An error says which package has the library.
  static Result<std::unique_ptr<JpegEncoder>> Create(int quality, int max_edge);
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  /// The bytes of the file.
  Result<std::string> Encode(const RawPicture& picture);

 private:
  JpegEncoder(void* compressor, int quality, int max_edge)
      : compressor_(compressor), quality_(quality), max_edge_(max_edge) {}
  Result<std::string> Compress(const GstVideoFrame& frame);

  void* const compressor_;
  const int quality_, max_edge_;
};

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_JPEG_H_
