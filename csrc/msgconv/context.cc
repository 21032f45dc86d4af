// SPDX-License-Identifier: Apache-2.0
// Converter: the parts of a message that come from the configuration. They are the same in every
// message of a source, so that they are rendered once.
#include "msgconv/converter.h"
#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {
namespace {

void Member(JsonWriter* out, std::string_view key, std::string_view value) {
  out->Raw(key);
  out->String(value);
}

struct SubPlace {
  std::string_view member;
  std::string_view keys[3];
};

void SubPlaceMember(JsonWriter* out, const PlaceInfo& place, const SubPlace& form) {
  const auto& fields = place.sub_field;
  if (!place.coordinate && fields[0].empty() && fields[1].empty() && fields[2].empty()) return;
  out->Raw(",\"");
  out->Raw(form.member);
  out->Raw("\":{");
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out->Raw(',');
    out->Raw('"');
    out->Raw(form.keys[i]);
    Member(out, "\":", fields[i]);
  }
  CoordinateMember(out, place.coordinate);
  out->Raw('}');
}

}  // namespace

Converter::PlaceKind Converter::PlaceKindOf(EventType event) {
  switch (event) {
    case EventType::kMoving:
    case EventType::kStopped:
      return kAislePlace;
    case EventType::kParked:
    case EventType::kEmpty:
      return kParkingPlace;
    case EventType::kEntry:
    case EventType::kExit:
      return kEntrancePlace;
    case EventType::kNone:
    case EventType::kReset:
      break;
  }
  return kNoEventPlace;
}

void Converter::RenderContext(uint32_t source, PlaceKind kind) {
  if (const PlaceInfo* place = config_->Place(source)) {
    Member(&out_, R"("place":{"id":)", place->id);
    Member(&out_, R"(,"name":)", place->name);
    Member(&out_, R"(,"type":)", place->type);
    LocationMember(&out_, place->location);
    // Where the schema leaves the choice for entry and exit, the place's own type says which it is.
    const bool aisle = place->type.find("aisle") != std::string::npos;
    const SubPlace forms[kPlaceKinds] = {
        {"place-sub-field", {"id", "name", "level"}},
        {"aisle", {"id", "name", "level"}},
        {"parkingSpot", {"id", "type", "level"}},
        {aisle ? "aisle" : "entrance", {"name", "lane", "level"}},
    };
    SubPlaceMember(&out_, *place, forms[kind]);
    out_.Raw("},");
  }
  if (const SensorInfo* sensor = config_->Sensor(source)) {
    Member(&out_, R"("sensor":{"id":)", sensor->id);
    Member(&out_, R"(,"type":)", sensor->type);
    Member(&out_, R"(,"description":)", sensor->description);
    LocationMember(&out_, sensor->location);
    CoordinateMember(&out_, sensor->coordinate);
    out_.Raw("},");
  }
  if (const AnalyticsInfo* analytics = config_->Analytics(source)) {
    Member(&out_, R"("analyticsModule":{"id":)", analytics->id);
    Member(&out_, R"(,"description":)", analytics->description);
    Member(&out_, R"(,"source":)", analytics->source);
    Member(&out_, R"(,"version":)", analytics->version);
    out_.Raw("},");
  }
}

const Converter::SourceText& Converter::TextOf(uint32_t source) {
  const auto [found, added] = texts_.try_emplace(source);
  SourceText& text = found->second;
  if (!added) return text;
  const SensorInfo* sensor = config_->Sensor(source);
  // A consumer must be able to tell cameras apart also without a configuration.
  const bool named = sensor != nullptr && !sensor->id.empty();
  out_.Clear();
  out_.String(named ? sensor->id : std::to_string(source));
  text.sensor_id = out_.view();
  for (size_t kind = 0; kind < kPlaceKinds; ++kind) {
    out_.Clear();
    RenderContext(source, static_cast<PlaceKind>(kind));
    text.context[kind] = out_.view();
  }
  out_.Clear();
  return text;
}

}  // namespace dsmsg::msgconv
