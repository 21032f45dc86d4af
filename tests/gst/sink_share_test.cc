// SPDX-License-Identifier: Apache-2.0
// Sinks that share a connection, and what the sink reports of a real adaptor.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include <future>
#include <memory>
#include <vector>

#include "sink_harness.h"
#include "support.h"

namespace {

using dsmsg_test::BufferOf;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::SinkHarness;
using dsmsg_test::Stat;
using testing::HasSubstr;

constexpr char kJson[] = "application/json";

int Connects(Fake& fake) {
  return fake.With([](fake::State& c) { return c.connects; });
}
int Disconnects(Fake& fake) {
  return fake.With([](fake::State& c) { return c.disconnects; });
}

TEST(SinkShare, FiftySinksOfAProcessUseOneConnection) {
  for (const char* name : {"fake", "fakeplain"}) {
    Fake fake(name);
    fake.With([](fake::State& c) { c.signature = "abc"; });
    std::string line;
    for (int i = 0; i < 50; ++i) {
      const std::string number = std::to_string(i);
      line += "appsrc name=src" + number +
              " format=time caps=application/json ! dsmsgbroker name=sink" + number + " topic=t" +
              number + " conn-str=h;1 " + fake.proto_lib() + "  ";
    }
    Pipeline pipeline(line);
    pipeline.Set(GST_STATE_PLAYING);
    ASSERT_NE(pipeline.Reach(), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(Connects(fake), 1);
    for (int i = 0; i < 50; ++i) {
      GstElement* source = pipeline.Get("src" + std::to_string(i));
      for (int k = 0; k < 20; ++k)
        gst_app_src_push_buffer(GST_APP_SRC(source), BufferOf(std::to_string(k)));
      gst_app_src_end_of_stream(GST_APP_SRC(source));
    }
    ASSERT_TRUE(pipeline.WaitEos());
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(Stat(pipeline.Get("sink" + std::to_string(i)), "ok"), 20U) << name << i;
    }
    EXPECT_EQ(fake.Sent(), 1000U);
    pipeline.Set(GST_STATE_NULL);
    EXPECT_EQ(Connects(fake), 1);
    EXPECT_EQ(Disconnects(fake), 1);
  }
}

TEST(SinkShare, OneThatLeavesDeliversItsMessagesAndTheOthersGoOn) {
  Fake fake;
  fake.With([](fake::State& c) {
    c.signature = "abc";
    c.hold_completions = true;
  });
  SinkHarness stays(fake.proto_lib() + " conn-str=h;1", kJson);
  {
    SinkHarness leaves(fake.proto_lib() + " conn-str=h;1", kJson);
    ASSERT_EQ(leaves.Push("{}"), GST_FLOW_OK);
    ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.messages.size() == 1; }));
    std::future<void> release = std::async(std::launch::async, [&fake] {
      fake.WaitFor([works = -1](const fake::State& c) mutable {
        if (works < 0) works = c.do_works;
        return c.do_works > works + 2;
      });
      fake.With([](fake::State& c) { c.hold_completions = false; });
    });
    leaves.Stop();
    release.wait();
    EXPECT_EQ(Stat(leaves.sink(), "ok"), 1U);
    EXPECT_EQ(Stat(leaves.sink(), "failed"), 0U);
  }
  EXPECT_EQ(Disconnects(fake), 0);
  ASSERT_EQ(stays.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(stays.PushEos());
  EXPECT_EQ(Stat(stays.sink(), "ok"), 1U);
  stays.Stop();
  EXPECT_EQ(Disconnects(fake), 1);
}

TEST(SinkShare, WhatIsNotAcknowledgedInTimeIsReportedAndComesTooLateHarmlessly) {
  Fake fake;
  fake.With([](fake::State& c) {
    c.signature = "abc";
    c.hold_completions = true;
  });
  SinkHarness stays(fake.proto_lib() + " conn-str=h;1", kJson);
  {
    SinkHarness leaves(fake.proto_lib() + " conn-str=h;1 flush-timeout=100", kJson);
    ASSERT_EQ(leaves.Push("{}"), GST_FLOW_OK);
    leaves.Stop();
    EXPECT_EQ(Stat(leaves.sink(), "failed"), 1U);
    EXPECT_THAT(leaves.Text(GST_MESSAGE_WARNING).text, HasSubstr("1 message was not delivered"));
  }
  fake.With([](fake::State& c) { c.hold_completions = false; });
  ASSERT_EQ(stays.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(stays.PushEos());
  EXPECT_EQ(Stat(stays.sink(), "ok"), 1U);
}

TEST(SinkShare, OnlyEqualConnectionsAreShared) {
  Fake fake;
  fake.With([](fake::State& c) { c.signature = "abc"; });
  SinkHarness one(fake.proto_lib() + " conn-str=h;1", kJson);
  SinkHarness other(fake.proto_lib() + " conn-str=h;2", kJson);
  EXPECT_EQ(Connects(fake), 2);
  one.Stop();
  EXPECT_EQ(Disconnects(fake), 1);
}

TEST(SinkShare, EverySinkOfALinkHearsOfItsEnd) {
  Fake fake;
  fake.With([](fake::State& c) { c.signature = "abc"; });
  SinkHarness one(fake.proto_lib() + " conn-str=h;1", kJson);
  SinkHarness other(fake.proto_lib() + " conn-str=h;1", kJson);
  const auto [callback, handle] = fake.With(
      [](fake::State& c) { return std::pair(c.connections[c.handle]->connect_cb, c.handle); });
  callback(handle, NVDS_MSGAPI_EVT_SERVICE_DOWN);
  EXPECT_THAT(one.Text(GST_MESSAGE_WARNING).text, HasSubstr("out of reach"));
  EXPECT_THAT(other.Text(GST_MESSAGE_WARNING).text, HasSubstr("out of reach"));
}

// ---------------------------------------------------------------- a real adaptor

TEST(SinkStats, HaveEverythingThatOurAdaptorsCount) {
  SinkHarness h("adaptor=zmq conn-str=zmq://@inproc://gst-stats", kJson);
  GstStructure* stats = nullptr;
  g_object_get(h.sink(), "stats", &stats, nullptr);
  ASSERT_NE(stats, nullptr);
  for (const char* field : {"accepted",           "acknowledged",     "retried",
                            "reconnects",         "no-receiver",      "spooled",
                            "replayed",           "dead-lettered",    "dead-letters-lost",
                            "queue-messages",     "queue-bytes",      "in-flight",
                            "spool-rows",         "spool-bytes",      "spool-backlog",
                            "restored",           "dropped-evicted",  "dropped-spool-evicted",
                            "dropped-spool-lost", "dropped-too-large"}) {
    const std::string name = std::string("adaptor-") + field;
    EXPECT_TRUE(gst_structure_has_field_typed(stats, name.c_str(), G_TYPE_UINT64)) << name;
  }
  EXPECT_TRUE(gst_structure_has_field_typed(stats, "adaptor-latency-us-p99", G_TYPE_UINT64));
  EXPECT_STREQ(gst_structure_get_string(stats, "adaptor-protocol"), "ZMQ");
  EXPECT_TRUE(gst_structure_has_field_typed(stats, "adaptor-json", G_TYPE_STRING));
  gst_structure_free(stats);
}

}  // namespace
