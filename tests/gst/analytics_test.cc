// SPDX-License-Identifier: Apache-2.0
// GStreamer's analytics metadata (1.24 and later; scripts/test-debian). In an older GStreamer the
// element is to work without it.
#include <gmock/gmock.h>

#ifdef DSMSG_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

#include "conv_support.h"
#include "msgconv/tests/json_check.h"

namespace dsmsg_test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEveryFrame[] = " msg2p-newapi=true frame-interval=1 ";

#ifdef DSMSG_GST_ANALYTICS

GstBuffer* Analysed(bool tracking_first) {
  GstBuffer* buffer = Picture();
  GstAnalyticsRelationMeta* meta = gst_buffer_add_analytics_relation_meta(buffer);
  GstAnalyticsODMtd car, person;
  gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_string("car"), 4, 2, 8, 6, 0.75F, &car);
  gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_string("person"), 1, 1, 2, 2, 0.5F,
                                         &person);
  GstAnalyticsTrackingMtd track;
  gst_analytics_relation_meta_add_tracking_mtd(meta, 42, 0, &track);
  gfloat levels[] = {0.25F, 0.5F, 0.125F};
  GQuark classes[] = {g_quark_from_string("red"), g_quark_from_string("blue"),
                      g_quark_from_string("green")};
  GstAnalyticsClsMtd color;
  gst_analytics_relation_meta_add_cls_mtd(meta, 3, levels, classes, &color);
  const guint from = tracking_first ? track.id : car.id, to = tracking_first ? car.id : track.id;
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, from, to);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, car.id,
                                           color.id);
  return buffer;
}

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

// What Intel's elements attach since 2025: every object twice.
TEST(ConvAnalytics, ADetectionThatIsAlsoARegionIsOneObject) {
  GstBuffer* buffer = Analysed(false);
  auto* car = gst_buffer_add_video_region_of_interest_meta(buffer, "car", 4, 2, 8, 6);
  car->id = 0;  // the detection's
  auto* person = gst_buffer_add_video_region_of_interest_meta(buffer, "person", 1, 1, 2, 2);
  person->id = 1;
  gst_video_region_of_interest_meta_add_param(
      person, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.625, nullptr));
  // An id that is another element's.
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

#else

TEST(ConvAnalytics, AnOlderGStreamerDoesWithout) {
  ConvHarness h(kEveryFrame);
  EXPECT_THAT(h.Payloads(Picture()), IsEmpty());
  EXPECT_THAT(h.Payloads(PersonPicture()), SizeIs(1));
}

#endif

}  // namespace
}  // namespace dsmsg_test
