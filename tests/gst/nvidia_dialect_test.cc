// SPDX-License-Identifier: Apache-2.0
// Batches of NVIDIA's own library through the elements, in both dialects: nvmsgconv makes the
// recorded output of NVIDIA's converter (csrc/msgconv/tests/data/dialects).
#include <gmock/gmock.h>

#include <array>

#include "../../csrc/msgconv/tests/dialect_text.h"
#include "conv_support.h"
#include "nvidia.h"
#include "nvmsgconv.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using testing::SizeIs;
using namespace nvidia;  // the structures

const std::string kData = DSMSG_MSGCONV_DATA "/dialects/";
const std::string kObjects =
    "msg2p-newapi=true frame-interval=1 config=" + kData + "cameras.txt payload-type=";
constexpr const char* kEndings[] = {".full.json", ".minimal.json", ".pb"};
constexpr uint64_t kTime = 1'705'314'600'123'456'789;

FrameMeta* AddFrame(Batch* batch, uint32_t source, int32_t number) {
  FrameMeta* const frame = batch->AddFrame(source, number);
  frame->ntp = kTime;
  frame->source_width = 1920;
  frame->source_height = 1080;
  frame->pipeline_width = 960;
  frame->pipeline_height = 540;
  return frame;
}

ObjectMeta* AddObject(Batch* batch, FrameMeta* frame, const std::string& label, uint64_t id,
                      float confidence, const std::array<float, 4>& box) {
  ObjectMeta* const object = batch->AddObject(frame, label);
  object->id = id;
  object->confidence = confidence;
  object->box.left = box[0];
  object->box.top = box[1];
  object->box.width = box[2];
  object->box.height = box[3];
  return object;
}

/// The frames of object_car, object_untracked and object_none.
void Fill(Batch* batch) {
  FrameMeta* const frame = AddFrame(batch, 0, 60);
  ObjectMeta* const car =
      AddObject(batch, frame, "car", 18, 0.95F, {100.75F, 200.5F, 200.5F, 150.5F});
  batch->AddLabel(batch->AddClassifier(car, 0, "color"), "blue");
  ClassifierMeta* const type = batch->AddClassifier(car, 0, "type");
  batch->AddLabel(type, "sedan");
  batch->AddLabel(type, "coupe");
  batch->AddLabel(batch->AddClassifier(car, 1), "loose");
  AddObject(batch, AddFrame(batch, 9, 61), "Person", UINT64_MAX, -0.1F, {-5.5F, 0, 10, 20.99F});
  AddFrame(batch, 0, 63);
}

std::string Recorded(const char* dialect, const std::string& name, int type) {
  return ReadFile(kData + dialect + "/" + name + kEndings[type]);
}

class NvidiaDialect : public testing::TestWithParam<int> {
 protected:
  static std::string Comparable(const std::string& payload) {
    return GetParam() == 2 ? ProtobufText(payload) : JsonText(payload);
  }
  static std::vector<std::string> Made(const std::string& properties, const std::string& element) {
    Batch batch(4);
    Fill(&batch);
    ConvHarness h(kObjects + std::to_string(GetParam()) + properties, element);
    std::vector<std::string> made;
    for (const std::string& payload : h.Payloads(batch.Attach(Picture())))
      made.push_back(Comparable(payload));
    return made;
  }
};

TEST_P(NvidiaDialect, NvmsgconvMakesWhatNvidiasMakes) {
  const int type = GetParam();
  std::vector<std::string> recorded;
  for (const char* name : {"object_car", "object_untracked", "object_none"}) {
    if (type == 0 && name == std::string("object_none")) continue;  // not of a full message
    recorded.push_back(Comparable(Recorded("deepstream", name, type)));
  }
  EXPECT_EQ(Made("", "nvmsgconv"), recorded);
  EXPECT_EQ(Made(" multiple-payloads=true", "nvmsgconv"), recorded);
  EXPECT_EQ(Made(" dialect=deepstream", "dsmsgconv"), recorded);
}

TEST_P(NvidiaDialect, DsmsgconvKeepsItsOwnForm) {
  const int type = GetParam();
  const std::vector<std::string> recorded = {
      Comparable(Recorded("dsmsg", "object_car", type)),
      Comparable(Recorded("dsmsg", "object_untracked", type))};
  EXPECT_EQ(Made(" minimal-format=delimited", "dsmsgconv"), recorded);
  EXPECT_EQ(Made(" minimal-format=delimited dialect=dsmsg", "nvmsgconv"), recorded);
}

INSTANTIATE_TEST_SUITE_P(EachType, NvidiaDialect, testing::Values(0, 1, 2));

// One for each frame of the batch with DeepStream's types 1 and 2, one for each object with ours.
TEST(NvidiaDialects, MultiplePayloads) {
  for (const auto& [properties, payloads] :
       {std::pair("1 dialect=deepstream", 1), std::pair("2 dialect=deepstream", 1),
        std::pair("0 dialect=deepstream", 2), std::pair("1 dialect=dsmsg", 2),
        std::pair("2 dialect=dsmsg", 2)}) {
    Batch batch(1);
    FrameMeta* const frame = AddFrame(&batch, 1, 64);
    AddObject(&batch, frame, "car", 1, 0.333333343F, {1, 2, 3, 4});
    AddObject(&batch, frame, "bus", 2, 0.25F, {1234567, 2, 3, 4});
    ConvHarness h(kObjects + properties + " multiple-payloads=true");
    const auto made = h.Payloads(batch.Attach(Picture()));
    EXPECT_THAT(made, SizeIs(payloads)) << properties;
    if (properties == std::string("1 dialect=deepstream")) {
      EXPECT_EQ(JsonText(made.at(0)), JsonText(Recorded("deepstream", "object_two", 1)));
    }
  }
}

TEST(NvidiaDialects, CustomMessagesOfAFrame) {
  for (const int type : {0, 1}) {
    Batch batch(1);
    FrameMeta* const frame = AddFrame(&batch, 0, 62);
    AddObject(&batch, frame, "dog", 3, 0.5F, {1, 2, 3, 4});
    char text[] = R"({"a":1})";
    CustomBlob blob = {text, sizeof(text) - 1};
    batch.AddUser(frame, kCustomBlob, &blob);
    ConvHarness h(kObjects + std::to_string(type), "nvmsgconv");
    const auto made = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(made, SizeIs(1));
    EXPECT_EQ(JsonText(made[0]), JsonText(Recorded("deepstream", "object_blob", type)));
  }
}

// With events, dummy-payload asks for a message about each frame that has none; the time is that
// of the frame then.
TEST(NvidiaDialects, FramesWithoutEvents) {
  const std::string events = "config=" + kData + "cameras.txt payload-type=1 ";
  for (const auto& [properties, payloads] :
       {std::pair("dialect=deepstream dummy-payload=true", 2), std::pair("dialect=deepstream", 0),
        std::pair("dialect=dsmsg dummy-payload=true", 0)}) {
    Batch batch(2);
    AddFrame(&batch, 0, 7);
    AddFrame(&batch, 1, 8);
    ConvHarness h(events + properties);
    const auto made = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(made, SizeIs(payloads)) << properties;
    if (payloads == 0) continue;
    const auto document = ParseJson(made[1]);
    EXPECT_EQ(Text(document, {"version"}), "4.0");
    EXPECT_EQ(Text(document, {"id"}), "8");
    EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
    EXPECT_EQ(Text(document, {"sensorId"}), "plain");
    EXPECT_EQ(At(document, {"objects"}).Size(), 0U);
  }
}

// Our dialect has the time of capture, DeepStream's the time of the conversion.
TEST(NvidiaDialects, TheTimeOfDetectedObjects) {
  for (const auto& [element, capture] :
       {std::pair("dsmsgconv", true), std::pair("nvmsgconv", false)}) {
    Batch batch(4);
    Fill(&batch);
    ConvHarness h(kObjects + "0", element);
    const auto made = h.Payloads(batch.Attach(Picture()));
    EXPECT_EQ(Text(ParseJson(made.at(0)), {"@timestamp"}) == "2024-01-15T10:30:00.123Z", capture);
  }
}

}  // namespace
}  // namespace dsmsg_test
