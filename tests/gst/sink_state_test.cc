// SPDX-License-Identifier: Apache-2.0
// The sink in pipelines: state changes, interruption, end of stream, live sources, both plugins
// together.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include <array>
#include <cstdio>
#include <future>
#include <set>

#include "support.h"

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

using dsmsg_test::BufferOf;
using dsmsg_test::BusText;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::Stat;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kSource[] = "appsrc name=src format=time caps=application/json ! ";
// What the sink's queue and its worker hold together.
constexpr size_t kHeld = 65;

void PushNumber(Pipeline& pipeline, size_t number) {
  gst_app_src_push_buffer(GST_APP_SRC(pipeline.Get("src")), BufferOf(std::to_string(number)));
}

void PushEos(Pipeline& pipeline) { gst_app_src_end_of_stream(GST_APP_SRC(pipeline.Get("src"))); }

milliseconds TimeOf(const std::function<void()>& action) {
  const auto begin = steady_clock::now();
  action();
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
}

TEST(SinkState, AppsrcJsonReachesTheAdaptorAndEos) {
  Fake fake;
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink topic=t conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < 1000; ++i) PushNumber(pipeline, i);
  PushEos(pipeline);
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("sink"), "ok"), 1000U);
  fake.With([](fake::State& c) {
    ASSERT_EQ(c.messages.size(), 1000U);
    for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(c.messages[i].payload, std::to_string(i));
  });
}

TEST(SinkState, AHundredTimesUpAndDown) {
  Fake fake;
  Pipeline pipeline(
      "videotestsrc is-live=true ! video/x-raw,framerate=100/1 ! dsmsgbroker conn-str=h;1 " +
      fake.proto_lib());
  for (int i = 0; i < 100; ++i) {
    pipeline.Set(i % 2 == 0 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
    ASSERT_NE(pipeline.Reach(), GST_STATE_CHANGE_FAILURE);
    // READY keeps the connection, NULL ends it.
    ASSERT_EQ(pipeline.Set(GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    ASSERT_NE(pipeline.Set(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    ASSERT_EQ(pipeline.Set(GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  }
  EXPECT_EQ(fake.With([](fake::State& c) { return c.connects; }), 100);
  EXPECT_EQ(fake.With([](fake::State& c) { return c.disconnects; }), 100);
}

TEST(SinkState, ABlockedRenderLetsThePipelinePauseAndGoesOnWithTheSameBuffer) {
  Fake fake;
  fake.With([](fake::State& c) { c.hold_sends = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < kHeld + 10; ++i) PushNumber(pipeline, i);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.sends_waiting == 1; }));
  GstElement* sink = pipeline.Get("sink");
  const auto deadline = steady_clock::now() + dsmsg_test::kPatience;
  while (Stat(sink, "rendered") < kHeld + 1 && steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_EQ(Stat(sink, "rendered"), kHeld + 1);  // the last one waits for room
  for (int i = 0; i < 200; ++i) {
    EXPECT_LT(TimeOf([&] {
                pipeline.Set(GST_STATE_PAUSED);
                EXPECT_EQ(pipeline.Reach(), GST_STATE_CHANGE_SUCCESS);
              }),
              seconds(30));
    pipeline.Set(GST_STATE_PLAYING);
    ASSERT_EQ(pipeline.Reach(), GST_STATE_CHANGE_SUCCESS);
  }
  fake.With([](fake::State& c) { c.hold_sends = false; });
  PushEos(pipeline);
  ASSERT_TRUE(pipeline.WaitEos());
  fake.With([](fake::State& c) {
    ASSERT_EQ(c.messages.size(), kHeld + 10);
    for (size_t i = 0; i < c.messages.size(); ++i)
      EXPECT_EQ(c.messages[i].payload, std::to_string(i));
  });
}

TEST(SinkState, ABlockedRenderDoesNotHoldUpTheEnd) {
  Fake fake;
  fake.With([](fake::State& c) { c.hold_completions = c.hold_sends = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink flush-timeout=300 conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < kHeld + 10; ++i) PushNumber(pipeline, i);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.sends_waiting == 1; }));
  // The stop must reach its deadline while send_async hangs, then the adaptor comes back.
  std::future<void> release = std::async(std::launch::async, [&fake] {
    fake.WaitFor([](const fake::State& c) { return c.disconnects > 0 || c.do_works > 12; });
    fake.With([](fake::State& c) { c.hold_sends = false; });
  });
  EXPECT_LT(TimeOf([&] { EXPECT_EQ(pipeline.Set(GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS); }),
            seconds(30));
  release.wait();
  GstElement* sink = pipeline.Get("sink");
  EXPECT_EQ(Stat(sink, "ok") + Stat(sink, "failed"), Stat(sink, "payloads"));
  EXPECT_EQ(Stat(sink, "pending"), 0U);
  EXPECT_EQ(fake.With([](fake::State& c) { return c.disconnects; }), 1);
}

TEST(SinkState, AnAdaptorThatNeverReturnsIsLeftBehind) {
  Fake fake("fakeplain");
  fake.With([](fake::State& c) { c.hold_sends = true; });
  {
    Pipeline pipeline(std::string(kSource) + "dsmsgbroker topic=t flush-timeout=100 conn-str=h;1 " +
                      fake.proto_lib());
    pipeline.Set(GST_STATE_PLAYING);
    PushNumber(pipeline, 1);
    ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.sends_waiting == 1; }));
    EXPECT_LT(TimeOf([&] { pipeline.Set(GST_STATE_NULL); }), seconds(30));
    // Two threads report the message and the adaptor, in either order.
    const BusText one = pipeline.Text(GST_MESSAGE_WARNING);
    const BusText other = pipeline.Text(GST_MESSAGE_WARNING);
    EXPECT_THAT(one.text + other.text, AllOf(HasSubstr("does not return from send_async"),
                                             HasSubstr("never called back")));
  }
  // It comes back after the element is gone, and is disconnected then.
  EXPECT_EQ(fake.With([](fake::State& c) { return c.disconnects; }), 0);
  fake.With([](fake::State& c) { c.hold_sends = false; });
  EXPECT_TRUE(fake.WaitFor([](const fake::State& c) { return c.disconnects == 1; }));
}

// ---------------------------------------------------------------- end of stream

TEST(SinkEos, WaitsForAcknowledgements) {
  Fake fake;
  fake.With([](fake::State& c) { c.hold_completions = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < 20; ++i) PushNumber(pipeline, i);
  PushEos(pipeline);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.messages.size() == 20; }));
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_EOS, milliseconds(200)), nullptr);
  // A pause in the middle of it neither loses the end nor hangs.
  pipeline.Set(GST_STATE_PAUSED);
  ASSERT_EQ(pipeline.Reach(), GST_STATE_CHANGE_SUCCESS);
  pipeline.Set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_EOS, milliseconds(100)), nullptr);
  fake.With([](fake::State& c) { c.hold_completions = false; });
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("sink"), "ok"), 20U);
}

TEST(SinkEos, InAPauseEndsTheWaitOfAnAsyncSink) {
  Fake fake;
  fake.With([](fake::State& c) { c.hold_completions = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink async=true conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  PushNumber(pipeline, 1);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.messages.size() == 1; }));
  // No buffer for the preroll, and a message that is not acknowledged.
  EXPECT_EQ(pipeline.Set(GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
  PushEos(pipeline);
  ASSERT_EQ(pipeline.Reach(), GST_STATE_CHANGE_SUCCESS);
  pipeline.Set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_EOS, milliseconds(100)), nullptr);
  fake.With([](fake::State& c) { c.hold_completions = false; });
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("sink"), "ok"), 1U);
}

TEST(SinkEos, IsPostedOnceHoweverThePipelineStarts) {
  Fake fake;
  for (int i = 0; i < 30; ++i) {
    // decodebin adds its pads late, from its own threads.
    Pipeline pipeline(
        "videotestsrc num-buffers=3 ! video/x-raw,width=16,height=16 ! jpegenc ! "
        "decodebin ! dsmsgbroker on-error=drop conn-str=h;1 " +
        fake.proto_lib());
    pipeline.Set(GST_STATE_PAUSED);
    ASSERT_NE(pipeline.Reach(), GST_STATE_CHANGE_FAILURE);
    pipeline.Set(GST_STATE_PLAYING);
    ASSERT_TRUE(pipeline.WaitEos()) << i;
    ASSERT_EQ(pipeline.Pop(GST_MESSAGE_EOS, milliseconds(10)), nullptr) << i;
  }
}

TEST(SinkEos, HasADeadlineAndSaysWhatIsLeft) {
  Fake fake;
  fake.With([](fake::State& c) { c.hold_completions = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink flush-timeout=200 conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < 5; ++i) PushNumber(pipeline, i);
  PushEos(pipeline);
  EXPECT_THAT(pipeline.Text(GST_MESSAGE_WARNING).text,
              HasSubstr("5 messages were not acknowledged"));
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_LT(TimeOf([&] { pipeline.Set(GST_STATE_NULL); }), seconds(30));
}

TEST(SinkEos, MessagesForgottenByTheAdaptorAreFailures) {
  Fake fake("fakeplain");
  fake.With([](fake::State& c) { c.hold_completions = c.forget = true; });
  Pipeline pipeline(std::string(kSource) +
                    "dsmsgbroker name=sink topic=t flush-timeout=100 conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < 5; ++i) PushNumber(pipeline, i);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.messages.size() == 5; }));
  pipeline.Set(GST_STATE_NULL);
  int told = 0;
  while (told < 5) {  // in one warning, unless the machine is very busy
    const std::string text = pipeline.Text(GST_MESSAGE_WARNING).text;
    ASSERT_THAT(text, AllOf(HasSubstr("not delivered"), HasSubstr("never called back")));
    told += std::stoi(text);
  }
  EXPECT_EQ(told, 5);
  EXPECT_EQ(Stat(pipeline.Get("sink"), "failed"), 5U);
}

// ---------------------------------------------------------------- do_work

TEST(SinkWork, DoWorkRunsOnlyWhileSomethingIsPending) {
  Fake fake("fakeplain");
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker name=sink conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  PushNumber(pipeline, 1);
  GstElement* sink = pipeline.Get("sink");
  const auto deadline = steady_clock::now() + dsmsg_test::kPatience;
  while (Stat(sink, "ok") < 1 && steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_EQ(Stat(sink, "ok"), 1U);
  const int before = fake.With([](fake::State& c) { return c.do_works; });
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_ERROR, milliseconds(200)),
            nullptr);  // the pipeline stays as it is
  EXPECT_LE(fake.With([](fake::State& c) { return c.do_works; }), before + 1);
}

TEST(SinkWork, APollingAdaptorDoesNotSpin) {
  Fake fake("fakeplain");
  fake.With([](fake::State& c) { c.hold_completions = true; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker flush-timeout=100 conn-str=h;1 " +
                    fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  PushNumber(pipeline, 1);
  ASSERT_TRUE(fake.WaitFor([](const fake::State& c) { return c.do_works > 0; }));
  const int before = fake.With([](fake::State& c) { return c.do_works; });
  const milliseconds elapsed = TimeOf([&] { pipeline.Pop(GST_MESSAGE_ERROR, milliseconds(300)); });
  EXPECT_LE(fake.With([](fake::State& c) { return c.do_works; }) - before, elapsed.count() + 1);
}

TEST(SinkWork, AThirdPartyMqttAdaptorIsWorkedForEver) {
  Fake fake("fakeplain");
  fake.With([](fake::State& c) { c.protocol = "MQTT"; });
  Pipeline pipeline(std::string(kSource) + "dsmsgbroker conn-str=h;1 " + fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  EXPECT_TRUE(fake.WaitFor(
      [](const fake::State& c) { return c.do_works > 20; }));  // its keep-alive is in there
}

// ---------------------------------------------------------------- pipelines

TEST(SinkPipeline, TeeWithALiveSourceRunsWithDefaults) {
  Fake fake;
  Pipeline pipeline(
      "videotestsrc is-live=true num-buffers=30 ! video/x-raw,width=64,height=48,framerate=30/1 ! "
      "tee name=t "
      "t. ! queue ! dsmsgconv ! dsmsgbroker name=sink conn-str=h;1 " +
      fake.proto_lib() + " t. ! queue ! fakesink");
  pipeline.Set(GST_STATE_PLAYING);
  ASSERT_NE(pipeline.Reach(), GST_STATE_CHANGE_FAILURE);
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("sink"), "rendered"), 30U);
}

TEST(SinkPipeline, AMissingQueueIsNamed) {
  Fake fake;
  // Both branches in one thread: this sink holds the first buffer until PLAYING, which waits for
  // the other branch.
  Pipeline pipeline("videotestsrc ! tee name=t  t. ! dsmsgbroker conn-str=h;1 " + fake.proto_lib() +
                    "  t. ! fakesink");
  pipeline.Set(GST_STATE_PLAYING);
  const BusText warning = pipeline.Text(GST_MESSAGE_WARNING);
  EXPECT_THAT(warning.text, HasSubstr("2 s"));
  EXPECT_THAT(warning.debug, AllOf(HasSubstr("queue"), HasSubstr("tee")));
}

TEST(SinkPipeline, AsyncWithoutDataIsNamed) {
  Fake fake;
  Pipeline pipeline("appsrc ! dsmsgbroker async=true conn-str=h;1 " + fake.proto_lib());
  EXPECT_EQ(pipeline.Set(GST_STATE_PLAYING), GST_STATE_CHANGE_ASYNC);
  const BusText warning = pipeline.Text(GST_MESSAGE_WARNING);
  EXPECT_THAT(warning.text, AllOf(HasSubstr("async=true"), HasSubstr("set async=false")));
  EXPECT_THAT(warning.debug, HasSubstr("every other sink"));
}

TEST(SinkPipeline, AnotherSinkThatWaitsIsNamed) {
  Fake fake;
  Pipeline pipeline("appsrc ! tee name=t  t. ! queue ! dsmsgbroker conn-str=h;1 " +
                    fake.proto_lib() + "  t. ! queue ! fakesink name=picture async=true");
  EXPECT_EQ(pipeline.Set(GST_STATE_PLAYING), GST_STATE_CHANGE_ASYNC);
  EXPECT_THAT(pipeline.Text(GST_MESSAGE_WARNING).text,
              AllOf(HasSubstr("another sink, picture"), HasSubstr("set async=false")));
}

TEST(SinkPipeline, NothingCanBeLinkedBehindIt) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch("fakesrc ! dsmsgbroker ! fakesink", &error);
  ASSERT_NE(error, nullptr);
  EXPECT_THAT(error->message, AllOf(HasSubstr("could not link"), HasSubstr("dsmsgbroker")));
  g_clear_error(&error);
  if (pipeline != nullptr) gst_object_unref(pipeline);
  EXPECT_THAT(gst_element_factory_get_metadata(gst_element_factory_find("dsmsgbroker"),
                                               GST_ELEMENT_METADATA_DESCRIPTION),
              AllOf(HasSubstr("Ends its branch"), HasSubstr("tee"), HasSubstr("queue")));
}

TEST(SinkPipeline, PausedOnPurposeDoesNotWarn) {
  Fake fake;
  Pipeline pipeline("videotestsrc ! dsmsgbroker conn-str=h;1 " + fake.proto_lib());
  pipeline.Set(GST_STATE_PAUSED);
  EXPECT_EQ(pipeline.Pop(GST_MESSAGE_WARNING | GST_MESSAGE_ERROR, milliseconds(2500)), nullptr);
}

TEST(SinkPipeline, BothPluginsInOneProcess) {
  Fake fake;
  Pipeline pipeline(
      std::string(kSource) + "tee name=t  t. ! queue ! nvmsgbroker name=theirs conn-str=h;1 " +
      fake.proto_lib() + "  t. ! queue ! dsmsgbroker name=ours conn-str=h;1 " + fake.proto_lib());
  EXPECT_STRNE(G_OBJECT_TYPE_NAME(pipeline.Get("ours")),
               G_OBJECT_TYPE_NAME(pipeline.Get("theirs")));
  pipeline.Set(GST_STATE_PLAYING);
  for (size_t i = 0; i < 10; ++i) PushNumber(pipeline, i);
  PushEos(pipeline);
  ASSERT_TRUE(pipeline.WaitEos());
  EXPECT_EQ(Stat(pipeline.Get("ours"), "ok"), 10U);
  EXPECT_EQ(Stat(pipeline.Get("theirs"), "ok"), 10U);
  EXPECT_EQ(fake.Sent(), 20U);
}

TEST(SinkPipeline, PluginsExportOnlyTheirEntryPoints) {
  for (const std::string name : {"dsmsg", "nvmsgcompat"}) {
    const std::string command =
        "nm -D --defined-only " DSMSG_TEST_PLUGIN_DIR "/libgst" + name + ".so";
    FILE* output = popen(command.c_str(), "r");
    ASSERT_NE(output, nullptr);
    std::set<std::string> symbols;
    std::array<char, 4096> line = {};
    while (std::fgets(line.data(), static_cast<int>(line.size()), output) != nullptr) {
      std::string symbol(line.data());
      symbol.erase(symbol.find_last_not_of('\n') + 1);
      symbols.insert(symbol.substr(symbol.rfind(' ') + 1));
    }
    ASSERT_EQ(pclose(output), 0);
    EXPECT_EQ(symbols, (std::set<std::string>{"gst_plugin_" + name + "_get_desc",
                                              "gst_plugin_" + name + "_register"}));
  }
}

}  // namespace
