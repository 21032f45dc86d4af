// SPDX-License-Identifier: Apache-2.0
// Values of the pictures that were stored of an object's event.
#include <functional>

#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

/// nullptr: the object has no such picture.
const Evidence* PictureOf(const Scope& scope, bool whole_frame) {
  for (const Evidence& each : Frame::Part(scope.frame.evidence, scope.object->evidence)) {
    if (!whole_frame || each.whole_frame) return &each;
  }
  return nullptr;
}

template <class Member>
Value OfPicture(const Scope& scope, Member member, bool whole_frame = false) {
  const Evidence* const picture = PictureOf(scope, whole_frame);
  return picture == nullptr ? Value() : TextOrNone(std::invoke(member, *picture));
}

Value SizeOf(const Evidence* picture) {
  return picture == nullptr ? Value() : Positive(picture->size);
}

constexpr MapField kFields[] = {
    {"object.evidence.state", kText,
     "of its picture (the crop, if there is one): stored, or lost; missing without evidence",
     [](const Scope& s) { return OfPicture(s, StateOf); }},
    {"object.evidence.reason", kText, "why it is lost",
     [](const Scope& s) { return OfPicture(s, &Evidence::reason); }},
    {"object.evidence.uri", kText, "where it is",
     [](const Scope& s) { return OfPicture(s, &Evidence::uri); }},
    {"object.evidence.digest", kText, "its SHA-256, 64 hexadecimal digits",
     [](const Scope& s) { return OfPicture(s, &Evidence::digest); }},
    {"object.evidence.size", kNumber, "its size, bytes",
     [](const Scope& s) { return SizeOf(PictureOf(s, false)); }},
    {"object.evidence.frame.state", kText, "the same of the picture of the whole frame",
     [](const Scope& s) { return OfPicture(s, StateOf, true); }},
    {"object.evidence.frame.reason", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::reason, true); }},
    {"object.evidence.frame.uri", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::uri, true); }},
    {"object.evidence.frame.digest", kText, "likewise",
     [](const Scope& s) { return OfPicture(s, &Evidence::digest, true); }},
    {"object.evidence.frame.size", kNumber, "likewise",
     [](const Scope& s) { return SizeOf(PictureOf(s, true)); }},
};

}  // namespace

std::span<const MapField> MapEvidenceFields() { return kFields; }

}  // namespace dsmsg::msgconv
