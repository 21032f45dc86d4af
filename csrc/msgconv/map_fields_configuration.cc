// SPDX-License-Identifier: Apache-2.0
// Values of the configuration's groups for an object. They read nothing else, so that parts of
// messages that consist of them are rendered once (map_settle.h).
#include "msgconv/map_field_parts.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

template <typename Group>
Value TextOf(const Group* group, std::string Group::*member) {
  return group == nullptr ? Value() : TextOrNone(group->*member);
}

template <typename Group>
Value PartOf(const Group* group, std::optional<Triple> Group::*member, size_t index) {
  return group == nullptr ? Value() : Part(group->*member, index);
}

Value OfPlace(const Scope& scope, std::string PlaceInfo::*member) {
  return TextOf(scope.Settled().place, member);
}

Value OfSensor(const Scope& scope, std::string SensorInfo::*member) {
  return TextOf(scope.Settled().sensor, member);
}

Value OfAnalytics(const Scope& scope, std::string AnalyticsInfo::*member) {
  return TextOf(scope.Settled().analytics, member);
}

Value SensorPart(const Scope& scope, std::optional<Triple> SensorInfo::*member, size_t index) {
  return PartOf(scope.Settled().sensor, member, index);
}

Value PlacePart(const Scope& scope, std::optional<Triple> PlaceInfo::*member, size_t index) {
  return PartOf(scope.Settled().place, member, index);
}

Value PlaceSubField(const Scope& scope, size_t index) {
  const PlaceInfo* const place = scope.Settled().place;
  return place == nullptr ? Value() : TextOrNone(place->sub_field[index]);
}

constexpr MapField kFields[] = {
    {"sensor.type", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::type); }},
    {"sensor.description", kText, "of the configuration",
     [](const Scope& s) { return OfSensor(s, &SensorInfo::description); }},
    {"sensor.location.lat", kNumber, "latitude, longitude, altitude; of the configuration",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 0); }},
    {"sensor.location.lon", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 1); }},
    {"sensor.location.alt", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::location, 2); }},
    {"sensor.coordinate.x", kNumber, "of the configuration",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 0); }},
    {"sensor.coordinate.y", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 1); }},
    {"sensor.coordinate.z", kNumber, "likewise",
     [](const Scope& s) { return SensorPart(s, &SensorInfo::coordinate, 2); }},
    {"place.id", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::id); }},
    {"place.name", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::name); }},
    {"place.type", kText, "of the configuration",
     [](const Scope& s) { return OfPlace(s, &PlaceInfo::type); }},
    {"place.location.lat", kNumber, "of the configuration",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 0); }},
    {"place.location.lon", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 1); }},
    {"place.location.alt", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::location, 2); }},
    {"place.coordinate.x", kNumber, "of the configuration",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 0); }},
    {"place.coordinate.y", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 1); }},
    {"place.coordinate.z", kNumber, "likewise",
     [](const Scope& s) { return PlacePart(s, &PlaceInfo::coordinate, 2); }},
    {"place.sub_field1", kText, "place-sub-field1 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 0); }},
    {"place.sub_field2", kText, "place-sub-field2 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 1); }},
    {"place.sub_field3", kText, "place-sub-field3 of the configuration",
     [](const Scope& s) { return PlaceSubField(s, 2); }},
    {"analytics.id", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::id); }},
    {"analytics.description", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::description); }},
    {"analytics.source", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::source); }},
    {"analytics.version", kText, "of the configuration",
     [](const Scope& s) { return OfAnalytics(s, &AnalyticsInfo::version); }},
};

}  // namespace

MapSettled& MapScope::Settled() const {
  static const Object kNone;
  const Groups groups = GroupsOf(frame, object == nullptr ? kNone : *object);
  return scratch.settled.Get(groups, [&] {
    return MapSettled{config.Sensor(groups.sensor), config.Place(groups.place),
                      config.Analytics(groups.analytics),
                      std::vector<std::optional<std::string>>(scratch.settled_parts)};
  });
}

std::span<const MapField> MapConfigurationFields() { return kFields; }

}  // namespace dsmsg::msgconv
