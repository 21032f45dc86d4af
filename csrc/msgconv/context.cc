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

Converter::PlaceKind Converter::PlaceKindOf(const Object& object, const ObjectClass& object_class) {
  switch (object.event) {
    case EventType::kMoving:
    case EventType::kStopped:
      return kAislePlace;
    case EventType::kParked:
    case EventType::kEmpty:
      return kParkingPlace;
    case EventType::kEntry:
    case EventType::kExit:
      // As consumers of DeepStream's messages expect: vehicles drive along an aisle, pedestrians
      // come through an entrance.
      return object_class.kind == ClassKind::kVehicle ? kAislePlace : kEntrancePlace;
    case EventType::kNone:
    case EventType::kReset:
      break;
  }
  return kNoEventPlace;
}

void Converter::RenderPlace(const PlaceInfo& place, PlaceKind kind) {
  static constexpr SubPlace kForms[kPlaceKinds] = {
      {"place-sub-field", {"id", "name", "level"}},
      {"aisle", {"id", "name", "level"}},
      {"parkingSpot", {"id", "type", "level"}},
      {"entrance", {"name", "lane", "level"}},
  };
  Member(&out_, R"("place":{"id":)", place.id);
  Member(&out_, R"(,"name":)", place.name);
  Member(&out_, R"(,"type":)", place.type);
  LocationMember(&out_, place.location);
  SubPlaceMember(&out_, place, kForms[kind]);
  out_.Raw("},");
}

Converter::Context Converter::RenderContext(const Groups& groups) {
  Context context;
  const SensorInfo* sensor = config_->Sensor(groups.sensor);
  // A consumer must be able to tell cameras apart even without a configuration.
  context.named = sensor != nullptr && !sensor->id.empty();
  out_.Clear();
  out_.String(context.named ? sensor->id : std::to_string(groups.sensor));
  context.sensor_id = out_.view();
  if (const PlaceInfo* place = config_->Place(groups.place)) {
    for (size_t kind = 0; kind < kPlaceKinds; ++kind) {
      out_.Clear();
      RenderPlace(*place, static_cast<PlaceKind>(kind));
      context.before[kind] = out_.view();
    }
  }
  out_.Clear();
  if (sensor != nullptr) {
    Member(&out_, R"("sensor":{"id":)", sensor->id);
    Member(&out_, R"(,"type":)", sensor->type);
    Member(&out_, R"(,"description":)", sensor->description);
    LocationMember(&out_, sensor->location);
    CoordinateMember(&out_, sensor->coordinate);
    out_.Raw("},");
    context.sensor = out_.view();
  }
  out_.Clear();
  if (const AnalyticsInfo* analytics = config_->Analytics(groups.analytics)) {
    Member(&out_, R"("analyticsModule":{"id":)", analytics->id);
    Member(&out_, R"(,"description":)", analytics->description);
    Member(&out_, R"(,"source":)", analytics->source);
    Member(&out_, R"(,"version":)", analytics->version);
    out_.Raw("},");
    context.after = out_.view();
  }
  return context;
}

const Converter::Context& Converter::ContextOf(const Frame& frame, const Object& object) {
  const Groups groups = GroupsOf(frame, object);
  return contexts_.Get(groups, [&] { return RenderContext(groups); });
}

void Converter::SensorId(const Frame& frame, const Object& object) {
  const Context& context = ContextOf(frame, object);
  const std::string_view given = GivenSensorId(frame);
  // The configuration knows better than the source, but not than the event.
  if (given.empty() || (context.named && frame.sensor_id.empty())) {
    out_.Raw(context.sensor_id);
  } else {
    out_.String(given);
  }
}

}  // namespace dsmsg::msgconv
