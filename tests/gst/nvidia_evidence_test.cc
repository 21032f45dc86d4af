// SPDX-License-Identifier: Apache-2.0
// Pictures of objects in DeepStream's batches, made by NVIDIA's own library: the picture is that of
// the frame where the batch has one frame, whatever size the muxer gave it.
#include <gmock/gmock.h>

#include "evidence_support.h"
#include "nvidia.h"
#include "support/server_process.h"

namespace dsmsg_test {
namespace {

using dsmsg::testing::TemporaryFolder;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kObjects[] =
    "msg2p-newapi=true frame-interval=1 payload-type=minimal "
    "evidence-config=\"margin=0;when=object.confidence >= 0\" evidence=";

/// An object where the picture of this number has its bars.
void AddBars(nvidia::Batch* batch, nvidia::FrameMeta* frame, unsigned number, float scale) {
  frame->pipeline_width = static_cast<uint32_t>(kWide * scale);
  frame->pipeline_height = static_cast<uint32_t>(kHigh * scale);
  nvidia::ObjectMeta* const object = batch->AddObject(frame, "car");
  const Spot spot = SpotOf(number);
  object->box.left = static_cast<float>(spot.left) * scale;
  object->box.top = static_cast<float>(spot.top) * scale;
  object->box.width = kBars * kBarWidth * scale;
  object->box.height = kBoxHeight * scale;
}

TEST(NvidiaEvidence, ThePictureIsThatOfTheOnlyFrame) {
  for (const float scale : {1.0F, 2.0F, 0.5F}) {
    const TemporaryFolder folder;
    ConvHarness h(kObjects + folder.path(), "dsmsgconv", CapsOf("GRAY8").c_str());
    nvidia::Batch batch(1);
    AddBars(&batch, batch.AddFrame(3), 4711, scale);
    gst_buffer_unref(h.Push(batch.Attach(NumberedPicture(4711))));
    gst_harness_push_event(h.harness(), gst_event_new_eos());
    const auto files = FilesIn(folder.path());
    ASSERT_THAT(files, SizeIs(1)) << scale;
    const GrayPicture crop = Decode(BytesOf(files[0]));
    EXPECT_EQ(crop.width, kBars * kBarWidth) << scale;
    EXPECT_EQ(crop.height, kBoxHeight) << scale;
    EXPECT_EQ(NumberIn(crop, 0, 0), 4711) << scale;
  }
}

TEST(NvidiaEvidence, OfSeveralFramesThePictureIsOfNone) {
  const TemporaryFolder folder;
  ConvHarness h(kObjects + folder.path(), "dsmsgconv", CapsOf("GRAY8").c_str());
  nvidia::Batch batch(2);
  AddBars(&batch, batch.AddFrame(0), 1, 1);
  AddBars(&batch, batch.AddFrame(1), 2, 1);
  gst_buffer_unref(h.Push(batch.Attach(NumberedPicture(1))));
  gst_harness_push_event(h.harness(), gst_event_new_eos());
  EXPECT_THAT(FilesIn(folder.path()), IsEmpty());
  const auto warnings = h.Messages(GST_MESSAGE_WARNING);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0].text, HasSubstr("nvstreamdemux"));
}

}  // namespace
}  // namespace dsmsg_test
