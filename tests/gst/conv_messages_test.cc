// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: its messages on the bus, what it refuses; it can be described, restarted and loaded
// twice.
#include <gmock/gmock.h>

#include "conv_support.h"
#include "msgconv/tests/json_check.h"

namespace dsmsg_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEveryFrame[] = " msg2p-newapi=true frame-interval=1 ";

// The only error, which keeps the element from starting.
std::string Refused(const std::string& properties) {
  ConvElement conv(properties);
  EXPECT_EQ(gst_element_set_state(conv.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE)
      << properties;
  const auto errors = conv.Messages(GST_MESSAGE_ERROR);
  EXPECT_THAT(errors, SizeIs(1)) << properties;
  return errors.empty() ? std::string() : errors[0].text;
}

TEST(ConvMessages, ABadConfigurationIsNamedWithFileAndLine) {
  const TextFile number("[sensor0]\nid=a\nlocation=45;north;1\n");
  EXPECT_THAT(Refused("config=" + number.path()),
              HasSubstr(number.path() + ":3: location=45;north;1 in [sensor0]"));
  const TextFile twice("[sensor0]\nid=a\n[sensor0]\nid=b\n");
  EXPECT_THAT(Refused("config=" + twice.path()),
              HasSubstr(twice.path() + ":3: group [sensor0] appears twice"));
  EXPECT_THAT(Refused("config=/nowhere/conv.txt"), HasSubstr("/nowhere/conv.txt"));
}

TEST(ConvMessages, UnknownKeysAreWarnings) {
  const TextFile config("[sensor0]\nid=a\ncolour=red\n");
  ConvHarness h("config=" + config.path());
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].type, GST_MESSAGE_WARNING);
  EXPECT_THAT(said[0].text, HasSubstr(config.path() + ":3: unknown key \"colour\" in [sensor0]"));
}

TEST(ConvMessages, ACustomTypeNeedsALibrary) {
  for (const char* properties : {"payload-type=256", "payload-type=257", "payload-type=custom"})
    EXPECT_THAT(Refused(properties), HasSubstr("set msg2p-lib to its file")) << properties;
  EXPECT_THAT(Refused("payload-type=custom msg2p-lib=/nowhere/libmine.so"),
              HasSubstr("/nowhere/libmine.so"));
}

TEST(ConvMessages, AMapIsCheckedBeforeAnythingRuns) {
  const TextFile map("each: object\nmessage:\n  ts: ${frame.tim}\n");
  EXPECT_THAT(Refused("map=" + map.path()),
              HasSubstr(map.path() + ":3:9: there is no value \"frame.tim\" (did you mean"));
  EXPECT_THAT(Refused("map=/nowhere/map.yaml"), HasSubstr("/nowhere/map.yaml"));
  EXPECT_THAT(Refused("map=" + map.path() + " msg2p-lib=libmine.so"),
              HasSubstr("only one can make the messages"));
}

TEST(ConvMessages, WrongPathsAreRefused) {
  EXPECT_THAT(Refused("debug-payload-dir=/nowhere/at/all"),
              HasSubstr("debug-payload-dir /nowhere/at/all"));
  EXPECT_THAT(Refused("labels=/nowhere/labels.txt"), HasSubstr("/nowhere/labels.txt"));
}

TEST(ConvMessages, WithoutEventMetadataItNamesTheProperty) {
  ConvHarness h("frame-interval=1");
  for (int i = 0; i < 99; ++i) ASSERT_THAT(h.Payloads(PersonPicture()), IsEmpty());
  EXPECT_THAT(h.Messages(), IsEmpty());
  ASSERT_THAT(h.Payloads(PersonPicture()), IsEmpty());
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].type, GST_MESSAGE_WARNING);
  EXPECT_THAT(said[0].text, HasSubstr("100 buffers"));
  EXPECT_THAT(said[0].text, HasSubstr("set msg2p-newapi=true"));
  for (int i = 0; i < 200; ++i) h.Payloads(PersonPicture());
  EXPECT_THAT(h.Messages(), IsEmpty()) << "said more than once";
}

TEST(ConvMessages, WithoutRegionsItSaysSoOnce) {
  ConvHarness h(kEveryFrame);
  for (int i = 0; i < 300; ++i) h.Payloads(Picture());
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].type, GST_MESSAGE_INFO);
  EXPECT_THAT(said[0].text, HasSubstr("no detections on the first 100 buffers"));
}

TEST(ConvMessages, RegionsWithoutParametersAreReportedOnce) {
  ConvHarness h(kEveryFrame);
  for (int i = 0; i < 3; ++i) {
    GstBuffer* buffer = Picture();
    AddRegion(buffer, "person", -1);
    EXPECT_THAT(h.Payloads(buffer), SizeIs(1));
  }
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].type, GST_MESSAGE_WARNING);
  EXPECT_THAT(said[0].text, HasSubstr("regions come without parameters"));
  EXPECT_THAT(said[0].debug, HasSubstr("before any conversion"));
}

// A conversion of the format keeps the region and loses its parameters.
TEST(ConvMessages, AVideoconvertBeforeItIsNoticed) {
  GstElement* convert = gst_element_factory_make("videoconvert", nullptr);
  ASSERT_NE(convert, nullptr) << "gstreamer1.0-plugins-base is needed";
  GstHarness* before = gst_harness_new_with_element(convert, "sink", "src");
  gst_harness_set_caps_str(before, "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1",
                           "video/x-raw,format=RGB,width=64,height=32,framerate=30/1");
  ASSERT_EQ(gst_harness_push(before, PersonPicture()), GST_FLOW_OK);
  ConvHarness h(kEveryFrame, "dsmsgconv",
                "video/x-raw,format=RGB,width=64,height=32,framerate=30/1");
  EXPECT_THAT(h.Payloads(gst_harness_pull(before)), SizeIs(1));
  gst_harness_teardown(before);
  gst_object_unref(convert);
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, HasSubstr("regions come without parameters"));
}

TEST(ConvMessages, MissingGroupsAreReportedOnceForTheSource) {
  const TextFile config("[sensor0]\nid=a\n");
  ConvHarness full(kEveryFrame + ("config=" + config.path()));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(full.Payloads(PersonPicture()), SizeIs(1));
  const auto said = full.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, HasSubstr("has no [place0], [analytics0]: messages of source 0"));

  ConvHarness other(kEveryFrame + ("payload-type=1 source-id=4 config=" + config.path()));
  EXPECT_EQ(Text(ParseJson(other.Payloads(PersonPicture()).at(0)), {"sensorId"}), "4");
  EXPECT_THAT(other.Messages().at(0).text, HasSubstr("has no [sensor4]: messages of source 4"));

  ConvHarness minimal(kEveryFrame + ("payload-type=1 config=" + config.path()));
  minimal.Payloads(PersonPicture());
  EXPECT_THAT(minimal.Messages(), IsEmpty());
}

TEST(ConvMessages, EveryPropertyIsDescribed) {
  ConvElement conv("");
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(conv.get()), &count);
  int ours = 0;
  for (guint i = 0; i < count; ++i) {
    if (specs[i]->owner_type != G_OBJECT_TYPE(conv.get())) continue;
    ++ours;
    EXPECT_NE(std::string(g_param_spec_get_blurb(specs[i])), "") << specs[i]->name;
    const bool settable = (specs[i]->flags & G_PARAM_WRITABLE) != 0;
    EXPECT_EQ((specs[i]->flags & GST_PARAM_MUTABLE_READY) != 0, settable) << specs[i]->name;
  }
  g_free(specs);
  EXPECT_EQ(ours, 22);
}

TEST(ConvMessages, DefaultsAreDeepStreams) {
  ConvElement conv("");
  gint type = -1;
  guint comp_id = 0, interval = 0;
  gboolean new_api = TRUE, multiple = TRUE;
  gchar* config = nullptr;
  g_object_get(conv.get(), "payload-type", &type, "comp-id", &comp_id, "frame-interval", &interval,
               "msg2p-newapi", &new_api, "multiple-payloads", &multiple, "config", &config,
               nullptr);
  EXPECT_EQ(type, 0);
  EXPECT_EQ(comp_id, G_MAXUINT);
  EXPECT_EQ(interval, 30U);
  EXPECT_FALSE(new_api);
  EXPECT_FALSE(multiple);
  EXPECT_EQ(config, nullptr);
}

TEST(ConvMessages, TheDialectFollowsTheNameOfTheElement) {
  for (const auto& [name, dialect] : {std::pair("dsmsgconv", 0), std::pair("nvmsgconv", 1)}) {
    const std::string properties = std::string(kEveryFrame) + "payload-type=minimal";
    ConvHarness h(properties, name);
    gint found = -1;
    g_object_get(h.get(), "dialect", &found, nullptr);
    EXPECT_EQ(found, dialect) << name;
    GstBuffer* out = h.Push(PersonPicture());
    const auto metas = MetasOf(out);
    ASSERT_THAT(metas, SizeIs(1));
    EXPECT_EQ(TextOf(*metas[0]).find(R"("version":"4.0")") != std::string::npos, dialect == 1);
    gst_buffer_unref(out);
  }
  // Messages for whole frames are also made of empty frames; messages for each object are not.
  for (const auto& [properties, messages] :
       {std::pair("dialect=deepstream payload-type=1 multiple-payloads=true", 1),
        std::pair("dialect=deepstream payload-type=2", 1),
        std::pair("dialect=deepstream payload-type=1 minimal-format=objects", 0),
        std::pair("dialect=deepstream payload-type=0 dummy-payload=true", 0),
        std::pair("dialect=dsmsg payload-type=1", 0),
        std::pair("dialect=dsmsg payload-type=1 dummy-payload=true", 1)}) {
    ConvHarness h(kEveryFrame + std::string(properties));
    GstBuffer* out = h.Push(gst_buffer_new());
    EXPECT_THAT(MetasOf(out), SizeIs(messages)) << properties;
    gst_buffer_unref(out);
  }
  for (const auto& [properties, messages] :
       {std::pair("dialect=deepstream payload-type=1", 0),
        std::pair("dialect=deepstream payload-type=1 dummy-payload=true", 1)}) {
    ConvHarness h(properties);  // with msg2p-newapi=false, messages of events
    GstBuffer* out = h.Push(gst_buffer_new());
    EXPECT_THAT(MetasOf(out), SizeIs(messages)) << properties;
    gst_buffer_unref(out);
  }
}

TEST(ConvMessages, EveryPropertyReadsBack) {
  ConvElement conv(
      "config=a msg2p-lib=b debug-payload-dir=c labels=d payload-type=257 minimal-format=1 "
      "events=2 "
      "embedding-filter=Person,Forklift map=/m.yaml comp-id=3 frame-interval=4 source-id=5 "
      "msg2p-newapi=1 "
      "multiple-payloads=1 dummy-payload=1 "
      "min-confidence=0.5 rate=2.5 dialect=deepstream");
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"config", "a"},
           {"msg2p-lib", "b"},
           {"debug-payload-dir", "c"},
           {"labels", "d"},
           {"payload-type", "PAYLOAD_CUSTOM"},
           {"embedding-filter", "Person,Forklift"},
           {"map", "/m.yaml"},
           {"comp-id", "3"},
           {"frame-interval", "4"},
           {"source-id", "5"},
           {"msg2p-newapi", "TRUE"},
           {"multiple-payloads", "TRUE"},
           {"dummy-payload", "TRUE"}}) {
    GValue text = G_VALUE_INIT;
    g_value_init(&text, G_TYPE_STRING);
    g_object_get_property(G_OBJECT(conv.get()), name, &text);
    EXPECT_STREQ(g_value_get_string(&text), value) << name;
    g_value_unset(&text);
  }
  gint format = 0, events = 0, dialect = 0;
  gdouble confidence = 0, rate = 0;
  g_object_get(conv.get(), "minimal-format", &format, "events", &events, "min-confidence",
               &confidence, "rate", &rate, "dialect", &dialect, nullptr);
  EXPECT_EQ(dialect, 1);
  EXPECT_EQ(format, 1);
  EXPECT_EQ(events, 2);
  EXPECT_EQ(confidence, 0.5);
  EXPECT_EQ(rate, 2.5);
}

// A harness leaves its pads linked, and the next one could not link.
void Unlink(GstElement* element, const char* name) {
  GstPad* pad = gst_element_get_static_pad(element, name);
  GstPad* peer = gst_pad_get_peer(pad);
  const bool sink = GST_PAD_IS_SINK(pad);
  EXPECT_TRUE(gst_pad_unlink(sink ? peer : pad, sink ? pad : peer));
  gst_object_unref(peer);
  gst_object_unref(pad);
}

TEST(ConvMessages, ItStartsAgainWithNewSettings) {
  ConvElement conv(kEveryFrame);
  for (int round = 0; round < 3; ++round) {
    g_object_set(conv.get(), "source-id", static_cast<guint>(round), nullptr);
    GstHarness* h = gst_harness_new_with_element(conv.get(), "sink", "src");
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1");
    ASSERT_EQ(gst_harness_push(h, PersonPicture()), GST_FLOW_OK);
    GstBuffer* out = gst_harness_pull(h);
    EXPECT_EQ(MetasOf(out).at(0)->source_id, static_cast<guint>(round));
    gst_buffer_unref(out);
    for (const char* name : {"sink", "src"}) Unlink(conv.get(), name);
    gst_harness_teardown(h);
    gst_element_set_state(conv.get(), GST_STATE_NULL);
  }
}

TEST(ConvMessages, BothPluginsShareOneKindOfPayload) {
  ConvHarness ours(kEveryFrame);
  ConvHarness compat(kEveryFrame, "nvmsgconv");
  EXPECT_NE(G_OBJECT_TYPE(ours.get()), G_OBJECT_TYPE(compat.get()));
  GstBuffer* out = compat.Push(ours.Push(PersonPicture()));
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(2));
  EXPECT_EQ(metas[0]->meta.info, metas[1]->meta.info);
  EXPECT_NE(TextOf(*metas[0]), TextOf(*metas[1]));
  gst_buffer_unref(out);
}

}  // namespace
}  // namespace dsmsg_test
