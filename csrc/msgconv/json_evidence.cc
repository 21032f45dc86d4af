// SPDX-License-Identifier: Apache-2.0
// Members for the pictures of objects.
#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {
namespace {

/// `"crop":{..},"frame":{..}`
void Pictures(JsonWriter* out, const Frame& frame, const Object& object) {
  bool first = true;
  for (const Evidence& picture : frame.Part(frame.evidence, object.evidence)) {
    out->Raw(first ? "\"" : ",\"");
    first = false;
    out->Raw(NameOf(picture));
    out->Raw(R"(":{"state":")");
    out->Raw(StateOf(picture));
    out->Raw('"');
    const auto text = [out](std::string_view key, std::string_view value) {
      if (value.empty()) return;
      out->Raw(key);
      out->String(value);
    };
    text(R"(,"reason":)", picture.reason);
    text(R"(,"uri":)", picture.uri);
    text(R"(,"digest":)", picture.digest);
    if (picture.size > 0) {
      out->Raw(R"(,"size":)");
      out->Number(picture.size);
    }
    out->Raw('}');
  }
}

}  // namespace

void EvidenceMember(JsonWriter* out, const Frame& frame, const Object& object) {
  if (object.evidence.count == 0) return;
  out->Raw(R"(,"evidence":{)");
  Pictures(out, frame, object);
  out->Raw('}');
}

void EvidenceListMember(JsonWriter* out, const Frame& frame, std::span<const Object> objects) {
  bool first = true;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (objects[i].evidence.count == 0) continue;
    out->Raw(first ? R"(,"evidence":[{"object":)" : R"(,{"object":)");
    first = false;
    out->Number(i);
    out->Raw(',');
    Pictures(out, frame, objects[i]);
    out->Raw('}');
  }
  if (!first) out->Raw(']');
}

}  // namespace dsmsg::msgconv
