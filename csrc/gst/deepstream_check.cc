// SPDX-License-Identifier: Apache-2.0
// Compares deepstream_layout.h and event_layout.h with the headers of an installed DeepStream:
// compiled only with -DDEEPSTREAM_ROOT=<its folder>, where a difference fails the build. Contains
// no code.
#include <gstnvdsmeta.h>
#include <nvds_audio_meta.h>
#include <nvdsmeta_schema.h>
// Before the next one, which then declares no structures of its own.
#include "msgconv/deepstream_layout.h"
#include "msgconv/event_layout.h"

#include <cstddef>

namespace dsmsg::deepstream {
namespace {

// The layout that these headers have. Does not compile if their frames and objects have sizes that
// are in no known release.
constexpr Layout kHere = *LayoutOf(sizeof(NvDsFrameMeta), sizeof(NvDsObjectMeta));

static_assert(offsetof(NvDsMeta, meta_data) == kGstData &&
                  offsetof(NvDsMeta, meta_type) == kGstType && sizeof(NvDsMeta) == kGstSize,
              "NvDsMeta");
static_assert(static_cast<int>(NVDS_BATCH_GST_META) == kBatchGstMeta, "NVDS_BATCH_GST_META");
static_assert(NVDS_BATCH_META == kBatchMeta && NVDS_FRAME_META == kFrameMeta &&
                  NVDS_OBJ_META == kObjectMeta && NVDS_CLASSIFIER_META == kClassifierMeta &&
                  NVDS_LABEL_INFO_META == kLabelInfoMeta && NVDS_USER_META == kUserMeta &&
                  NVDS_PAYLOAD_META == kPayloadMeta && NVDS_EVENT_MSG_META == kEventMeta,
              "NvDsMetaType");
// Those of one of the releases that have this layout.
constexpr bool KnownTypes() {
  for (const UserTypes& each : kUserTypes) {
    if (each.audio_batch == NVDS_AUDIO_BATCH_META && each.blob == NVDS_CUSTOM_MSG_BLOB)
      return (each.first.major >= 8) == (kHere.first.major >= 8);
  }
  return false;
}
static_assert(NVDS_AUDIO_FRAME_META == NVDS_AUDIO_BATCH_META + 1 && KnownTypes(), "NvDsMetaType");
static_assert(UNTRACKED_OBJECT_ID == kUntracked && MAX_LABEL_SIZE == kLabelSize, "constants");
static_assert(offsetof(NvDsBaseMeta, batch_meta) == kBaseBatch &&
                  offsetof(NvDsBaseMeta, meta_type) == kBaseType,
              "NvDsBaseMeta");
static_assert(offsetof(NvDsBatchMeta, num_frames_in_batch) == batch::kFrames &&
                  offsetof(NvDsBatchMeta, frame_meta_pool) == batch::kFramePool &&
                  offsetof(NvDsBatchMeta, obj_meta_pool) == batch::kObjectPool &&
                  offsetof(NvDsBatchMeta, frame_meta_list) == batch::kFrameList &&
                  offsetof(NvDsBatchMeta, batch_user_meta_list) == batch::kUserList,
              "NvDsBatchMeta");
static_assert(offsetof(NvDsMetaPool, meta_type) == pool::kType &&
                  offsetof(NvDsMetaPool, element_size) == pool::kElementSize,
              "NvDsMetaPool");
static_assert(offsetof(NvDsFrameMeta, frame_num) == frame::kNumber &&
                  offsetof(NvDsFrameMeta, buf_pts) == frame::kPts &&
                  offsetof(NvDsFrameMeta, ntp_timestamp) == frame::kNtp &&
                  offsetof(NvDsFrameMeta, source_id) == frame::kSource &&
                  offsetof(NvDsFrameMeta, source_frame_width) == frame::kSourceWidth &&
                  offsetof(NvDsFrameMeta, source_frame_height) == frame::kSourceHeight &&
                  offsetof(NvDsFrameMeta, num_obj_meta) == frame::kObjects &&
                  offsetof(NvDsFrameMeta, obj_meta_list) == frame::kObjectList &&
                  offsetof(NvDsFrameMeta, frame_user_meta_list) == frame::kUserList &&
                  offsetof(NvDsFrameMeta, pipeline_width) == frame::kPipelineWidth &&
                  offsetof(NvDsFrameMeta, pipeline_height) == frame::kPipelineHeight,
              "NvDsFrameMeta");
static_assert(offsetof(NvDsAudioFrameMeta, frame_num) == frame::kNumber &&
                  offsetof(NvDsAudioFrameMeta, ntp_timestamp) == frame::kNtp &&
                  offsetof(NvDsAudioFrameMeta, source_id) == frame::kSource &&
                  offsetof(NvDsAudioFrameMeta, class_id) == audio::kClass &&
                  offsetof(NvDsAudioFrameMeta, confidence) == audio::kConfidence &&
                  offsetof(NvDsAudioFrameMeta, class_label) == audio::kLabel &&
                  offsetof(NvDsAudioFrameMeta, classifier_meta_list) == audio::kClassifierList &&
                  offsetof(NvDsAudioFrameMeta, frame_user_meta_list) == audio::kUserList &&
                  sizeof(NvDsAudioFrameMeta) == audio::kSize,
              "NvDsAudioFrameMeta");
static_assert(offsetof(NvDsObjectMeta, unique_component_id) == object::kComponent &&
                  offsetof(NvDsObjectMeta, class_id) == object::kClass &&
                  offsetof(NvDsObjectMeta, object_id) == object::kId &&
                  offsetof(NvDsObjectMeta, confidence) == object::kConfidence &&
                  offsetof(NvDsObjectMeta, rect_params) == object::kBox &&
                  offsetof(NvDsObjectMeta, mask_params) == kHere.mask &&
                  offsetof(NvDsObjectMeta, obj_label) == kHere.label &&
                  offsetof(NvDsObjectMeta, classifier_meta_list) == kHere.classifiers &&
                  offsetof(NvDsObjectMeta, obj_user_meta_list) == kHere.object_users,
              "NvDsObjectMeta");
static_assert(offsetof(NvOSD_RectParams, left) == 0 && offsetof(NvOSD_RectParams, top) == 4 &&
                  offsetof(NvOSD_RectParams, width) == 8 &&
                  offsetof(NvOSD_RectParams, height) == 12,
              "NvOSD_RectParams");
static_assert(offsetof(NvOSD_MaskParams, data) == mask::kData &&
                  offsetof(NvOSD_MaskParams, size) == mask::kSize &&
                  offsetof(NvOSD_MaskParams, threshold) == mask::kThreshold &&
                  offsetof(NvOSD_MaskParams, width) == mask::kWidth &&
                  offsetof(NvOSD_MaskParams, height) == mask::kHeight,
              "NvOSD_MaskParams");
static_assert(offsetof(NvDsClassifierMeta, unique_component_id) == classifier::kComponent &&
                  offsetof(NvDsClassifierMeta, label_info_list) == classifier::kLabelList &&
                  offsetof(NvDsClassifierMeta, classifier_type) == classifier::kType,
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
static_assert(offsetof(NvDsCustomMsgInfo, message) == blob::kText &&
                  offsetof(NvDsCustomMsgInfo, size) == blob::kSize,
              "NvDsCustomMsgInfo");

// Only what some releases have, so that it is looked at in a template.
template <class Frame, class Object>
constexpr bool SameNewFields() {
  if constexpr (requires(Frame frame) { frame.sensorInfo_meta; }) {
    static_assert(offsetof(Frame, sensorInfo_meta) == kHere.sensor, "sensorInfo_meta");
    static_assert(offsetof(Frame, sensorInfo_meta.sensor_id) == kHere.sensor + sensor::kId &&
                      offsetof(Frame, sensorInfo_meta.sensor_name) == kHere.sensor + sensor::kName,
                  "NvDsSensorInfo_meta");
  } else {
    static_assert(kHere.sensor == kNotThere, "sensorInfo_meta");
  }
  if constexpr (requires(Object object) { object.rect_params.rotation_angle; }) {
    static_assert(offsetof(Object, rect_params.rotation_angle) == kHere.rotation, "rotation_angle");
  } else {
    static_assert(kHere.rotation == kNotThere, "rotation_angle");
  }
  return true;
}
static_assert(SameNewFields<NvDsFrameMeta, NvDsObjectMeta>());

// Events: the layout follows from what the structure has.
template <class Event>
constexpr msgconv::EventTail TailHere() {
  using msgconv::EventTail;
  if constexpr (requires(Event event) { event.visibility; }) return msgconv::kTail91;
  if constexpr (requires(Event event) { event.entries; }) {
    return kHere.box3d == msgconv::kTail8.box3d_size ? msgconv::kTail8 : msgconv::kTail90;
  }
  if constexpr (requires(Event event) { event.has3DTracking; }) return msgconv::kTail7;
  if constexpr (requires(Event event) { event.pose; }) return msgconv::kTail62;
  return msgconv::kTail6;
}
template <class Event>
constexpr bool SameEvent() {
  constexpr msgconv::EventTail kTail = TailHere<Event>();
  static_assert(offsetof(Event, sensorStr) == 144 &&
                    offsetof(Event, otherAttrs) == kTail.other_attrs &&
                    offsetof(Event, videoPath) == kTail.video_path &&
                    offsetof(Event, extMsg) == kTail.ext_msg &&
                    offsetof(Event, extMsgSize) == kTail.ext_msg_size,
                "NvDsEventMsgMeta");
  if constexpr (requires(Event event) { event.pose; }) {
    static_assert(
        offsetof(Event, pose) == kTail.pose && offsetof(Event, embedding) == kTail.embedding,
        "NvDsEventMsgMeta");
  }
  if constexpr (requires(Event event) { event.has3DTracking; }) {
    static_assert(offsetof(Event, has3DTracking) == kTail.has_track &&
                      offsetof(Event, singleView3DTracking.ptWorldFeet) == kTail.feet &&
                      offsetof(Event, singleView3DTracking.convexHull) == kTail.hull,
                  "NvDs3DTracking");
  }
  if constexpr (requires(Event event) { event.singleView3DTracking.bbox3d; }) {
    static_assert(offsetof(Event, singleView3DTracking.bbox3d) == kTail.box3d &&
                      sizeof(Event::singleView3DTracking.bbox3d) == kTail.box3d_size &&
                      kTail.box3d_size == kHere.box3d,
                  "NvDs3DTracking");
  }
  static_assert(kTail.findings == requires(Event event) { event.fov; });
  if constexpr (kTail.findings) {
    namespace finding = msgconv::finding;
    static_assert(offsetof(Event, entries) == finding::kSources &&
                      offsetof(Event, count) == finding::kSourceCount &&
                      offsetof(Event, llm) == finding::kLlm &&
                      offsetof(Event, num_interactions) == finding::kInteractionCount &&
                      offsetof(Event, interactions) == finding::kInteractions &&
                      offsetof(Event, num_congestions) == finding::kCongestionCount &&
                      offsetof(Event, congestions) == finding::kCongestions &&
                      offsetof(Event, num_fov) == finding::kFovCount &&
                      offsetof(Event, fov) == finding::kFov &&
                      offsetof(Event, segmentation) == finding::kSegmentation,
                  "NvDsEventMsgMeta");
  }
  if constexpr (requires(Event event) { event.visibility; })
    static_assert(offsetof(Event, visibility) == kTail.visibility, "visibility");
  return sizeof(Event) <= msgconv::kEventBytes;
}
static_assert(SameEvent<NvDsEventMsgMeta>());

}  // namespace
}  // namespace dsmsg::deepstream
