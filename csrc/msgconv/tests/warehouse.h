// SPDX-License-Identifier: Apache-2.0
// A frame with everything that the plain schema has no place for.
#ifndef DSMSG_MSGCONV_TESTS_WAREHOUSE_H_
#define DSMSG_MSGCONV_TESTS_WAREHOUSE_H_

#include "msgconv/model.h"

namespace dsmsg_test {

/// A person and a box in a warehouse, with what goes beyond DeepStream's plain schema.
inline dsmsg::msgconv::Frame Warehouse() {
  using namespace dsmsg::msgconv;
  Frame frame;
  frame.number = 7;
  frame.time_ns = 1'705'314'600'123'456'789;
  frame.source_name = "north gate";
  frame.source_sensor = "N1";
  frame.texts = {"dock", "ramp", "door"};
  frame.runs = {2, 3, 7};
  frame.numbers = {0.5F, -0.25F, 1, 2, 3};
  frame.points = {{1, 2}, {3, 4}};
  frame.masks = {{4, 3, {0, 3}}};
  frame.boxes3d = {{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 0.75F, {2, 3}}};
  frame.tracks3d = {{{10, 20}, {-1.5F, 2.5F}, {0, 2}, 0.5F}};
  frame.classes = {1, 1, 1, 0, 0, 2};
  frame.segmentation = Segmentation{3, 2, {0, 6}, {}};
  frame.counts = {{CountKind::kClass, "Person", 2}, {CountKind::kZone, "dock", 1},
                  {CountKind::kCrowded, "ramp", 1}, {CountKind::kCrowded, "dock", 0},
                  {CountKind::kLine, "door", 1},    {CountKind::kLineTotal, "door", 12}};
  Object person;
  person.id = 5;
  person.label = "Person";
  person.confidence = 0.625F;
  person.box = {1, 2, 3, 4};
  person.rotation = 12.5F;
  person.embedding = {0, 2};
  person.mask = person.box3d = person.track3d = {0, 1};
  person.zones = {0, 1};
  person.crowded_zones = {1, 1};
  person.lines = {2, 1};
  person.heading = "South";
  person.state = "waiting";
  Object box;
  box.id = 6;
  box.label = "Box";
  box.confidence = -0.1F;  // seen by the tracker only
  box.box3d = {0, 1};
  // Found by an application in the scene of the person's event.
  frame.texts.insert(frame.texts.end(), {"5", "6"});
  frame.attributes = {{"site", "Turin", {}}, {"model", "vlm-2", {}}};
  frame.coordinates = {{1.5, 2, 0}, {3, 4, 5}};
  frame.groups = {{"hall", "Person", 3, {3, 1}, {0, 1}, {0, 1}},
                  {"i1", "lifts a box", 0, {3, 2}, {0, 2}, {}},
                  {"ramp", "", 0.25, {3, 1}, {}, {}}};
  frame.conversations = {{"q1", "Who is there?", "A person."}, {"", "Safe?", "Yes."}};
  frame.embeddings = {{0, 2}, {2, 3}};
  frame.findings = {{{0, 1}, {1, 1}, {2, 1}, {}, {1, 1}, {0, 2}, {0, 2}}};
  frame.sources = {{"cam-1", 1'705'314'600'123'456'789}, {"cam-2", 1'705'314'600'000'000'000}};
  person.findings = {0, 1};
  frame.objects = {person, box};
  return frame;
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_WAREHOUSE_H_
