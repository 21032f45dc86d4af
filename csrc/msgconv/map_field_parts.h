// SPDX-License-Identifier: Apache-2.0
// For the tables of values (map_fields.h): one for each group of names. Constants, plain functions.
#ifndef DSMSG_MSGCONV_MAP_FIELD_PARTS_H_
#define DSMSG_MSGCONV_MAP_FIELD_PARTS_H_

#include <optional>
#include <span>
#include <string_view>

#include "msgconv/map_fields.h"

namespace dsmsg::msgconv {

std::span<const MapField> MapFrameFields();
std::span<const MapField> MapConfigurationFields();  // of its groups
std::span<const MapField> MapObjectFields();         // what a detector and a tracker say
std::span<const MapField> MapShapeFields();          // what else there is of an object
std::span<const MapField> MapElementFields();        // of elements of lists, and of tracks
std::span<const MapField> MapEvidenceFields();       // pictures of its event
std::span<const MapField> MapReceivedFields();

inline MapValue TextOrNone(std::string_view text) {
  return text.empty() ? MapValue() : MapValue::Text(text);
}
inline MapValue Positive(uint64_t value) { return value == 0 ? MapValue() : MapValue::Uint(value); }
inline MapValue Part(const std::optional<Triple>& triple, size_t index) {
  return triple ? MapValue::Double((*triple)[index]) : MapValue();
}

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_FIELD_PARTS_H_
