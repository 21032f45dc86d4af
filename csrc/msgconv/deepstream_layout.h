// SPDX-License-Identifier: Apache-2.0
// The layout of DeepStream's metadata on 64-bit Linux, so that it can be read without DeepStream's
// headers or libraries. What differs between releases is in Layout; which one it is, the pools
// of the batch tell, which state the size of their elements. With -DDEEPSTREAM_ROOT=<folder>
// gst/deepstream_check.cc compares the layout with the headers there. Constant data.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_LAYOUT_H_
#define DSMSG_MSGCONV_DEEPSTREAM_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "msgconv/deepstream_release.h"

namespace dsmsg::deepstream {

using msgconv::Release;

// Tag of the GstMeta's API type, and values of the types of metadata.
inline constexpr char kTag[] = "nvdsmeta";
inline constexpr int32_t kBatchGstMeta = 4097;
inline constexpr int32_t kBatchMeta = 1, kFrameMeta = 2, kObjectMeta = 3, kClassifierMeta = 5,
                         kLabelInfoMeta = 6, kUserMeta = 7, kPayloadMeta = 8, kEventMeta = 9;
inline constexpr uint64_t kUntracked = UINT64_MAX;
inline constexpr size_t kLabelSize = 128;

/// Types of user metadata that have one number in all releases that have them.
namespace type {
inline constexpr int32_t kSegmentation = 13, kBatchReid = 16, kReid = 17, kVisibility = 20,
                         kImageFoot = 21, kWorldFoot = 22, kConvexHull = 23, kBox3d = 24,
                         kSparse4d = 31;
}
inline constexpr int32_t kNoType = INT32_MIN;

/// How an object's embedding is attached: not at all, as its place in the batch's, or by itself.
enum class Reid : uint8_t { kNone, kPlace, kVector };

/// What user metadata the releases from `first` on have. Before 8.0 the types of analytics were
/// numbers that the library gave them (nvds_get_user_meta_type).
struct UserTypes {
  Release first;
  Reid reid = Reid::kNone;
  bool track = false;  // kVisibility to kConvexHull
  bool space = false;  // kBox3d, kSparse4d
  bool state = false;  // analytics of an object end with its state
  int32_t audio_batch = kNoType, blob = kNoType;
  int32_t frame_analytics = kNoType, object_analytics = kNoType;
};
inline constexpr UserTypes kUserTypes[] = {
    {{6, 0}, Reid::kNone, false, false, false, 16, 20},
    {{6, 3}, Reid::kPlace, false, false, true, 18, 22},
    {{6, 4}, Reid::kPlace, true, false, true, 24, 28},
    {{7, 0}, Reid::kVector, true, false, true, 24, 28},
    {{8, 0}, Reid::kVector, true, true, true, 25, 29, 32, 33},
};
/// Those of a release; of an unknown one what all have.
inline constexpr UserTypes UserTypesOf(const std::optional<Release>& release) {
  UserTypes types;
  for (const UserTypes& each : kUserTypes) {
    if (release && each.first <= *release) types = each;
  }
  return types;
}

/// Offset of a field that some releases lack.
inline constexpr size_t kNotThere = 0;

/// What differs between releases.
struct Layout {
  Release first, last;
  // sizeof(NvDsFrameMeta) and sizeof(NvDsObjectMeta): no two layouts have the same.
  size_t frame_size, object_size;
  // Offsets in an object (but for `rotation`, each is behind the box) and in a frame.
  size_t rotation, mask, label, classifiers, object_users;
  size_t sensor;  // what the source says of itself
  size_t box3d;   // sizeof(NvDsBbox3dObject)
  bool tested;    // with DeepStream's own library, or for years with its users
};
inline constexpr Layout kLayouts[] = {
    {{6, 0}, {7, 1}, 200, 544, kNotThere, 208, 336, 464, 472, kNotThere, kNotThere, true},
    {{8, 0}, {8, 0}, 232, 544, kNotThere, 208, 336, 464, 472, 168, 88, false},
    {{9, 0}, {9, 1}, 232, 552, 208, 216, 344, 472, 480, 168, 96, true},
};
inline constexpr const Layout* LayoutOf(size_t frame_size, size_t object_size) {
  for (const Layout& layout : kLayouts) {
    if (layout.frame_size == frame_size && layout.object_size == object_size) return &layout;
  }
  return nullptr;
}

// NvDsMeta: a GstMeta (16 bytes) and what it points to.
inline constexpr size_t kGstData = 16, kGstType = 32, kGstSize = 72;

// NvDsBaseMeta, the head of everything below.
inline constexpr size_t kBaseBatch = 0, kBaseType = 8;

namespace batch {  // NvDsBatchMeta
inline constexpr size_t kFrames = 44, kFramePool = 48, kObjectPool = 56, kFrameList = 96,
                        kUserList = 104;
}
namespace pool {  // NvDsMetaPool
inline constexpr size_t kType = 0, kElementSize = 8;
}
namespace frame {  // NvDsFrameMeta
inline constexpr size_t kNumber = 48, kPts = 56, kNtp = 64, kSource = 72, kSourceWidth = 80,
                        kSourceHeight = 84, kObjects = 96, kObjectList = 104, kUserList = 120,
                        kPipelineWidth = 160, kPipelineHeight = 164;
}
namespace sensor {  // NvDsSensorInfo_meta
inline constexpr size_t kId = 16, kName = 24;
}
namespace audio {  // NvDsAudioFrameMeta, which has the same in all releases
inline constexpr size_t kClass = 100, kConfidence = 104, kLabel = 108, kClassifierList = 240,
                        kUserList = 248, kSize = 320;
}
namespace object {  // NvDsObjectMeta
inline constexpr size_t kParent = 40, kComponent = 48, kClass = 52, kId = 56, kConfidence = 96,
                        kBox = 104;
}
namespace mask {  // NvOSD_MaskParams
inline constexpr size_t kData = 0, kSize = 8, kThreshold = 12, kWidth = 16, kHeight = 20;
}
namespace classifier {  // NvDsClassifierMeta, NvDsLabelInfo
inline constexpr size_t kComponent = 44, kLabelList = 48, kType = 56;
inline constexpr size_t kResult = 44, kLongResult = 176, kProbability = 192;
}  // namespace classifier
namespace user {  // NvDsUserMeta
inline constexpr size_t kData = 40;
}
namespace payload {  // NvDsPayload
inline constexpr size_t kBytes = 0, kSize = 8, kComponent = 12;
}
namespace blob {  // NvDsCustomMsgInfo
inline constexpr size_t kText = 0, kSize = 8;
}
namespace segmentation {  // NvDsInferSegmentationMeta
inline constexpr size_t kWidth = 4, kHeight = 8, kClasses = 16;
}
namespace reid {  // NvDsObjReid; NvDsReidTensorBatch
inline constexpr size_t kCount = 0, kValues = 8;
inline constexpr size_t kObjects = 4;
}  // namespace reid
namespace hull {  // NvDsObjConvexHull
inline constexpr size_t kPoints = 0, kAllocated = 8, kCount = 12;
}
namespace embedding {  // NvDsEmbedding
inline constexpr size_t kValues = 0, kCount = 8, kSize = 16;
}
namespace box3d {  // NvDsBbox3dObject; its text from 9.0 on
inline constexpr size_t kScore = 48, kLabel = 56, kEmbeddingFilter = 64, kConfidence = 72, kId = 76,
                        kFeatures = 80, kText = 88;
}
namespace scene {  // NvDsBbox3dObjectList, behind its objects
inline constexpr uint32_t kMost = 600;
inline constexpr size_t kCount = 0, kTime = 8, kNumber = 16, kCamera = 20, kSensor = 24,
                        kSources = 32, kSourceCount = 13632;
}  // namespace scene
namespace source_time {  // SourceTimePair
inline constexpr int32_t kMost = 100;
inline constexpr size_t kId = 0, kTime = 128, kSize = 136;
}  // namespace source_time

}  // namespace dsmsg::deepstream

#endif  // DSMSG_MSGCONV_DEEPSTREAM_LAYOUT_H_
