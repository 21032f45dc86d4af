// SPDX-License-Identifier: Apache-2.0
// The sink by itself: settings, payloads, topics, errors and statistics.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>
#include <gst/check/gsttestclock.h>

#include "conv_support.h"
#include "gst/payload_meta.h"
#include "sink_harness.h"
#include "support.h"

namespace {

using dsmsg_test::BusText;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::SinkHarness;
using dsmsg_test::Stat;
using fake::Path;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kJson[] = "application/json";
constexpr char kVideo[] = "video/x-raw,format=BGR,width=4,height=4,framerate=10/1";

GstBuffer* VideoBuffer() { return gst_buffer_new_allocate(nullptr, 48, nullptr); }

void AddPayload(GstBuffer* buffer, std::string_view text, guint component = kDsmsgAnyComponent,
                const char* key = nullptr, guint64 timestamp_ns = 0) {
  DsmsgPayload what;
  what.payload = g_bytes_new(text.data(), text.size());
  what.component_id = component;
  what.partition_key = key;
  what.timestamp_ns = timestamp_ns;
  gst_buffer_add_dsmsg_payload_meta(buffer, what);
  g_bytes_unref(what.payload);
}

/// The error of the sink when it cannot start with these properties.
BusText StartError(const std::string& settings) {
  Pipeline pipeline("dsmsgbroker " + settings);
  EXPECT_EQ(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  return pipeline.Text(GST_MESSAGE_ERROR);
}

// ---------------------------------------------------------------- settings

TEST(Sink, DefaultsDoNotWaitForClockOrPreroll) {
  GstElement* sink = gst_element_factory_make("dsmsgbroker", nullptr);
  ASSERT_NE(sink, nullptr);
  gboolean sync = TRUE, async = TRUE;
  guint comp_id = 1, flush = 0, sleep_time = 1, interval = 1;
  gint on_error = -1;
  g_object_get(sink, "sync", &sync, "async", &async, "comp-id", &comp_id, "flush-timeout", &flush,
               "sleep-time", &sleep_time, "stats-interval", &interval, "on-error", &on_error,
               nullptr);
  EXPECT_EQ(sync, FALSE);
  EXPECT_EQ(async, FALSE);
  EXPECT_EQ(comp_id, 0U);
  EXPECT_EQ(flush, 10000U);
  EXPECT_EQ(sleep_time, 0U);
  EXPECT_EQ(interval, 0U);
  EXPECT_EQ(on_error, 0);
  EXPECT_EQ(Stat(sink, "rendered"), 0U);
  gst_object_unref(sink);
}

TEST(Sink, KeepsEveryProperty) {
  GstElement* sink = gst_element_factory_make("dsmsgbroker", nullptr);
  const char* names[] = {"proto-lib", "conn-str", "config", "topic", "adaptor", "topic-template"};
  for (const char* name : names) {
    g_object_set(sink, name, "some text", nullptr);
    gchar* value = nullptr;
    g_object_get(sink, name, &value, nullptr);
    EXPECT_STREQ(value, "some text") << name;
    g_free(value);
  }
  gst_util_set_object_arg(G_OBJECT(sink), "on-error", "drop");
  g_object_set(sink, "new-api", TRUE, "comp-id", 3U, nullptr);
  gint on_error = 0;
  gboolean new_api = FALSE;
  guint comp_id = 0;
  g_object_get(sink, "on-error", &on_error, "new-api", &new_api, "comp-id", &comp_id, nullptr);
  EXPECT_EQ(on_error, 2);
  EXPECT_EQ(new_api, TRUE);
  EXPECT_EQ(comp_id, 3U);
  gst_object_unref(sink);
}

TEST(SinkErrors, SayWhatIsMissing) {
  EXPECT_THAT(StartError("conn-str=localhost;1").text,
              AllOf(HasSubstr("proto-lib"), HasSubstr("adaptor=kafka")));
  EXPECT_THAT(StartError("proto-lib=" + Path("fake")).text,
              AllOf(HasSubstr("conn-str"), HasSubstr("config")));
}

TEST(SinkErrors, SayWhatIsWrongWithTheLibrary) {
  const std::string where = " conn-str=localhost;1";
  const BusText none = StartError("proto-lib=/nowhere/libnvds_x_proto.so" + where);
  EXPECT_THAT(none.text, HasSubstr("no such file"));
  EXPECT_THAT(none.debug, HasSubstr("from the property proto-lib"));
  EXPECT_THAT(StartError("adaptor=nothere" + where).text, HasSubstr("no adaptor 'nothere'"));
  EXPECT_THAT(StartError("adaptor=fakebroken" + where).text,
              HasSubstr("lacks nvds_msgapi_do_work"));
  EXPECT_THAT(StartError("adaptor=fakeneedy" + where).text,
              HasSubstr("apt install libdsmsgabsent7"));
}

TEST(SinkErrors, RepeatTheAdaptorsReasonButNeverTheConnectionString) {
  Fake fake;
  fake.With([](fake::State& c) { c.refuse_connects = 1; });
  const BusText refused = StartError(fake.proto_lib() + " conn-str=host;1;user;secret");
  EXPECT_THAT(refused.text, AllOf(HasSubstr("FAKE"), HasSubstr("fake: the broker said no"),
                                  Not(HasSubstr("running?")), Not(HasSubstr("conn-str"))));
  EXPECT_THAT(refused.text + refused.debug, Not(HasSubstr("secret")));
  Fake plain("fakeplain");
  plain.With([](fake::State& c) { c.refuse_connects = 1; });
  EXPECT_THAT(StartError(plain.proto_lib() + " config=/some/file").text,
              AllOf(HasSubstr("connect failed"), HasSubstr("property config")));
}

TEST(SinkErrors, NameABadTemplate) {
  Fake fake;
  EXPECT_THAT(StartError(fake.proto_lib() + " conn-str=h;1 topic-template=a/${b").text,
              HasSubstr("topic-template: "));
}

// ---------------------------------------------------------------- payloads

TEST(SinkPayloads, OwnBytesGoUnchanged) {
  for (const char* caps : {"application/json", "application/x-protobuf", "text/x-raw"}) {
    Fake fake;
    SinkHarness h(fake.proto_lib() + " conn-str=h;1", caps);
    const std::string bytes("{\"a\":\0\xff 1}", 10);
    ASSERT_EQ(h.Push(bytes), GST_FLOW_OK);
    ASSERT_EQ(h.Push(std::string_view()), GST_FLOW_OK);  // nothing in it: nothing is sent
    ASSERT_TRUE(h.PushEos());
    ASSERT_EQ(fake.Sent(), 1U) << caps;
    fake.With([&](fake::State& c) {
      EXPECT_EQ(c.messages[0].payload, bytes);
      EXPECT_FALSE(c.messages[0].has_topic);
      EXPECT_EQ(c.connect_arguments.back().first, "h;1");
      EXPECT_EQ(c.connect_arguments.back().second, "(null)");
    });
    EXPECT_EQ(Stat(h.sink(), "ok"), 1U);
  }
}

TEST(SinkPayloads, EveryMetaOfABufferInOrder) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 config=/cfg", kVideo);
  GstBuffer* buffer = VideoBuffer();
  AddPayload(buffer, "one");
  AddPayload(buffer, "two", 7, "camera-1", 1700000000123456789U);
  ASSERT_EQ(h.Push(buffer), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  fake.With([](fake::State& c) {
    ASSERT_EQ(c.messages.size(), 2U);
    EXPECT_EQ(c.messages[0].payload, "one");
    EXPECT_EQ(c.messages[0].key, "");
    EXPECT_EQ(c.messages[1].payload, "two");
    EXPECT_EQ(c.messages[1].key, "camera-1");
    EXPECT_EQ(c.messages[1].timestamp_ms, 1700000000123);
    EXPECT_EQ(c.connect_arguments.back().second, "/cfg");
  });
}

TEST(SinkPayloads, CompIdSelects) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 comp-id=2", kVideo);
  GstBuffer* buffer = VideoBuffer();
  AddPayload(buffer, "of 1", 1);
  AddPayload(buffer, "of 2", 2);
  AddPayload(buffer, "of any");
  ASSERT_EQ(h.Push(buffer), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  fake.With([](fake::State& c) {
    ASSERT_EQ(c.messages.size(), 2U);
    EXPECT_EQ(c.messages[0].payload, "of 2");
    EXPECT_EQ(c.messages[1].payload, "of any");
  });
  EXPECT_EQ(Stat(h.sink(), "filtered"), 1U);
}

TEST(SinkPayloads, CompIdZeroAndTheGreatestAreAll) {
  for (const char* all : {"0", "4294967295"}) {
    Fake fake;
    SinkHarness h(fake.proto_lib() + " conn-str=h;1 comp-id=" + all, kVideo);
    GstBuffer* buffer = VideoBuffer();
    AddPayload(buffer, "of 1", 1);
    AddPayload(buffer, "of 2", 2);
    ASSERT_EQ(h.Push(buffer), GST_FLOW_OK);
    ASSERT_TRUE(h.PushEos());
    EXPECT_EQ(fake.Sent(), 2U);
    EXPECT_EQ(Stat(h.sink(), "filtered"), 0U);
  }
}

// DeepStream's sink has sync=true by default.
TEST(SinkPayloads, WithSyncTheyWaitForTheirTime) {
  Fake fake;
  Pipeline pipeline("appsrc name=src format=time caps=" + std::string(kJson) +
                    " ! dsmsgbroker name=sink conn-str=h;1 topic=t sync=true " + fake.proto_lib());
  GstClock* clock = gst_test_clock_new();
  gst_pipeline_use_clock(GST_PIPELINE(pipeline.get()), clock);
  pipeline.Set(GST_STATE_PLAYING);
  GstBuffer* buffer = dsmsg_test::BufferOf("{}");
  GST_BUFFER_PTS(buffer) = GST_SECOND;
  gst_app_src_push_buffer(GST_APP_SRC(pipeline.Get("src")), buffer);
  gst_test_clock_wait_for_next_pending_id(GST_TEST_CLOCK(clock), nullptr);
  EXPECT_EQ(Stat(pipeline.Get("sink"), "rendered"), 0U);
  EXPECT_TRUE(gst_test_clock_crank(GST_TEST_CLOCK(clock)));
  EXPECT_TRUE(fake.WaitFor([](const fake::State& state) { return state.messages.size() == 1; }));
  gst_object_unref(clock);
}

TEST(SinkErrors, NameTheTopicThatIsMissing) {
  Fake fake;
  fake.With([](fake::State& c) { c.needs_topic = true; });
  const BusText none = StartError(fake.proto_lib() + " conn-str=h;1");
  EXPECT_THAT(none.text, AllOf(HasSubstr("No topic"), HasSubstr("property topic"),
                               HasSubstr("host;port;topic"), HasSubstr("[message-broker]")));
  EXPECT_THAT(none.debug, HasSubstr("FAKE adaptor: fake: the broker said no"));
  EXPECT_EQ(fake.With([](fake::State& c) { return c.disconnects; }), 1);
  // The template needs a topic; without ${topic} it gives one.
  EXPECT_THAT(StartError(fake.proto_lib() + " conn-str=h;1 topic-template=${topic}/x").text,
              AllOf(HasSubstr("uses ${topic}"), HasSubstr("set topic")));
  for (const char* enough : {"topic=t", "topic-template=a/${b}", "topic-template=${topic:-a}"}) {
    Pipeline pipeline("dsmsgbroker " + fake.proto_lib() + " conn-str=h;1 " + enough);
    EXPECT_NE(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE) << enough;
  }
  // AMQP's third field is a user.
  fake.With([](fake::State& c) { c.protocol = "AMQP"; });
  EXPECT_THAT(StartError(fake.proto_lib() + " conn-str=h;1").text,
              AllOf(HasSubstr("No topic"), Not(HasSubstr("host;port;topic"))));
}

TEST(SinkErrors, AThirdPartyAdaptorWithoutTopicIsAWarning) {
  Fake plain("fakeplain");
  const auto warning = [&](const std::string& settings) {
    Pipeline pipeline("dsmsgbroker " + plain.proto_lib() + " " + settings);
    EXPECT_NE(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    return pipeline.Text(GST_MESSAGE_WARNING, std::chrono::milliseconds(0)).text;
  };
  EXPECT_THAT(warning("conn-str=h;1"), AllOf(HasSubstr("No topic is set"), HasSubstr("FAKE")));
  EXPECT_EQ(warning("conn-str=h;1;third"), "");
  EXPECT_EQ(warning("conn-str=h;1 topic=t"), "");
  const dsmsg_test::TextFile with("[message-broker]\n Topic = t\n");
  EXPECT_EQ(warning("conn-str=h;1 config=" + with.path()), "");
  const dsmsg_test::TextFile without("[message-broker]\n#topic = t\ntopics=1\n");
  EXPECT_THAT(warning("conn-str=h;1 config=" + without.path()), HasSubstr("No topic is set"));
  plain.With([](fake::State& c) { c.protocol = "AZURE_DEVICE_CLIENT"; });
  EXPECT_EQ(warning("conn-str=h;1"), "");
}

TEST(SinkPayloads, VideoWithoutMessagesIsReportedOnce) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kVideo);
  for (int i = 0; i < 250; ++i) ASSERT_EQ(h.Push(VideoBuffer()), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING, 0).text, HasSubstr("put dsmsgconv before"));
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
  EXPECT_EQ(Stat(h.sink(), "rendered"), 250U);
}

TEST(SinkPayloads, OneInTheFirstHundredIsEnoughForSilence) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kVideo);
  for (int i = 0; i < 150; ++i) {
    GstBuffer* buffer = VideoBuffer();
    if (i == 99) AddPayload(buffer, "x");
    ASSERT_EQ(h.Push(buffer), GST_FLOW_OK);
  }
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
}

// ---------------------------------------------------------------- topics

/// The topic of one message sent with these settings; "(none)" for a NULL.
std::string TopicWith(Fake& fake, const std::string& settings, std::string_view payload = "{}") {
  SinkHarness h(fake.proto_lib() + " " + settings, kJson);
  EXPECT_EQ(h.Push(payload), GST_FLOW_OK);
  EXPECT_TRUE(h.PushEos());
  return fake.With([](fake::State& c) {
    if (c.messages.empty()) return std::string("(nothing sent)");
    return c.messages.back().has_topic ? c.messages.back().topic : std::string("(none)");
  });
}

TEST(SinkTopic, IsThePropertyOrLeftToOurAdaptor) {
  Fake fake;
  EXPECT_EQ(TopicWith(fake, "conn-str=h;1 topic=cars"), "cars");
  EXPECT_EQ(TopicWith(fake, "conn-str=h;1;third"), "(none)");
}

TEST(SinkTopic, OfAThirdPartyAdaptorIsTheThirdField) {
  Fake plain("fakeplain");
  EXPECT_EQ(TopicWith(plain, "conn-str=h;1;third"), "third");
  EXPECT_EQ(TopicWith(plain, "conn-str=h;1;third topic=cars"), "cars");
  EXPECT_EQ(TopicWith(plain, "conn-str=h;1"), "(none)");
  plain.With([](fake::State& c) { c.protocol = "AMQP"; });
  EXPECT_EQ(TopicWith(plain, "conn-str=h;1;user"), "(none)");
}

TEST(SinkTopic, TemplateReadsThePayload) {
  Fake fake;
  const std::string settings = "conn-str=h;1 topic=base topic-template=${topic}/${sensor.id}";
  EXPECT_EQ(TopicWith(fake, settings, R"({"sensor":{"id":"cam7"}})"), "base/cam7");
}

TEST(SinkTopic, AMissingFieldIsCountedAndReportedOnce) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 topic-template=t/${sensor.id}", kJson);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING, 0).text,
              AllOf(HasSubstr("field missing"), HasSubstr("t/unknown")));
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
  EXPECT_EQ(Stat(h.sink(), "missing-fields"), 5U);
}

}  // namespace
