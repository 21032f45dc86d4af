// SPDX-License-Identifier: Apache-2.0
// Reads the regions of interest on a buffer (GstVideoRegionOfInterestMeta, as detectors of any
// GStreamer attach them) into the converter's model.
//
// The region's type is the class name; its parameters are read as Intel's GVA elements write them:
// a structure "detection" (confidence, label_id, label, rotation), a structure "object_id" (id, the
// tracker's), a structure of the type "keypoints" as the object's pose, and any other structure
// with a text "label" as a classifier's result, named by its field "attribute_name", else
// "model_name", else by the structure's name: as analytics_reader.h names the same result. The
// region's own id is not a tracker's: detectors give every region a new one. One thread at a time;
// the texts in the frame live as long as the buffer, and until the next Read().
#ifndef DSMSG_GST_ROI_READER_H_
#define DSMSG_GST_ROI_READER_H_

#include <gst/gst.h>
#include <gst/video/video.h>

#include <cstddef>
#include <deque>
#include <string>

#include "msgconv/model.h"

namespace dsmsg {

struct RoiReport {
  size_t regions = 0;             // on the buffer
  size_t without_parameters = 0;  // of them
};

class RoiReader {
 public:
  RoiReader() = default;
  RoiReader(const RoiReader&) = delete;
  RoiReader& operator=(const RoiReader&) = delete;

  /// Appends the buffer's regions to `frame`, whose width and height must be set.
  RoiReport Read(GstBuffer* buffer, msgconv::Frame* frame);

 private:
  void ReadAttribute(const GstStructure* structure, uint32_t first_attribute,
                     msgconv::Frame* frame);
  /// Appends the region's object.
  void ReadRegion(const GstVideoRegionOfInterestMeta* region, msgconv::Frame* frame);

  std::deque<std::string> texts_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_ROI_READER_H_
