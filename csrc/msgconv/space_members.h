// SPDX-License-Identifier: Apache-2.0
// What objects did in the space that the picture shows, in messages. Plain functions; one thread at
// a time.
#ifndef DSMSG_MSGCONV_SPACE_MEMBERS_H_
#define DSMSG_MSGCONV_SPACE_MEMBERS_H_

#include <protozero/pbf_writer.hpp>

#include "msgconv/json_writer.h"
#include "msgconv/model.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

inline bool HasSpace(const Object& object) {
  return (object.space_events.count | object.dwells.count | object.track.count) != 0;
}

/// `,"dwell":[{"zone":"yard","seconds":12.5},..]`,
/// `,"events":[{"type":"line-crossing","name":"gate","direction":"in"},..]`, `,"track":{..}`.
void SpaceMembers(JsonWriter* out, const Frame& frame, const Object& object);

/// The same in the object's info (nv.proto): "dwell.yard" = "12.5", "event0" = "line-crossing
/// gate.in", and of a track's end "track.firstSeen", "track.lastSeen", "track.frames",
/// "track.confidence", "track.path", "track.dwell.yard". `scale`: of the message's boxes.
void SpaceInfo(protozero::pbf_writer* out, const Frame& frame, const Object& object,
               const Scale& scale);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_SPACE_MEMBERS_H_
