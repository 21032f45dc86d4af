// SPDX-License-Identifier: Apache-2.0
// Third-party adaptors behind the sink: lost connections, and a queue that is full.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include <string>
#include <thread>
#include <vector>

#include "conv_support.h"
#include "sink_harness.h"
#include "support.h"

namespace {

using dsmsg_test::BufferOf;
using dsmsg_test::BusText;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::SinkHarness;
using dsmsg_test::Stat;
using dsmsg_test::TextFile;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kJson[] = "application/json";
constexpr int kMany = 1 << 20;
constexpr uint64_t kAll = 1000;

std::string Settings(Fake& fake, const TextFile& config) {
  return fake.proto_lib() + " topic=t conn-str=h;1 config=" + config.path();
}

void Push(SinkHarness& h, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) ASSERT_EQ(h.Push(name + std::to_string(i)), GST_FLOW_OK);
}

bool WaitForStat(SinkHarness& h, const char* field, uint64_t value) {
  const auto end = std::chrono::steady_clock::now() + dsmsg_test::kPatience;
  while (Stat(h.sink(), field) != value && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return Stat(h.sink(), field) == value;
}

TEST(SinkReconnect, WhatWasNotAcknowledgedIsSentAgainInItsOrder) {
  Fake fake("fakeplain");
  fake.With([](fake::State& s) { s.hold_completions = s.forget = true; });
  const TextFile config("[nvmsgbroker]\nretry-interval=10ms\n");
  SinkHarness h(Settings(fake, config), kJson);
  Push(h, "before ", 20);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& s) { return s.messages.size() == 20; }));
  fake.With([](fake::State& s) {
    s.refuse_connects = 3;
    s.messages.clear();
  });
  fake.Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("connecting again"));
  Push(h, "during ", 20);
  fake.With([](fake::State& s) { s.hold_completions = false; });
  ASSERT_TRUE(h.PushEos());
  EXPECT_EQ(Stat(h.sink(), "ok"), 40U);
  EXPECT_EQ(Stat(h.sink(), "failed"), 0U);
  EXPECT_EQ(Stat(h.sink(), "sent"), 40U);
  fake.With([](fake::State& s) {
    EXPECT_EQ(s.connects, 2);
    EXPECT_EQ(s.refused_connects, 3);
    ASSERT_EQ(s.messages.size(), 40U);
    for (size_t i = 0; i < 40; ++i) {
      EXPECT_EQ(s.messages[i].payload,
                (i < 20 ? "before " : "during ") + std::to_string(i < 20 ? i : i - 20));
    }
  });
}

TEST(SinkReconnect, ASendThatIsRefusedOnceIsSentAgain) {
  Fake fake("fakeplain");
  fake.With([](fake::State& s) { s.refuse_sends = 1; });
  const TextFile config("[nvmsgbroker]\nretry-interval=10ms\n");
  SinkHarness h(Settings(fake, config) + " on-error=error", kJson);
  Push(h, "", 1);
  ASSERT_TRUE(h.PushEos());
  EXPECT_EQ(Stat(h.sink(), "ok"), 1U);
  EXPECT_EQ(Stat(h.sink(), "failed"), 0U);
  EXPECT_EQ(fake.With([](fake::State& s) { return s.connects; }), 2);
  EXPECT_FALSE(h.Text(GST_MESSAGE_ERROR, 0));
}

TEST(SinkReconnect, GivesUpAfterTheLimitAndSaysSo) {
  Fake fake("fakeplain");
  fake.With([](fake::State& s) { s.hold_completions = s.forget = true; });
  // Far longer than failures are gathered for: of two states in that time, only the last is told.
  const TextFile config("[nvmsgbroker]\nretry-interval=10ms\nmax-retry-limit=3s\n");
  SinkHarness h(Settings(fake, config), kJson);
  Push(h, "", 5);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& s) { return s.messages.size() == 5; }));
  fake.With([](fake::State& s) { s.refuse_connects = kMany; });
  fake.Event(NVDS_MSGAPI_EVT_SERVICE_DOWN);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("connecting again"));
  EXPECT_TRUE(WaitForStat(h, "failed", 5));
  ASSERT_TRUE(h.PushEos());
  h.Stop();
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("out of reach"));
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text,
              AllOf(HasSubstr("5 messages were not delivered"), HasSubstr("max-retry-limit")));
}

TEST(SinkReconnect, WhatDoesNotFitMeanwhileFailsWithTheOptionsName) {
  Fake fake("fakeplain");
  const TextFile config("[nvmsgbroker]\nretry-interval=10ms\nqueue-size=5\n");
  SinkHarness h(Settings(fake, config), kJson);
  fake.With([](fake::State& s) { s.refuse_connects = kMany; });
  fake.Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("connecting again"));
  Push(h, "", 10);
  EXPECT_TRUE(WaitForStat(h, "failed", 5));
  fake.With([](fake::State& s) { s.refuse_connects = 0; });
  ASSERT_TRUE(h.PushEos());
  h.Stop();
  EXPECT_EQ(Stat(h.sink(), "ok"), 5U);
  EXPECT_EQ(Stat(h.sink(), "failed"), 5U);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("queue-size"));
}

TEST(SinkReconnect, TheEndDoesNotWaitForAReconnect) {
  Fake fake("fakeplain");
  const TextFile config("[nvmsgbroker]\nretry-interval=10h\n");
  SinkHarness h(Settings(fake, config) + " flush-timeout=100", kJson);
  fake.Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("connecting again"));
  Push(h, "", 1);
  h.Stop();
  EXPECT_EQ(Stat(h.sink(), "failed"), 1U);
  EXPECT_EQ(fake.With([](fake::State& s) { return s.disconnects; }), 1);
}

TEST(SinkReconnect, SwitchedOffAFailureIsFinal) {
  Fake fake("fakeplain");
  const TextFile config("[nvmsgbroker]\nauto-reconnect=0\n");
  SinkHarness h(Settings(fake, config), kJson);
  fake.With([](fake::State& s) { s.completion = NVDS_MSGAPI_ERR; });
  Push(h, "", 1);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING).text, HasSubstr("adaptor reported an error"));
  fake.Event(NVDS_MSGAPI_EVT_DISCONNECT);
  ASSERT_TRUE(h.PushEos());
  h.Stop();
  EXPECT_EQ(fake.With([](fake::State& s) { return s.connects; }), 1);
}

TEST(SinkReconnect, ABadOptionKeepsItFromStarting) {
  Fake fake("fakeplain");
  const TextFile config("[nvmsgbroker]\nretry-interval=x\n");
  Pipeline pipeline("dsmsgbroker " + Settings(fake, config));
  EXPECT_EQ(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_THAT(pipeline.Text(GST_MESSAGE_ERROR).text,
              AllOf(HasSubstr(config.path()), HasSubstr("retry-interval")));
}

// The stream waits for a slow adaptor, as long as it takes: nothing is lost, and little is queued.
TEST(SinkReconnect, ASlowAdaptorIsWaitedFor) {
  Fake fake("fakeplain");
  fake.With([](fake::State& s) { s.hold_sends = true; });
  const TextFile config("[nvmsgbroker]\noverflow-timeout=0\n");
  Pipeline pipeline("appsrc name=src format=time caps=application/json ! dsmsgbroker name=sink " +
                    Settings(fake, config));
  pipeline.Set(GST_STATE_PLAYING);
  for (uint64_t i = 0; i < kAll; ++i)
    gst_app_src_push_buffer(GST_APP_SRC(pipeline.Get("src")), BufferOf(std::to_string(i)));
  gst_app_src_end_of_stream(GST_APP_SRC(pipeline.Get("src")));
  ASSERT_TRUE(fake.WaitFor([](const fake::State& s) { return s.sends_waiting == 1; }));
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_EOS, std::chrono::milliseconds(200)), nullptr);
  EXPECT_LT(Stat(pipeline.Get("sink"), "payloads"), 200U);
  fake.With([](fake::State& s) { s.hold_sends = false; });
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("sink"), "ok"), kAll);
  fake.With([](fake::State& s) {
    ASSERT_EQ(s.messages.size(), kAll);
    for (uint64_t i = 0; i < kAll; ++i) ASSERT_EQ(s.messages[i].payload, std::to_string(i));
  });
}

}  // namespace
