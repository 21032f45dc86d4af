// SPDX-License-Identifier: Apache-2.0
// Offsets of the fields of NvDsEventMsgMeta in each release of DeepStream, from its public headers
// of 6.0 to 9.1 (64 bit). Up to `sensorStr` they have been where nvmsgconv.h has them since 6.0;
// later fields have moved. Constant data and plain functions.
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
  // Tracking in space: whether there is any, the feet in the world and then in the picture (2
  // floats each), the outline (a pointer and a count) and the box (NvDsBbox3dObject).
  size_t has_track = kNotThere, feet = kNotThere, visibility = kNotThere, hull = kNotThere,
         box3d = kNotThere;
  size_t box3d_size = kNotThere;  // of an object in space
  bool findings = false;          // what finding:: names is there
};

/// 6.0 and 6.1: nothing follows extMsgSize.
inline constexpr EventTail kTail6 = {152, 160, 168, 176, kNotThere, kNotThere, -1, -1};
/// 6.2 and 6.3.
inline constexpr EventTail kTail62 = {152, 160, 168, 176, 184, 200, 9, 10};
/// 6.4 to 7.1, and what nvmsgconv.h declares.
inline constexpr EventTail kTail7 = {152, 160, 168, 176, 184, 200,      9,
                                     10,  216, 224, 240, 248, kNotThere};
/// 8.0: 100 pairs of source and time, and more, stand before.
inline constexpr EventTail kTail8 = {13832, 13840, 13848, 13856, 13864, 13880, 11,  12,
                                     13896, 13904, 13920, 13928, 13944, 88,    true};
/// 9.0
inline constexpr EventTail kTail90 = {13832, 13840, 13848, 13856, 13864, 13880, 11,  12,
                                      13896, 13904, 13920, 13928, 13944, 96,    true};
/// 9.1: the visibility moved to the end.
inline constexpr EventTail kTail91 = {13832, 13840, 13848, 13856, 13864, 13880, 11,  12,
                                      13896, 13904, 14032, 13920, 13936, 96,    true};
/// 9.0 or 9.1, whose events have the same size.
inline constexpr EventTail kTail9 = {13832, 13840, 13848,     13856,     13864,     13880, 11,  12,
                                     13896, 13904, kNotThere, kNotThere, kNotThere, 96,    true};

/// What an application found out about the scene, from 8.0 on: counts, and where the lists are.
namespace finding {
inline constexpr size_t kSources = 152, kSourceCount = 13752, kLlm = 13768,
                        kInteractionCount = 13776, kInteractions = 13784, kCongestionCount = 13792,
                        kCongestions = 13800, kFovCount = 13808, kFov = 13816,
                        kSegmentation = 13824;
}
/// An unknown release: only what all releases have in common.
inline constexpr EventTail kTailUnknown = {};

/// Bytes that hold an event of any of these.
inline constexpr size_t kEventBytes = 14336;

/// The tail for this process: the sizes of DeepStream's structures say which family of releases it
/// is, the release decides only within that family. An error for a release before 6.0, whose events
/// differ.
Result<EventTail> EventTailOf(const DeepStream& deepstream);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_LAYOUT_H_
