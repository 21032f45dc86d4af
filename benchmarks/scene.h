// SPDX-License-Identifier: Apache-2.0
// The scene whose payloads the benchmarks make.
#ifndef DSMSG_BENCHMARKS_SCENE_H_
#define DSMSG_BENCHMARKS_SCENE_H_

#include <memory>

#include "msgconv/converter.h"

namespace dsmsg::bench {

inline constexpr size_t kObjects = 20;
inline constexpr char kConfig[] =
    "[sensor0]\ntype=Camera\nid=CAMERA_001\nlocation=45.293701;-75.830391;48.155\n"
    "description=Entrance camera\ncoordinate=5.2;10.1;11.2\n"
    "[place0]\nid=1\ntype=garage\nname=ParkingLot_A\nlocation=30.32;-40.55;100\ncoordinate=1;2;3\n"
    "place-sub-field1=Zone_A\nplace-sub-field2=Lane_1\nplace-sub-field3=Level_P1\n"
    "[analytics0]\nid=XYZ\ndescription=Vehicle detection\nsource=ResNet18\nversion=1.0\n";

inline std::shared_ptr<const msgconv::ConvConfig> Config() {
  return std::make_shared<msgconv::ConvConfig>(
      msgconv::ConvConfig::Parse(kConfig, "bench.txt").value());
}

/// A street: tracked cars with a classifier's results.
inline msgconv::Frame Street(size_t objects = kObjects) {
  msgconv::Frame frame;
  frame.number = 4711;
  frame.time_ns = 1'705'314'600'123'000'000;
  frame.width = 1920;
  frame.height = 1080;
  frame.attributes = {{"make", "audi", {}}, {"color", "blue", {}}, {"type", "sedan", {}}};
  for (size_t i = 0; i < objects; ++i) {
    msgconv::Object car;
    car.id = 1000 + i;
    car.label = "car";
    car.label_id = 0;
    car.confidence = 0.5F + static_cast<float>(i) / 64;
    car.box = {17.25F * static_cast<float>(i), 300.5F, 120.75F, 80.25F};
    car.event = msgconv::EventType::kMoving;
    car.attribute_count = 3;
    frame.objects.push_back(car);
  }
  return frame;
}

}  // namespace dsmsg::bench

#endif  // DSMSG_BENCHMARKS_SCENE_H_
