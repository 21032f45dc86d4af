// SPDX-License-Identifier: Apache-2.0
// The layout of DeepStream's metadata, so that it can be read without DeepStream's headers or
// libraries: byte offsets on 64-bit Linux, which are the same in the releases named below. With
// -DDEEPSTREAM_ROOT=<folder> deepstream_check.cc compares every one of them with the installed
// headers. Constant data.
#ifndef DSMSG_GST_DEEPSTREAM_LAYOUT_H_
#define DSMSG_GST_DEEPSTREAM_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "msgconv/deepstream_release.h"

namespace dsmsg::deepstream {

using msgconv::Release;
/// Releases whose envelope (batch, frames, lists of user metadata, payloads) is as below. What is
/// read is also checked against itself.
inline constexpr Release kFirst{6, 0}, kLast{9, 99};
/// Releases whose objects and classifier results are as below; events: msgconv/event_layout.h.
inline constexpr Release kFirstObjects{6, 0}, kLastObjects{7, 1};

// Tag of the GstMeta's API type, and values of the types of metadata.
inline constexpr char kTag[] = "nvdsmeta";
inline constexpr int32_t kBatchGstMeta = 4097;
inline constexpr int32_t kBatchMeta = 1, kFrameMeta = 2, kObjectMeta = 3, kClassifierMeta = 5,
                         kLabelInfoMeta = 6, kPayloadMeta = 8, kEventMeta = 9;
inline constexpr uint64_t kUntracked = UINT64_MAX;
inline constexpr size_t kLabelSize = 128;

// NvDsMeta: a GstMeta (16 bytes) and what it points to.
inline constexpr size_t kGstData = 16, kGstType = 32, kGstSize = 72;

// NvDsBaseMeta, the head of everything below.
inline constexpr size_t kBaseBatch = 0, kBaseType = 8;

namespace batch {  // NvDsBatchMeta
inline constexpr size_t kMaxFrames = 40, kFrames = 44, kFrameList = 96, kUserList = 104;
}
namespace frame {  // NvDsFrameMeta
inline constexpr size_t kNumber = 48, kPts = 56, kNtp = 64, kSource = 72, kSourceWidth = 80,
                        kSourceHeight = 84, kObjectList = 104, kUserList = 120,
                        kPipelineWidth = 160, kPipelineHeight = 164;
}
namespace object {  // NvDsObjectMeta
inline constexpr size_t kComponent = 48, kClass = 52, kId = 56, kConfidence = 96, kBox = 104,
                        kLabel = 336, kClassifierList = 464;
}
namespace classifier {  // NvDsClassifierMeta, NvDsLabelInfo
inline constexpr size_t kComponent = 44, kLabelList = 48;
inline constexpr size_t kResult = 44, kLongResult = 176, kProbability = 192;
}  // namespace classifier
namespace user {  // NvDsUserMeta
inline constexpr size_t kData = 40;
}
namespace payload {  // NvDsPayload
inline constexpr size_t kBytes = 0, kSize = 8, kComponent = 12;
}

}  // namespace dsmsg::deepstream

#endif  // DSMSG_GST_DEEPSTREAM_LAYOUT_H_
