// SPDX-License-Identifier: Apache-2.0
#include "gst/analytics_reader.h"

#ifdef DSMSG_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/video/video.h>

#include <cmath>
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

// Relations have a direction, and elements use both.
bool Related(GstAnalyticsRelationMeta* meta, guint a, guint b) {
  return gst_analytics_relation_meta_get_relation(meta, a, b) != GST_ANALYTICS_REL_TYPE_NONE ||
         gst_analytics_relation_meta_get_relation(meta, b, a) != GST_ANALYTICS_REL_TYPE_NONE;
}

/// Calls `use` for everything of this type that is related to the detection.
template <class Use>
void EachRelated(GstAnalyticsRelationMeta* meta, guint detection, GstAnalyticsMtdType type,
                 Use use) {
  gpointer state = nullptr;
  GstAnalyticsMtd other;
  while (gst_analytics_relation_meta_iterate(meta, &state, type, &other) != FALSE) {
    if (Related(meta, detection, other.id)) use(&other);
  }
}

// The most likely class of a classification.
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

struct Region {
  const GstVideoRegionOfInterestMeta* meta = nullptr;
  Object* object = nullptr;
};

// One is a whole number; the other may have been truncated to one.
bool SameBox(const msgconv::Box& a, const msgconv::Box& b) {
  return std::abs(a.left - b.left) <= 1 && std::abs(a.top - b.top) <= 1 &&
         std::abs(a.width - b.width) <= 1 && std::abs(a.height - b.height) <= 1;
}

/// The region that is the same object, if any. An id alone is not enough: other elements give
/// regions ids of their own.
Region FindRegion(GstBuffer* buffer, guint id, const msgconv::Box& box, size_t first_region,
                  Frame* frame) {
  gpointer state = nullptr;
  size_t index = first_region;
  while (const GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* region = reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    Object* const object = &frame->objects[index++];
    if (region->id >= 0 && static_cast<guint>(region->id) == id && SameBox(object->box, box))
      return {region, object};
  }
  return {};
}

void Complete(const Object& detection, Object* object) {
  if (object->label.empty()) object->label = detection.label;
  if (!object->confidence) object->confidence = detection.confidence;
  if (!object->id) object->id = detection.id;
  if (object->attribute_count > 0) return;
  object->first_attribute = detection.first_attribute;
  object->attribute_count = detection.attribute_count;
}

}  // namespace

size_t ReadAnalytics(GstBuffer* buffer, size_t first_region, Frame* frame) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  if (meta == nullptr) return 0;
  size_t completed = 0;
  gpointer state = nullptr;
  GstAnalyticsMtd detection;
  while (gst_analytics_relation_meta_iterate(meta, &state, gst_analytics_od_mtd_get_mtd_type(),
                                             &detection) != FALSE) {
    const Object object = ReadDetection(meta, &detection, frame);
    const Region region = FindRegion(buffer, detection.id, object.box, first_region, frame);
    if (region.meta == nullptr) {
      frame->objects.push_back(object);
      continue;
    }
    Complete(object, region.object);
    if (region.meta->params == nullptr) ++completed;
  }
  return completed;
}

#else

size_t ReadAnalytics(GstBuffer*, size_t, msgconv::Frame*) { return 0; }

#endif

}  // namespace dsmsg
