// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: event metadata that an application attaches, events from the tracker's ids, and
// messages of frames without objects.
#include <gmock/gmock.h>

#include "conv_support.h"
#include "dsmsg_meta.h"
#include "msgconv/tests/json_check.h"

namespace dsmsg_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEveryFrame[] = " msg2p-newapi=true frame-interval=1 ";

TEST(ConvEvents, AttachedMetadataMakesAMessageWithoutTheNewApi) {
  ConvHarness h("");
  GstBuffer* buffer = PersonPicture();  // its region makes none
  GstStructure* event = dsmsg_buffer_add_event(buffer, "stopped", "car");
  ASSERT_NE(event, nullptr);
  dsmsg_event_set_object(event, 12, 0.5);
  dsmsg_event_set_box(event, 1, 2, 30, 40);
  dsmsg_event_add_attribute(event, "color", "blue", 0.75);
  dsmsg_event_add_attribute(event, "make", "acme", -1);
  gst_structure_set(event, "speed", G_TYPE_INT, 7, "lat", G_TYPE_DOUBLE, 45.5, "lon", G_TYPE_DOUBLE,
                    -75.25, "video-path", G_TYPE_STRING, "/v/a.mp4", "time", G_TYPE_UINT64,
                    guint64{1'705'314'600'123'000'000}, nullptr);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  EXPECT_EQ(Text(document, {"event", "type"}), "stopped");
  EXPECT_EQ(Text(document, {"object", "id"}), "12");
  EXPECT_EQ(Text(document, {"object", "vehicle", "color"}), "blue");
  EXPECT_EQ(Text(document, {"object", "vehicle", "make"}), "acme");
  EXPECT_EQ(Number(document, {"object", "speed"}), 7);
  EXPECT_EQ(Number(document, {"object", "location", "lat"}), 45.5);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrightx"}), 31);
  EXPECT_EQ(Text(document, {"videoPath"}), "/v/a.mp4");
  EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(ConvEvents, EmbeddingsPosesAndMasksArrive) {
  ConvHarness h("");
  GstBuffer* buffer = Picture();
  GstStructure* event = dsmsg_buffer_add_event(buffer, nullptr, "person");
  const float embedding[] = {0.5F, -1, 0.25F};
  dsmsg_event_set_embedding(event, embedding, 3, "model-a");
  const float points[] = {1, 2, 0, 0.5F, 3, 4, 0, 1};
  const gchar* names[] = {"nose", "left-eye", nullptr};
  dsmsg_event_set_pose(event, "pose25D", points, 2, names);
  dsmsg_event_add_action(event, "walking", 0.5);
  const float polygon[] = {0, 0, 8, 0, 8, 8};
  dsmsg_event_add_mask(event, polygon, 3);
  const gchar* texts[] = {"one", "two", nullptr};
  dsmsg_event_set_custom_messages(event, texts);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  for (const char* member : {"maskoutline", "pose", "embedding"})
    EXPECT_TRUE(At(document, {"object"}).HasMember(member)) << member << payloads[0];
  EXPECT_THAT(payloads[0], HasSubstr("left-eye"));
  EXPECT_THAT(payloads[0], HasSubstr("walking"));
  ASSERT_TRUE(document.HasMember("customMessage")) << payloads[0];
  EXPECT_EQ(At(document, {"customMessage"}).Size(), 2U);
}

TEST(ConvEvents, TheySurviveCopiesAndConversions) {
  GstBuffer* buffer = Picture();
  dsmsg_event_set_object(dsmsg_buffer_add_event(buffer, "entry", "person"), 3, 0.5);
  GstBuffer* copy = gst_buffer_copy(buffer);
  gst_buffer_unref(buffer);
  GstElement* convert = gst_element_factory_make("videoconvert", nullptr);
  GstHarness* before = gst_harness_new_with_element(convert, "sink", "src");
  gst_harness_set_caps_str(before, "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1",
                           "video/x-raw,format=RGB,width=64,height=32,framerate=30/1");
  ASSERT_EQ(gst_harness_push(before, copy), GST_FLOW_OK);
  ConvHarness h("", "dsmsgconv", "video/x-raw,format=RGB,width=64,height=32,framerate=30/1");
  EXPECT_THAT(h.Payloads(gst_harness_pull(before)), SizeIs(1));
  gst_harness_teardown(before);
  gst_object_unref(convert);
}

TEST(ConvEvents, SourcesAndComponentsAreTheEvents) {
  ConvHarness h("comp-id=2 payload-type=minimal");
  GstBuffer* buffer = Picture();
  gst_structure_set(dsmsg_buffer_add_event(buffer, nullptr, "a"), "source-id", G_TYPE_UINT, 4,
                    "component-id", G_TYPE_UINT, 2, nullptr);
  gst_structure_set(dsmsg_buffer_add_event(buffer, nullptr, "b"), "source-id", G_TYPE_UINT, 5,
                    nullptr);
  gst_structure_set(dsmsg_buffer_add_event(buffer, nullptr, "c"), "component-id", G_TYPE_UINT, 3,
                    nullptr);
  GstBuffer* out = h.Push(buffer);
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(2));
  EXPECT_EQ(metas[0]->source_id, 4U);
  EXPECT_EQ(metas[1]->source_id, 5U);
  EXPECT_EQ(Text(ParseJson(TextOf(*metas[1])), {"sensorId"}), "5");
  gst_buffer_unref(out);

  ConvHarness all("");
  buffer = Picture();
  gst_structure_set(dsmsg_buffer_add_event(buffer, nullptr, "c"), "component-id", G_TYPE_UINT, 3,
                    nullptr);
  out = all.Push(buffer);
  EXPECT_EQ(MetasOf(out).at(0)->component_id, 3U);  // for the comp-id of a sink
  gst_buffer_unref(out);
}

TEST(ConvEvents, FrameIntervalDoesNotThrowAttachedOnesAway) {
  ConvHarness h("msg2p-newapi=true frame-interval=100");
  for (int i = 0; i < 5; ++i) {
    GstBuffer* buffer = Picture();
    dsmsg_buffer_add_event(buffer, "parked", "car");
    EXPECT_THAT(h.Payloads(buffer), SizeIs(1));
  }
}

TEST(ConvEvents, WrongArgumentsChangeNothing) {
  GstBuffer* buffer = Picture();
  GstBuffer* shared = gst_buffer_ref(buffer);
  EXPECT_EQ(dsmsg_buffer_add_event(buffer, "entry", "car"), nullptr);
  EXPECT_EQ(dsmsg_buffer_add_event(nullptr, "entry", "car"), nullptr);
  gst_buffer_unref(shared);
  // A program that ignores the result: GLib must not warn, because a warning may end the program.
  const GLogLevelFlags before = g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
  const float numbers[] = {1, 2, 3, 4};
  const gchar* texts[] = {"one", nullptr};
  dsmsg_event_set_object(nullptr, 1, 0.5);
  dsmsg_event_set_box(nullptr, 1, 2, 3, 4);
  dsmsg_event_add_attribute(nullptr, "color", "blue", 0.5);
  dsmsg_event_add_action(nullptr, "walking", 0.5);
  dsmsg_event_set_embedding(nullptr, numbers, 4, "model");
  dsmsg_event_add_mask(nullptr, numbers, 2);
  dsmsg_event_set_pose(nullptr, "pose25D", numbers, 1, nullptr);
  dsmsg_event_set_custom_messages(nullptr, texts);
  g_log_set_always_fatal(before);
  GstStructure* event = dsmsg_buffer_add_event(buffer, nullptr, nullptr);
  // Fields of wrong types.
  gst_structure_set(event, "id", G_TYPE_STRING, "nine", "embedding", G_TYPE_INT, 3, "mask",
                    G_TYPE_DOUBLE, 0.5, "attributes", G_TYPE_STRING, "x", "confidence",
                    G_TYPE_STRING, "high", "custom-messages", G_TYPE_INT, 3, nullptr);
  ConvHarness h("");
  EXPECT_THAT(h.Payloads(buffer), SizeIs(1));
}

// ---------------------------------------------------------------- from tracking ids

/// A picture at a time with a tracked person whose box begins at `left`; no person if id < 0.
GstBuffer* At(double seconds, int id, guint left = 10) {
  GstBuffer* buffer = Picture();
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(seconds * GST_SECOND);
  if (id < 0) return buffer;
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, "person", left, 4, 8, 6);
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.9, nullptr));
  AddTracking(region, id);
  return buffer;
}

std::vector<std::string> Types(ConvHarness* h, GstBuffer* buffer) {
  std::vector<std::string> types;
  for (const std::string& payload : h->Payloads(buffer)) {
    const auto document = ParseJson(payload);
    types.push_back(Text(document, {"event", "type"}) + Text(document, {"object", "id"}));
  }
  return types;
}

TEST(ConvTrack, OneLifeMakesFourEvents) {
  ConvHarness h("msg2p-newapi=true events=track");  // frame-interval does not count for events
  EXPECT_THAT(Types(&h, At(0, 5)), ElementsAre("entry5"));
  EXPECT_THAT(Types(&h, At(0.1, 5, 11)), IsEmpty());
  EXPECT_THAT(Types(&h, At(0.2, 5, 20)), ElementsAre("moving5"));
  EXPECT_THAT(Types(&h, At(0.3, 5, 30)), IsEmpty());
  EXPECT_THAT(Types(&h, At(2.2, 5, 30)), IsEmpty());
  EXPECT_THAT(Types(&h, At(2.4, 5, 31)), ElementsAre("stopped5"));
  EXPECT_THAT(Types(&h, At(2.5, 5, 45)), ElementsAre("moving5"));
  EXPECT_THAT(Types(&h, At(3.4, -1)), IsEmpty());
  const auto payloads = h.Payloads(At(3.6, -1));
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  EXPECT_EQ(Text(document, {"event", "type"}), "exit");
  EXPECT_EQ(Number(document, {"object", "bbox", "topleftx"}), 45);
  EXPECT_TRUE(dsmsg_test::At(document, {"object"}).HasMember("person"));
  EXPECT_THAT(Types(&h, At(3.7, 5)), ElementsAre("entry5"));
}

TEST(ConvTrack, AllAlsoHasTheObjects) {
  ConvHarness h("msg2p-newapi=true frame-interval=2 events=all");
  EXPECT_THAT(h.Payloads(At(0, 5)), SizeIs(1));                    // entry
  EXPECT_THAT(h.Payloads(At(0.1, 5)), IsEmpty());                  // not its turn
  EXPECT_THAT(h.Payloads(At(0.2, 5)), SizeIs(1));                  // the object
  EXPECT_THAT(Types(&h, At(0.3, 5, 30)), ElementsAre("moving5"));  // an event at any frame
}

TEST(ConvTrack, ASeekBackStartsOver) {
  ConvHarness h("msg2p-newapi=true events=track");
  EXPECT_THAT(Types(&h, At(50, 5)), ElementsAre("entry5"));
  EXPECT_THAT(Types(&h, At(0, 5)), ElementsAre("entry5"));
  EXPECT_THAT(Types(&h, At(0.1, 6)), ElementsAre("entry6"));
}

TEST(ConvTrack, ASeekForwardBeginsAnew) {
  ConvHarness h("msg2p-newapi=true events=track");
  EXPECT_THAT(Types(&h, At(0, 5)), ElementsAre("entry5"));
  gst_harness_push_event(h.harness(), gst_event_new_flush_start());
  gst_harness_push_event(h.harness(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(h.harness(), gst_event_new_segment(&segment));
  EXPECT_THAT(Types(&h, At(60, 5)), ElementsAre("entry5"));
}

TEST(ConvTrack, ABufferWithoutATimeIsNoSeek) {
  ConvHarness h("msg2p-newapi=true events=track");
  EXPECT_THAT(Types(&h, At(0, 5)), ElementsAre("entry5"));
  GstBuffer* buffer = At(0.1, 5);
  GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
  EXPECT_THAT(Types(&h, buffer), IsEmpty());
  EXPECT_THAT(Types(&h, At(0.2, 5)), IsEmpty());
}

TEST(ConvTrack, ObjectsWithoutIdHaveNoEvents) {
  ConvHarness h("msg2p-newapi=true events=track");
  for (int i = 0; i < 2; ++i) {
    GstBuffer* buffer = Picture();
    AddRegion(buffer, "person", 0.9);
    // As Intel's detectors do: another one in every frame.
    AddRegion(buffer, "person", 0.9)->id = 77 + i;
    EXPECT_THAT(h.Payloads(buffer), IsEmpty());
  }
}

// ---------------------------------------------------------------- forms

TEST(ConvForms, ProtobufSaysWhatItIs) {
  ConvHarness h(std::string(kEveryFrame) + "payload-type=protobuf");
  GstBuffer* out = h.Push(PersonPicture());
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_EQ(metas[0]->content_type, DSMSG_CONTENT_PROTOBUF);
  EXPECT_THAT(TextOf(*metas[0]), HasSubstr("person"));
  gst_buffer_unref(out);
}

TEST(ConvForms, DummyPayloadsAreMadeOfEmptyFrames) {
  for (const char* type : {"deepstream", "minimal", "protobuf"}) {
    ConvHarness h(std::string(kEveryFrame) + "dummy-payload=true payload-type=" + type);
    EXPECT_THAT(h.Payloads(Picture()), SizeIs(1)) << type;
    EXPECT_THAT(h.Payloads(PersonPicture()), SizeIs(1)) << type;
  }
  ConvHarness minimal(std::string(kEveryFrame) + "dummy-payload=true payload-type=minimal");
  const auto payloads = minimal.Payloads(Picture());
  EXPECT_EQ(dsmsg_test::At(ParseJson(payloads.at(0)), {"objects"}).Size(), 0U);
  ConvHarness interval("msg2p-newapi=true dummy-payload=true payload-type=1 frame-interval=3");
  EXPECT_THAT(interval.Payloads(Picture()), SizeIs(1));
  EXPECT_THAT(interval.Payloads(Picture()), IsEmpty());
}

TEST(ConvForms, APayloadLibraryMayMakeNothingOfAnEmptyFrame) {
  ConvHarness h(std::string(kEveryFrame) +
                "dummy-payload=true payload-type=custom msg2p-lib=" DSMSG_CUSTOM_EVENTS);
  EXPECT_THAT(h.Payloads(Picture()), IsEmpty());
  EXPECT_THAT(h.Payloads(PersonPicture()), ElementsAre("257 1 person 0 "));
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(ConvForms, OurPayloadLibraryMakesTheSameOfAnEmptyFrameAsTheElement) {
  for (const char* type : {"0", "1", "2"}) {
    for (const char* element : {"nvmsgconv", "dsmsgconv"}) {
      for (const char* dummy : {"", " dummy-payload=true"}) {
        const std::string properties = std::string(kEveryFrame) + "payload-type=" + type + dummy;
        ConvHarness alone(properties, element);
        ConvHarness with(properties + " msg2p-lib=" DSMSG_MSGCONV_LIBRARY, element);
        const auto expected = alone.Payloads(Picture());
        const auto payloads = with.Payloads(Picture());
        EXPECT_THAT(payloads, SizeIs(expected.size())) << element << " " << properties;
        EXPECT_THAT(with.Payloads(PersonPicture()), SizeIs(1)) << element << " " << properties;
        EXPECT_THAT(with.Messages(), IsEmpty());
      }
    }
  }
}

}  // namespace
}  // namespace dsmsg_test
