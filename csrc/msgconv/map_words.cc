// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_words.h"

#include "core/base/nearest.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;

constexpr MapFilter kFilters[] = {
    {"default", MapOp::kDefault, kAny, kAny},
    {"int", MapOp::kInt, kNumber, kNumber},
    {"round", MapOp::kRound, kNumber, kNumber},
    {"text", MapOp::kText, kAny, kText},
    {"lower", MapOp::kLower, kText, kText},
    {"upper", MapOp::kUpper, kText, kText},
    {"uri", MapOp::kUri, kText, kText},
    {"rfc3339", MapOp::kRfc3339, kTime, kText},
    {"unix", MapOp::kUnix, kTime, kNumber},
    {"unix_ms", MapOp::kUnixMs, kTime, kNumber},
    {"unix_ns", MapOp::kUnixNs, kTime, kNumber},
    {"time", MapOp::kTime, kAny, kTime},
    {"from_unix", MapOp::kFromUnix, kNumber, kTime},
    {"from_unix_ms", MapOp::kFromUnixMs, kNumber, kTime},
    {"number", MapOp::kNumber, kAny, kNumber},
};

}  // namespace

const MapFilter* FindMapFilter(std::string_view name) {
  for (const MapFilter& each : kFilters) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

std::vector<std::string_view> MapNames(MapContexts contexts) {
  std::vector<std::string_view> names;
  for (const auto& group : MapFields()) {
    for (const MapField& each : group) {
      if (contexts.Has(each.context())) names.push_back(each.name);
    }
  }
  if (contexts.Has(MapContext::kReceived)) names.push_back("payload");
  return names;
}

std::string WhereItBelongs(MapContext context) {
  switch (context) {
    case MapContext::kFrame:
      return "the metadata of a frame, and this map is for received messages (each: message)";
    case MapContext::kObject:
      return "an object (set each: object at the top, or use it in a list with $each: object)";
    case MapContext::kTrack:
      return "a track that ended (set each: track at the top, or use it in a list with $each: "
             "track)";
    case MapContext::kReceived:
      return "a received message, and this map is for metadata (set each: message at the top)";
    case MapContext::kItem:
      return "an element of a list of the payload (use it in $item, beside $each: payload.NAME)";
    default:
      break;
  }
  for (const MapList& list : MapLists()) {
    if (list.gives == context)
      return "an element of a list (use it in $item, beside $each: " + std::string(list.name) + ")";
  }
  return "something else";
}

std::vector<std::string_view> MapFilterNames() {
  std::vector<std::string_view> names;
  for (const MapFilter& each : kFilters) names.push_back(each.name);
  return names;
}
std::string NoSuch(const std::string& what, std::string_view name,
                   std::span<const std::string_view> names) {
  const std::string_view nearest = Nearest(name, names);
  std::string text = "there is no " + what + " \"" + std::string(name) + "\"";
  if (!nearest.empty()) text += " (did you mean " + std::string(nearest) + "?)";
  return text;
}

}  // namespace dsmsg::msgconv
