// SPDX-License-Identifier: Apache-2.0
// nvmsgconv does with batches of NVIDIA's own library what DeepStream's element was seen to do:
// which frames and objects have a message, and what the messages are marked with.
#include <gmock/gmock.h>

#include <thread>

#include "conv_support.h"
#include "msgconv/event_layout.h"
#include "msgconv/tests/json_check.h"
#include "nvidia.h"
#include "nvmsgconv.h"

namespace dsmsg_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace nvidia;  // the structures

constexpr char kObjects[] = "msg2p-newapi=true frame-interval=1 ";

/// Payloads in a list of user metadata.
std::vector<const Payload*> PayloadsIn(const GList* users) {
  std::vector<const Payload*> payloads;
  for (const GList* node = users; node != nullptr; node = node->next) {
    const auto* user = static_cast<const UserMeta*>(node->data);
    if (user->base.type == kPayload) payloads.push_back(static_cast<const Payload*>(user->data));
  }
  return payloads;
}

std::string BytesOf(const Payload& payload) {
  return {static_cast<const char*>(payload.bytes), payload.size};
}

/// An event as an application makes it; the same in all releases but for its end.
struct Event {
  std::vector<char> room = std::vector<char>(dsmsg::msgconv::kEventBytes);
  NvDsEventMsgMeta* get() { return reinterpret_cast<NvDsEventMsgMeta*>(room.data()); }
};

// A muxer sends such batches while its sources are silent.
TEST(NvidiaElement, ABatchWithoutFramesHasNoMessage) {
  for (const char* properties :
       {"msg2p-newapi=true frame-interval=1 payload-type=minimal",
        "msg2p-newapi=true frame-interval=1 payload-type=protobuf",
        "payload-type=minimal dummy-payload=true",
        "msg2p-newapi=true dialect=dsmsg dummy-payload=true payload-type=minimal"}) {
    Batch batch(4);
    BatchMeta* const meta = batch.get();
    ConvHarness h(properties, "nvmsgconv");
    GstBuffer* out = h.Push(batch.Attach(Picture()));
    EXPECT_THAT(MetasOf(out), IsEmpty()) << properties;
    EXPECT_THAT(PayloadsIn(meta->user_list), IsEmpty()) << properties;
    gst_buffer_unref(out);
  }
}

// Nobody knows what was in it.
TEST(NvidiaElement, AFrameThatContradictsItselfHasNoEmptyMessage) {
  Batch batch(2);
  FrameMeta* const frame = batch.AddFrame(0);
  batch.AddObject(frame, "car");
  batch.AddObject(batch.AddFrame(1), "bus");
  frame->objects = 5;
  ConvHarness h(std::string(kObjects) + "payload-type=minimal", "nvmsgconv");
  GstBuffer* out = h.Push(batch.Attach(Picture()));
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_THAT(TextOf(*metas[0]), HasSubstr("bus"));
  frame->objects = 1;
  gst_buffer_unref(out);
  EXPECT_THAT(h.Messages(GST_MESSAGE_WARNING), SizeIs(1));
}

// The id of the element marks what it makes, and does not choose among detected objects.
TEST(NvidiaElement, TheComponentIsThatOfTheElement) {
  for (const auto& [properties, component] : {std::pair("", 0U), std::pair("comp-id=7", 7U)}) {
    for (const char* type : {"0", "1", "2"}) {
      Batch batch(1);
      FrameMeta* const frame = batch.AddFrame(0);
      batch.AddObject(frame, "car")->component = 3;
      ConvHarness h(std::string(kObjects) + properties + " payload-type=" + type, "nvmsgconv");
      GstBuffer* out = h.Push(batch.Attach(Picture()));
      const auto payloads = PayloadsIn(frame->user_list);
      ASSERT_THAT(payloads, SizeIs(1)) << properties;
      EXPECT_THAT(BytesOf(*payloads[0]), HasSubstr("car"));
      EXPECT_EQ(payloads[0]->component, component);
      gst_buffer_unref(out);
    }
  }
}

TEST(NvidiaElement, OfEventsItTakesThoseOfTheComponent) {
  Event events[3];
  Batch batch(1);
  FrameMeta* const frame = batch.AddFrame(0);
  for (int i = 0; i < 3; ++i) {
    events[i].get()->componentId = i;
    events[i].get()->trackingId = static_cast<uint64_t>(i);
    batch.AddUser(frame, kEvent, events[i].get());
  }
  ConvHarness h("comp-id=2", "nvmsgconv");
  const auto payloads = h.Payloads(batch.Attach(Picture()));
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(Text(ParseJson(payloads[0]), {"object", "id"}), "2");
}

// frame-interval counts the frames of cameras. A scene without objects has a message, too.
TEST(NvidiaElement, EveryScene) {
  std::vector<char> scene(71240);
  const uint64_t time = 1'705'314'600'123'456'789;
  const int32_t number = 7;
  const char* const sensor = "hall";
  memcpy(scene.data() + 57608, &time, sizeof(time));
  memcpy(scene.data() + 57616, &number, sizeof(number));
  memcpy(scene.data() + 57624, &sensor, sizeof(sensor));
  for (const char* api : {"true", "false"}) {
    Batch batch(2);
    batch.AddFrame(0);
    batch.AddUser(batch.get(), kSparse4d, scene.data());
    ConvHarness h(std::string("payload-type=minimal msg2p-newapi=") + api, "nvmsgconv");
    const auto payloads = h.Payloads(batch.Attach(Picture()));
    ASSERT_THAT(payloads, SizeIs(1)) << api;
    const auto document = ParseJson(payloads[0]);
    EXPECT_EQ(Text(document, {"id"}), "7");
    EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
    EXPECT_EQ(Text(document, {"sensorId"}), "hall");
    EXPECT_EQ(At(document, {"objects"}).Size(), 0U);
  }
}

// Who reads the texts of type 1 counts the bars.
TEST(NvidiaElement, AnEmptyResultKeepsItsPlace) {
  const auto payload = [](const std::string& properties) {
    Batch batch(1);
    ObjectMeta* const object = batch.AddObject(batch.AddFrame(0), "car");
    object->id = 1;
    object->confidence = 0.5F;
    batch.AddLabel(batch.AddClassifier(object, 1, "make"), "audi");
    batch.AddLabel(batch.AddClassifier(object, 2, "color"), "");
    ConvHarness h(kObjects + properties, "nvmsgconv");
    return h.Payloads(batch.Attach(Picture())).at(0);
  };
  EXPECT_THAT(payload("payload-type=minimal"), HasSubstr(R"(["1|0|0|0|0|car|#||audi|0.5"])"));
  EXPECT_THAT(payload("payload-type=deepstream"),
              HasSubstr(R"("car":{"confidence":0.5,"make":"audi","color":""})"));
  EXPECT_THAT(payload("payload-type=minimal dialect=dsmsg"),
              HasSubstr(R"("attributes":{"make":"audi"})"));
}

// A classifier that was not sure of anything has no labels; DeepStream lists it all the same.
TEST(NvidiaElement, AClassifierWithoutAResultLeavesItsMark) {
  const auto payload = [](const std::string& properties, bool second) {
    Batch batch(1);
    FrameMeta* const frame = batch.AddFrame(0);
    ObjectMeta* const object = batch.AddObject(frame, "car");
    object->id = 1;
    object->confidence = 0.5F;
    batch.AddClassifier(object, 1, "make");
    if (second) batch.AddLabel(batch.AddClassifier(object, 2, "color"), "red");
    batch.AddObject(frame, "bus")->id = 2;
    ConvHarness h(kObjects + properties, "nvmsgconv");
    return h.Payloads(batch.Attach(Picture())).at(0);
  };
  const std::string ours = " msg2p-lib=" DSMSG_MSGCONV_LIBRARY;
  for (const std::string& library : {std::string(), ours}) {
    const std::string minimal = "payload-type=minimal" + library;
    EXPECT_THAT(payload(minimal, false), HasSubstr(R"(["1|0|0|0|0|car|#|0.5","2|0|0|0|0|bus"])"));
    EXPECT_THAT(payload(minimal, true),
                HasSubstr(R"(["1|0|0|0|0|car|#|red|0.5","2|0|0|0|0|bus"])"));
    EXPECT_THAT(payload(minimal + " dialect=dsmsg", false), Not(HasSubstr("attributes")));
    EXPECT_THAT(payload("payload-type=deepstream" + library, false),
                HasSubstr(R"("car":{"confidence":0.5})"));
  }
}

std::string Address(const void* pointer) {
  gchar* const text =
      g_strdup_printf("%" G_GINTPTR_MODIFIER "x", reinterpret_cast<guintptr>(pointer));
  std::string address = text;
  g_free(text);
  return address;
}

const std::string kLibrary = " msg2p-lib=" DSMSG_CUSTOM_METAS " payload-type=";

// Only the application and its library know what is in an event of their own.
TEST(NvidiaElement, APayloadLibraryGetsTheEventsThemselves) {
  for (const int type : {257, 1}) {
    Event events[2];
    Batch batch(1);
    FrameMeta* const frame = batch.AddFrame(0);
    for (Event& event : events) {
      event.get()->type = static_cast<NvDsEventType>(NVDS_EVENT_CUSTOM + 5);
      event.get()->objType = NVDS_OBJECT_TYPE_CUSTOM;
      batch.AddUser(frame, kEvent, event.get());
    }
    ConvHarness h(kLibrary + std::to_string(type), "nvmsgconv");
    const std::string first = Address(events[0].get()), second = Address(events[1].get());
    const auto payloads = h.Payloads(batch.Attach(Picture()));
    if (type == 1) {
      EXPECT_THAT(payloads, ElementsAre("2 events 262 " + first));
    } else {
      EXPECT_THAT(payloads, ElementsAre("1 events 262 " + first, "1 events 262 " + second));
    }
  }
}

TEST(NvidiaElement, APayloadLibraryGetsFramesAndObjectsThemselves) {
  for (const int type : {257, 1}) {
    Batch batch(2);
    FrameMeta* const frame = batch.AddFrame(0);
    const std::string objects[] = {Address(batch.AddObject(frame, "car")),
                                   Address(batch.AddObject(frame, "bus"))};
    FrameMeta* const empty = batch.AddFrame(1);
    ConvHarness h(kObjects + kLibrary + std::to_string(type), "nvmsgconv");
    const std::string first = "video " + Address(frame) + " ";
    const auto payloads = h.Payloads(batch.Attach(Picture()));
    if (type == 1) {
      EXPECT_THAT(payloads, ElementsAre(first + "0", "video " + Address(empty) + " 0"));
    } else {
      EXPECT_THAT(payloads, ElementsAre(first + objects[0], first + objects[1]));
    }
  }
}

// Events from tracking ids are dsmsg's.
TEST(NvidiaElement, APayloadLibraryGetsEventsFromTrackingIds) {
  Batch batch(1);
  batch.AddObject(batch.AddFrame(0), "car")->id = 3;
  ConvHarness h(kObjects + (" events=track" + kLibrary) + "257", "nvmsgconv");
  EXPECT_THAT(h.Payloads(batch.Attach(Picture())), ElementsAre(HasSubstr("1 events 0 ")));
}

// Surfaces of a dewarper have the same source and number.
TEST(NvidiaElement, EveryMessageHasItsDebugFile) {
  gchar* const made = g_dir_make_tmp("dsmsgXXXXXX", nullptr);
  const std::string folder = made;
  g_free(made);
  Batch batch(4);
  for (uint32_t surface = 0; surface < 4; ++surface) {
    FrameMeta* const frame = batch.AddFrame(1, 60);
    frame->surface_index = surface;
    batch.AddObject(frame, "car");
  }
  ConvHarness h(kObjects + ("debug-payload-dir=" + folder), "nvmsgconv");
  EXPECT_THAT(h.Payloads(batch.Attach(Picture())), SizeIs(4));
  size_t files = 0;
  GDir* const dir = g_dir_open(folder.c_str(), 0, nullptr);
  while (const gchar* name = g_dir_read_name(dir)) {
    ++files;
    unlink((folder + "/" + name).c_str());
  }
  g_dir_close(dir);
  rmdir(folder.c_str());
  EXPECT_EQ(files, 4U);
}

// The library's own functions read the head of a list before they take the batch's lock.
TEST(NvidiaElement, BranchesThatAttachAtOnceLoseNothing) {
  constexpr guint32 kEach = 20000;
  Batch batch(1);
  FrameMeta* const frame = batch.AddFrame(0);
  const auto attach = [&](guint64 converter) {
    dsmsg::BatchPayloads payloads;
    ASSERT_TRUE(payloads.Usable(batch.get()));
    GBytes* const bytes = g_bytes_new_static("{}", 2);
    DsmsgPayload what;
    what.payload = bytes;
    for (guint32 i = 0; i < kEach; ++i) payloads.Attach(batch.get(), frame, what, i, converter);
    g_bytes_unref(bytes);
  };
  std::thread one(attach, 1), other(attach, 2);
  one.join();
  other.join();
  EXPECT_THAT(PayloadsIn(frame->user_list), SizeIs(2 * kEach));
}

}  // namespace
}  // namespace dsmsg_test
