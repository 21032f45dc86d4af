// SPDX-License-Identifier: Apache-2.0
// Members of sensors, places and objects, each with the comma before it; nothing if there is
// nothing to write. Plain functions.
#ifndef DSMSG_MSGCONV_JSON_PARTS_H_
#define DSMSG_MSGCONV_JSON_PARTS_H_

#include <span>
#include <string_view>

#include "msgconv/identity.h"
#include "msgconv/json_writer.h"
#include "msgconv/model.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

/// `{"messageid":"..","mdsversion":"1.0","@timestamp":`, with a new id.
void MessageStart(JsonWriter* out, UuidGenerator* uuid);
/// `"event":{"id":"..","type":".."}` without a comma; a new id if the event has none.
void EventMember(JsonWriter* out, UuidGenerator* uuid, const Object& object, bool with_type);
/// `,"speed":..,"direction":..,"orientation":..`
void MotionMembers(JsonWriter* out, const Object& object);

/// `,"location":{"lat":..,"lon":..,"alt":..}`, or nothing if it is not set.
void LocationMember(JsonWriter* out, const std::optional<Triple>& location);
/// `,"coordinate":{"x":..,"y":..,"z":..}`, or nothing if it is not set.
void CoordinateMember(JsonWriter* out, const std::optional<Triple>& coordinate);

/// `,"customMessage":["..",..]`: of the frame and of the object.
void CustomMessagesMember(JsonWriter* out, std::span<const std::string_view> of_frame,
                          std::span<const std::string_view> of_object);
/// `,"maskoutline":[[x,y,x,y,..],..]`: a list for each polygon, its points times `scale`.
void MaskMember(JsonWriter* out, const Frame& frame, const Object& object, const Scale& scale);
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

/// `key` (with the comma before it and the colon) and a list.
template <class T>
void ListMember(JsonWriter* out, std::string_view key, std::span<const T> values) {
  out->Raw(key);
  out->Raw('[');
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out->Raw(',');
    if constexpr (std::is_same_v<T, std::string_view>) {
      out->String(values[i]);
    } else {
      out->Number(values[i]);
    }
  }
  out->Raw(']');
}
/// `key` (likewise) and an object of texts, the first of equal names; nothing if there are none.
void TableMember(JsonWriter* out, std::string_view key, std::span<const Attribute> table);

/// What an object has beyond the schema: `,"mask":{"width":w,"height":h,"runs":[..]}`, `,"bbox3d"`,
/// `,"SV3DT"`, `,"zones"`, `,"crowdedZones"`, `,"lines"`, `,"heading"`, `,"state"`.
/// `embedding_filter`: see ConverterOptions.
void ExtendedMembers(JsonWriter* out, const Frame& frame, const Object& object,
                     std::string_view embedding_filter);
/// `,"evidence":{"crop":{"state":"stored","uri":"..","digest":"..","size":n},"frame":{..}}`, with
/// "reason" if it is lost; nothing without pictures.
void EvidenceMember(JsonWriter* out, const Frame& frame, const Object& object);
/// For forms whose objects are texts: `,"evidence":[{"object":index,"crop":{..}},..]`, by the place
/// of the object among these; nothing without pictures.
void EvidenceListMember(JsonWriter* out, const Frame& frame, std::span<const Object> objects);
/// `,"counts":[{"kind":"zone","name":"door","value":3},..]`
void CountsMember(JsonWriter* out, const Frame& frame);
/// `,"segmentation":{"width":w,"height":h,"runs":[class,pixels,class,pixels,..],"info":{..}}`
void SegmentationMember(JsonWriter* out, const Frame& frame, const Segmentation& segmentation);
/// What applications found out about the scene of these objects: `,"fov":[..]`,
/// `,"interactions":[..]`, `,"congestions":[..]`, a segmentation unless the frame has one,
/// `,"llm":{..}`. Then `,"sources":[{"id":"..","timestamp":".."},..]` of the frame.
void FindingsMembers(JsonWriter* out, TimeFormatter* time, const Frame& frame,
                     std::span<const Object> objects);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JSON_PARTS_H_
