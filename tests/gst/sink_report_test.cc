// SPDX-License-Identifier: Apache-2.0
// What the sink reports: failures on the bus, statistics.
#include <gmock/gmock.h>

#include <string>
#include <utility>

#include "conv_support.h"
#include "sink_harness.h"
#include "support.h"

namespace {

using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::SinkHarness;
using dsmsg_test::Stat;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kJson[] = "application/json";

// ---------------------------------------------------------------- failures

TEST(SinkFailures, WarnIsOneMessageWithACount) {
  Fake fake;
  fake.With([](fake::State& c) { c.completion = NVDS_MSGAPI_ERR; });
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kJson);
  ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  // The first one soon, the rest together at the end (or after 5 s).
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, AllOf(HasSubstr("1 message was not delivered"),
                                                      HasSubstr("fake: the broker said no")));
  for (int i = 1; i < 300; ++i) ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  h.Stop();
  int told = 1;
  while (told < 300) {
    const std::string text = h.Text(GST_MESSAGE_WARNING).text;
    ASSERT_THAT(text, HasSubstr("not delivered"));
    told += std::stoi(text);
  }
  EXPECT_EQ(told, 300);
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
  EXPECT_EQ(Stat(h.sink(), "failed"), 300U);
}

TEST(SinkFailures, UnknownTopicIsNamedAsTheAdaptorDoes) {
  for (const bool ours : {false, true}) {
    Fake fake(ours ? "fake" : "fakeplain");
    fake.With([](fake::State& c) {
      c.completion = NVDS_MSGAPI_UNKNOWN_TOPIC;
      c.last_error = "fake: a/# is no topic";
    });
    SinkHarness h(fake.proto_lib() + " conn-str=h;1 topic=a", kJson);
    ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
    EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text,
                HasSubstr(ours ? "a/# is no topic" : "does not know the topic"));
  }
}

TEST(SinkFailures, ARefusedSendDoesNotEndTheStream) {
  Fake fake("fakeplain");
  fake.With([](fake::State& c) { c.refuse_sends = 1; });
  const dsmsg_test::TextFile config("[nvmsgbroker]\nauto-reconnect=0\n");
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 topic=t config=" + config.path(), kJson);
  ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("adaptor reported an error"));
  ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  EXPECT_EQ(Stat(h.sink(), "sent"), 1U);
  EXPECT_EQ(Stat(h.sink(), "failed"), 1U);
  EXPECT_EQ(Stat(h.sink(), "pending"), 0U);
}

TEST(SinkFailures, ErrorEndsTheStream) {
  Fake fake;
  fake.With([](fake::State& c) { c.completion = NVDS_MSGAPI_ERR; });
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 on-error=error", kJson);
  ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_ERROR).text,
              AllOf(HasSubstr("1 message was not delivered"), HasSubstr("said no")));
  EXPECT_EQ(h.Push("{}"), GST_FLOW_ERROR);
  EXPECT_FALSE(h.Text(GST_MESSAGE_ERROR, 0));
}

TEST(SinkFailures, DropOnlyCounts) {
  Fake fake;
  fake.With([](fake::State& c) { c.completion = NVDS_MSGAPI_ERR; });
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 on-error=drop", kJson);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  h.Stop();
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING | GST_MESSAGE_ERROR, 0));
  EXPECT_EQ(Stat(h.sink(), "failed"), 10U);
}

TEST(SinkFailures, TheAdaptorGivingUpIsReported) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 on-error=error", kJson);
  const auto [callback, handle] = fake.With(
      [](fake::State& c) { return std::pair(c.connections[c.handle]->connect_cb, c.handle); });
  callback(handle, NVDS_MSGAPI_EVT_SUCCESS);
  callback(handle, NVDS_MSGAPI_EVT_SERVICE_DOWN);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text,
              AllOf(HasSubstr("out of reach"), HasSubstr("said no")));
  EXPECT_EQ(h.Push("{}"), GST_FLOW_OK);  // no message failed
  h.Stop();
  callback(handle, NVDS_MSGAPI_EVT_SERVICE_DOWN);  // late: the element is gone
}

// ---------------------------------------------------------------- statistics

TEST(SinkStats, HaveTheSinksAndTheAdaptorsNumbers) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kJson);
  ASSERT_EQ(h.Push("{}"), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  for (const char* field : {"rendered", "payloads", "sent", "ok"})
    EXPECT_EQ(Stat(h.sink(), field), 1U) << field;
  for (const char* field : {"failed", "pending", "queued"})
    EXPECT_EQ(Stat(h.sink(), field), 0U) << field;
  EXPECT_EQ(Stat(h.sink(), "adaptor-acknowledged"), 3U);
  EXPECT_EQ(Stat(h.sink(), "adaptor-queue-depth"), 4U);
  h.Stop();
  EXPECT_EQ(Stat(h.sink(), "ok"), 1U);  // still there afterwards
  EXPECT_EQ(Stat(h.sink(), "adaptor-acknowledged"), 3U);
}

TEST(SinkStats, SurviveNonsenseFromTheAdaptor) {
  for (const char* text : {"", "not json", "[1]", "{\"a\":", "{\"a\":null,\"b\":-5,\"c\":[1]}"}) {
    Fake fake;
    fake.With([&](fake::State& c) { c.stats = text; });
    SinkHarness h(fake.proto_lib() + " conn-str=h;1", kJson);
    EXPECT_EQ(Stat(h.sink(), "rendered"), 0U) << text;
  }
}

TEST(SinkStats, ArePostedAtTheInterval) {
  Fake fake;
  Pipeline pipeline("appsrc ! dsmsgbroker " + fake.proto_lib() + " conn-str=h;1 stats-interval=20");
  pipeline.Set(GST_STATE_PLAYING);
  for (int i = 0; i < 3; ++i) {
    GstMessage* message = pipeline.Pop(GST_MESSAGE_ELEMENT);
    ASSERT_NE(message, nullptr);
    EXPECT_TRUE(gst_message_has_name(message, "dsmsgbroker-stats"));
    gst_message_unref(message);
  }
}

}  // namespace
