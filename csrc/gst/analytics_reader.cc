// SPDX-License-Identifier: Apache-2.0
#include "gst/analytics_reader.h"

#ifdef DSMSG_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

namespace dsmsg {

#ifdef DSMSG_GST_ANALYTICS
namespace {

using msgconv::Frame;
using msgconv::Object;

std::string_view Text(GQuark quark) {
  const gchar* text = g_quark_to_string(quark);
  return text == nullptr ? std::string_view() : text;
}

// Relations have a direction, and elements set either.
bool Related(GstAnalyticsRelationMeta* meta, guint a, guint b) {
  return gst_analytics_relation_meta_get_relation(meta, a, b) != GST_ANALYTICS_REL_TYPE_NONE ||
         gst_analytics_relation_meta_get_relation(meta, b, a) != GST_ANALYTICS_REL_TYPE_NONE;
}

/// Calls `use` with everything of this type that is related to the detection.
template <class Use>
void EachRelated(GstAnalyticsRelationMeta* meta, guint detection, GstAnalyticsMtdType type,
                 Use use) {
  gpointer state = nullptr;
  GstAnalyticsMtd other;
  while (gst_analytics_relation_meta_iterate(meta, &state, type, &other) != FALSE) {
    if (Related(meta, detection, other.id)) use(&other);
  }
}

// The class that a classification holds for most likely.
void AddClass(const GstAnalyticsClsMtd* classification, Frame* frame) {
  const gsize length = gst_analytics_cls_mtd_get_length(classification);
  gsize best = length;
  gfloat most = -1;
  for (gsize i = 0; i < length; ++i) {
    const gfloat level = gst_analytics_cls_mtd_get_level(classification, i);
    if (level > most) {
      most = level;
      best = i;
    }
  }
  if (best == length) return;
  const std::string_view value = Text(gst_analytics_cls_mtd_get_quark(classification, best));
  if (!value.empty()) frame->attributes.push_back({"classification", value, most});
}

Object ReadDetection(GstAnalyticsRelationMeta* meta, const GstAnalyticsODMtd* detection,
                     Frame* frame) {
  Object object;
  object.label = Text(gst_analytics_od_mtd_get_obj_type(detection));
  gint x = 0, y = 0, width = 0, height = 0;
  gfloat confidence = -1;
  if (gst_analytics_od_mtd_get_location(detection, &x, &y, &width, &height, &confidence) != FALSE) {
    object.box = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(width),
                  static_cast<float>(height)};
    if (confidence >= 0) object.confidence = confidence;
  }
  EachRelated(
      meta, detection->id, gst_analytics_tracking_mtd_get_mtd_type(),
      [&](GstAnalyticsMtd* tracking) {
        guint64 id = 0;
        GstClockTime first = 0, last = 0;
        gboolean lost = FALSE;
        if (gst_analytics_tracking_mtd_get_info(tracking, &id, &first, &last, &lost) != FALSE)
          object.id = id;
      });
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  EachRelated(meta, detection->id, gst_analytics_cls_mtd_get_mtd_type(),
              [&](GstAnalyticsMtd* classification) { AddClass(classification, frame); });
  object.attribute_count = static_cast<uint32_t>(frame->attributes.size()) - object.first_attribute;
  return object;
}

}  // namespace

size_t ReadAnalytics(GstBuffer* buffer, Frame* frame) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  if (meta == nullptr) return 0;
  size_t count = 0;
  gpointer state = nullptr;
  GstAnalyticsMtd detection;
  while (gst_analytics_relation_meta_iterate(meta, &state, gst_analytics_od_mtd_get_mtd_type(),
                                             &detection) != FALSE) {
    frame->objects.push_back(ReadDetection(meta, &detection, frame));
    ++count;
  }
  return count;
}

#else

size_t ReadAnalytics(GstBuffer*, msgconv::Frame*) { return 0; }

#endif

}  // namespace dsmsg
