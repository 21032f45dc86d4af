// SPDX-License-Identifier: Apache-2.0
// Names of pictures: "2026-11-30/101530.123-s0-f41-o2-crop-1a2b3c4d.jpg", by time, source, number
// of the frame and of the object in it. The last part differs between converters. Names in order
// are pictures in order of time. Pure functions: any thread.
#ifndef DSMSG_EVIDENCE_PICTURE_NAME_H_
#define DSMSG_EVIDENCE_PICTURE_NAME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dsmsg::evidence {

struct PictureName {
  uint64_t time_ns = 0;  // UTC, since 1970
  uint32_t source = 0;
  uint64_t frame = 0;
  std::optional<size_t> object;  // none: the whole frame
  uint32_t converter = 0;
};

std::string TextOf(const PictureName& name);

/// Whether a folder or file has a name as above, so that it may be deleted.
bool IsDay(std::string_view folder);
bool IsPicture(std::string_view file);
/// A file that was being written: a picture's name between "." and ".part".
bool IsPart(std::string_view file);

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_PICTURE_NAME_H_
