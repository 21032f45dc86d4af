// SPDX-License-Identifier: Apache-2.0
// A property that is set while its element is running: it is kept for the next start, and the user
// is warned.
#ifndef DSMSG_GST_LATE_CHANGE_H_
#define DSMSG_GST_LATE_CHANGE_H_

#include <gst/gst.h>

namespace dsmsg {

/// Whether the element is in PAUSED or PLAYING, or on its way there, so that its settings have been
/// read. The caller holds the object lock.
inline bool HasReadSettings(GstElement* element) {
  return GST_STATE(element) > GST_STATE_READY || GST_STATE_NEXT(element) > GST_STATE_READY;
}

/// Any thread, without the object lock.
inline void WarnOfLateChange(GstElement* element, const char* property) {
  GST_ELEMENT_WARNING(element, LIBRARY, SETTINGS,
                      ("%s was set while the element is running and has no effect until its next "
                       "start: set it in NULL or READY",
                       property),
                      ("take the element to READY and back to PLAYING to apply it"));
}

}  // namespace dsmsg

#endif  // DSMSG_GST_LATE_CHANGE_H_
