// SPDX-License-Identifier: Apache-2.0
// Batches of NVIDIA's library as msgconv::MetaReader reads them, field by field.
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "msgconv/meta_reader.h"
#include "nvidia.h"

namespace dsmsg_test {
namespace {

using dsmsg::msgconv::AttachedPayload;
using dsmsg::msgconv::CountKind;
using dsmsg::msgconv::Frame;
using dsmsg::msgconv::MetaReader;
using dsmsg::msgconv::Object;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace nvidia;  // the structures

/// The objects of the only frame.
Frame ReadOne(Batch* batch) {
  static MetaReader reader;  // texts belong to it
  Frame frame;
  EXPECT_TRUE(reader.Open(batch->get()).ok());
  const dsmsg::Status status = reader.ReadObjects(0, &frame);
  EXPECT_TRUE(status.ok()) << status.message();
  return frame;
}

TEST(MetaReader, AFreshObjectIsWhatItSays) {
  Batch batch(1);
  batch.AddObject(batch.AddFrame(4, 12), "");
  const Frame frame = ReadOne(&batch);
  EXPECT_EQ(frame.source_id, 4U);
  EXPECT_EQ(frame.number, 12U);
  ASSERT_EQ(frame.objects.size(), 1U);
  const Object& object = frame.objects[0];
  EXPECT_EQ(object.id, 0U);
  EXPECT_EQ(object.label, "");
  EXPECT_EQ(object.confidence, 0);
  EXPECT_EQ(object.rotation, 0);
  EXPECT_EQ(object.mask.count + object.box3d.count + object.track3d.count, 0U);
}

TEST(MetaReader, UntrackedTurnedAndUnsureObjects) {
  Batch batch(1);
  ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "bag");
  object->id = UINT64_MAX;
  object->confidence = -0.1F;
  object->box.rotation = 30;
  object->class_id = 5;
  object->component = 2;
  const Frame frame = ReadOne(&batch);
  EXPECT_EQ(frame.objects[0].id, std::nullopt);
  EXPECT_EQ(frame.objects[0].confidence, -0.1F);
  EXPECT_EQ(frame.objects[0].rotation, 30);
  EXPECT_EQ(frame.objects[0].label_id, 5);
  EXPECT_EQ(frame.objects[0].component_id, 2U);
}

TEST(MetaReader, ClassifiersAndLabelsInTheOrderOfAttaching) {
  Batch batch(1);
  ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "car");
  ClassifierMeta* const colors = batch.AddClassifier(object, 2, "color");
  batch.AddLabel(colors, "blue", 0.75F);
  batch.AddLabel(colors, "green", 0.25F);
  batch.AddLabel(batch.AddClassifier(object, 7), "acme");
  const Frame frame = ReadOne(&batch);
  std::vector<std::string> all;
  for (const auto& attribute : frame.AttributesOf(frame.objects[0])) {
    all.push_back(std::string(attribute.name) + "=" + std::string(attribute.value) +
                  (attribute.made_up ? " (made up)" : ""));
  }
  EXPECT_THAT(all, ElementsAre("color=blue", "color=green", "classifier7=acme (made up)"));
  EXPECT_EQ(frame.attributes[0].confidence, 0.75F);
}

TEST(MetaReader, MasksAreRuns) {
  Batch batch(1);
  ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "car");
  const std::array<float, 6> pixels = {0.1F, 0.9F, 0.9F, 0.2F, 0.1F, 0.8F};
  object->mask.data = static_cast<float*>(g_memdup2(pixels.data(), sizeof(pixels)));
  object->mask.size = sizeof(pixels);
  object->mask.width = 3;
  object->mask.height = 2;
  object->mask.threshold = 0.5F;
  const Frame frame = ReadOne(&batch);
  ASSERT_EQ(frame.objects[0].mask.count, 1U);
  EXPECT_EQ(frame.masks[0].width, 3U);
  EXPECT_THAT(Frame::Part(frame.runs, frame.masks[0].runs), ElementsAre(1, 2, 2, 1));
}

TEST(MetaReader, WhatATrackerKnows) {
  struct Reid {
    uint32_t count;
    float *host, *device;
  };
  struct Hull {
    int* points;
    uint32_t allocated, count;
  };
  float visibility = 0.5F;
  std::array<float, 2> image = {3, 4}, world = {5, 6};
  std::array<float, 3> features = {0.25F, 0.5F, 0.75F};
  std::array<float, 12> box = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::array<int, 8> points = {1, 2, 3, 4, 0, 0, 0, 0};
  Reid reid = {3, features.data(), nullptr};
  Hull hull = {points.data(), 4, 2};
  Batch batch(1);
  ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "person");
  object->confidence = 0.5F;
  batch.AddUser(object, kVisibility, &visibility);
  batch.AddUser(object, kImageFoot, image.data());
  batch.AddUser(object, kWorldFoot, world.data());
  batch.AddUser(object, kConvexHull, &hull);
  batch.AddUser(object, kBox3d, box.data());
  batch.AddUser(object, kReid, &reid);
  const Frame frame = ReadOne(&batch);
  const Object& read = frame.objects[0];
  ASSERT_EQ(read.track3d.count, 1U);
  EXPECT_EQ(frame.tracks3d[0].visibility, 0.5F);
  EXPECT_EQ(frame.tracks3d[0].feet.y, 4);
  EXPECT_EQ(frame.tracks3d[0].ground.x, 5);
  ASSERT_EQ(frame.tracks3d[0].hull.count, 2U);
  EXPECT_EQ(Frame::Part(frame.points, frame.tracks3d[0].hull)[1].y, 4);
  ASSERT_EQ(read.box3d.count, 1U);
  EXPECT_EQ(frame.boxes3d[0].values, box);
  EXPECT_THAT(Frame::Part(frame.numbers, read.embedding), ElementsAre(0.25F, 0.5F, 0.75F));
}

// The structures of nvdsanalytics, which are C++ of the same compiler.
struct ObjectAnalytics {
  std::vector<std::string> zones, crowded, lines;
  std::string direction;
  unsigned id = 0;
  std::string state;
};
struct FrameAnalytics {
  std::unordered_map<std::string, bool> crowded;
  std::unordered_map<std::string, uint32_t> zones;
  std::unordered_map<std::string, uint64_t> lines, totals;
  unsigned id = 0;
  std::unordered_map<int, uint32_t> classes;
};

TEST(MetaReader, WhatTheAnalyticsFound) {
  ObjectAnalytics of_object{
      {"gate", "a zone with a name that is long"}, {"gate"}, {"exit"}, "south", 0, ""};
  FrameAnalytics of_frame{
      {{"gate", true}}, {{"gate", 3}, {"yard", 1}}, {{"exit", 2}}, {{"exit", 40}}, 0, {{2, 5}}};
  Batch batch(1);
  FrameMeta* const frame_meta = batch.AddFrame(0);
  batch.AddUser(batch.AddObject(frame_meta, "car"), kObjectAnalytics, &of_object);
  batch.AddUser(frame_meta, kFrameAnalytics, &of_frame);
  const Frame frame = ReadOne(&batch);
  const Object& object = frame.objects[0];
  EXPECT_THAT(Frame::Part(frame.texts, object.zones),
              ElementsAre("gate", "a zone with a name that is long"));
  EXPECT_THAT(Frame::Part(frame.texts, object.crowded_zones), ElementsAre("gate"));
  EXPECT_THAT(Frame::Part(frame.texts, object.lines), ElementsAre("exit"));
  EXPECT_EQ(object.heading, "south");
  EXPECT_EQ(object.state, "");
  std::vector<std::string> counts;
  for (const auto& count : frame.counts) {
    counts.push_back(std::to_string(static_cast<int>(count.kind)) + std::string(count.name) +
                     std::to_string(count.value));
  }
  EXPECT_THAT(counts, ElementsAre("025", "1gate3", "1yard1", "2gate1", "3exit2", "4exit40"));
}

TEST(MetaReader, TheClassOfEveryPixel) {
  struct Segmentation {
    uint32_t classes, width, height;
    int32_t* map;
    float* probabilities;
    void* context;
    int32_t id;
  };
  std::array<int32_t, 6> map = {0, 1, 1, -1, 2, 0};
  Segmentation segmentation = {3, 3, 2, map.data(), nullptr, nullptr, 1};
  Batch batch(1);
  batch.AddUser(batch.AddFrame(0), kSegmentation, &segmentation);
  const Frame frame = ReadOne(&batch);
  ASSERT_TRUE(frame.segmentation);
  EXPECT_EQ(frame.segmentation->width, 3U);
  EXPECT_THAT(Frame::Part(frame.classes, frame.segmentation->classes),
              ElementsAre(0, 1, 1, -1, 2, 0));
}

TEST(MetaReader, TheSourceNamesItself) {
  Batch batch(1);
  FrameMeta* const frame_meta = batch.AddFrame(0);
  // The library frees them with the frame.
  frame_meta->sensor_id = g_strdup("cam-7");
  frame_meta->sensor_name = g_strdup("North gate");
  const Frame frame = ReadOne(&batch);
  EXPECT_EQ(frame.source_sensor, "cam-7");
  EXPECT_EQ(frame.source_name, "North gate");
}

TEST(MetaReader, ASceneReplacesItsCameras) {
  struct Box {
    float values[12], score;
    const char *label, *filter;
    float confidence;
    uint32_t id;
    void* features;
    const char* text;
  };
  struct Scene {
    Box boxes[600];
    uint32_t count;
    uint64_t time;
    int32_t number;
    uint32_t camera;
    const char* sensor;
    struct {
      char id[128];
      uint64_t time;
    } sources[100];
    int32_t source_count;
  };
  struct Features {
    const float* values;
    uint32_t count;
  };
  static_assert(sizeof(Box) == 96 && sizeof(Scene) == 71240);
  const std::array<float, 2> values = {0.5F, 1};
  Features features = {values.data(), 2};
  const auto scene = std::make_unique<Scene>();
  scene->count = 2;
  scene->time = 1'705'314'600'123'000'000;
  scene->number = 8;
  scene->sensor = "bev";
  scene->source_count = 2;
  strcpy(scene->sources[1].id, "cam-2");
  scene->sources[1].time = 5;
  scene->boxes[0] = {{1, 2}, 0.5F, "Person", nullptr, 0.75F, 11, &features, nullptr};
  scene->boxes[1] = {{3, 4}, 0.25F, "Forklift", nullptr, 1, 12, nullptr, "F-9"};
  Batch batch(2);
  batch.AddFrame(0);
  batch.AddFrame(1);
  batch.AddUser(batch.get(), kSparse4d, scene.get());
  const Frame frame = ReadOne(&batch);
  EXPECT_EQ(frame.number, 8U);
  EXPECT_EQ(frame.time_ns, scene->time);
  EXPECT_EQ(frame.source_sensor, "bev");
  ASSERT_EQ(frame.objects.size(), 2U);
  EXPECT_EQ(frame.objects[0].id, 11U);
  EXPECT_EQ(frame.objects[1].label, "Forklift");
  EXPECT_EQ(frame.AttributesOf(frame.objects[1])[1].value, "F-9");
  EXPECT_EQ(frame.boxes3d[1].values[1], 4);
  ASSERT_EQ(frame.sources.size(), 2U);
  EXPECT_EQ(frame.sources[1].id, "cam-2");
  EXPECT_EQ(frame.sources[1].time_ns, 5U);
  EXPECT_THAT(Frame::Part(frame.numbers, frame.boxes3d[0].embedding), ElementsAre(0.5F, 1));
}

TEST(MetaReader, TheLibraryOfTheProcessIsAskedForItsSizes) {
  Get();
  const dsmsg::msgconv::DeepStream found = dsmsg::msgconv::FindDeepStream();
  EXPECT_TRUE(found.present);
  EXPECT_EQ(found.frame_size, sizeof(FrameMeta));
  EXPECT_EQ(found.object_size, sizeof(ObjectMeta));
  EXPECT_THAT(found.how, HasSubstr("libnvds"));
}

TEST(MetaReader, OneFrameAlone) {
  Batch batch(2);
  batch.AddObject(batch.AddFrame(0), "a");
  FrameMeta* const second = batch.AddFrame(1);
  ObjectMeta* const object = batch.AddObject(second, "b");
  batch.AddObject(second, "c");
  MetaReader reader;
  Frame frame;
  ASSERT_TRUE(reader.OpenFrame(second).ok());
  ASSERT_EQ(reader.size(), 1U);
  reader.Describe(0, &frame);
  ASSERT_TRUE(reader.ReadObject(object, &frame).ok());
  EXPECT_EQ(frame.source_id, 1U);
  ASSERT_EQ(frame.objects.size(), 1U);
  EXPECT_EQ(frame.objects[0].label, "b");
}

TEST(MetaReader, WhatContradictsItselfIsRefusedAndNamed) {
  const auto refused = [](auto change, const char* text) {
    Batch batch(2);
    FrameMeta* const frame_meta = batch.AddFrame(0);
    ObjectMeta* const object = batch.AddObject(frame_meta, "car");
    LabelInfo* const label = batch.AddLabel(batch.AddClassifier(object, 1, "color"), "blue");
    // Restored before the library uses it.
    const FrameMeta frame_before = *frame_meta;
    const ObjectMeta object_before = *object;
    const LabelInfo label_before = *label;
    const BatchMeta batch_before = *batch.get();
    change(batch.get(), frame_meta, object, label);
    MetaReader reader;
    Frame frame;
    dsmsg::Status status = reader.Open(batch.get());
    if (status.ok()) status = reader.ReadObjects(0, &frame);
    EXPECT_THAT(status.message(), HasSubstr(text));
    EXPECT_TRUE(frame.objects.empty());
    *frame_meta = frame_before;
    *object = object_before;
    *label = label_before;
    *batch.get() = batch_before;
  };
  using Batch = BatchMeta*;
  using F = FrameMeta*;
  using O = ObjectMeta*;
  using L = LabelInfo*;
  refused([](Batch b, F, O, L) { b->frames = 3; }, "says 3 frames, its list has 1");
  refused([](Batch, F f, O, L) { f->objects = 0; }, "says 0 objects, its list has 1");
  refused([](Batch, F f, O, L) { f->base.type = 4; }, "a frame has another type");
  refused([](Batch, F, O o, L) { o->base.type = 2; }, "an object has another type");
  refused([](Batch, F, O o, L) { memset(o->label, 'x', 128); }, "label has no end");
  refused([](Batch, F, O, L l) { memset(l->result, 'x', 128); }, "label has no end");
  refused([](Batch, F, O, L l) { l->base.type = 5; }, "label has another type");
  refused([](Batch b, F, O, L) { b->base.type = 2; }, "no pool of its frames");
  float pixel = 1;
  refused(
      [&pixel](Batch, F, O o, L) {
        o->mask = {&pixel, sizeof(pixel), 0.5F, 64, 64};
      },
      "mask of 64 x 64 is larger");
}

// Before 8.0 analytics had types whose numbers the library gave out.
TEST(MetaReader, TheLibraryIsAskedForTypesOfAnalytics) {
  nvidia::Get();
  const auto found = dsmsg::msgconv::FindDeepStream();
  ASSERT_TRUE(found.frame_analytics && found.object_analytics);
  EXPECT_GT(*found.frame_analytics, 4096);
  EXPECT_NE(*found.frame_analytics, *found.object_analytics);
  EXPECT_EQ(dsmsg::msgconv::FindDeepStream().frame_analytics, found.frame_analytics);
}

}  // namespace
}  // namespace dsmsg_test
