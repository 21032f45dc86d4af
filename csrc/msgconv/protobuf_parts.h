// SPDX-License-Identifier: Apache-2.0
// Fields of the messages of include/nv.proto. What has its default value (0, "") is not written, as
// in proto3. Plain functions, inline where every object needs them; the writers are protozero's.
#ifndef DSMSG_MSGCONV_PROTOBUF_PARTS_H_
#define DSMSG_MSGCONV_PROTOBUF_PARTS_H_

#include <optional>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string>
#include <string_view>

#include "msgconv/model.h"
#include "msgconv/model_parts.h"
#include "msgconv/utf8.h"

namespace dsmsg::msgconv::protobuf {

using protozero::pbf_tag_type;
using protozero::pbf_writer;

inline void Text(pbf_writer* out, pbf_tag_type tag, std::string_view text) {
  if (text.empty()) return;
  if (IsUtf8(text)) {
    out->add_string(tag, text.data(), text.size());
  } else {
    out->add_string(tag, Repaired(text));  // otherwise a reader would refuse the whole message
  }
}
inline void Float(pbf_writer* out, pbf_tag_type tag, float value) {
  if (value != 0) out->add_float(tag, value);
}
/// Decimal digits, also for 0.
void NumberText(pbf_writer* out, pbf_tag_type tag, int64_t number);
void NumberText(pbf_writer* out, pbf_tag_type tag, uint64_t number);
/// google.protobuf.Timestamp
void Time(pbf_writer* out, pbf_tag_type tag, uint64_t time_ns);
inline void MapEntry(pbf_writer* out, pbf_tag_type tag, std::string_view key,
                     std::string_view value) {
  pbf_writer entry(*out, tag);
  Text(&entry, 1, key);
  Text(&entry, 2, value);
}

/// The first of equal names counts.
inline void Map(pbf_writer* out, pbf_tag_type tag, std::span<const Attribute> attributes) {
  for (size_t i = 0; i < attributes.size(); ++i) {
    // A reader uses the last of two equal keys, whereas everywhere else the first one counts.
    if (!SeenBefore(attributes, i)) MapEntry(out, tag, attributes[i].name, attributes[i].value);
  }
}
/// The fields of a Coordinate or a Location.
void Point3Fields(pbf_writer* out, const Triple& triple);
/// Coordinate or Location.
void Point3(pbf_writer* out, pbf_tag_type tag, const std::optional<Triple>& triple);
inline void Corners(pbf_writer* bbox, const Box& box) {
  Float(bbox, 1, box.left);
  Float(bbox, 2, box.top);
  Float(bbox, 3, box.left + box.width);
  Float(bbox, 4, box.top + box.height);
}
void Embedding(pbf_writer* out, pbf_tag_type tag, std::span<const float> vector,
               std::span<const Attribute> info);

/// A joint: x, y, z and its confidence; `flat`: without z.
void Joint(pbf_writer* pose, const Keypoint& joint, const Scale& scale, bool flat);

/// A message that is there even if it is empty: an element of a list, or one whose presence tells
/// something. protozero drops empty ones. `buffer`: what `parent` writes to.
template <class Body>
void Element(pbf_writer* parent, const std::string& buffer, pbf_tag_type tag, const Body& body) {
  const size_t before = buffer.size();
  {
    pbf_writer element(*parent, tag);
    body(&element);
  }
  if (buffer.size() == before) parent->add_message(tag, "", 0);
}

// What the extended schema adds (nv.proto says which fields).
void ExtendedFrame(pbf_writer* out, const std::string& buffer, const Frame& frame);
void ExtendedBox(pbf_writer* bbox, const Frame& frame, const Object& object);
/// `embedding_filter`: see ConverterOptions.
void ExtendedObject(pbf_writer* out, const Frame& frame, const Object& object,
                    std::string_view embedding_filter);
void VisibilityInfo(pbf_writer* out, float visibility);
/// Its pictures, in the object's info: evidence.crop.state, .uri, .digest, .size, .reason.
void EvidenceInfo(pbf_writer* out, const Frame& frame, const Object& object);
/// What 3-D tracking of one camera found, in the object's info.
void TrackInfo(pbf_writer* out, const Frame& frame, const Object& object);

}  // namespace dsmsg::msgconv::protobuf

#endif  // DSMSG_MSGCONV_PROTOBUF_PARTS_H_
