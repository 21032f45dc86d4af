// SPDX-License-Identifier: Apache-2.0
// Reads the regions of interest on a buffer (GstVideoRegionOfInterestMeta, as detectors of any
// GStreamer attach them) into the converter's model.
//
// The region's type is the class name; its parameters are read as Intel's GVA elements write them:
// a structure "detection" (confidence, label_id, label), a structure "object_id" (id, the
// tracker's), and any other structure with a text "label" as a classifier's result, named by its
// field "attribute_name" or else by the structure's name. The region's own id is not a tracker's:
// detectors give every region a new one. Any thread; the texts in the frame belong to the buffer
// and live as long as it does.
#ifndef DSMSG_GST_ROI_READER_H_
#define DSMSG_GST_ROI_READER_H_

#include <gst/gst.h>

#include <cstddef>

#include "msgconv/model.h"

namespace dsmsg {

struct RoiReport {
  size_t regions = 0;             // on the buffer
  size_t without_parameters = 0;  // of them
};

/// Appends the buffer's regions to `frame`, whose width and height must be set.
RoiReport ReadRegions(GstBuffer* buffer, msgconv::Frame* frame);

}  // namespace dsmsg

#endif  // DSMSG_GST_ROI_READER_H_
