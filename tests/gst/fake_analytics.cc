// SPDX-License-Identifier: Apache-2.0
// Replaces GStreamer's analytics library (since 1.24; as of 1.30) if the system has none: the
// functions that the reader and the tests use, in a few lines. It has the library's name, so that
// the element finds it as it finds the real one.
#include <gst/gst.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Type {
  const char* name;
};
const Type kDetection{"object-detection"}, kTracking{"object-tracking"}, kClasses{"classification"},
    kSegmentation{"segmentation"}, kGroup{"grouping-mtd"}, kKeypoint{"keypoint-mtd"};

struct Result {
  const Type* type = nullptr;
  std::string tag;
  GQuark name = 0;
  gint x = 0, y = 0, z = 0, dimensions = 0;
  guint width = 0, height = 0;
  gfloat radians = 0, confidence = 0;
  guint64 id = 0;
  gboolean lost = FALSE;
  std::vector<std::pair<gfloat, GQuark>> classes;
  std::vector<guint> ids;  // of regions, of members
  GstBuffer* mask = nullptr;
};

struct Content {
  std::vector<Result> results;
  std::map<std::pair<guint, guint>, gint> relations;
};

struct Meta {
  GstMeta meta;
  Content* content;
};

struct Mtd {
  guint id;
  Meta* meta;
};

Result& Of(const Mtd* mtd) { return mtd->meta->content->results[mtd->id]; }

gboolean Add(Meta* meta, Result result, Mtd* mtd) {
  mtd->meta = meta;
  mtd->id = static_cast<guint>(meta->content->results.size());
  meta->content->results.push_back(std::move(result));
  return TRUE;
}

guintptr TypeId(const Type& type) { return reinterpret_cast<guintptr>(&type); }

}  // namespace

extern "C" {
GType gst_analytics_relation_meta_api_get_type();
Meta* gst_buffer_add_analytics_relation_meta(GstBuffer* buffer);
}

namespace {

gboolean Init(GstMeta* meta, gpointer, GstBuffer*) {
  reinterpret_cast<Meta*>(meta)->content = new Content;
  return TRUE;
}

void Free(GstMeta* meta, GstBuffer*) {
  Content* content = reinterpret_cast<Meta*>(meta)->content;
  for (const Result& result : content->results) {
    if (result.mask != nullptr) gst_buffer_unref(result.mask);
  }
  delete content;
}

gboolean Transform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark, gpointer) {
  Meta* copy = gst_buffer_add_analytics_relation_meta(to);
  *copy->content = *reinterpret_cast<Meta*>(meta)->content;
  for (const Result& result : copy->content->results) {
    if (result.mask != nullptr) gst_buffer_ref(result.mask);
  }
  return TRUE;
}

const GstMetaInfo* Info() {
  static const GstMetaInfo* const info =
      gst_meta_register(gst_analytics_relation_meta_api_get_type(), "GstAnalyticsRelationMeta",
                        sizeof(Meta), Init, Free, Transform);
  return info;
}

}  // namespace

extern "C" {

GType gst_analytics_relation_meta_api_get_type() {
  static const gchar* no_tags[] = {nullptr};
  static const GType type = gst_meta_api_type_register("GstAnalyticsRelationMetaAPI", no_tags);
  return type;
}

Meta* gst_buffer_get_analytics_relation_meta(GstBuffer* buffer) {
  return reinterpret_cast<Meta*>(
      gst_buffer_get_meta(buffer, gst_analytics_relation_meta_api_get_type()));
}

Meta* gst_buffer_add_analytics_relation_meta(GstBuffer* buffer) {
  Meta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  if (meta != nullptr) return meta;
  return reinterpret_cast<Meta*>(gst_buffer_add_meta(buffer, Info(), nullptr));
}

gboolean gst_analytics_relation_meta_iterate(Meta* meta, gpointer* state, guintptr type, Mtd* mtd) {
  auto index = reinterpret_cast<guintptr>(*state);
  const auto& results = meta->content->results;
  while (index < results.size() && type != 0 && TypeId(*results[index].type) != type) ++index;
  if (index >= results.size()) return FALSE;
  *mtd = {static_cast<guint>(index), meta};
  *state = reinterpret_cast<gpointer>(index + 1);
  return TRUE;
}

gint gst_analytics_relation_meta_get_relation(const Meta* meta, guint first, guint second) {
  const auto found = meta->content->relations.find({first, second});
  return found == meta->content->relations.end() ? 0 : found->second;
}

gboolean gst_analytics_relation_meta_set_relation(Meta* meta, gint type, guint first,
                                                  guint second) {
  meta->content->relations[{first, second}] = type;
  return TRUE;
}

guintptr gst_analytics_mtd_get_mtd_type(const Mtd* mtd) { return TypeId(*Of(mtd).type); }
const gchar* gst_analytics_mtd_type_get_name(guintptr type) {
  return reinterpret_cast<const Type*>(type)->name;
}
gchar* gst_analytics_mtd_get_semantic_tag(const Mtd* mtd) { return g_strdup(Of(mtd).tag.c_str()); }
gboolean gst_analytics_mtd_set_semantic_tag(Mtd* mtd, const gchar* tag) {
  Of(mtd).tag = tag;
  return TRUE;
}
gpointer gst_analytics_relation_meta_add_mtd(Meta* meta, const Type* type, gsize, Mtd* mtd) {
  Result result;
  result.type = type;
  Add(meta, result, mtd);
  return &Of(mtd);
}

// ---------------------------------------------------------------- detections

guintptr gst_analytics_od_mtd_get_mtd_type() { return TypeId(kDetection); }
gboolean gst_analytics_relation_meta_add_oriented_od_mtd(Meta* meta, GQuark name, gint x, gint y,
                                                         gint width, gint height, gfloat radians,
                                                         gfloat confidence, Mtd* mtd) {
  Result result;
  result.type = &kDetection;
  result.name = name;
  result.x = x;
  result.y = y;
  result.width = static_cast<guint>(width);
  result.height = static_cast<guint>(height);
  result.radians = radians;
  result.confidence = confidence;
  return Add(meta, result, mtd);
}
gboolean gst_analytics_relation_meta_add_od_mtd(Meta* meta, GQuark name, gint x, gint y, gint width,
                                                gint height, gfloat confidence, Mtd* mtd) {
  return gst_analytics_relation_meta_add_oriented_od_mtd(meta, name, x, y, width, height, 0,
                                                         confidence, mtd);
}
GQuark gst_analytics_od_mtd_get_obj_type(const Mtd* mtd) { return Of(mtd).name; }
gboolean gst_analytics_od_mtd_get_oriented_location(const Mtd* mtd, gint* x, gint* y, gint* width,
                                                    gint* height, gfloat* radians,
                                                    gfloat* confidence) {
  const Result& result = Of(mtd);
  *x = result.x;
  *y = result.y;
  *width = static_cast<gint>(result.width);
  *height = static_cast<gint>(result.height);
  *radians = result.radians;
  *confidence = result.confidence;
  return TRUE;
}
gboolean gst_analytics_od_mtd_get_location(const Mtd* mtd, gint* x, gint* y, gint* width,
                                           gint* height, gfloat* confidence) {
  gfloat radians = 0;
  return gst_analytics_od_mtd_get_oriented_location(mtd, x, y, width, height, &radians, confidence);
}

// ---------------------------------------------------------------- classes and tracks

guintptr gst_analytics_cls_mtd_get_mtd_type() { return TypeId(kClasses); }
gboolean gst_analytics_relation_meta_add_cls_mtd(Meta* meta, gsize count, gfloat* levels,
                                                 GQuark* names, Mtd* mtd) {
  Result result;
  result.type = &kClasses;
  for (gsize i = 0; i < count; ++i) result.classes.emplace_back(levels[i], names[i]);
  return Add(meta, result, mtd);
}
gsize gst_analytics_cls_mtd_get_length(const Mtd* mtd) { return Of(mtd).classes.size(); }
gfloat gst_analytics_cls_mtd_get_level(const Mtd* mtd, gsize index) {
  return Of(mtd).classes[index].first;
}
GQuark gst_analytics_cls_mtd_get_quark(const Mtd* mtd, gsize index) {
  return Of(mtd).classes[index].second;
}
gint gst_analytics_cls_mtd_get_index_by_quark(const Mtd* mtd, GQuark name) {
  const auto& classes = Of(mtd).classes;
  for (gsize i = 0; i < classes.size(); ++i) {
    if (classes[i].second == name) return static_cast<gint>(i);
  }
  return -1;
}

guintptr gst_analytics_tracking_mtd_get_mtd_type() { return TypeId(kTracking); }
gboolean gst_analytics_relation_meta_add_tracking_mtd(Meta* meta, guint64 id, GstClockTime,
                                                      Mtd* mtd) {
  Result result;
  result.type = &kTracking;
  result.id = id;
  return Add(meta, result, mtd);
}
gboolean gst_analytics_tracking_mtd_set_lost(Mtd* mtd) { return Of(mtd).lost = TRUE; }
gboolean gst_analytics_tracking_mtd_get_info(const Mtd* mtd, guint64* id, GstClockTime*,
                                             GstClockTime*, gboolean* lost) {
  *id = Of(mtd).id;
  *lost = Of(mtd).lost;
  return TRUE;
}

// ---------------------------------------------------------------- segmentations

guintptr gst_analytics_segmentation_mtd_get_mtd_type() { return TypeId(kSegmentation); }
gboolean gst_analytics_relation_meta_add_segmentation_mtd(Meta* meta, GstBuffer* mask, gint,
                                                          gsize count, guint* ids, gint x, gint y,
                                                          guint width, guint height, Mtd* mtd) {
  Result result;
  result.type = &kSegmentation;
  result.mask = mask;
  result.ids.assign(ids, ids + count);
  result.x = x;
  result.y = y;
  result.width = width;
  result.height = height;
  return Add(meta, result, mtd);
}
GstBuffer* gst_analytics_segmentation_mtd_get_mask(const Mtd* mtd, gint* x, gint* y, guint* width,
                                                   guint* height) {
  const Result& result = Of(mtd);
  *x = result.x;
  *y = result.y;
  *width = result.width;
  *height = result.height;
  return gst_buffer_ref(result.mask);
}
gsize gst_analytics_segmentation_mtd_get_region_count(const Mtd* mtd) { return Of(mtd).ids.size(); }
guint gst_analytics_segmentation_mtd_get_region_id(const Mtd* mtd, gsize index) {
  return Of(mtd).ids[index];
}

// ---------------------------------------------------------------- groups of keypoints

guintptr gst_analytics_group_mtd_get_mtd_type() { return TypeId(kGroup); }
guintptr gst_analytics_keypoint_mtd_get_mtd_type() { return TypeId(kKeypoint); }
gboolean gst_analytics_relation_meta_add_group_mtd(Meta* meta, gsize, Mtd* mtd) {
  Result result;
  result.type = &kGroup;
  return Add(meta, result, mtd);
}
gboolean gst_analytics_group_mtd_add_member(Mtd* mtd, guint id) {
  Of(mtd).ids.push_back(id);
  gst_analytics_relation_meta_set_relation(mtd->meta, 2, id, mtd->id);
  return gst_analytics_relation_meta_set_relation(mtd->meta, 4, mtd->id, id);
}
gsize gst_analytics_group_mtd_get_member_count(const Mtd* mtd) { return Of(mtd).ids.size(); }
gboolean gst_analytics_group_mtd_get_member(const Mtd* mtd, gsize index, Mtd* member) {
  if (index >= Of(mtd).ids.size()) return FALSE;
  *member = {Of(mtd).ids[index], mtd->meta};
  return TRUE;
}
gboolean gst_analytics_relation_meta_add_keypoint_mtd(Meta* meta, gint dimensions, gint x, gint y,
                                                      gint z, guint8, gfloat confidence, Mtd* mtd) {
  Result result;
  result.type = &kKeypoint;
  result.dimensions = dimensions;
  result.x = x;
  result.y = y;
  result.z = z;
  result.confidence = confidence;
  return Add(meta, result, mtd);
}
gboolean gst_analytics_keypoint_mtd_get_position(const Mtd* mtd, gint* x, gint* y, gint* z,
                                                 gint* dimensions) {
  const Result& result = Of(mtd);
  *x = result.x;
  *y = result.y;
  *z = result.z;
  *dimensions = result.dimensions;
  return TRUE;
}
gboolean gst_analytics_keypoint_mtd_get_confidence(const Mtd* mtd, gfloat* confidence) {
  *confidence = Of(mtd).confidence;
  return TRUE;
}

}  // extern "C"
