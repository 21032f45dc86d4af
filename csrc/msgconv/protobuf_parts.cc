// SPDX-License-Identifier: Apache-2.0
#include "msgconv/protobuf_parts.h"

#include <array>
#include <charconv>

namespace dsmsg::msgconv::protobuf {
namespace {

// Without a temporary string.
template <class T>
void Digits(pbf_writer* out, pbf_tag_type tag, T number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out->add_string(tag, digits.data(), static_cast<size_t>(end - digits.data()));
}

}  // namespace

void NumberText(pbf_writer* out, pbf_tag_type tag, int64_t number) { Digits(out, tag, number); }
void NumberText(pbf_writer* out, pbf_tag_type tag, uint64_t number) { Digits(out, tag, number); }

void Time(pbf_writer* out, pbf_tag_type tag, uint64_t time_ns) {
  constexpr uint64_t kSecond = 1'000'000'000;
  pbf_writer time(*out, tag);
  if (time_ns >= kSecond) time.add_int64(1, static_cast<int64_t>(time_ns / kSecond));
  if (time_ns % kSecond != 0) time.add_int32(2, static_cast<int32_t>(time_ns % kSecond));
}

void Point3(pbf_writer* out, pbf_tag_type tag, const std::optional<Triple>& triple) {
  if (!triple) return;
  pbf_writer point(*out, tag);
  Point3Fields(&point, *triple);
}

void Point3Fields(pbf_writer* out, const Triple& triple) {
  for (size_t i = 0; i < triple.size(); ++i) {
    if (triple[i] != 0) out->add_double(static_cast<pbf_tag_type>(i + 1), triple[i]);
  }
}

void Embedding(pbf_writer* out, pbf_tag_type tag, std::span<const float> vector,
               std::span<const Attribute> info) {
  if (vector.empty() && info.empty()) return;
  pbf_writer embedding(*out, tag);
  embedding.add_packed_float(1, vector.begin(), vector.end());
  Map(&embedding, 2, info);
}

void Joint(pbf_writer* pose, const Keypoint& joint, const Scale& scale, bool flat) {
  std::array<float, 4> values = {static_cast<float>(joint.position[0]) * scale.x,
                                 static_cast<float>(joint.position[1]) * scale.y,
                                 static_cast<float>(joint.position[2]), joint.confidence};
  if (flat) values[2] = joint.confidence;
  pbf_writer part(*pose, 2);
  Text(&part, 1, joint.name);
  part.add_packed_float(2, values.begin(), values.begin() + (flat ? 3 : 4));
  if (joint.quaternion) {
    part.add_packed_float(3, joint.quaternion->begin(), joint.quaternion->end());
  }
}

}  // namespace dsmsg::msgconv::protobuf
