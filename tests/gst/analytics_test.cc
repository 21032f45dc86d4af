// SPDX-License-Identifier: Apache-2.0
// GStreamer's analytics metadata, as far as the running GStreamer has it (analytics_support.h): the
// reader by itself, and the element.
#include <gmock/gmock.h>

#include "analytics_support.h"
#include "conv_support.h"
#include "gst/analytics_reader.h"
#include "msgconv/tests/json_check.h"

namespace dsmsg_test {
namespace {

using dsmsg::AnalyticsReader;
using dsmsg::msgconv::Frame;
using dsmsg::msgconv::Object;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEveryFrame[] = " msg2p-newapi=true frame-interval=1 ";

GstBuffer* Analysed(bool tracking_first) {
  GstBuffer* buffer = Picture();
  Analytics a(buffer);
  const auto car = a.Detection("car", 4, 2, 8, 6, 0.75F);
  a.Detection("person", 1, 1, 2, 2, 0.5F);
  const auto track = a.Tracking(42);
  const auto color = a.Classes({{"red", 0.25F}, {"blue", 0.5F}, {"green", 0.125F}});
  a.Relate(tracking_first ? track : car, tracking_first ? car : track);
  a.Relate(car, color);
  return buffer;
}

/// The frame that the reader makes of a picture to which `attach` added metadata.
class Reading {
 public:
  template <class Attach>
  explicit Reading(Attach attach) : buffer_(Picture()) {
    Analytics analytics(buffer_);
    attach(analytics);
    frame.width = 64;
    frame.height = 32;
    reader.Read(buffer_, 0, &frame);
  }
  ~Reading() { gst_buffer_unref(buffer_); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// "name=value" of the object's attributes.
  std::vector<std::string> Attributes(size_t object) const {
    std::vector<std::string> all;
    for (const auto& one : frame.AttributesOf(frame.objects.at(object)))
      all.push_back(std::string(one.name) + "=" + std::string(one.value));
    return all;
  }
  std::vector<uint32_t> Runs(size_t object) const {
    const auto runs = Frame::Part(frame.runs, MaskOf(object).runs);
    return {runs.begin(), runs.end()};
  }
  const dsmsg::msgconv::Mask& MaskOf(size_t object) const {
    return frame.masks.at(frame.objects.at(object).mask.first);
  }
  std::vector<std::string> Labels() const {
    std::vector<std::string> all;
    for (const Object& object : frame.objects) all.emplace_back(object.label);
    return all;
  }

  AnalyticsReader reader;
  Frame frame;

 private:
  GstBuffer* const buffer_;
};

std::vector<float> Numbers(const dsmsg::msgconv::Box& box) {
  return {box.left, box.top, box.width, box.height};
}

// ---------------------------------------------------------------- the reader

TEST(AnalyticsReader, EveryClassificationHasItsOwnName) {
  const Reading plain([](Analytics& a) {
    const auto car = a.Detection("car", 4, 2, 8, 6, 0.75F);
    for (const char* value : {"blue", "van", "front"}) {
      a.Relate(car, a.Classes({{value, 0.5F}}), Analytics::kContains);
    }
  });
  EXPECT_THAT(plain.Attributes(0),
              ElementsAre("classification=blue", "classification2=van", "classification3=front"));
  if (!Analytics::HasTags()) return;
  const Reading tagged([](Analytics& a) {
    const auto car = a.Detection("car", 4, 2, 8, 6, 0.75F);
    for (const auto& [tag, value] :
         {std::pair("color", "blue"), {"type", "van"}, {"color", "red"}}) {
      const auto classes = a.Classes({{value, 0.5F}});
      Analytics::Tag(classes, tag);
      a.Relate(car, classes, Analytics::kContains);
    }
  });
  EXPECT_THAT(tagged.Attributes(0), ElementsAre("color=blue", "type=van", "color2=red"));
}

TEST(AnalyticsReader, AListOfClassesIsNotAResultButGivesTheClassItsNumber) {
  const Reading reading([](Analytics& a) {
    const auto list = a.Classes({{"person", 0}, {"car", 0}, {"bus", 0}});
    a.Relate(a.Detection("bus", 4, 2, 8, 6, 0.75F), list);
    a.Relate(a.Detection("face", 4, 2, 8, 6, 0.75F), a.Classes({{"face", 0}}));
    const auto unsure = a.Detection("person", 4, 2, 8, 6, 0.75F);
    a.Relate(unsure, a.Classes({{"child", 0}}));
    a.Relate(unsure, a.Classes({{"walking", -1}}));
  });
  EXPECT_EQ(reading.frame.objects.at(0).label_id, 2);
  EXPECT_THAT(reading.Attributes(0), IsEmpty());
  EXPECT_EQ(reading.frame.objects.at(1).label_id, 0);
  EXPECT_THAT(reading.Attributes(1), IsEmpty());
  EXPECT_EQ(reading.frame.objects.at(2).label_id, std::nullopt);
  EXPECT_THAT(reading.Attributes(2),
              ElementsAre("classification=child", "classification2=walking"));
  EXPECT_EQ(reading.frame.attributes.at(1).confidence, std::nullopt);
  EXPECT_THAT(reading.frame.objects, SizeIs(3));
}

TEST(AnalyticsReader, AClassificationOfNoObjectIsAboutThePicture) {
  const Reading reading([](Analytics& a) {
    const auto result = a.Classes({{"street", 0.875F}});
    a.Relate(result, a.Classes({{"street", 0}, {"forest", 0}}));
    a.Relate(a.Detection("car", 4, 2, 8, 6, 0.75F), a.Classes({{"blue", 0.5F}}));
  });
  EXPECT_THAT(reading.Labels(), ElementsAre("car", "frame"));
  EXPECT_THAT(reading.Attributes(0), ElementsAre("classification=blue"));
  EXPECT_THAT(reading.Attributes(1), ElementsAre("classification=street"));
  EXPECT_THAT(Numbers(reading.frame.objects[1].box), ElementsAre(0, 0, 64, 32));
  EXPECT_EQ(reading.frame.objects[1].confidence, 0.875F);
}

TEST(AnalyticsReader, BoxesMayBeRotatedAndTracksLost) {
  const Reading reading([](Analytics& a) {
    a.Relate(a.Detection("car", 4, 2, 8, 6, 0.75F), a.Tracking(0));
    a.Relate(a.Detection("bus", 4, 2, 8, 6, 0.75F), a.Tracking(7, true));
    a.Tracking(8, true);
    a.Tracking(9);
    if (Analytics::HasMasks()) a.Oriented("ship", 10, 4, 20, 10, 1.5707963F, 0.5F);
  });
  EXPECT_EQ(reading.frame.objects.at(0).id, 0U);
  EXPECT_EQ(reading.frame.objects.at(0).state, "");
  EXPECT_EQ(reading.frame.objects.at(1).id, 7U);
  EXPECT_EQ(reading.frame.objects.at(1).state, "lost");
  EXPECT_THAT(reading.frame.lost, ElementsAre(7, 8));
  if (!Analytics::HasMasks()) return;
  EXPECT_NEAR(reading.frame.objects.at(2).rotation, 90, 0.001);
  // Before it is rotated; the box around it would be 15, -1, 10, 20.
  EXPECT_THAT(Numbers(reading.frame.objects[2].box), ElementsAre(10, 4, 20, 10));
}

TEST(AnalyticsReader, ASegmentationOfAnObjectIsItsMask) {
  if (!Analytics::HasMasks()) return;
  const Reading reading([](Analytics& a) {
    // The mask has the box's place, half its size.
    const auto car = a.Detection("car", 8, 4, 8, 4, 0.75F);
    a.Relate(car, a.Segmentation({"0110", "1111"}, {1}, 8, 4, 8, 4));
    // The mask covers the picture; 9 is not one of its regions.
    const auto bus = a.Detection("bus", 16, 16, 32, 16, 0.75F);
    a.Relate(a.Segmentation({"3333", "0359"}, {0, 3, 5}, 0, 0, 64, 32), bus);
  });
  ASSERT_THAT(reading.Labels(), ElementsAre("car", "bus"));
  EXPECT_EQ(reading.MaskOf(0).width, 4U);
  EXPECT_EQ(reading.MaskOf(0).height, 2U);
  EXPECT_THAT(reading.Runs(0), ElementsAre(1, 2, 1, 4));
  EXPECT_EQ(reading.MaskOf(1).width, 2U);
  EXPECT_EQ(reading.MaskOf(1).height, 1U);
  EXPECT_THAT(reading.Runs(1), ElementsAre(0, 2));
}

TEST(AnalyticsReader, ASegmentationOfThePictureMakesAnObjectOfEachRegion) {
  if (!Analytics::HasMasks()) return;
  const Reading reading([](Analytics& a) {
    const auto map = a.Segmentation({"0000", "0770", "0072", "2222"}, {0, 7, 2, 4}, 0, 0, 64, 32);
    a.Relate(map, a.Classes({{"background", -1}, {"leaf", 0.5F}, {"stone", -1}, {"sky", -1}}));
    a.Segmentation({"010"}, {0, 1}, 0, 0, 30, 10);
  });
  ASSERT_THAT(reading.Labels(), ElementsAre("leaf", "stone", "region"));
  EXPECT_THAT(Numbers(reading.frame.objects[0].box), ElementsAre(16, 8, 32, 16));
  EXPECT_EQ(reading.frame.objects[0].confidence, 0.5F);
  EXPECT_EQ(reading.frame.objects[0].label_id, 7);
  EXPECT_THAT(reading.Runs(0), ElementsAre(0, 2, 1, 1));
  EXPECT_THAT(Numbers(reading.frame.objects[1].box), ElementsAre(0, 16, 64, 16));
  EXPECT_EQ(reading.frame.objects[1].confidence, std::nullopt);
  EXPECT_THAT(reading.Runs(1), ElementsAre(3, 5));
  EXPECT_THAT(Numbers(reading.frame.objects[2].box), ElementsAre(10, 0, 10, 10));
}

TEST(AnalyticsReader, AMaskThatContradictsItselfIsLeftOut) {
  if (!Analytics::HasMasks()) return;
  for (const gint stride : {3, 5, -4, 0, G_MAXINT}) {
    GstBuffer* buffer = Picture();
    Analytics a(buffer);
    const auto car = a.Detection("car", 8, 4, 8, 4, 0.75F);
    const auto map = a.Segmentation({"0110", "1111"}, {1}, 8, 4, 8, 4);
    a.Relate(car, map);
    gint x = 0, y = 0;
    guint width = 0, height = 0;
    GstBuffer* mask = dsmsg::AnalyticsApi::Find()->mask(&map, &x, &y, &width, &height);
    gst_buffer_get_video_meta(mask)->stride[0] = stride;
    Frame frame;
    AnalyticsReader reader;
    reader.Read(buffer, 0, &frame);
    EXPECT_THAT(frame.objects, SizeIs(1)) << stride;
    EXPECT_EQ(frame.objects.at(0).mask.count, 0U) << stride;
    gst_buffer_unref(mask);
    gst_buffer_unref(buffer);
  }
}

TEST(AnalyticsReader, AGroupOfKeypointsIsAPose) {
  if (!Analytics::HasGroups()) return;
  const Reading reading([](Analytics& a) {
    const auto face = a.Detection("face", 4, 2, 20, 20, 0.75F);
    const auto points = a.Keypoints({{6, 4}, {9, 4}, {8, 6}, {6, 8}, {9, 8}}, 0.5F);
    Analytics::Tag(points, "centerface/face-landmarks/centerface-5");
    a.Relate(face, points, Analytics::kContains);
    a.Relate(points, face, Analytics::kIsPartOf);
    a.Keypoints({{30, 10}, {40, 20}}, 0.5F);
    auto family = a.Group();
    Analytics::Tag(family, "family");
    a.AddMember(&family, face);
  });
  ASSERT_THAT(reading.Labels(), ElementsAre("face", "keypoints"));
  const Object& face = reading.frame.objects[0];
  EXPECT_EQ(face.pose_type, "face-landmarks/centerface-5");
  const auto points = Frame::Part(reading.frame.keypoints, face.keypoints);
  ASSERT_EQ(points.size(), 5U);
  EXPECT_EQ(points[2].name, "nose");
  EXPECT_THAT(points[2].position, ElementsAre(8, 6, 0));
  EXPECT_EQ(points[2].confidence, 0.5F);
  EXPECT_THAT(reading.Attributes(0), ElementsAre("group=family"));
  const Object& other = reading.frame.objects[1];
  EXPECT_EQ(other.pose_type, "pose");
  EXPECT_EQ(other.keypoints.count, 2U);
  EXPECT_THAT(Numbers(other.box), ElementsAre(30, 10, 10, 10));
}

TEST(AnalyticsReader, TypesThatItDoesNotKnowAreNamed) {
  const Reading reading([](Analytics& a) {
    a.Detection("car", 4, 2, 8, 6, 0.75F);
    a.Unknown("smell");
    a.Unknown("smell");
  });
  EXPECT_THAT(reading.Labels(), ElementsAre("car"));
  EXPECT_EQ(reading.reader.unread(), "smell");
}

// ---------------------------------------------------------------- the element

TEST(ConvAnalytics, DetectionsTrackingAndClassesBecomeMessages) {
  for (const bool tracking_first : {false, true}) {
    ConvHarness h(std::string(kEveryFrame) + "payload-type=minimal");
    const auto payloads = h.Payloads(Analysed(tracking_first));
    ASSERT_THAT(payloads, SizeIs(1));
    const auto document = ParseJson(payloads[0]);
    const auto& objects = At(document, {"objects"});
    ASSERT_EQ(objects.Size(), 2U);
    EXPECT_EQ(Text(objects[0], {"id"}), "42");
    EXPECT_EQ(Text(objects[0], {"type"}), "car");
    EXPECT_EQ(Number(objects[0], {"confidence"}), 0.75);
    EXPECT_EQ(Number(objects[0], {"bbox", "topleftx"}), 4);
    EXPECT_EQ(Number(objects[0], {"bbox", "bottomrighty"}), 8);
    EXPECT_EQ(Text(objects[0], {"attributes", "classification"}), "blue");
    EXPECT_EQ(Text(objects[1], {"id"}), "");
    EXPECT_EQ(Text(objects[1], {"type"}), "person");
    EXPECT_THAT(h.Messages(), IsEmpty());
  }
}

TEST(ConvAnalytics, FiltersAndEventsWorkAsForRegions) {
  ConvHarness sure(std::string(kEveryFrame) + "min-confidence=0.6");
  EXPECT_THAT(sure.Payloads(Analysed(false)), SizeIs(1));
  ConvHarness track("msg2p-newapi=true events=track");
  const auto payloads = track.Payloads(Analysed(false));
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(Text(ParseJson(payloads[0]), {"event", "type"}), "entry");
}

// As GStreamer's own tracker does it: the track is on the buffer, its object is not.
TEST(ConvAnalytics, ALostTrackExitsAtOnce) {
  ConvHarness h("msg2p-newapi=true events=track");
  EXPECT_THAT(h.Payloads(Analysed(false)), SizeIs(1));
  GstBuffer* buffer = Picture();
  Analytics(buffer).Tracking(42, true);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(Text(ParseJson(payloads[0]), {"event", "type"}), "exit");
  EXPECT_EQ(Text(ParseJson(payloads[0]), {"object", "id"}), "42");
}

TEST(ConvAnalytics, WhatIsNotReadIsReportedOnce) {
  ConvHarness h(kEveryFrame);
  for (int i = 0; i < 3; ++i) {
    GstBuffer* buffer = Analysed(false);
    Analytics(buffer).Unknown("smell");
    EXPECT_THAT(h.Payloads(buffer), SizeIs(2));
  }
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].debug, HasSubstr("smell"));
}

// Since 2025 Intel's elements attach every object twice.
TEST(ConvAnalytics, ADetectionThatIsAlsoARegionIsOneObject) {
  GstBuffer* buffer = Analysed(false);
  auto* car = gst_buffer_add_video_region_of_interest_meta(buffer, "car", 4, 2, 8, 6);
  car->id = 0;  // the detection's
  auto* person = gst_buffer_add_video_region_of_interest_meta(buffer, "person", 1, 1, 2, 2);
  person->id = 1;
  gst_video_region_of_interest_meta_add_param(
      person, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.625, nullptr));
  // An id of another element.
  AddRegion(buffer, "dog", 0.5)->id = 1;
  ConvHarness h(std::string(kEveryFrame) + "payload-type=minimal");
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  const auto& objects = At(document, {"objects"});
  ASSERT_EQ(objects.Size(), 3U) << payloads[0];
  EXPECT_EQ(Text(objects[0], {"id"}), "42");
  EXPECT_EQ(Number(objects[0], {"confidence"}), 0.75);
  EXPECT_EQ(Text(objects[0], {"attributes", "classification"}), "blue");
  EXPECT_EQ(Text(objects[1], {"type"}), "person");
  EXPECT_EQ(Number(objects[1], {"confidence"}), 0.625);
  EXPECT_EQ(Text(objects[2], {"type"}), "dog");
  EXPECT_THAT(h.Messages(),
              IsEmpty());  // the car's region has no parameters, its detection has all
}

// ---------------------------------------------------------------- both forms of DL Streamer

/// A floating reference; the structure that takes it owns it.
GVariant* FloatBytes(const std::vector<float>& numbers) {
  return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, numbers.data(),
                                   numbers.size() * sizeof(float), 1);
}

template <class Set>
void SetArray(GstStructure* structure, const char* field, guint count, GType type, Set set) {
  GValue array = G_VALUE_INIT, value = G_VALUE_INIT;
  g_value_init(&array, GST_TYPE_ARRAY);
  g_value_init(&value, type);
  for (guint i = 0; i < count; ++i) {
    set(&value, i);
    gst_value_array_append_value(&array, &value);
  }
  g_value_unset(&value);
  gst_structure_take_value(structure, field, &array);
}

constexpr float kFacePoints[] = {0.25F, 0.25F, 0.5F,  0.25F, 0.375F,
                                 0.5F,  0.25F, 0.75F, 0.5F,  0.75F};

void AttachRegions(GstBuffer* buffer) {
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, "face", 8, 4, 16, 16);
  region->id = 0;
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.75, "label_id",
                                G_TYPE_INT, 1, "rotation", G_TYPE_DOUBLE, 0.5, nullptr));
  AddTracking(region, 42);
  GstStructure* gender = gst_structure_new("classification", "label", G_TYPE_STRING, "female",
                                           "confidence", G_TYPE_DOUBLE, 0.5, nullptr);
  if (Analytics::HasTags())
    gst_structure_set(gender, "model_name", G_TYPE_STRING, "gender", nullptr);
  gst_video_region_of_interest_meta_add_param(region, gender);
  if (!Analytics::HasGroups()) return;
  GstStructure* points =
      gst_structure_new("keypoints", "type", G_TYPE_STRING, "keypoints", "format", G_TYPE_STRING,
                        "face-landmarks/centerface-5", "data_buffer", G_TYPE_VARIANT,
                        FloatBytes({std::begin(kFacePoints), std::end(kFacePoints)}), nullptr);
  SetArray(points, "dims", 2, G_TYPE_UINT,
           [](GValue* value, guint i) { g_value_set_uint(value, i == 0 ? 5 : 2); });
  SetArray(points, "confidence", 5, G_TYPE_FLOAT,
           [](GValue* value, guint) { g_value_set_float(value, 0.75F); });
  gst_video_region_of_interest_meta_add_param(region, points);
}

void AttachAnalytics(GstBuffer* buffer) {
  Analytics a(buffer);
  const auto face = Analytics::HasMasks() ? a.Oriented("face", 8, 4, 16, 16, 0.5F, 0.75F)
                                          : a.Detection("face", 8, 4, 16, 16, 0.75F);
  const auto list = a.Classes({{"person", 0}, {"face", 0}});
  a.Relate(face, list);
  a.Relate(face, a.Tracking(42));
  const auto gender = a.Classes({{"female", 0.5F}});
  a.Relate(face, gender, Analytics::kContains);
  a.Relate(gender, face, Analytics::kIsPartOf);
  if (Analytics::HasTags()) {
    Analytics::Tag(list, "class_descriptor");
    Analytics::Tag(gender, "gender");
  }
  if (!Analytics::HasGroups()) return;
  const auto points = a.Keypoints({{12, 8}, {16, 8}, {14, 12}, {12, 16}, {16, 16}}, 0.75F);
  Analytics::Tag(points, "centerface/face-landmarks/centerface-5");
  a.Relate(face, points, Analytics::kContains);
}

TEST(ConvAnalytics, BothFormsOfDlStreamerMakeTheSameMessage) {
  const auto messages = [](bool regions, bool analytics, const char* settings) {
    GstBuffer* buffer = Picture();
    if (analytics) AttachAnalytics(buffer);
    if (regions) AttachRegions(buffer);
    ConvHarness h(std::string(kEveryFrame) + settings);
    auto payloads = h.Payloads(buffer);
    EXPECT_THAT(payloads, SizeIs(1));
    EXPECT_THAT(h.Messages(), IsEmpty());
    return payloads.at(0).substr(payloads.at(0).find("\"objects\""));
  };
  for (const char* settings : {"payload-type=minimal", "payload-type=minimal labels=man,face"}) {
    const std::string old_form = messages(true, false, settings);
    EXPECT_THAT(old_form, HasSubstr("female"));
    EXPECT_EQ(messages(true, true, settings), old_form);
    EXPECT_EQ(messages(false, true, settings), old_form);
  }
}

}  // namespace
}  // namespace dsmsg_test
