// SPDX-License-Identifier: Apache-2.0
// Attaches GStreamer's analytics metadata in tests, with the functions of the system's library or
// else of fake_analytics.cc. They are looked up by name, as the element does, so one test program
// works with all releases of GStreamer.
#ifndef DSMSG_TESTS_GST_ANALYTICS_SUPPORT_H_
#define DSMSG_TESTS_GST_ANALYTICS_SUPPORT_H_

#include <dlfcn.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "gst/analytics_api.h"

namespace dsmsg_test {

using dsmsg::AnalyticsMtd;

/// The metadata of one buffer; every function returns the new result.
class Analytics {
 public:
  explicit Analytics(GstBuffer* buffer)
      : meta_(Get<void*(GstBuffer*)>("gst_buffer_add_analytics_relation_meta")(buffer)) {}

  /// Whether the running GStreamer has the functions of 1.26, and those of 1.30.
  static bool HasMasks() { return Has("gst_analytics_segmentation_mtd_get_mask"); }
  static bool HasTags() { return Has("gst_analytics_mtd_set_semantic_tag"); }
  static bool HasGroups() { return Has("gst_analytics_relation_meta_add_keypoint_mtd"); }

  AnalyticsMtd Detection(const char* name, gint x, gint y, gint width, gint height,
                         gfloat confidence) {
    AnalyticsMtd mtd;
    Get<gboolean(void*, GQuark, gint, gint, gint, gint, gfloat, AnalyticsMtd*)>(
        "gst_analytics_relation_meta_add_od_mtd")(meta_, g_quark_from_string(name), x, y, width,
                                                  height, confidence, &mtd);
    return mtd;
  }
  AnalyticsMtd Oriented(const char* name, gint x, gint y, gint width, gint height, gfloat radians,
                        gfloat confidence) {
    AnalyticsMtd mtd;
    Get<gboolean(void*, GQuark, gint, gint, gint, gint, gfloat, gfloat, AnalyticsMtd*)>(
        "gst_analytics_relation_meta_add_oriented_od_mtd")(
        meta_, g_quark_from_string(name), x, y, width, height, radians, confidence, &mtd);
    return mtd;
  }
  AnalyticsMtd Classes(std::vector<std::pair<const char*, gfloat>> classes) {
    std::vector<gfloat> levels;
    std::vector<GQuark> names;
    for (const auto& [name, level] : classes) {
      names.push_back(g_quark_from_string(name));
      levels.push_back(level);
    }
    AnalyticsMtd mtd;
    Get<gboolean(void*, gsize, gfloat*, GQuark*, AnalyticsMtd*)>(
        "gst_analytics_relation_meta_add_cls_mtd")(meta_, levels.size(), levels.data(),
                                                   names.data(), &mtd);
    return mtd;
  }
  AnalyticsMtd Tracking(guint64 id, bool lost = false) {
    AnalyticsMtd mtd;
    Get<gboolean(void*, guint64, GstClockTime, AnalyticsMtd*)>(
        "gst_analytics_relation_meta_add_tracking_mtd")(meta_, id, 0, &mtd);
    if (lost) Get<gboolean(AnalyticsMtd*)>("gst_analytics_tracking_mtd_set_lost")(&mtd);
    return mtd;
  }
  /// `rows`: the numbers of regions, a text for each row.
  AnalyticsMtd Segmentation(const std::vector<std::string>& rows, std::vector<guint> regions,
                            gint x, gint y, guint width, guint height) {
    const auto columns = static_cast<guint>(rows[0].size());
    GstBuffer* mask = gst_buffer_new_allocate(nullptr, rows.size() * columns, nullptr);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::string row = rows[i];
      for (char& c : row) c = static_cast<char>(c - '0');
      gst_buffer_fill(mask, i * columns, row.data(), columns);
    }
    gst_buffer_add_video_meta(mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, columns,
                              static_cast<guint>(rows.size()));
    gst_buffer_get_video_meta(mask)->stride[0] = static_cast<gint>(columns);
    AnalyticsMtd mtd;
    Get<gboolean(void*, GstBuffer*, gint, gsize, guint*, gint, gint, guint, guint, AnalyticsMtd*)>(
        "gst_analytics_relation_meta_add_segmentation_mtd")(
        meta_, mask, 1, regions.size(), regions.data(), x, y, width, height, &mtd);
    return mtd;
  }
  AnalyticsMtd Keypoints(const std::vector<std::pair<gint, gint>>& points, gfloat confidence) {
    AnalyticsMtd group;
    Get<gboolean(void*, gsize, AnalyticsMtd*)>("gst_analytics_relation_meta_add_group_mtd")(
        meta_, points.size(), &group);
    for (const auto& [x, y] : points) {
      AnalyticsMtd point;
      Get<gboolean(void*, gint, gint, gint, gint, guint8, gfloat, AnalyticsMtd*)>(
          "gst_analytics_relation_meta_add_keypoint_mtd")(meta_, 2, x, y, 0, 0, confidence, &point);
      AddMember(&group, point);
    }
    return group;
  }
  AnalyticsMtd Group() {
    AnalyticsMtd group;
    Get<gboolean(void*, gsize, AnalyticsMtd*)>("gst_analytics_relation_meta_add_group_mtd")(
        meta_, 1, &group);
    return group;
  }
  void AddMember(AnalyticsMtd* group, const AnalyticsMtd& member) {
    Get<gboolean(AnalyticsMtd*, guint)>("gst_analytics_group_mtd_add_member")(group, member.id);
  }
  /// A result of a type that the reader does not know.
  AnalyticsMtd Unknown(const char* name) {
    static struct {
      const char* name;
      void* rest[32];
    } type{};
    type.name = name;
    AnalyticsMtd mtd;
    Get<gpointer(void*, const void*, gsize, AnalyticsMtd*)>("gst_analytics_relation_meta_add_mtd")(
        meta_, &type, 8, &mtd);
    return mtd;
  }
  static void Tag(AnalyticsMtd mtd, const char* tag) {
    Get<gboolean(AnalyticsMtd*, const gchar*)>("gst_analytics_mtd_set_semantic_tag")(&mtd, tag);
  }

  enum Relation : gint { kIsPartOf = 2, kContains = 4, kRelatesTo = 8 };
  void Relate(const AnalyticsMtd& first, const AnalyticsMtd& second, Relation how = kRelatesTo) {
    Get<gboolean(void*, gint, guint, guint)>("gst_analytics_relation_meta_set_relation")(
        meta_, how, first.id, second.id);
  }

 private:
  static void* Find(const char* name) {
    static void* const library = [] {
      void* real = dlopen("libgstanalytics-1.0.so.0", RTLD_NOW);
      void* found = real != nullptr ? real : dlopen(DSMSG_FAKE_ANALYTICS, RTLD_NOW);
      if (found == nullptr) ADD_FAILURE() << dlerror();
      return found;
    }();
    return dlsym(library, name);
  }
  static bool Has(const char* name) { return Find(name) != nullptr; }
  template <class Signature>
  static Signature* Get(const char* name) {
    return reinterpret_cast<Signature*>(Find(name));
  }

  void* const meta_;
};

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_ANALYTICS_SUPPORT_H_
