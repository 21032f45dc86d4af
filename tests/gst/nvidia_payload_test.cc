// SPDX-License-Identifier: Apache-2.0
// Messages inside DeepStream's batches: read as DeepStream's sink reads them, copied and released
// by NVIDIA's own library, and sent by our sink.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include <map>

#include "conv_support.h"
#include "nvidia.h"
#include "sink_harness.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using nvidia::Batch;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kVideo[] = "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1";
constexpr char kMinimal[] = "msg2p-newapi=true frame-interval=1 payload-type=minimal";

std::string BytesOf(const nvidia::Payload& payload) {
  return {static_cast<const char*>(payload.bytes), payload.size};
}

/// What DeepStream's sink finds in a list of user metadata, in its order.
std::vector<const nvidia::Payload*> PayloadsIn(const GList* users) {
  std::vector<const nvidia::Payload*> payloads;
  for (const GList* node = users; node != nullptr; node = node->next) {
    const auto* user = static_cast<const nvidia::UserMeta*>(node->data);
    if (user->base.type == nvidia::kPayload)
      payloads.push_back(static_cast<const nvidia::Payload*>(user->data));
  }
  return payloads;
}

/// The batch that NVIDIA's functions find on the buffer.
nvidia::BatchMeta* BatchOf(GstBuffer* buffer) {
  const GstMeta* meta = gst_buffer_get_meta(buffer, g_type_from_name("NvDsMetaAPI"));
  return static_cast<nvidia::BatchMeta*>(reinterpret_cast<const nvidia::GstBatchMeta*>(meta)->data);
}

nvidia::FrameMeta* FrameOf(GstBuffer* buffer, guint index) {
  return static_cast<nvidia::FrameMeta*>(g_list_nth_data(BatchOf(buffer)->frame_list, index));
}

bool HasOwnMeta(GstBuffer* buffer) {
  gpointer state = nullptr;
  return gst_buffer_iterate_dsmsg_payload_meta(buffer, &state) != nullptr;
}

/// Two cameras with two objects each.
GstBuffer* TwoCameras() {
  Batch batch(2);
  for (const uint32_t source : {0U, 1U}) {
    nvidia::FrameMeta* frame = batch.AddFrame(source, 7);
    for (const char* label : {"car", "bus"})
      batch.AddObject(frame, label + std::to_string(source))->component = 3;
  }
  return batch.Attach(Picture());
}

TEST(NvidiaPayloads, AreWhereDeepStreamsSinkLooks) {
  ConvHarness h("msg2p-newapi=true frame-interval=1 payload-type=deepstream comp-id=3");
  GstBuffer* out = h.Push(TwoCameras());
  for (const guint index : {0U, 1U}) {
    const auto payloads = PayloadsIn(FrameOf(out, index)->user_list);
    ASSERT_THAT(payloads, SizeIs(2));
    EXPECT_THAT(BytesOf(*payloads[0]), HasSubstr("car" + std::to_string(index)));
    EXPECT_THAT(BytesOf(*payloads[1]), HasSubstr("bus" + std::to_string(index)));
    EXPECT_EQ(payloads[0]->component, 3U);
  }
  EXPECT_THAT(PayloadsIn(BatchOf(out)->user_list), IsEmpty());
  EXPECT_FALSE(HasOwnMeta(out));
  EXPECT_THAT(h.Messages(), IsEmpty());
  gst_buffer_unref(out);
}

TEST(NvidiaPayloads, ABufferThatOthersHoldIsNotCopied) {
  for (const char* element : {"dsmsgconv", "nvmsgconv"}) {
    ConvHarness h(kMinimal, element);
    GstBuffer* buffer = TwoCameras();
    nvidia::BatchMeta* batch = BatchOf(buffer);
    gst_buffer_ref(buffer);  // as the other branch of a tee
    GstBuffer* out = h.Push(buffer);
    EXPECT_EQ(out, buffer);
    EXPECT_EQ(BatchOf(out), batch);
    EXPECT_THAT(PayloadsIn(FrameOf(buffer, 0)->user_list), SizeIs(1));
    gst_buffer_unref(out);
    gst_buffer_unref(buffer);
  }
}

TEST(NvidiaPayloads, CopiesOfTheBatchHaveTheirOwn) {
  ConvHarness h("msg2p-newapi=true frame-interval=1");
  Fake fake;
  SinkHarness sink(fake.proto_lib() + " conn-str=h;1", kVideo);
  GstBuffer* out = h.Push(TwoCameras());
  std::vector<std::string> made;
  for (const DsmsgPayloadMeta* meta : MetasOf(out)) made.push_back(TextOf(*meta));
  GstBuffer* copy = gst_buffer_copy(out);
  const auto before = PayloadsIn(FrameOf(out, 0)->user_list);
  const auto after = PayloadsIn(FrameOf(copy, 0)->user_list);
  ASSERT_THAT(after, SizeIs(before.size()));
  for (const auto* one : after) {
    for (const auto* other : before) EXPECT_NE(one->bytes, other->bytes);
  }
  gst_buffer_unref(out);
  GstBuffer* second = gst_buffer_copy_deep(copy);
  gst_buffer_unref(copy);
  ASSERT_EQ(sink.Push(second), GST_FLOW_OK);
  ASSERT_TRUE(sink.PushEos());
  std::vector<std::string> sent;
  fake.With([&](fake::State& state) {
    for (const auto& message : state.messages) sent.push_back(message.payload);
  });
  ASSERT_THAT(made, SizeIs(4));
  EXPECT_EQ(sent, made);
}

TEST(NvidiaPayloads, OurSinkSendsTheirs) {
  Batch batch(1);
  nvidia::FrameMeta* frame = batch.AddFrame(0);
  std::string first = "{\"first\": 1}", second = "{\"second\": 2}", scene = "{}";
  nvidia::Payload payloads[] = {{first.data(), static_cast<uint32_t>(first.size()), 4},
                                {second.data(), static_cast<uint32_t>(second.size()), 5},
                                {scene.data(), static_cast<uint32_t>(scene.size()), 5}};
  batch.AddUser(frame, nvidia::kPayload, &payloads[1]);  // the list is newest first
  batch.AddUser(frame, nvidia::kPayload, &payloads[0]);
  batch.AddUser(batch.get(), nvidia::kPayload, &payloads[2]);
  Fake fake;
  SinkHarness sink(fake.proto_lib() + " conn-str=h;1 comp-id=5", kVideo);
  ASSERT_EQ(sink.Push(batch.Attach(Picture())), GST_FLOW_OK);
  ASSERT_TRUE(sink.PushEos());
  fake.With([&](fake::State& state) {
    ASSERT_THAT(state.messages, SizeIs(2));
    EXPECT_EQ(state.messages[0].payload, second);
    EXPECT_EQ(state.messages[1].payload, scene);
  });
  EXPECT_EQ(Stat(sink.sink(), "filtered"), 1U);
}

TEST(NvidiaPayloads, SoundAndScenesHaveThemToo) {
  Batch sound(1, true);
  nvidia::AudioFrameMeta* frame = sound.AddSound(2, "glass");
  ConvHarness h(std::string(kMinimal), "dsmsgconv",
                "audio/x-raw,format=S16LE,rate=8000,channels=1");
  GstBuffer* out = h.Push(sound.Attach(Picture()));
  const auto payloads = PayloadsIn(frame->user_list);
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_THAT(BytesOf(*payloads[0]), HasSubstr("glass"));
  gst_buffer_unref(out);

  // Without a frame they belong to the batch, and a number there makes DeepStream's sink look.
  Batch empty(1);
  nvidia::BatchMeta* batch = empty.get();
  GstBuffer* buffer = empty.Attach(Picture());
  AddRegion(buffer, "car", 0.5);
  ConvHarness regions(kMinimal);
  out = regions.Push(buffer);
  EXPECT_THAT(PayloadsIn(batch->user_list), SizeIs(1));
  EXPECT_EQ(batch->misc[0], nvidia::kSparse4d);
  gst_buffer_unref(out);
}

// ---------------------------------------------------------------- branches of a tee

/// The messages that a sink after these elements sends of a buffer that another converter has
/// prepared.
std::vector<std::string> SentBehind(const std::string& elements) {
  ConvHarness other(std::string(kMinimal) + " payload-type=minimal");
  GstBuffer* buffer = other.Push(TwoCameras());
  Fake fake;
  Pipeline pipeline("appsrc name=src format=time caps=" + std::string(kVideo) + " ! " + elements +
                    " ! dsmsgbroker conn-str=h;1 topic=t " + fake.proto_lib());
  pipeline.Set(GST_STATE_PLAYING);
  GstAppSrc* source = GST_APP_SRC(pipeline.Get("src"));
  gst_app_src_push_buffer(source, buffer);
  gst_app_src_end_of_stream(source);
  EXPECT_TRUE(pipeline.WaitEos());
  return fake.With([](fake::State& state) {
    std::vector<std::string> sent;
    for (const auto& message : state.messages) sent.push_back(message.payload);
    return sent;
  });
}

TEST(NvidiaPayloads, ASinkLeavesTheMessagesOfOtherBranchesAlone) {
  // No converter upstream: messages of any origin are sent.
  EXPECT_THAT(SentBehind("queue"), SizeIs(2));
  // Its own branch has a converter, which made none; then one that made four.
  EXPECT_THAT(SentBehind("dsmsgconv ! queue"), IsEmpty());
  EXPECT_THAT(SentBehind("dsmsgconv msg2p-newapi=true frame-interval=1 ! queue"), SizeIs(4));
  // Two converters in a row are both its own.
  EXPECT_THAT(SentBehind("dsmsgconv msg2p-newapi=true frame-interval=1 ! queue ! dsmsgconv "
                         "msg2p-newapi=true frame-interval=1 payload-type=minimal"),
              SizeIs(6));
}

TEST(NvidiaPayloads, BranchesOfATeeSendTheirOwn) {
  Fake fake;
  const std::string sink = " ! dsmsgbroker conn-str=h;1 " + fake.proto_lib() + " topic=";
  Pipeline pipeline("appsrc name=src format=time caps=" + std::string(kVideo) +
                    " ! tee name=t t. ! queue ! dsmsgconv " + kMinimal + sink +
                    "minimal t. ! queue ! dsmsgconv msg2p-newapi=true frame-interval=1" + sink +
                    "full");
  pipeline.Set(GST_STATE_PLAYING);
  GstAppSrc* source = GST_APP_SRC(pipeline.Get("src"));
  constexpr size_t kBuffers = 50;
  for (size_t i = 0; i < kBuffers; ++i) gst_app_src_push_buffer(source, TwoCameras());
  gst_app_src_end_of_stream(source);
  ASSERT_TRUE(pipeline.WaitEos());
  size_t minimal = 0, full = 0;
  fake.With([&](fake::State& state) {
    for (const auto& message : state.messages) {
      EXPECT_EQ(message.topic == "minimal",
                message.payload.find("\"objects\"") != std::string::npos)
          << message.topic << ": " << message.payload;
      ++(message.topic == "minimal" ? minimal : full);
    }
  });
  EXPECT_EQ(minimal, 2 * kBuffers);
  EXPECT_EQ(full, 4 * kBuffers);
}

TEST(NvidiaPayloads, AConverterBeforeATeeFeedsEverySink) {
  Fake fake;
  const std::string sink = " ! dsmsgbroker conn-str=h;1 " + fake.proto_lib() + " topic=";
  Pipeline pipeline("appsrc name=src format=time caps=" + std::string(kVideo) + " ! dsmsgconv " +
                    kMinimal + " ! queue ! tee name=t t. ! queue" + sink + "one t. ! queue" + sink +
                    "two");
  pipeline.Set(GST_STATE_PLAYING);
  GstAppSrc* source = GST_APP_SRC(pipeline.Get("src"));
  constexpr size_t kBuffers = 20;
  for (size_t i = 0; i < kBuffers; ++i) gst_app_src_push_buffer(source, TwoCameras());
  gst_app_src_end_of_stream(source);
  ASSERT_TRUE(pipeline.WaitEos());
  std::map<std::string, size_t> sent;
  fake.With([&](fake::State& state) {
    for (const auto& message : state.messages) ++sent[message.topic];
  });
  EXPECT_EQ(sent, (std::map<std::string, size_t>{{"one", 2 * kBuffers}, {"two", 2 * kBuffers}}));
}

}  // namespace
}  // namespace dsmsg_test
