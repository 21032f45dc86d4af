// SPDX-License-Identifier: Apache-2.0
// Batches made by NVIDIA's own library, through our elements.
#include "nvidia.h"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "conv_support.h"
#include "msgconv/event_layout.h"
#include "msgconv/tests/json_check.h"
#include "nvmsgconv.h"
#include "sink_harness.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace nvidia;  // the structures

constexpr char kObjects[] = "msg2p-newapi=true frame-interval=1 ";
constexpr const char* kDialects[] = {"dialect=dsmsg ", "dialect=deepstream "};
constexpr char kVideo[] = "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1";

void SetSizes(FrameMeta* frame) {
  frame->source_width = 128;
  frame->source_height = 64;
  frame->pipeline_width = 64;
  frame->pipeline_height = 32;
}

void SetBox(ObjectMeta* object, float left, float top, float width, float height) {
  object->box.left = left;
  object->box.top = top;
  object->box.width = width;
  object->box.height = height;
}

/// "source:id" of the object of each payload of a full message.
std::vector<std::string> SourcesAndIds(ConvHarness* h, GstBuffer* buffer) {
  std::vector<std::string> all;
  GstBuffer* out = h->Push(buffer);
  for (const DsmsgPayloadMeta* meta : MetasOf(out)) {
    all.push_back(std::to_string(meta->source_id) + ":" +
                  Text(ParseJson(TextOf(*meta)), {"object", "id"}));
  }
  gst_buffer_unref(out);
  return all;
}

TEST(Nvidia, ObjectsOfDeepStream9AreReadWithoutAnySetting) {
  Batch batch(4);
  FrameMeta* const frame = batch.AddFrame(3, 30);
  SetSizes(frame);
  frame->ntp = 1'705'314'600'123'000'000;
  ObjectMeta* const car = batch.AddObject(frame, "truck");
  car->id = 9;
  car->confidence = 0.5F;
  SetBox(car, 4, 2, 8, 6);
  batch.AddLabel(batch.AddClassifier(car, 3, "color"), "blue");
  ConvHarness h(kObjects);
  GstBuffer* out = h.Push(batch.Attach(Picture()));
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_EQ(metas[0]->source_id, 3U);
  const auto document = ParseJson(TextOf(*metas[0]));
  EXPECT_EQ(Text(document, {"object", "id"}), "9");
  EXPECT_EQ(Text(document, {"object", "vehicle", "type"}), "truck");
  EXPECT_EQ(Text(document, {"object", "vehicle", "color"}), "blue");
  EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  EXPECT_EQ(Number(document, {"object", "bbox", "topleftx"}), 8);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrighty"}), 16);
  gst_buffer_unref(out);
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(Nvidia, AnUnknownSizeIsRefusedAndNamed) {
  for (const int pool : {0, 1}) {  // frames, objects
    Batch batch(1);
    batch.AddObject(batch.AddFrame(0), "car");
    uint32_t& size = batch.get()->pools[pool]->element_size;
    const uint32_t right = size;
    size = 1000;
    ConvHarness h(kObjects);
    GstBuffer* out = h.Push(batch.Attach(Picture()));
    EXPECT_THAT(MetasOf(out), IsEmpty());
    size = right;
    gst_buffer_unref(out);
    const auto said = h.Messages(GST_MESSAGE_WARNING);
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_THAT(said[0].text,
                AllOf(HasSubstr(pool == 0 ? "frames have 1000 bytes" : "objects have 1000 bytes"),
                      HasSubstr("6.0 to 7.1, 8.0, 9.0 to 9.1")));
  }
}

TEST(Nvidia, EachFrameIsAFrame) {
  // Two of one source, as several frames in a batch or surfaces of a dewarper are; room for more.
  Batch batch(16);
  int32_t number = 10;
  for (const uint32_t source : {2U, 0U, 2U, 1U}) {
    FrameMeta* const frame = batch.AddFrame(source, number++);
    frame->surface_index = source == 2 ? 1 : 0;
    frame->ntp = 1'705'314'600'000'000'000 + static_cast<uint64_t>(number) * 1'000'000'000;
    for (const uint64_t id : {1U, 2U}) {
      ObjectMeta* const object = batch.AddObject(frame, "car");
      object->id = static_cast<uint64_t>(number) * 10 + id;
    }
  }
  ConvHarness h(std::string(kObjects) + "payload-type=minimal minimal-format=objects");
  GstBuffer* out = h.Push(batch.Attach(Picture()));
  std::vector<std::string> seen;
  for (const DsmsgPayloadMeta* meta : MetasOf(out)) {
    const auto document = ParseJson(TextOf(*meta));
    std::string text = std::to_string(meta->source_id) + " " + Text(document, {"@timestamp"});
    for (const auto& object : dsmsg_test::At(document, {"objects"}).GetArray())
      text += std::string(" ") + object["id"].GetString();
    seen.push_back(text);
  }
  gst_buffer_unref(out);
  EXPECT_THAT(
      seen,
      ElementsAre("2 2024-01-15T10:30:11.000Z 111 112", "0 2024-01-15T10:30:12.000Z 121 122",
                  "2 2024-01-15T10:30:13.000Z 131 132", "1 2024-01-15T10:30:14.000Z 141 142"));
}

TEST(Nvidia, FrameIntervalCountsWithTheFramesOwnNumbers) {
  for (const std::string dialect : kDialects) {
    Batch batch(8);
    for (const int32_t number : {7, 8, 9, 10}) {
      for (const uint32_t source : {0U, 1U}) {
        ObjectMeta* const object =
            batch.AddObject(batch.AddFrame(source, number + static_cast<int32_t>(source)), "car");
        object->id = static_cast<uint64_t>(number);
      }
    }
    ConvHarness h(dialect + "msg2p-newapi=true frame-interval=2");
    EXPECT_THAT(SourcesAndIds(&h, batch.Attach(Picture())),
                ElementsAre("1:7", "0:8", "1:9", "0:10"));
  }
}

TEST(Nvidia, ABatchNeedNotSayHowManyFramesItMayHave) {
  for (const char* const dialect : kDialects) {
    Batch batch(2);
    batch.get()->max_frames = 0;  // as everything but the muxer leaves it
    batch.AddObject(batch.AddFrame(0), "car")->id = 5;
    ConvHarness h(std::string(kObjects) + dialect);
    EXPECT_THAT(SourcesAndIds(&h, batch.Attach(Picture())), ElementsAre("0:5"));
    EXPECT_THAT(h.Messages(), IsEmpty());
  }
}

TEST(Nvidia, UntrackedObjectsAndThoseOnlyATrackerSees) {
  for (const bool theirs : {true, false}) {
    Batch batch(1);
    ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "car");
    object->id = UINT64_MAX;
    object->confidence = -0.1F;
    ConvHarness h(std::string(kObjects) + "dialect=" + (theirs ? "deepstream" : "dsmsg"));
    const auto document = ParseJson(h.Payloads(batch.Attach(Picture())).at(0));
    EXPECT_EQ(Text(document, {"object", "id"}), theirs ? "18446744073709551615" : "");
    const char* const member = theirs ? "car" : "vehicle";
    EXPECT_EQ(static_cast<float>(Number(document, {"object", member, "confidence"})),
              theirs ? -0.1F : 0);
  }
}

TEST(Nvidia, ComponentZeroMeansAll) {
  for (const char* const dialect : kDialects) {
    Batch batch(1);
    FrameMeta* const frame = batch.AddFrame(0);
    for (const int32_t component : {0, 1, 2}) {
      ObjectMeta* const object = batch.AddObject(frame, "car");
      object->component = component;
      object->id = static_cast<uint64_t>(component);
    }
    ConvHarness all(std::string(kObjects) + dialect + "comp-id=0");
    EXPECT_THAT(SourcesAndIds(&all, batch.Attach(Picture())), ElementsAre("0:0", "0:1", "0:2"));
  }
}

TEST(Nvidia, ACopiedBufferHasTheSameObjects) {
  Batch batch(2);
  for (const uint32_t source : {0U, 1U}) {
    FrameMeta* const frame = batch.AddFrame(source);
    ObjectMeta* parent = nullptr;
    for (const uint64_t id : {1U, 2U, 3U}) {
      parent = batch.AddObject(frame, "car", parent);  // each is a child of the one before
      parent->id = id;
    }
  }
  GstBuffer* buffer = batch.Attach(Picture());
  GstBuffer* copy = gst_buffer_copy_deep(buffer);
  ConvHarness h(kObjects);
  EXPECT_THAT(SourcesAndIds(&h, buffer), ElementsAre("0:1", "0:2", "0:3", "1:1", "1:2", "1:3"));
  // The library's copy turns each list around.
  EXPECT_THAT(SourcesAndIds(&h, copy), ElementsAre("0:3", "0:2", "0:1", "1:3", "1:2", "1:1"));
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(Nvidia, LabelsMayBeAsLongAsTheirPlace) {
  const std::string longest(127, 'x');
  Batch batch(1);
  ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), longest);
  batch.AddLabel(batch.AddClassifier(object, 2, "kind"), longest);
  std::string longer(300, 'y');
  batch.AddLabel(batch.AddClassifier(object, 2, "more"), "")->long_result =
      g_strdup(longer.c_str());
  ConvHarness h(std::string(kObjects) + "payload-type=minimal minimal-format=objects");
  const auto payloads = h.Payloads(batch.Attach(Picture()));
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_THAT(payloads[0], AllOf(HasSubstr("\"type\":\"" + longest + "\""),
                                 HasSubstr("\"kind\":\"" + longest + "\""), HasSubstr(longer)));
}

TEST(Nvidia, CustomMessagesOfAFrameAreInItsMessages) {
  char first[] = "one", second[] = "two, with a NUL behind";
  CustomBlob blobs[] = {{first, sizeof(first) - 1}, {second, sizeof(second)}};
  for (const char* form : {"payload-type=deepstream", "payload-type=deepstream dialect=deepstream",
                           "payload-type=minimal dialect=deepstream"}) {
    Batch batch(1);
    FrameMeta* const frame = batch.AddFrame(0);
    batch.AddObject(frame, "car");
    for (CustomBlob& blob : blobs) batch.AddUser(frame, kCustomBlob, &blob);
    ConvHarness h(std::string(kObjects) + form);
    const auto payloads = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(payloads, SizeIs(1));
    const auto document = ParseJson(payloads[0]);
    ASSERT_TRUE(document.HasMember("customMessage")) << payloads[0];
    const auto& messages = dsmsg_test::At(document, {"customMessage"});
    ASSERT_EQ(messages.Size(), 2U);
    EXPECT_STREQ(messages[0].GetString(), first);
    EXPECT_STREQ(messages[1].GetString(), second);
  }
}

TEST(Nvidia, SoundIsClassifiedToo) {
  Batch batch(2, true);
  AudioFrameMeta* const frame = batch.AddSound(1, "siren");
  frame->confidence = 0.75F;
  frame->number = 30;
  ClassifierMeta* const classifier = Get().acquire_classifier_meta_from_pool(batch.get());
  classifier->type = "pitch";
  batch.AddLabel(classifier, "high");
  Get().add_classifier_meta_to_audio_frame(frame, classifier);
  batch.AddSound(0, "");  // silence
  ConvHarness h(std::string(kObjects) + "payload-type=minimal minimal-format=objects", "dsmsgconv",
                "audio/x-raw,format=S16LE,rate=16000,channels=1,layout=interleaved");
  GstBuffer* out = h.Push(batch.Attach(gst_buffer_new_allocate(nullptr, 320, nullptr)));
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_EQ(metas[0]->source_id, 1U);
  EXPECT_THAT(TextOf(*metas[0]), AllOf(HasSubstr("siren"), HasSubstr("high"), HasSubstr("0.75")));
  gst_buffer_unref(out);
  EXPECT_THAT(h.Messages(), IsEmpty());
}

// DeepStream's converter has a message for silence, too.
TEST(Nvidia, SoundInDeepStreamsDialect) {
  for (const auto& [type, payloads] : {std::pair("0", 1U), std::pair("1", 2U)}) {
    Batch batch(2, true);
    AudioFrameMeta* const frame = batch.AddSound(1, "siren");
    frame->confidence = 0.75F;
    batch.AddSound(0, "");
    ConvHarness h(std::string(kObjects) + "payload-type=" + type, "nvmsgconv");
    const auto made = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(made, SizeIs(payloads)) << type;
    EXPECT_THAT(made[0], HasSubstr("siren"));
  }
}

TEST(Nvidia, EventsOfSoundAreConverted) {
  std::vector<char> room(16384);
  auto* event = reinterpret_cast<NvDsEventMsgMeta*>(room.data());
  event->type = NVDS_EVENT_MOVING;
  event->objType = NVDS_OBJECT_TYPE_PERSON;
  event->trackingId = 4;
  for (const char* const dialect : kDialects) {
    Batch batch(1, true);
    batch.AddUser(batch.AddSound(2, ""), kEvent, event);
    ConvHarness h(dialect);
    EXPECT_THAT(SourcesAndIds(&h, batch.Attach(Picture())), ElementsAre("2:4"));
  }
}

TEST(Nvidia, EventsWithEverythingThatTheyMayHave) {
  char text[] = "blue", sensor[] = "gate", time[] = "2024-01-15T10:30:00.123Z";
  std::array<double, 4> polygon = {1, 2, 3, 4};
  GArray outline = {reinterpret_cast<gchar*>(polygon.data()), 4};
  GList mask = {&outline, nullptr, nullptr};
  NvDsPersonObjectExt person = {text, text, text, text, 34, &mask};
  std::array<NvDsJoint, 34> joints{};
  joints[0] = {1, 2, 3, 0.5F};
  std::array<float, 2> vector = {0.25F, 0.5F};
  std::array<double, 2> signature = {1.5, 2.5};
  std::vector<char> room(dsmsg::msgconv::kEventBytes);
  auto* const event = reinterpret_cast<NvDsEventMsgMeta*>(room.data());
  event->type = NVDS_EVENT_ENTRY;
  event->objType = NVDS_OBJECT_TYPE_PERSON_EXT;
  event->objSignature = {signature.data(), 2};
  event->trackingId = 7;
  event->confidence = 0.75;
  event->ts = time;
  event->sensorStr = sensor;
  const dsmsg::msgconv::EventTail& tail = dsmsg::msgconv::kTail9;
  const auto set = [&room](size_t offset, auto value) {
    memcpy(room.data() + offset, &value, sizeof(value));
  };
  set(tail.other_attrs, static_cast<char*>(text));
  set(tail.video_path, static_cast<char*>(text));
  set(tail.ext_msg, &person);
  set(tail.ext_msg_size, static_cast<unsigned>(sizeof(person)));
  set(tail.pose, NvDsJoints{joints.data(), 34, 1});
  set(tail.embedding, NvDsEmbedding{vector.data(), 2});
  set(tail.has_track, true);
  set(tail.feet, std::array<float, 4>{5, 6, 7, 8});
  Batch batch(1);
  batch.AddUser(batch.AddFrame(2), kEvent, event);
  ConvHarness h("");
  const auto payloads = h.Payloads(batch.Attach(Picture()));
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  EXPECT_EQ(Text(document, {"@timestamp"}), time);
  EXPECT_EQ(Text(document, {"event", "type"}), "entry");
  EXPECT_EQ(Text(document, {"object", "person", "apparel"}), text);
  EXPECT_EQ(Number(document, {"object", "person", "age"}), 34);
  EXPECT_EQ(Text(document, {"videoPath"}), text);
  for (const char* member : {"maskoutline", "signature", "pose", "embedding"})
    EXPECT_TRUE(dsmsg_test::At(document, {"object"}).HasMember(member)) << member;
  EXPECT_THAT(Numbers(dsmsg_test::At(document, {"object", "SV3DT", "footLocation3D"})),
              ElementsAre(5, 6));
  EXPECT_THAT(Numbers(dsmsg_test::At(document, {"object", "SV3DT", "footLocation2D"})),
              ElementsAre(7, 8));
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(Nvidia, EventsOfEveryClassMayHaveAMask) {
  char text[] = "blue";
  std::array<double, 4> polygon = {1, 2, 3, 4};
  GArray outline = {reinterpret_cast<gchar*>(polygon.data()), 4};
  GList mask = {&outline, nullptr, nullptr};
  NvDsVehicleObjectExt vehicle = {text, text, text, text, text, text, &mask};
  NvDsPersonObjectExt person = {text, text, text, text, 34, &mask};
  NvDsFaceObjectExt face = {text, text, text, text, text, text, text, 34, &mask};
  NvDsProductObjectExt product = {text, text, text, &mask};
  struct Case {
    int type;  // as 8.0 and later number them
    void* ext;
    size_t size;
    const char *member, *attribute;
  };
  const Case cases[] = {
      {6, &vehicle, sizeof(vehicle), "vehicle", "color"},
      {7, &person, sizeof(person), "person", "apparel"},
      {8, &face, sizeof(face), "face", "eyecolor"},
      {12, &product, sizeof(product), "product", "shape"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.member);
    std::vector<char> room(dsmsg::msgconv::kEventBytes);
    const auto set = [&room](size_t offset, auto value) {
      memcpy(room.data() + offset, &value, sizeof(value));
    };
    set(offsetof(NvDsEventMsgMeta, objType), each.type);
    set(dsmsg::msgconv::kTail9.ext_msg, each.ext);
    set(dsmsg::msgconv::kTail9.ext_msg_size, static_cast<unsigned>(each.size));
    Batch batch(1);
    batch.AddUser(batch.AddFrame(2), kEvent, room.data());
    ConvHarness h("");
    const auto payloads = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(payloads, SizeIs(1));
    const auto document = ParseJson(payloads[0]);
    EXPECT_EQ(Text(document, {"object", each.member, each.attribute}), text);
    const auto& outlines = dsmsg_test::At(document, {"object", "maskoutline"});
    ASSERT_EQ(outlines.Size(), 1U);
    EXPECT_THAT(Numbers(outlines[0]), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(h.Messages(), IsEmpty());
  }
}

TEST(Nvidia, ASceneIsConvertedInAnyCase) {
  std::vector<char> scene(71240);
  const uint32_t one = 1, camera = 3, id = 12;
  const char* const label = "Forklift";
  memcpy(scene.data() + 57600, &one, sizeof(one));
  memcpy(scene.data() + 57620, &camera, sizeof(camera));
  memcpy(scene.data() + 56, &label, sizeof(label));
  memcpy(scene.data() + 76, &id, sizeof(id));
  for (const char* api : {"true", "false"}) {
    Batch batch(2);
    batch.AddFrame(0);
    batch.AddFrame(1);
    batch.AddUser(batch.get(), kSparse4d, scene.data());
    ConvHarness h(std::string("frame-interval=1 msg2p-newapi=") + api);
    EXPECT_THAT(SourcesAndIds(&h, batch.Attach(Picture())), ElementsAre("3:12"));
  }
}

TEST(Nvidia, TheSinkSendsPayloadsOfFramesAndOfTheBatch) {
  char one[] = "{\"one\":1}", two[] = "{\"two\":2}", three[] = "{\"three\":3}";
  Payload payloads[] = {
      {one, sizeof(one) - 1, 7}, {two, sizeof(two) - 1, 7}, {three, sizeof(three) - 1, 7}};
  Batch batch(4);
  FrameMeta* const frames[] = {batch.AddFrame(0), batch.AddFrame(1)};
  batch.AddUser(frames[0], kPayload, &payloads[0]);
  batch.AddUser(frames[1], kPayload, &payloads[1]);
  batch.AddUser(batch.get(), kPayload, &payloads[2]);
  Fake fake;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 comp-id=7", kVideo);
  ASSERT_EQ(h.Push(batch.Attach(Picture())), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  const auto sent = fake.With([](fake::State& state) {
    std::vector<std::string> all;
    for (const auto& message : state.messages) all.push_back(message.payload);
    return all;
  });
  EXPECT_THAT(sent, ElementsAre(one, two, three));
}

}  // namespace
}  // namespace dsmsg_test
