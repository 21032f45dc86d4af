// SPDX-License-Identifier: Apache-2.0
#include "msgconv/json_parts.h"

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

}  // namespace

void LocationMember(JsonWriter* out, const std::optional<Triple>& location) {
  Member(out, {R"(,"location":{"lat":)", R"(,"lon":)", R"(,"alt":)"}, location);
}

void CoordinateMember(JsonWriter* out, const std::optional<Triple>& coordinate) {
  Member(out, {R"(,"coordinate":{"x":)", R"(,"y":)", R"(,"z":)"}, coordinate);
}

}  // namespace dsmsg::msgconv
