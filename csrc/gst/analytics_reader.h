// SPDX-License-Identifier: Apache-2.0
// Reads GStreamer's analytics metadata (GstAnalyticsRelationMeta, GStreamer 1.24) into the
// converter's model: object detections, and the tracking and classifications that are related to
// them. In a build against an older GStreamer it finds nothing. Any thread; texts live for ever.
#ifndef DSMSG_GST_ANALYTICS_READER_H_
#define DSMSG_GST_ANALYTICS_READER_H_

#include <gst/gst.h>

#include <cstddef>

#include "msgconv/model.h"

namespace dsmsg {

/// Appends the buffer's detections to `frame`; gives their number.
size_t ReadAnalytics(GstBuffer* buffer, msgconv::Frame* frame);

}  // namespace dsmsg

#endif  // DSMSG_GST_ANALYTICS_READER_H_
