// SPDX-License-Identifier: Apache-2.0
#include "gst/analytics_api.h"

#include <dlfcn.h>

#include <optional>
#include <string>
#include <type_traits>

namespace dsmsg {
namespace {

class Library {
 public:
  // Whoever attaches the metadata has loaded it; from here on it stays.
  Library() : handle_(dlopen("libgstanalytics-1.0.so.0", RTLD_LAZY | RTLD_NOLOAD)) {}

  /// `name` follows "gst_". False: the library has no such function.
  template <class Function>
  bool Get(const char* name, Function* function) const {
    static_assert(std::is_pointer_v<Function>);
    const std::string full = std::string("gst_") + name;
    *function = reinterpret_cast<Function>(
        dlsym(handle_ == nullptr ? RTLD_DEFAULT : handle_, full.c_str()));
    return *function != nullptr;
  }

 private:
  void* const handle_;
};

std::optional<AnalyticsApi> Load() {
  const Library library;
  AnalyticsApi api{};
  const bool all = library.Get("buffer_get_analytics_relation_meta", &api.buffer_meta) &&
                   library.Get("analytics_relation_meta_iterate", &api.iterate) &&
                   library.Get("analytics_relation_meta_get_relation", &api.relation) &&
                   library.Get("analytics_mtd_get_mtd_type", &api.type) &&
                   library.Get("analytics_mtd_type_get_name", &api.type_name) &&
                   library.Get("analytics_od_mtd_get_mtd_type", &api.detection_type) &&
                   library.Get("analytics_cls_mtd_get_mtd_type", &api.class_type) &&
                   library.Get("analytics_tracking_mtd_get_mtd_type", &api.tracking_type) &&
                   library.Get("analytics_od_mtd_get_obj_type", &api.detection_class) &&
                   library.Get("analytics_od_mtd_get_location", &api.location) &&
                   library.Get("analytics_cls_mtd_get_length", &api.class_count) &&
                   library.Get("analytics_cls_mtd_get_level", &api.class_level) &&
                   library.Get("analytics_cls_mtd_get_quark", &api.class_name) &&
                   library.Get("analytics_cls_mtd_get_index_by_quark", &api.class_index) &&
                   library.Get("analytics_tracking_mtd_get_info", &api.tracking);
  if (!all) return std::nullopt;
  library.Get("analytics_od_mtd_get_oriented_location", &api.oriented_location);
  library.Get("analytics_mtd_get_semantic_tag", &api.semantic_tag);
  // A type is read only if the library has all its functions.
  const bool masks =
      library.Get("analytics_segmentation_mtd_get_mask", &api.mask) &&
      library.Get("analytics_segmentation_mtd_get_region_count", &api.region_count) &&
      library.Get("analytics_segmentation_mtd_get_region_id", &api.region_id);
  if (masks) library.Get("analytics_segmentation_mtd_get_mtd_type", &api.segmentation_type);
  const bool groups = library.Get("analytics_group_mtd_get_member_count", &api.member_count) &&
                      library.Get("analytics_group_mtd_get_member", &api.member);
  if (groups) library.Get("analytics_group_mtd_get_mtd_type", &api.group_type);
  const bool points =
      library.Get("analytics_keypoint_mtd_get_position", &api.position) &&
      library.Get("analytics_keypoint_mtd_get_confidence", &api.keypoint_confidence);
  if (points) library.Get("analytics_keypoint_mtd_get_mtd_type", &api.keypoint_type);
  return api;
}

}  // namespace

const AnalyticsApi* AnalyticsApi::Find() {
  // The type is registered when the metadata is first attached.
  if (g_type_from_name("GstAnalyticsRelationMetaAPI") == 0) return nullptr;
  static const std::optional<AnalyticsApi> api = Load();
  return api ? &*api : nullptr;
}

}  // namespace dsmsg
