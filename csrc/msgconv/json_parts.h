// SPDX-License-Identifier: Apache-2.0
// Members of sensors, places and objects, each with the comma before it; nothing if there is
// nothing to write. Plain functions.
#ifndef DSMSG_MSGCONV_JSON_PARTS_H_
#define DSMSG_MSGCONV_JSON_PARTS_H_

#include "msgconv/json_writer.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// `,"location":{"lat":..,"lon":..,"alt":..}`, or nothing if it is not set.
void LocationMember(JsonWriter* out, const std::optional<Triple>& location);
/// `,"coordinate":{"x":..,"y":..,"z":..}`, or nothing if it is not set.
void CoordinateMember(JsonWriter* out, const std::optional<Triple>& coordinate);

/// `,"maskoutline":[[x,y,x,y,..],..]`: a list for each polygon, pixels of the camera.
void MaskMember(JsonWriter* out, const Frame& frame, const Object& object);
/// `,"signature":[..]`
void SignatureMember(JsonWriter* out, const Frame& frame, const Object& object);
/// `,"pose":{"left-eye":{"x":..,"y":..,"z":..,"confidence":..},..}`, without z in two dimensions,
/// with "quaternion" if a joint has one.
void PoseMember(JsonWriter* out, const Frame& frame, const Object& object);
/// `,"embedding":{"embedding_length":n,"embedding_vector":[..]}`, with "info" if there is one.
void EmbeddingMember(JsonWriter* out, const Frame& frame, const Object& object);
/// `,"poseType":".."`, `,"actions":[{"type":..,"confidence":..},..]`
void PoseDetailMembers(JsonWriter* out, const Frame& frame, const Object& object);
/// `,"gaze":{"x":..,..}`, `,"lipActivity":{"classLabel":..}`
void FaceMembers(JsonWriter* out, const Object& object);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JSON_PARTS_H_
