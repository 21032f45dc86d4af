// SPDX-License-Identifier: Apache-2.0
// Values of an object that a detector, a tracker, classifiers and analyses gave.
#include "msgconv/map_field_parts.h"
#include "msgconv/model_parts.h"
#include "msgconv/object_class.h"
#include "msgconv/space_event.h"

namespace dsmsg::msgconv {
namespace {

using enum MapType;
using Scope = MapScope;
using Value = MapValue;

Value ObjectId(const Scope& scope) {
  if (!scope.object->id_text.empty()) return Value::Text(scope.object->id_text);
  return scope.object->id ? Value::Uint(*scope.object->id) : Value();
}

/// Of the first thing that it did in space, if that is the event.
Value EventName(const Scope& scope) {
  if (scope.object->space_events.count == 0) return {};
  const SpaceEvent& event = scope.frame.space_events[scope.object->space_events.first];
  return EventTypeOf(*scope.object) == SpaceEventName(event.kind) ? TextOrNone(event.name)
                                                                  : Value();
}

Box BoxOf(const Scope& scope) { return ScaledBox(scope.frame, *scope.object); }

constexpr MapField kFields[] = {
    {"object.index", kNumber, "place in the frame's list, from 0",
     [](const Scope& s) { return Value::Uint(s.index); }},
    {"object.id", kAny, "the tracker's: a number, or a text where an application gave one",
     ObjectId},
    {"object.label", kText, "class name",
     [](const Scope& s) { return TextOrNone(s.object->label); }},
    {"object.class", kText, "what the full form calls it: vehicle, person, face, product, other",
     [](const Scope& s) {
       const ObjectClass& kind = ClassOf(*s.object);
       return Value::Text(kind.member.empty() ? "other" : kind.member);
     }},
    {"object.label_id", kNumber, "class number",
     [](const Scope& s) { return s.object->label_id ? Value::Int(*s.object->label_id) : Value(); }},
    {"object.confidence", kNumber, "0 to 1; missing where only the tracker saw the object",
     [](const Scope& s) {
       const auto& confidence = s.object->confidence;
       return confidence && *confidence >= 0 ? Value::Float(*confidence) : Value();
     }},
    {"object.box.left", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).left); }},
    {"object.box.top", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).top); }},
    {"object.box.width", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).width); }},
    {"object.box.height", kNumber, "pixels of the camera",
     [](const Scope& s) { return Value::Float(BoxOf(s).height); }},
    {"object.box.right", kNumber, "left + width",
     [](const Scope& s) {
       const Box box = BoxOf(s);
       return Value::Float(box.left + box.width);
     }},
    {"object.box.bottom", kNumber, "top + height",
     [](const Scope& s) {
       const Box box = BoxOf(s);
       return Value::Float(box.top + box.height);
     }},
    {"object.rotation", kNumber, "of the box around its middle, degrees",
     [](const Scope& s) { return Value::Float(s.object->rotation); }},
    {"object.speed", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->speed); }},
    {"object.direction", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->direction); }},
    {"object.orientation", kNumber, "as attached",
     [](const Scope& s) { return Value::Float(s.object->orientation); }},
    {"object.event", kText, "entry, exit, moving, stopped, zone-enter, ...; missing without one",
     [](const Scope& s) { return TextOrNone(EventTypeOf(*s.object)); }},
    {"object.event_name", kText, "name of the line or zone that the event is about", EventName},
    {"object.event_id", kText, "that an application gave",
     [](const Scope& s) { return TextOrNone(s.object->event_id); }},
    {"object.heading", kText, "direction in words, of an analysis",
     [](const Scope& s) { return TextOrNone(s.object->heading); }},
    {"object.state", kText, "of an analysis",
     [](const Scope& s) { return TextOrNone(s.object->state); }},
    {"object.zones", kTexts, "zones that it is in",
     [](const Scope& s) { return Value::Texts(s.object->zones); }},
    {"object.crowded_zones", kTexts, "crowded zones that it is in",
     [](const Scope& s) { return Value::Texts(s.object->crowded_zones); }},
    {"object.lines", kTexts, "lines that it crosses",
     [](const Scope& s) { return Value::Texts(s.object->lines); }},
    {"object.attributes", kTable, "what classifiers found: an object of names and values",
     [](const Scope& s) {
       return Value::Table({s.object->first_attribute, s.object->attribute_count});
     }},
};

}  // namespace

std::span<const MapField> MapObjectFields() { return kFields; }

}  // namespace dsmsg::msgconv
