// SPDX-License-Identifier: Apache-2.0
// An event in DeepStream's terms. Plain functions.
#ifndef DSMSG_MSGCONV_EVENT_META_H_
#define DSMSG_MSGCONV_EVENT_META_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "msgconv/model.h"
#include "msgconv/object_class.h"

namespace dsmsg::msgconv {

/// Values of EventMeta::object_type beyond those of nvmsgconv.h.
inline constexpr int32_t kObject3d = 9, kObjectDummy = 10, kObjectProduct = 11,
                         kObjectProductExt = 12;

/// The event's EventMeta; one made from its other fields, if it did not come from DeepStream.
EventMeta EventMetaOf(const Frame& frame, const Object& object);

/// Found by a detector in space (Sparse4D): it has no box in a picture. DeepStream makes an event
/// of it.
bool IsInSpace(const Object& object);
/// The class whose structure belongs to this type of object; nullopt: none.
std::optional<ClassKind> KindOf(const EventMeta& event);
/// It is one of the types with a mask.
bool HasMask(const EventMeta& event);
/// "Vehicle", ...; what an event's object is called in payloads for a whole frame.
std::string_view TypeName(const EventMeta& event);

/// A field of the class as text.
struct FieldText {
  std::string_view text;
  bool null = false;
};
/// Fields in the order of the class (object_class.h).
std::array<FieldText, kMaxClassFields> FieldsOf(const Frame& frame, const Object& object,
                                                const EventMeta& event,
                                                const ObjectClass& object_class);

/// The points of the hull as "1,2,3,4"; their fractions are dropped.
void AppendHull(std::string* out, const Frame& frame, const Track3d& track);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_META_H_
