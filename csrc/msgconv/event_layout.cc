// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_layout.h"

#include <optional>

#include "msgconv/deepstream_layout.h"

namespace dsmsg::msgconv {
namespace {

// nvmsgconv.h's structures.
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
              offsetof(NvDsEventMsgMeta, embedding) == kTail7.embedding &&
              offsetof(NvDsEventMsgMeta, has3DTracking) == kTail7.has_track);
static_assert(offsetof(NvDsEventMsgMeta, singleView3DTracking.ptWorldFeet) == kTail7.feet &&
              offsetof(NvDsEventMsgMeta, singleView3DTracking.ptImgFeet) == kTail7.feet + 8 &&
              offsetof(NvDsEventMsgMeta, singleView3DTracking.visibility) == kTail7.visibility &&
              offsetof(NvDsEventMsgMeta, singleView3DTracking.convexHull) == kTail7.hull);
static_assert(offsetof(NvDsVehicleObjectExt, mask) == 48 && sizeof(NvDsVehicleObject) == 48);
static_assert(offsetof(NvDsPersonObjectExt, mask) == 40 && sizeof(NvDsPersonObject) == 40);
static_assert(offsetof(NvDsFaceObjectExt, mask) == 64 && sizeof(NvDsFaceObject) == 64);
static_assert(offsetof(NvDsProductObjectExt, mask) == 24 && sizeof(NvDsProductObject) == 24);
static_assert(sizeof(NvDsJoint) == 16 && sizeof(NvDsJoints) == 16 && sizeof(NvDsEmbedding) == 16);
static_assert(sizeof(NvDsEvent) == 16 && sizeof(NvDsPayload) == 16 && sizeof(NvDsMsg2pCtx) == 16);

// Within 6.0 to 7.1, whose other structures are the same.
EventTail Tail6To7(const std::optional<Release>& release) {
  if (!release || *release < Release{6, 2}) return kTail6;  // what all of them have
  return *release < Release{6, 4} ? kTail62 : kTail7;
}

EventTail Tail9(const std::optional<Release>& release) {
  if (!release) return kTail9;
  return *release == Release{9, 0} ? kTail90 : kTail91;
}

}  // namespace

Result<EventTail> EventTailOf(const DeepStream& deepstream) {
  if (!deepstream.present) return kTail7;
  std::optional<Release> release = deepstream.release;
  const deepstream::Layout* family = nullptr;
  if (deepstream.object_size != 0) {
    family = deepstream::LayoutOf(deepstream.frame_size, deepstream.object_size);
    if (family != nullptr && release && (*release < family->first || family->last < *release))
      release.reset();  // the sizes know better
  } else if (release) {
    if (*release < Release{6, 0}) {
      return Status(Code::kNotSupported,
                    "DeepStream " + Text(*release) + " (" + deepstream.how +
                        ") is older than 6.0, the oldest release whose events are supported");
    }
    for (const deepstream::Layout& each : deepstream::kLayouts) {
      if (each.first <= *release && *release <= each.last) family = &each;
    }
  }
  if (family == nullptr) return kTailUnknown;
  if (family->first.major == 6) return Tail6To7(release);
  return family->first.major == 8 ? kTail8 : Tail9(release);
}

}  // namespace dsmsg::msgconv
