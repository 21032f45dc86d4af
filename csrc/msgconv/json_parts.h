// SPDX-License-Identifier: Apache-2.0
// Members that sensors, places and objects have alike. Plain functions.
#ifndef DSMSG_MSGCONV_JSON_PARTS_H_
#define DSMSG_MSGCONV_JSON_PARTS_H_

#include "msgconv/json_writer.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// `,"location":{"lat":..,"lon":..,"alt":..}`, nothing where there is none.
void LocationMember(JsonWriter* out, const std::optional<Triple>& location);
/// `,"coordinate":{"x":..,"y":..,"z":..}`, nothing where there is none.
void CoordinateMember(JsonWriter* out, const std::optional<Triple>& coordinate);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JSON_PARTS_H_
