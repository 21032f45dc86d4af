// SPDX-License-Identifier: Apache-2.0
#include "msgconv/json_parts.h"

#include <algorithm>

namespace dsmsg::msgconv {
namespace {

void Member(JsonWriter* out, const std::string_view (&keys)[3],
            const std::optional<Triple>& triple) {
  if (!triple) return;
  for (size_t i = 0; i < triple->size(); ++i) {
    out->Raw(keys[i]);
    out->Number((*triple)[i]);
  }
  out->Raw('}');
}

void Confidence(JsonWriter* out, float confidence) {
  out->Raw(R"(,"confidence":)");
  out->Number(confidence);
  out->Raw('}');
}

void Uuid(JsonWriter* out, UuidGenerator* uuid) {
  uuid->Next(out->Room(UuidGenerator::kLength));
  out->Wrote(UuidGenerator::kLength);
}

bool NamedBefore(std::span<const Keypoint> keypoints, size_t index) {
  const auto end = keypoints.begin() + static_cast<std::ptrdiff_t>(index);
  return std::any_of(keypoints.begin(), end,
                     [&](const Keypoint& k) { return k.name == keypoints[index].name; });
}

}  // namespace

void MessageStart(JsonWriter* out, UuidGenerator* uuid) {
  out->Raw(R"({"messageid":")");
  Uuid(out, uuid);
  out->Raw(R"(","mdsversion":"1.0","@timestamp":)");
}

void EventMember(JsonWriter* out, UuidGenerator* uuid, const Object& object, bool with_type) {
  out->Raw(R"("event":{"id":)");
  if (object.event_id.empty()) {
    out->Raw('"');
    Uuid(out, uuid);
    out->Raw('"');
  } else {
    out->String(object.event_id);
  }
  if (with_type) {
    out->Raw(R"(,"type":)");
    out->String(EventTypeOf(object));
  }
  out->Raw('}');
}

void MotionMembers(JsonWriter* out, const Object& object) {
  out->Raw(R"(,"speed":)");
  out->Number(object.speed);
  out->Raw(R"(,"direction":)");
  out->Number(object.direction);
  out->Raw(R"(,"orientation":)");
  out->Number(object.orientation);
}

void CustomMessagesMember(JsonWriter* out, std::span<const std::string_view> of_frame,
                          std::span<const std::string_view> of_object) {
  if (of_frame.empty() && of_object.empty()) return;
  out->Raw(R"(,"customMessage":[)");
  bool first = true;
  for (const auto& texts : {of_frame, of_object}) {
    for (const std::string_view text : texts) {
      if (!first) out->Raw(',');
      first = false;
      out->String(text);
    }
  }
  out->Raw(']');
}

void MaskMember(JsonWriter* out, const Frame& frame, const Object& object, const Scale& scale) {
  if (object.outlines.count == 0) return;
  out->Raw(R"(,"maskoutline":[)");
  bool first = true;
  for (const Range outline : frame.Part(frame.outlines, object.outlines)) {
    out->Raw(first ? "[" : ",[");
    first = false;
    bool first_point = true;
    for (const Point& point : frame.Part(frame.points, outline)) {
      if (!first_point) out->Raw(',');
      first_point = false;
      out->Number(point.x * scale.x);
      out->Raw(',');
      out->Number(point.y * scale.y);
    }
    out->Raw(']');
  }
  out->Raw(']');
}

void SignatureMember(JsonWriter* out, const Frame& frame, const Object& object) {
  if (object.signature.count == 0) return;
  ListMember(out, R"(,"signature":)", frame.Part(frame.signatures, object.signature));
}

void PoseMember(JsonWriter* out, const Frame& frame, const Object& object) {
  const auto keypoints = frame.Part(frame.keypoints, object.keypoints);
  if (std::none_of(keypoints.begin(), keypoints.end(),
                   [&](const Keypoint& joint) { return IsSeen(object, joint); })) {
    return;
  }
  const Scale scale = InPicture(object.pose_type) ? ScaleOf(frame) : Scale();
  bool first = true;
  out->Raw(R"(,"pose":{)");
  for (size_t i = 0; i < keypoints.size(); ++i) {
    const Keypoint& joint = keypoints[i];
    if (!IsSeen(object, joint)) continue;
    if (!joint.name.empty() && NamedBefore(keypoints, i)) continue;
    if (!first) out->Raw(',');
    first = false;
    if (joint.name.empty()) {
      out->Raw('"');
      out->Number(i);
      out->Raw('"');
    } else {
      out->String(joint.name);
    }
    out->Raw(R"(:{"x":)");
    out->Number(joint.position[0] * static_cast<double>(scale.x));
    out->Raw(R"(,"y":)");
    out->Number(joint.position[1] * static_cast<double>(scale.y));
    if (!IsFlat(object.pose_type)) {
      out->Raw(R"(,"z":)");
      out->Number(joint.position[2]);
    }
    if (joint.quaternion) {
      ListMember(out, R"(,"quaternion":)", std::span<const float>(*joint.quaternion));
    }
    Confidence(out, joint.confidence);
  }
  out->Raw('}');
}

void EmbeddingMember(JsonWriter* out, const Frame& frame, const Object& object) {
  if (object.embedding.count == 0) return;
  out->Raw(R"(,"embedding":{"embedding_length":)");
  out->Number(object.embedding.count);
  ListMember(out, R"(,"embedding_vector":)", frame.Part(frame.numbers, object.embedding));
  TableMember(out, R"(,"info":)", frame.Part(frame.attributes, object.embedding_info));
  out->Raw('}');
}

void TableMember(JsonWriter* out, std::string_view key, std::span<const Attribute> table) {
  if (table.empty()) return;
  out->Raw(key);
  for (size_t i = 0; i < table.size(); ++i) {
    if (SeenBefore(table, i)) continue;
    out->Raw(i == 0 ? '{' : ',');
    out->String(table[i].name);
    out->Raw(':');
    out->String(table[i].value);
  }
  out->Raw('}');
}

void PoseDetailMembers(JsonWriter* out, const Frame& frame, const Object& object) {
  if (!object.pose_type.empty()) {
    out->Raw(R"(,"poseType":)");
    out->String(object.pose_type);
  }
  if (object.actions.count == 0) return;
  out->Raw(R"(,"actions":[)");
  bool first = true;
  for (const Action& action : frame.Part(frame.actions, object.actions)) {
    out->Raw(first ? R"({"type":)" : R"(,{"type":)");
    first = false;
    out->String(action.type);
    Confidence(out, action.confidence);
  }
  out->Raw(']');
}

void FaceMembers(JsonWriter* out, const Object& object) {
  if (object.gaze) {
    const Gaze& gaze = *object.gaze;
    out->Raw(R"(,"gaze":{"x":)");
    out->Number(gaze.x);
    out->Raw(R"(,"y":)");
    out->Number(gaze.y);
    out->Raw(R"(,"z":)");
    out->Number(gaze.z);
    out->Raw(R"(,"theta":)");
    out->Number(gaze.theta);
    out->Raw(R"(,"phi":)");
    out->Number(gaze.phi);
    out->Raw('}');
  }
  if (!object.lip_activity.empty()) {
    out->Raw(R"(,"lipActivity":{"classLabel":)");
    out->String(object.lip_activity);
    out->Raw('}');
  }
}

void LocationMember(JsonWriter* out, const std::optional<Triple>& location) {
  Member(out, {R"(,"location":{"lat":)", R"(,"lon":)", R"(,"alt":)"}, location);
}

void CoordinateMember(JsonWriter* out, const std::optional<Triple>& coordinate) {
  Member(out, {R"(,"coordinate":{"x":)", R"(,"y":)", R"(,"z":)"}, coordinate);
}

}  // namespace dsmsg::msgconv
