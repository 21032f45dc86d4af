// SPDX-License-Identifier: Apache-2.0
// GStreamer's analytics library (libgstanalytics-1.0, since 1.24), found at run time: a build with
// any GStreamer reads what the running one has. The types and signatures here are the library's
// interface, in our words. Constant data after Find(); any thread.
#ifndef DSMSG_GST_ANALYTICS_API_H_
#define DSMSG_GST_ANALYTICS_API_H_

#include <gst/gst.h>

namespace dsmsg {

/// GstAnalyticsMtd: a result, by its number in the buffer's GstAnalyticsRelationMeta.
struct AnalyticsMtd {
  guint id = 0;
  void* meta = nullptr;
};

struct AnalyticsApi {
  using Type = guintptr;  // GstAnalyticsMtdType; 0: any
  using TypeFunction = Type();

  // Since 1.24: always there.
  void* (*buffer_meta)(GstBuffer* buffer);
  gboolean (*iterate)(void* meta, gpointer* state, Type type, AnalyticsMtd* result);
  gint (*relation)(const void* meta, guint first, guint second);  // 0: none
  Type (*type)(const AnalyticsMtd* result);
  const gchar* (*type_name)(Type type);
  TypeFunction *detection_type, *class_type, *tracking_type;
  GQuark (*detection_class)(const AnalyticsMtd* detection);
  gboolean (*location)(const AnalyticsMtd* detection, gint* x, gint* y, gint* width, gint* height,
                       gfloat* confidence);
  gsize (*class_count)(const AnalyticsMtd* classes);
  gfloat (*class_level)(const AnalyticsMtd* classes, gsize index);
  GQuark (*class_name)(const AnalyticsMtd* classes, gsize index);
  gint (*class_index)(const AnalyticsMtd* classes, GQuark name);  // -1: none
  gboolean (*tracking)(const AnalyticsMtd* tracking, guint64* id, GstClockTime* first_seen,
                       GstClockTime* last_seen, gboolean* lost);

  // Since 1.26; nullptr in an older library. The mask belongs to the caller.
  gboolean (*oriented_location)(const AnalyticsMtd* detection, gint* x, gint* y, gint* width,
                                gint* height, gfloat* radians, gfloat* confidence);
  TypeFunction* segmentation_type;
  GstBuffer* (*mask)(const AnalyticsMtd* segmentation, gint* x, gint* y, guint* width,
                     guint* height);
  gsize (*region_count)(const AnalyticsMtd* segmentation);
  guint (*region_id)(const AnalyticsMtd* segmentation, gsize index);

  // Since 1.30 and its previews (1.29); nullptr in an older library. The tag belongs to the caller.
  gchar* (*semantic_tag)(const AnalyticsMtd* result);
  TypeFunction *group_type, *keypoint_type;
  gsize (*member_count)(const AnalyticsMtd* group);
  gboolean (*member)(const AnalyticsMtd* group, gsize index, AnalyticsMtd* result);
  gboolean (*position)(const AnalyticsMtd* keypoint, gint* x, gint* y, gint* z, gint* dimensions);
  gboolean (*keypoint_confidence)(const AnalyticsMtd* keypoint, gfloat* confidence);

  /// nullptr: no buffer of this process can carry such metadata so far.
  static const AnalyticsApi* Find();
};

}  // namespace dsmsg

#endif  // DSMSG_GST_ANALYTICS_API_H_
