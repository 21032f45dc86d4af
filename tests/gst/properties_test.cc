// SPDX-License-Identifier: Apache-2.0
// When properties take effect, and the warning when they do not; the state kept for each source.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include "gst/track_events.h"
#include "msgconv/source_gate.h"
#include "support.h"

namespace {

using dsmsg_test::BufferOf;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using testing::AllOf;
using testing::HasSubstr;

// ---------------------------------------------------------------- properties

/// Every property of an element, with a value that it does not have.
void ChangeEveryProperty(GstElement* element, const std::function<void(const char*)>& changed) {
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; ++i) {
    GParamSpec* spec = specs[i];
    if (spec->owner_type != G_OBJECT_TYPE(element) || (spec->flags & G_PARAM_WRITABLE) == 0)
      continue;
    GValue value = G_VALUE_INIT;
    g_value_init(&value, spec->value_type);
    g_object_get_property(G_OBJECT(element), spec->name, &value);
    if (G_VALUE_HOLDS_STRING(&value)) g_value_set_static_string(&value, "other");
    if (G_VALUE_HOLDS_BOOLEAN(&value)) g_value_set_boolean(&value, !g_value_get_boolean(&value));
    if (G_VALUE_HOLDS_UINT(&value)) g_value_set_uint(&value, 1234);
    if (G_VALUE_HOLDS_DOUBLE(&value)) g_value_set_double(&value, 0.25);
    if (G_VALUE_HOLDS_ENUM(&value)) g_value_set_enum(&value, 1);
    g_object_set_property(G_OBJECT(element), spec->name, &value);
    g_value_unset(&value);
    changed(spec->name);
  }
  g_free(specs);
}

// The flag says "changeable only in NULL or READY"; a change in PLAYING says that it has no effect.
TEST(ElementProperties, HaveAFlagThatTellsTheTruth) {
  Fake fake;
  Pipeline pipeline("appsrc ! dsmsgconv name=conv ! dsmsgbroker name=sink conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (const char* name : {"conv", "sink"}) {
    GstElement* element = pipeline.Get(name);
    ChangeEveryProperty(element, [&](const char* property) {
      const GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
      EXPECT_NE(spec->flags & GST_PARAM_MUTABLE_READY, 0) << property;
      EXPECT_EQ(spec->flags & (GST_PARAM_MUTABLE_PAUSED | GST_PARAM_MUTABLE_PLAYING), 0)
          << property;
      EXPECT_THAT(pipeline.Text(GST_MESSAGE_WARNING, std::chrono::milliseconds(0)).text,
                  AllOf(testing::StartsWith(property), HasSubstr("has no effect until its next")));
    });
    // The value that it has already is no change.
    g_object_set(element, "comp-id", 1234U, nullptr);
    EXPECT_FALSE(pipeline.Text(GST_MESSAGE_WARNING, std::chrono::milliseconds(0)));
  }
}

TEST(ElementProperties, SetInReadyTheyCount) {
  Fake fake;
  Pipeline pipeline(
      "appsrc name=src caps=application/json ! dsmsgbroker name=sink topic=first "
      "conn-str=h;1 " +
      fake.proto_lib());
  GstElement* sink = pipeline.Get("sink");
  pipeline.Set(GST_STATE_READY);
  EXPECT_EQ(fake.With([](fake::State& c) { return c.connects; }), 1);
  g_object_set(sink, "topic", "second", nullptr);
  EXPECT_FALSE(pipeline.Text(GST_MESSAGE_WARNING, std::chrono::milliseconds(0)));
  pipeline.Set(GST_STATE_PLAYING);
  gst_app_src_push_buffer(GST_APP_SRC(pipeline.Get("src")), BufferOf("{}"));
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return !c.messages.empty(); }));
  EXPECT_EQ(fake.With([](fake::State& c) { return c.messages[0].topic; }), "second");
  // Settings that cannot work are an error of the change to PAUSED, and can be corrected.
  pipeline.Set(GST_STATE_READY);
  g_object_set(sink, "topic-template", "${", nullptr);
  EXPECT_EQ(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_THAT(pipeline.Text(GST_MESSAGE_ERROR).text, HasSubstr("topic-template: "));
  pipeline.Set(GST_STATE_READY);
  g_object_set(sink, "topic-template", "third", nullptr);
  EXPECT_NE(pipeline.Set(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  gst_app_src_push_buffer(GST_APP_SRC(pipeline.Get("src")), BufferOf("{}"));
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.messages.size() == 2; }));
  EXPECT_EQ(fake.With([](fake::State& c) { return c.messages[1].topic; }), "third");
}

// ---------------------------------------------------------------- bounds

// Cameras that keep coming back under new numbers for months.
TEST(SourceState, IsBounded) {
  dsmsg::msgconv::SourceGate gate(2, 0);
  dsmsg::TrackEvents tracks;
  dsmsg::msgconv::Frame frame;
  constexpr uint32_t kMost = dsmsg::msgconv::RecentMap<int>::kMost;
  for (uint32_t id = 0; id < 3 * kMost; ++id) {
    EXPECT_TRUE(gate.AdmitFrame(gate.Find(id)));
    EXPECT_FALSE(gate.AdmitFrame(gate.Find(0)));  // counted through all of it, since asked for
    gate.AdmitFrame(gate.Find(0));
    frame.Clear();
    frame.source_id = id;
    tracks.Apply(id, &frame);
  }
  EXPECT_EQ(gate.sources(), kMost);
  EXPECT_EQ(tracks.sources(), kMost);
}

}  // namespace
