// SPDX-License-Identifier: Apache-2.0
// Frames and events whose messages are compared with those of DeepStream's own converter
// (data/dialects): what a pipeline attaches, as the readers put it into the model.
#ifndef DSMSG_MSGCONV_TESTS_DIALECT_FRAMES_H_
#define DSMSG_MSGCONV_TESTS_DIALECT_FRAMES_H_

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "msgconv/event_meta.h"
#include "msgconv/joint_names.h"
#include "msgconv/model.h"
#include "nvmsgconv.h"

namespace dsmsg_test {

using dsmsg::msgconv::Attribute;
using dsmsg::msgconv::EventMeta;
using dsmsg::msgconv::EventType;
using dsmsg::msgconv::Frame;
using dsmsg::msgconv::Keypoint;
using dsmsg::msgconv::Object;
using dsmsg::msgconv::Range;

inline constexpr uint64_t kFrameTime = 1'705'314'600'123'456'789;

// ---------------------------------------------------------------- detected objects

inline Frame Seen(uint32_t source, uint64_t number) {
  Frame frame;
  frame.source_id = source;
  frame.number = number;
  frame.time_ns = kFrameTime;
  frame.width = 960;
  frame.height = 540;
  frame.source_width = 1920;
  frame.source_height = 1080;
  return frame;
}

inline Object* Add(Frame* frame, std::string_view label, std::optional<uint64_t> id,
                   float confidence, const dsmsg::msgconv::Box& box) {
  Object object;
  object.label = label;
  object.id = id;
  object.confidence = confidence;
  object.box = box;
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  frame->objects.push_back(object);
  return &frame->objects.back();
}

inline void Classify(Frame* frame, std::initializer_list<Attribute> attributes) {
  frame->attributes.insert(frame->attributes.end(), attributes);
  frame->objects.back().attribute_count += static_cast<uint32_t>(attributes.size());
}

inline Frame Car() {
  Frame frame = Seen(0, 60);
  Add(&frame, "car", 18, 0.95F, {100.75F, 200.5F, 200.5F, 150.5F});
  Classify(&frame, {{"color", "blue", {}},
                    {"type", "sedan", {}},
                    {"type", "coupe", {}},
                    {"classifier1", "loose", {}, true}});
  return frame;
}

inline Frame Untracked() {
  Frame frame = Seen(9, 61);
  Add(&frame, "Person", {}, -0.1F, {-5.5F, 0, 10, 20.99F});
  return frame;
}

inline Frame Blob() {
  Frame frame = Seen(0, 62);
  Add(&frame, "dog", 3, 0.5F, {1, 2, 3, 4});
  frame.texts = {R"({"a":1})"};
  frame.custom_messages = {0, 1};
  return frame;
}

inline Frame Two() {
  Frame frame = Seen(1, 64);
  Add(&frame, "car", 1, 0.333333343F, {1, 2, 3, 4});
  Add(&frame, "bus", 2, 0.25F, {1234567, 2, 3, 4});
  return frame;
}

// ---------------------------------------------------------------- events

// Adds an event that says nothing more than every event does.
inline Object* Happened(Frame* frame, EventType type, int32_t object_type,
                        dsmsg::msgconv::ObjectKind kind, std::string_view label) {
  frame->number = 99;
  frame->time_ns = kFrameTime;
  frame->only_events = true;
  Object object;
  object.is_event = true;
  object.event = type;
  object.kind = kind;
  object.label = label;
  object.id = 957;
  object.confidence = 0.8F;
  object.box = {1834.5F, 150.75F, 84.25F, 65.5F};
  object.timestamp = "2018-04-11T04:59:59.828Z";
  object.sensor_group = object.place_group = object.analytics_group = 0;
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  object.event_meta = {static_cast<uint32_t>(frame->event_metas.size()), 1};
  EventMeta event;
  event.object_type = object_type;
  event.frame_id = 99;
  event.confidence = 0.8;
  frame->event_metas.push_back(event);
  frame->objects.push_back(object);
  return &frame->objects.back();
}

// A structure of the class, with these fields; bit i of `null`: field i is NULL.
inline void Extend(Frame* frame, std::initializer_list<Attribute> attributes, uint16_t null) {
  Classify(frame, attributes);
  frame->event_metas.back().has_ext = true;
  frame->event_metas.back().null_fields = null;
}

inline void AddPose(Frame* frame, int type) {
  Object* const object = &frame->objects.back();
  object->pose_type = dsmsg::msgconv::kPoseTypes[type];
  const auto names = dsmsg::msgconv::JointNames(type);
  object->keypoints = {0, static_cast<uint32_t>(names.size())};
  for (const std::string_view name : names) frame->keypoints.push_back({name, {}, 0, {}});
  const auto set = [&](size_t i, double x, double y, double z, float confidence) {
    frame->keypoints[i].position = {x, y, z};
    frame->keypoints[i].confidence = confidence;
  };
  set(0, 10.5, 20.25, 1.5, 0.75F);
  set(1, 11, 21, 2.5, 0.5F);
  set(3, -4.75, 3, 0.25, 0.1F);
}

using dsmsg::msgconv::ObjectKind;

inline void AddVehicleEvent(Frame* frame) {
  Object* const car = Happened(frame, EventType::kParked, NVDS_OBJECT_TYPE_VEHICLE,
                               ObjectKind::kVehicle, "Vehicle");
  car->location = {45.5, -75.25, 48};
  car->coordinate = {1.5, 2, 3};
  car->video_path = "/v.mp4";
  frame->signatures = {0.5, 0.25};
  car->signature = {0, 2};
  frame->texts = {"other"};
  car->custom_messages = {0, 1};
  Extend(frame,
         {{"type", "sedan", {}},
          {"make", "Bugatti", {}},
          {"color", "blue", {}},
          {"licenseState", "CA", {}}},
         1U << 2);
}

inline Frame PersonEvent() {
  Frame frame;
  Object* const person =
      Happened(&frame, EventType::kEntry, NVDS_OBJECT_TYPE_PERSON, ObjectKind::kPerson, "Person");
  frame.numbers = {1.5F, -2.5F, 0.1F};
  person->embedding = {0, 3};
  frame.points = {{1, 2}, {3, 4}, {5, 6}};
  frame.tracks3d.push_back({{100.5F, 200.25F}, {-3.5F, 4.125F}, {0, 3}, 0.75F});
  person->track3d = {0, 1};
  frame.event_metas.back().visibility = 0.75F;
  Extend(&frame,
         {{"age", "34", {}}, {"gender", "f", {}}, {"cap", "none", {}}, {"apparel", "coat", {}}},
         1U << 2);
  AddPose(&frame, 0);
  return frame;
}

inline Frame BodyEvent() {
  Frame frame;
  Happened(&frame, EventType::kExit, NVDS_OBJECT_TYPE_PERSON, ObjectKind::kPerson, "Person")
      ->id.reset();
  Extend(&frame,
         {{"age", "34", {}}, {"gender", "f", {}}, {"cap", "none", {}}, {"apparel", "coat", {}}},
         1U << 2);
  AddPose(&frame, 2);
  return frame;
}

inline void AddBarePerson(Frame* frame) {
  Happened(frame, EventType::kMoving, NVDS_OBJECT_TYPE_PERSON, ObjectKind::kPerson, "Person");
  frame->event_metas.back().sensor_str = "gate";
  if (frame->objects.size() == 1) frame->sensor_id = "gate";
}

inline void AddBag(Frame* frame) {
  Happened(frame, EventType::kEntry, NVDS_OBJECT_TYPE_BAG, ObjectKind::kOther, "suitcase");
  frame->event_metas.back().object_id = "suitcase";
}

inline Frame UnknownEvent() {
  Frame frame;
  Object* const dog =
      Happened(&frame, EventType::kNone, NVDS_OBJECT_TYPE_UNKNOWN, ObjectKind::kOther, "dog");
  dog->event_type = "custom";
  dog->timestamp = {};
  dog->sensor_group = dog->place_group = dog->analytics_group = 7;
  frame.source_id = 7;
  frame.event_metas.back().object_id = "dog";
  return frame;
}

inline Frame MaskEvent() {
  Frame frame;
  Object* const van = Happened(&frame, EventType::kEntry, NVDS_OBJECT_TYPE_VEHICLE_EXT,
                               ObjectKind::kVehicle, "Vehicle");
  frame.points = {{1.5F, 2}, {3, 4}, {5, 6.25F}, {7, 8}, {9, 10}};
  frame.outlines = {{0, 3}, {3, 2}};
  van->outlines = {0, 2};
  Extend(&frame, {{"type", "van", {}}, {"license", "L1", {}}}, 1U << 2 | 1U << 3 | 1U << 4);
  return frame;
}

inline Frame Event(EventType type, int32_t object_type, ObjectKind kind, std::string_view label,
                   std::initializer_list<Attribute> attributes = {}, uint16_t null = 0) {
  Frame frame;
  Happened(&frame, type, object_type, kind, label);
  if (attributes.size() > 0) Extend(&frame, attributes, null);
  return frame;
}

inline Frame SeveralEvents() {
  Frame frame;
  AddVehicleEvent(&frame);
  Happened(&frame, EventType::kEntry, dsmsg::msgconv::kObjectDummy, ObjectKind::kByLabel,
           "Unknown");
  AddBag(&frame);
  AddBarePerson(&frame);
  return frame;
}

/// By the name of their files.
inline std::map<std::string, Frame> DialectFrames() {
  std::map<std::string, Frame> frames;
  frames["object_car"] = frames["object_csv"] = Car();
  frames["object_untracked"] = Untracked();
  frames["object_blob"] = Blob();
  frames["object_none"] = Seen(0, 63);
  frames["object_two"] = Two();
  AddVehicleEvent(&frames["event_vehicle"]);
  frames["event_vehicle_bare"] =
      Event(EventType::kEntry, NVDS_OBJECT_TYPE_VEHICLE, ObjectKind::kVehicle, "Vehicle");
  frames["event_person"] = PersonEvent();
  frames["event_body"] = BodyEvent();
  AddBarePerson(&frames["event_person_bare"]);
  frames["event_face"] =
      Event(EventType::kStopped, NVDS_OBJECT_TYPE_FACE, ObjectKind::kFace, "Face",
            {{"age", "40", {}},
             {"gender", "m", {}},
             {"hair", "black", {}},
             {"glasses", "n", {}},
             {"facialhair", "n", {}},
             {"name", "Jo", {}},
             {"eyecolor", "brown", {}}},
            1U << 3);
  frames["event_face_bare"] =
      Event(EventType::kEmpty, NVDS_OBJECT_TYPE_FACE, ObjectKind::kFace, "Face");
  frames["event_product"] =
      Event(EventType::kReset, dsmsg::msgconv::kObjectProduct, ObjectKind::kProduct, "Product",
            {{"brand", "b", {}}, {"type", "t", {}}}, 1U << 2);
  frames["event_unknown"] = UnknownEvent();
  AddBag(&frames["event_bag"]);
  frames["event_mask"] = MaskEvent();
  frames["event_several"] = SeveralEvents();
  Frame& none = frames["event_none"] = Seen(0, 99);
  none.only_events = true;
  none.time_ns = 1'523'422'799'828'000'000;
  return frames;
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_DIALECT_FRAMES_H_
