// SPDX-License-Identifier: Apache-2.0
// Compares deepstream_layout.h with the headers of an installed DeepStream: compiled only with
// -DDEEPSTREAM_ROOT=<its folder>, where a difference fails the build. Contains no code.
#include <gstnvdsmeta.h>
#include <nvdsmeta_schema.h>

#include <cstddef>

#include "gst/deepstream_layout.h"

namespace dsmsg::deepstream {
namespace {

static_assert(offsetof(NvDsMeta, meta_data) == kGstData &&
                  offsetof(NvDsMeta, meta_type) == kGstType && sizeof(NvDsMeta) == kGstSize,
              "NvDsMeta");
static_assert(static_cast<int>(NVDS_BATCH_GST_META) == kBatchGstMeta, "NVDS_BATCH_GST_META");
static_assert(NVDS_BATCH_META == kBatchMeta && NVDS_FRAME_META == kFrameMeta &&
                  NVDS_OBJ_META == kObjectMeta && NVDS_CLASSIFIER_META == kClassifierMeta &&
                  NVDS_LABEL_INFO_META == kLabelInfoMeta && NVDS_PAYLOAD_META == kPayloadMeta &&
                  NVDS_EVENT_MSG_META == kEventMeta,
              "NvDsMetaType");
static_assert(UNTRACKED_OBJECT_ID == kUntracked && MAX_LABEL_SIZE == kLabelSize, "constants");
static_assert(offsetof(NvDsBaseMeta, batch_meta) == kBaseBatch &&
                  offsetof(NvDsBaseMeta, meta_type) == kBaseType,
              "NvDsBaseMeta");
static_assert(offsetof(NvDsBatchMeta, max_frames_in_batch) == batch::kMaxFrames &&
                  offsetof(NvDsBatchMeta, num_frames_in_batch) == batch::kFrames &&
                  offsetof(NvDsBatchMeta, frame_meta_list) == batch::kFrameList &&
                  offsetof(NvDsBatchMeta, batch_user_meta_list) == batch::kUserList,
              "NvDsBatchMeta");
static_assert(offsetof(NvDsFrameMeta, frame_num) == frame::kNumber &&
                  offsetof(NvDsFrameMeta, buf_pts) == frame::kPts &&
                  offsetof(NvDsFrameMeta, ntp_timestamp) == frame::kNtp &&
                  offsetof(NvDsFrameMeta, source_id) == frame::kSource &&
                  offsetof(NvDsFrameMeta, source_frame_width) == frame::kSourceWidth &&
                  offsetof(NvDsFrameMeta, source_frame_height) == frame::kSourceHeight &&
                  offsetof(NvDsFrameMeta, obj_meta_list) == frame::kObjectList &&
                  offsetof(NvDsFrameMeta, frame_user_meta_list) == frame::kUserList &&
                  offsetof(NvDsFrameMeta, pipeline_width) == frame::kPipelineWidth &&
                  offsetof(NvDsFrameMeta, pipeline_height) == frame::kPipelineHeight,
              "NvDsFrameMeta");
static_assert(offsetof(NvDsObjectMeta, unique_component_id) == object::kComponent &&
                  offsetof(NvDsObjectMeta, class_id) == object::kClass &&
                  offsetof(NvDsObjectMeta, object_id) == object::kId &&
                  offsetof(NvDsObjectMeta, confidence) == object::kConfidence &&
                  offsetof(NvDsObjectMeta, rect_params) == object::kBox &&
                  offsetof(NvDsObjectMeta, obj_label) == object::kLabel &&
                  offsetof(NvDsObjectMeta, classifier_meta_list) == object::kClassifierList,
              "NvDsObjectMeta");
static_assert(offsetof(NvOSD_RectParams, left) == 0 && offsetof(NvOSD_RectParams, top) == 4 &&
                  offsetof(NvOSD_RectParams, width) == 8 &&
                  offsetof(NvOSD_RectParams, height) == 12,
              "NvOSD_RectParams");
static_assert(offsetof(NvDsClassifierMeta, unique_component_id) == classifier::kComponent &&
                  offsetof(NvDsClassifierMeta, label_info_list) == classifier::kLabelList,
              "NvDsClassifierMeta");
static_assert(offsetof(NvDsLabelInfo, result_label) == classifier::kResult &&
                  offsetof(NvDsLabelInfo, pResult_label) == classifier::kLongResult &&
                  offsetof(NvDsLabelInfo, result_prob) == classifier::kProbability,
              "NvDsLabelInfo");
static_assert(offsetof(NvDsUserMeta, user_meta_data) == user::kData, "NvDsUserMeta");
static_assert(offsetof(NvDsPayload, payload) == payload::kBytes &&
                  offsetof(NvDsPayload, payloadSize) == payload::kSize &&
                  offsetof(NvDsPayload, componentId) == payload::kComponent,
              "NvDsPayload");

}  // namespace
}  // namespace dsmsg::deepstream
