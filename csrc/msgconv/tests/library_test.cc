// SPDX-License-Identifier: Apache-2.0
// libnvds_msgconv.so through its C functions, as a host calls them.
#include <dlfcn.h>
#include <glib.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "json_check.h"
#include "msgconv/frame_c.h"
#include "nvmsgconv.h"
#include "rich_frame.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::ParseJson;
using dsmsg_test::RichFrame;
using dsmsg_test::Text;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kExample[] = DSMSG_CFG_DIR "/msgconv_example.txt";

template <class Function>
Function* Symbol(const char* name) {
  static void* const library = dlopen(DSMSG_MSGCONV_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(library, nullptr) << dlerror();
  return reinterpret_cast<Function*>(dlsym(library, name));
}

class Library : public testing::Test {
 protected:
  ~Library() override {
    if (ctx_ != nullptr) destroy(ctx_);
  }
  void Open(int type, const char* file = kExample) {
    ctx_ = create(file, static_cast<NvDsPayloadType>(type));
    ASSERT_NE(ctx_, nullptr);
    EXPECT_EQ(static_cast<int>(ctx_->payloadType), type);
  }
  std::string Take(NvDsPayload* payload) {
    if (payload == nullptr) return "none";
    std::string bytes(static_cast<const char*>(payload->payload), payload->payloadSize);
    EXPECT_EQ(static_cast<const char*>(payload->payload)[payload->payloadSize], '\0');
    release(ctx_, payload);
    return bytes;
  }
  std::vector<std::string> TakeAll(NvDsPayload** list, unsigned count) {
    std::vector<std::string> all;
    for (unsigned i = 0; i < count; ++i) all.push_back(Take(list[i]));
    g_free(list);
    return all;
  }

  decltype(nvds_msg2p_ctx_create)* create =
      Symbol<decltype(nvds_msg2p_ctx_create)>("nvds_msg2p_ctx_create");
  decltype(nvds_msg2p_ctx_destroy)* destroy =
      Symbol<decltype(nvds_msg2p_ctx_destroy)>("nvds_msg2p_ctx_destroy");
  decltype(nvds_msg2p_generate)* generate =
      Symbol<decltype(nvds_msg2p_generate)>("nvds_msg2p_generate");
  decltype(nvds_msg2p_generate_multiple)* generate_multiple =
      Symbol<decltype(nvds_msg2p_generate_multiple)>("nvds_msg2p_generate_multiple");
  decltype(nvds_msg2p_generate_new)* generate_new =
      Symbol<decltype(nvds_msg2p_generate_new)>("nvds_msg2p_generate_new");
  decltype(nvds_msg2p_generate_multiple_new)* generate_multiple_new =
      Symbol<decltype(nvds_msg2p_generate_multiple_new)>("nvds_msg2p_generate_multiple_new");
  decltype(nvds_msg2p_release)* release =
      Symbol<decltype(nvds_msg2p_release)>("nvds_msg2p_release");
  NvDsMsg2pCtx* ctx_ = nullptr;
};

// A host with events of two cameras.
struct TwoCameras {
  NvDsEventMsgMeta metas[3] = {};
  NvDsEvent events[3] = {};
  TwoCameras() {
    for (int i = 0; i < 3; ++i) {
      metas[i].sensorId = i % 2;
      metas[i].trackingId = static_cast<uint64_t>(i);
      metas[i].objType = NVDS_OBJECT_TYPE_PERSON;
      events[i] = {NVDS_EVENT_ENTRY, &metas[i]};
    }
  }
};

TEST_F(Library, FullMessagesOfEvents) {
  Open(0);
  TwoCameras cameras;
  const auto document = ParseJson(Take(generate(ctx_, cameras.events, 1)));
  EXPECT_EQ(Text(document, {"sensor", "id"}), "CAMERA_001");
  EXPECT_EQ(Text(document, {"event", "type"}), "entry");
  EXPECT_EQ(Text(document, {"object", "id"}), "0");
  unsigned count = 99;
  auto** const list = generate_multiple(ctx_, cameras.events, 3, &count);
  ASSERT_EQ(count, 3U);
  EXPECT_EQ(Text(ParseJson(TakeAll(list, count).at(2)), {"object", "id"}), "2");
}

// Without a configuration, the sensor of each event is the one it names itself.
TEST_F(Library, FullMessagesNameTheirOwnSensor) {
  Open(0, nullptr);
  TwoCameras cameras;
  char gate[] = "gate", yard[] = "yard";
  cameras.metas[0].sensorStr = gate;
  cameras.metas[1].sensorStr = yard;
  unsigned count = 0;
  auto** const list = generate_multiple(ctx_, cameras.events, 2, &count);
  const auto all = TakeAll(list, count);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(Text(ParseJson(all[0]), {"sensor", "id"}), "gate");
  EXPECT_EQ(Text(ParseJson(all[1]), {"sensor", "id"}), "yard");
}

TEST_F(Library, ThreadsShareAContext) {
  Open(1);
  TwoCameras cameras;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        NvDsPayload* const payload = generate(ctx_, cameras.events, 3);
        good += payload != nullptr && payload->payloadSize > 100 ? 1 : 0;
        release(ctx_, payload);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
}

TEST_F(Library, MinimalMessagesAreOfOneSensorEach) {
  Open(1);
  TwoCameras cameras;
  EXPECT_EQ(At(ParseJson(Take(generate(ctx_, cameras.events, 3))), {"objects"}).Size(), 3U);
  unsigned count = 0;
  auto** const list = generate_multiple(ctx_, cameras.events, 3, &count);
  ASSERT_EQ(count, 2U);
  const auto all = TakeAll(list, count);
  EXPECT_EQ(At(ParseJson(all.at(0)), {"objects"}).Size(), 2U);
  EXPECT_EQ(Text(ParseJson(all.at(0)), {"sensorId"}), "CAMERA_001");
  EXPECT_EQ(Text(ParseJson(all.at(1)), {"sensorId"}), "");  // no [sensor1]: as DeepStream says it
}

TEST_F(Library, Frames) {
  Open(0);
  FrameExport exported;
  Frame frame = RichFrame();
  frame.objects.push_back(frame.objects.front());
  auto* const c_frame = const_cast<DsmsgFrame*>(exported.Make(frame));
  EXPECT_THAT(Take(generate_new(ctx_, c_frame)), HasSubstr("\"lipActivity\""));
  unsigned count = 0;
  auto** const list = generate_multiple_new(ctx_, c_frame, &count);
  EXPECT_EQ(TakeAll(list, count).size(), 2U);
  frame.objects.clear();
  auto* const empty = const_cast<DsmsgFrame*>(exported.Make(frame));
  EXPECT_EQ(generate_new(ctx_, empty), nullptr);
  EXPECT_EQ(generate_multiple_new(ctx_, empty, &count), nullptr);
  EXPECT_EQ(count, 0U);
}

// A host that was compiled with a later dsmsg_frame.h, whose objects are larger.
TEST_F(Library, FramesOfALaterVersion) {
  Open(1, nullptr);
  struct Later {
    DsmsgObject object;
    char more[40];
  };
  Later objects[2] = {};
  objects[0].object.label = "car";
  objects[1].object.label = "dog";
  DsmsgFrame frame{};
  frame.magic = DSMSG_FRAME_MAGIC;
  frame.version = 2;
  frame.size = sizeof(frame) + 16;
  frame.object_size = sizeof(Later);
  frame.object_count = 2;
  frame.objects = &objects[0].object;
  const auto document = ParseJson(Take(generate_new(ctx_, &frame)));
  EXPECT_STREQ(At(document, {"objects"})[1]["type"].GetString(), "dog");
}

TEST_F(Library, WhatIsNoFrameIsRefused) {
  Open(0, nullptr);
  NvDsMsg2pMetaInfo deepstream = {nullptr, &deepstream, nullptr};
  unsigned count = 7;
  EXPECT_EQ(generate_new(ctx_, &deepstream), nullptr);
  EXPECT_EQ(generate_multiple_new(ctx_, &deepstream, &count), nullptr);
  EXPECT_EQ(count, 0U);
  DsmsgFrame frame{};
  frame.magic = DSMSG_FRAME_MAGIC;
  EXPECT_EQ(generate_new(ctx_, &frame), nullptr);  // no version, no size
  frame.version = 1;
  frame.size = sizeof(frame);
  frame.object_count = 1;
  EXPECT_EQ(generate_new(ctx_, &frame), nullptr);  // no object_size
  frame.object_size = sizeof(DsmsgObject);
  EXPECT_EQ(generate_new(ctx_, &frame), nullptr);  // no objects
}

// DeepStream's element asks with a size of 0 for a message about a frame without events.
TEST_F(Library, NoEventsMakeAMessageOfTheirFrame) {
  TwoCameras cameras;
  char time[] = "2018-04-11T04:59:59.828Z";
  cameras.metas[0].frameId = 42;
  cameras.metas[0].ts = time;
  Open(1);
  const auto document = ParseJson(Take(generate(ctx_, cameras.events, 0)));
  EXPECT_EQ(Text(document, {"id"}), "42");
  EXPECT_EQ(Text(document, {"@timestamp"}), time);
  EXPECT_EQ(Text(document, {"sensorId"}), "CAMERA_001");
  EXPECT_EQ(At(document, {"objects"}).Size(), 0U);
  unsigned count = 0;
  auto** const list = generate_multiple(ctx_, cameras.events, 0, &count);
  EXPECT_EQ(TakeAll(list, count).size(), 1U);
  char sensor[] = "hall";  // of a scene without objects
  cameras.metas[0].sensorStr = sensor;
  EXPECT_EQ(Text(ParseJson(Take(generate(ctx_, cameras.events, 0))), {"sensorId"}), "hall");
}

// What DeepStream gives is written in its dialect; a frame of ours as its host wants it.
TEST_F(Library, TheDialectIsThatOfWhatIsGiven) {
  Open(1, nullptr);
  TwoCameras cameras;
  EXPECT_THAT(Take(generate(ctx_, cameras.events, 1)), HasSubstr("\"0|0|0|0|0|Person|#|||"));
  for (const auto& [dialect, begin] : {std::pair(Dialect::kDsmsg, "{\"messageid\""),
                                       std::pair(Dialect::kDeepStream, "{\"version\"")}) {
    FrameExport exported(dialect);
    const auto frame = RichFrame();  // what is exported points into it
    auto* const c_frame = const_cast<DsmsgFrame*>(exported.Make(frame));
    EXPECT_THAT(Take(generate_new(ctx_, c_frame)), StartsWith(begin));
    c_frame->size = offsetof(DsmsgFrame, dialect);  // of a host that was compiled before
    EXPECT_THAT(Take(generate_new(ctx_, c_frame)), StartsWith("{\"messageid\""));
  }
}

TEST_F(Library, AClassNamedLikeAKeyIsNoSecondMember) {
  Open(0, nullptr);
  TwoCameras cameras;
  cameras.metas[0].objType = NVDS_OBJECT_TYPE_UNKNOWN;
  for (const std::string name : {"bbox", "pose", "dog"}) {
    std::string text = name;
    cameras.metas[0].objectId = text.data();
    const std::string made = Take(generate(ctx_, cameras.events, 1));
    EXPECT_THAT(made, HasSubstr("\"" + name + (name == "dog" ? "" : "_") + "\":{}"));
  }
}

TEST_F(Library, WrongArgumentsGiveNull) {
  EXPECT_EQ(create(kExample, NVDS_PAYLOAD_CUSTOM), nullptr);
  EXPECT_EQ(create(kExample, static_cast<NvDsPayloadType>(3)), nullptr);
  EXPECT_EQ(create("/no/such/file.txt", NVDS_PAYLOAD_DEEPSTREAM), nullptr);
  Open(0);
  TwoCameras cameras;
  unsigned count = 5;
  EXPECT_EQ(generate(nullptr, cameras.events, 1), nullptr);
  EXPECT_EQ(generate(ctx_, nullptr, 1), nullptr);
  EXPECT_EQ(generate(ctx_, cameras.events, 0), nullptr);
  EXPECT_EQ(generate_multiple(ctx_, cameras.events, 1, nullptr), nullptr);
  EXPECT_EQ(generate_multiple(nullptr, cameras.events, 1, &count), nullptr);
  EXPECT_EQ(count, 0U);
  EXPECT_EQ(generate_new(ctx_, nullptr), nullptr);
  EXPECT_EQ(generate_multiple_new(ctx_, nullptr, &count), nullptr);
  cameras.events[1].metadata = nullptr;
  EXPECT_EQ(generate_multiple(ctx_, cameras.events, 3, &count), nullptr);
  EXPECT_EQ(count, 0U);
  release(ctx_, nullptr);
  release(nullptr, nullptr);
  destroy(nullptr);
}

// DeepStream's element copies payloads with their buffers, and gives the copies to release.
TEST_F(Library, ReleasesCopiesOfAHost) {
  Open(1, nullptr);
  auto* const copy = static_cast<NvDsPayload*>(g_malloc0(sizeof(NvDsPayload)));
  copy->payload = g_strdup("copied");
  copy->payloadSize = 6;
  release(ctx_, copy);
}

}  // namespace
}  // namespace dsmsg::msgconv
