// SPDX-License-Identifier: Apache-2.0
// Offsets of the fields of NvDsEventMsgMeta in each release of DeepStream, from its public headers
// of 6.0, 7.0, 8.0 and 9.0 (64 bit). Up to `sensorStr` they have been where nvmsgconv.h has them
// since 6.0; later fields have moved. Constant data and plain functions.
#ifndef DSMSG_MSGCONV_EVENT_LAYOUT_H_
#define DSMSG_MSGCONV_EVENT_LAYOUT_H_

#include <cstddef>

#include "core/base/status.h"
#include "msgconv/deepstream_release.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {

/// Offset of a field that a release lacks or may lack: it is not read.
inline constexpr size_t kNotThere = 0;

struct EventTail {
  size_t other_attrs = kNotThere, video_path = kNotThere, ext_msg = kNotThere,
         ext_msg_size = kNotThere, pose = kNotThere, embedding = kNotThere;
  int product = -1, product_ext = -1;  // values of objType
};

/// 6.4 and 7.0, and what nvmsgconv.h declares.
inline constexpr EventTail kTail7 = {152, 160, 168, 176, 184, 200, 9, 10};
/// 6.0 to 6.3: what follows extMsgSize came in between.
inline constexpr EventTail kTail6 = {152, 160, 168, 176, kNotThere, kNotThere, -1, -1};
/// 8.0 to 9.x: 100 pairs of source and time, and more, stand before.
inline constexpr EventTail kTail8 = {13832, 13840, 13848, 13856, 13864, 13880, 11, 12};
/// An unknown release: only what all releases have in common.
inline constexpr EventTail kTailUnknown = {};

/// Bytes that hold an event of any of these.
inline constexpr size_t kEventBytes = 14336;

/// The tail for this process; an error for a release before 6.0, whose events differ.
Result<EventTail> EventTailOf(const DeepStream& deepstream);

// nvmsgconv.h's structure, unless DeepStream's own is used instead.
static_assert(
    sizeof(void*) != 8 ||
    (offsetof(NvDsEventMsgMeta, type) == 0 && offsetof(NvDsEventMsgMeta, objType) == 4 &&
     offsetof(NvDsEventMsgMeta, bbox) == 8 && offsetof(NvDsEventMsgMeta, location) == 24 &&
     offsetof(NvDsEventMsgMeta, coordinate) == 48 &&
     offsetof(NvDsEventMsgMeta, objSignature) == 72 &&
     offsetof(NvDsEventMsgMeta, objClassId) == 88 && offsetof(NvDsEventMsgMeta, sensorId) == 92 &&
     offsetof(NvDsEventMsgMeta, moduleId) == 96 && offsetof(NvDsEventMsgMeta, placeId) == 100 &&
     offsetof(NvDsEventMsgMeta, componentId) == 104 && offsetof(NvDsEventMsgMeta, frameId) == 108 &&
     offsetof(NvDsEventMsgMeta, confidence) == 112 &&
     offsetof(NvDsEventMsgMeta, trackingId) == 120 && offsetof(NvDsEventMsgMeta, ts) == 128 &&
     offsetof(NvDsEventMsgMeta, objectId) == 136 && offsetof(NvDsEventMsgMeta, sensorStr) == 144));
static_assert(offsetof(NvDsEventMsgMeta, otherAttrs) == kTail7.other_attrs &&
              offsetof(NvDsEventMsgMeta, videoPath) == kTail7.video_path &&
              offsetof(NvDsEventMsgMeta, extMsg) == kTail7.ext_msg &&
              offsetof(NvDsEventMsgMeta, extMsgSize) == kTail7.ext_msg_size &&
              offsetof(NvDsEventMsgMeta, pose) == kTail7.pose &&
              offsetof(NvDsEventMsgMeta, embedding) == kTail7.embedding);
static_assert(offsetof(NvDsVehicleObjectExt, mask) == 48 && sizeof(NvDsVehicleObject) == 48);
static_assert(offsetof(NvDsPersonObjectExt, mask) == 40 && sizeof(NvDsPersonObject) == 40);
static_assert(offsetof(NvDsFaceObjectExt, mask) == 64 && sizeof(NvDsFaceObject) == 64);
static_assert(offsetof(NvDsProductObjectExt, mask) == 24 && sizeof(NvDsProductObject) == 24);
static_assert(sizeof(NvDsJoint) == 16 && sizeof(NvDsJoints) == 16 && sizeof(NvDsEmbedding) == 16);
static_assert(sizeof(NvDsEvent) == 16 && sizeof(NvDsPayload) == 16 && sizeof(NvDsMsg2pCtx) == 16);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_LAYOUT_H_
