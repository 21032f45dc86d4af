// SPDX-License-Identifier: Apache-2.0
// The warnings of the elements for a pipeline that cannot work as intended: nothing to send,
// messages in pieces.
#include <gmock/gmock.h>

#include "conv_support.h"
#include "sink_harness.h"

namespace {

using dsmsg_test::AddRegion;
using dsmsg_test::Fake;
using dsmsg_test::Pipeline;
using dsmsg_test::SinkHarness;
using dsmsg_test::TextFile;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kJson[] = "application/json";
// As a detector, and as an element that drops metadata.
constexpr char kDetector[] = " ! identity name=detector";
constexpr char kDropper[] = " ! identity name=dropper";

// ---------------------------------------------------------------- nothing is sent

/// Changes every buffer that leaves the element called `name`, if there is one.
void OnBuffers(Pipeline& pipeline, const char* name, GstPadProbeCallback change) {
  GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline.get()), name);
  if (element == nullptr) return;
  GstPad* pad = gst_element_get_static_pad(element, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, change, nullptr, nullptr);
  gst_object_unref(pad);
  gst_object_unref(element);
}

GstBuffer* Writable(GstPadProbeInfo* info) {
  GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return buffer;
}

/// The warnings of a pipeline that ran to its end, each on a line.
std::string Warnings(Fake& fake, const std::string& before, const std::string& settings = "") {
  Pipeline pipeline(before + " ! dsmsgbroker name=sink topic=t conn-str=h;1 " + settings + " " +
                    fake.proto_lib());
  OnBuffers(pipeline, "detector", [](GstPad*, GstPadProbeInfo* info, gpointer) {
    AddRegion(Writable(info), "car", 0.75);
    return GST_PAD_PROBE_OK;
  });
  OnBuffers(pipeline, "dropper", [](GstPad*, GstPadProbeInfo* info, gpointer) {
    const auto drop = [](GstBuffer*, GstMeta** meta, gpointer) -> gboolean {
      *meta = nullptr;
      return TRUE;
    };
    gst_buffer_foreach_meta(Writable(info), drop, nullptr);
    return GST_PAD_PROBE_OK;
  });
  pipeline.Set(GST_STATE_PLAYING);
  std::string all;
  while (GstMessage* message =
             pipeline.Pop(GST_MESSAGE_WARNING | GST_MESSAGE_ERROR | GST_MESSAGE_EOS)) {
    const GstMessageType type = GST_MESSAGE_TYPE(message);
    const std::string text = dsmsg_test::TextOf(message).text;
    if (type == GST_MESSAGE_EOS) return all;
    EXPECT_EQ(type, GST_MESSAGE_WARNING) << text;
    all += text + "\n";
  }
  ADD_FAILURE() << "no end of stream: " << before;
  return all;
}

std::string Video(int buffers) {
  return "videotestsrc num-buffers=" + std::to_string(buffers) +
         " ! video/x-raw,format=BGR,width=64,height=32";
}

TEST(SinkUnsent, AtTheEndTheCauseIsNamedHoweverFewBuffersCame) {
  Fake fake;
  EXPECT_THAT(Warnings(fake, Video(1)),
              AllOf(HasSubstr("1 buffer arrived and none had a message to send"),
                    HasSubstr("put dsmsgconv before this element")));
  EXPECT_THAT(Warnings(fake, Video(7) + " ! tee ! queue"), HasSubstr("7 buffers arrived"));
  EXPECT_THAT(Warnings(fake, "fakesrc num-buffers=3 sizetype=fixed"),
              AllOf(HasSubstr("they have no caps"), HasSubstr("! application/json !")));
  EXPECT_THAT(Warnings(fake, "fakesrc num-buffers=3 sizetype=fixed ! text/plain"),
              AllOf(HasSubstr("their type is text/plain"), HasSubstr(kJson)));
  EXPECT_THAT(Warnings(fake, "fakesrc num-buffers=3 sizetype=empty ! application/json"),
              HasSubstr("all were empty"));
  EXPECT_EQ(fake.Sent(), 0U);
}

TEST(SinkUnsent, TheConverterSaysItWhereItIsTheCause) {
  Fake fake;
  const std::string said = Warnings(fake, Video(3) + " ! dsmsgconv");
  EXPECT_THAT(said, AllOf(HasSubstr("no message made from 3 buffers"),
                          HasSubstr("set msg2p-newapi=true"), Not(HasSubstr("put dsmsgconv"))));
  // Objects without a tracking id make no events.
  EXPECT_THAT(Warnings(fake, Video(3) + kDetector + " ! dsmsgconv msg2p-newapi=1 events=track"),
              AllOf(HasSubstr("objects and events arrived: left out by events"),
                    Not(HasSubstr("put dsmsgconv"))));
}

TEST(SinkUnsent, AQuietCameraIsNotAnError) {
  Fake fake;
  // Two hundred frames are more than the sink's patience while the stream runs.
  EXPECT_EQ(Warnings(fake, Video(200) + " ! dsmsgconv msg2p-newapi=true ! queue ! tee ! identity"),
            "");
  EXPECT_EQ(Warnings(fake, Video(3) + kDetector + " ! dsmsgconv msg2p-newapi=1 min-confidence=1"),
            "");
}

TEST(SinkUnsent, WhatIsLostBetweenTheTwoAndWhatIsFiltered) {
  Fake fake;
  const std::string converted = Video(3) + kDetector + " ! dsmsgconv msg2p-newapi=1 ";
  EXPECT_THAT(Warnings(fake, converted + kDropper),
              AllOf(HasSubstr("messages that did not arrive"), HasSubstr("drops metadata")));
  EXPECT_THAT(Warnings(fake, converted + "comp-id=2", "comp-id=3"),
              HasSubstr("comp-id left out every message (1)"));
  EXPECT_EQ(fake.Sent(), 0U);
  EXPECT_EQ(Warnings(fake, converted), "");
  EXPECT_EQ(fake.Sent(), 1U);
}

// ---------------------------------------------------------------- messages in pieces

TEST(SinkCut, AFileReadInBlocksIsNamed) {
  const std::string document = "{\"text\": \"" + std::string(10000, 'x') + "\"}";
  const TextFile file(document);
  const std::string source = "filesrc location=" + file.path();
  Fake fake;
  const std::string said = Warnings(fake, source + " ! application/json");
  EXPECT_THAT(said, AllOf(HasSubstr("4096 bytes ends in the middle of a JSON document"),
                          HasSubstr("blocksize")));
  EXPECT_EQ(said.find("ends in"), said.rfind("ends in")) << "said more than once";
  EXPECT_EQ(fake.Sent(), 3U);
  for (const char* type : {"application/x-protobuf", "text/x-raw,format=utf8"}) {
    EXPECT_THAT(Warnings(fake, source + " ! " + type),
                AllOf(HasSubstr("continues the previous one"), HasSubstr("blocksize")));
  }
  EXPECT_EQ(Warnings(fake, source + " blocksize=65536 ! application/json"), "");
}

TEST(SinkCut, WholeDocumentsAreNot) {
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kJson);
  for (const char* whole : {"{}", "[1]", "12", "{\"a\":\"}\\\"{\"}", "{}\n{\"b\":[{}]}\n", "\"x\""})
    ASSERT_EQ(h.Push(whole), GST_FLOW_OK);
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
  ASSERT_EQ(h.Push("{\"a\":\"}"), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING, 0).text, HasSubstr("7 bytes ends in the middle"));
  ASSERT_EQ(h.Push("{\"a\":"), GST_FLOW_OK);
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0)) << "said more than once";
}

}  // namespace
