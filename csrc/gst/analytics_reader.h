// SPDX-License-Identifier: Apache-2.0
// Reads GStreamer's analytics metadata (GstAnalyticsRelationMeta, GStreamer 1.24) into the
// converter's model: object detections, and the tracking and classifications that are related to
// them. Built against an older GStreamer, it finds nothing. Any thread; texts live for ever.
//
// Elements that serve both new and old readers attach a detection and a region of interest for the
// same object, and give the region the detection's id (Intel's do since 2025): these count as one
// object.
#ifndef DSMSG_GST_ANALYTICS_READER_H_
#define DSMSG_GST_ANALYTICS_READER_H_

#include <gst/gst.h>

#include <cstddef>

#include "msgconv/model.h"

namespace dsmsg {

/// Appends the buffer's detections to `frame`; those that are also regions of interest complete the
/// object that ReadRegions() made of the region. `first_region`: where in the frame's objects those
/// begin. Returns how many regions without parameters were completed.
size_t ReadAnalytics(GstBuffer* buffer, size_t first_region, msgconv::Frame* frame);

}  // namespace dsmsg

#endif  // DSMSG_GST_ANALYTICS_READER_H_
