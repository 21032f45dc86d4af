// SPDX-License-Identifier: Apache-2.0
// libnvds_msgconv.so under DeepStream's element: frames of NVIDIA's own library, passed as that
// element passes them (NvDsMsg2pMetaInfo), give the recorded output of NVIDIA's converter
// (csrc/msgconv/tests/data/dialects).
#include <dlfcn.h>
#include <glib.h>
#include <gmock/gmock.h>

#include "../../csrc/msgconv/tests/dialect_text.h"
#include "nvidia.h"
#include "nvmsgconv.h"

namespace dsmsg_test {
namespace {

using nvidia::Batch;
using testing::HasSubstr;

constexpr char kData[] = DSMSG_MSGCONV_DATA "/dialects/";
constexpr const char* kEndings[] = {".full.json", ".minimal.json", ".pb"};

template <class Function>
Function* Symbol(const char* name) {
  static void* const library = dlopen(DSMSG_MSGCONV_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(library, nullptr) << dlerror();
  return reinterpret_cast<Function*>(dlsym(library, name));
}
#define DSMSG_SYMBOL(name) Symbol<decltype(name)>(#name)

/// A context of the library.
class Context {
 public:
  Context(int type, const char* config)
      : ctx_(DSMSG_SYMBOL(nvds_msg2p_ctx_create)((kData + std::string(config)).c_str(),
                                                 static_cast<NvDsPayloadType>(type))) {
    EXPECT_NE(ctx_, nullptr);
  }
  ~Context() { DSMSG_SYMBOL(nvds_msg2p_ctx_destroy)(ctx_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// nullopt: none.
  std::optional<std::string> One(void* frame, void* object, const char* media = "video") {
    NvDsMsg2pMetaInfo info = {object, frame, const_cast<char*>(media)};
    return Take(DSMSG_SYMBOL(nvds_msg2p_generate_new)(ctx_, &info));
  }
  std::vector<std::string> All(void* frame, void* object) {
    NvDsMsg2pMetaInfo info = {object, frame, const_cast<char*>("video")};
    unsigned count = 99;
    NvDsPayload** const list = DSMSG_SYMBOL(nvds_msg2p_generate_multiple_new)(ctx_, &info, &count);
    std::vector<std::string> all;
    for (unsigned i = 0; i < count; ++i) all.push_back(Take(list[i]).value_or("none"));
    g_free(list);
    return all;
  }

 private:
  std::optional<std::string> Take(NvDsPayload* payload) {
    if (payload == nullptr) return std::nullopt;
    std::string bytes(static_cast<const char*>(payload->payload), payload->payloadSize);
    DSMSG_SYMBOL(nvds_msg2p_release)(ctx_, payload);
    return bytes;
  }
  NvDsMsg2pCtx* const ctx_;
};

nvidia::FrameMeta* AddFrame(Batch* batch, uint32_t source, int32_t number) {
  nvidia::FrameMeta* const frame = batch->AddFrame(source, number);
  frame->ntp = 1'705'314'600'123'456'789;
  frame->source_width = 1920;
  frame->source_height = 1080;
  frame->pipeline_width = 960;
  frame->pipeline_height = 540;
  return frame;
}

nvidia::ObjectMeta* AddObject(Batch* batch, nvidia::FrameMeta* frame, const std::string& label,
                              uint64_t id, float confidence, const std::array<float, 4>& box) {
  nvidia::ObjectMeta* const object = batch->AddObject(frame, label);
  object->id = id;
  object->confidence = confidence;
  object->box.left = box[0];
  object->box.top = box[1];
  object->box.width = box[2];
  object->box.height = box[3];
  return object;
}

nvidia::ObjectMeta* AddCar(Batch* batch, nvidia::FrameMeta* frame) {
  nvidia::ObjectMeta* const car =
      AddObject(batch, frame, "car", 18, 0.95F, {100.75F, 200.5F, 200.5F, 150.5F});
  batch->AddLabel(batch->AddClassifier(car, 2, "color"), "blue");
  nvidia::ClassifierMeta* const type = batch->AddClassifier(car, 3, "type");
  batch->AddLabel(type, "sedan");
  batch->AddLabel(type, "coupe");
  batch->AddLabel(batch->AddClassifier(car, 4), "loose");
  return car;
}

void Compare(const std::string& name, int type, const std::string& made) {
  const std::string path = std::string(kData) + "deepstream/" + name + kEndings[type];
  SCOPED_TRACE(path);
  const auto text = type == 2 ? ProtobufText : JsonText;
  EXPECT_EQ(text(made), text(ReadFile(path)));
}

class NvidiaLibrary : public testing::TestWithParam<int> {};

TEST_P(NvidiaLibrary, MakesWhatNvidiasOwnMakes) {
  const int type = GetParam();
  Context context(type, "cameras.txt");
  Batch batch(4);
  nvidia::FrameMeta* const frame = AddFrame(&batch, 0, 60);
  nvidia::ObjectMeta* const car = AddCar(&batch, frame);
  nvidia::FrameMeta* const unknown = AddFrame(&batch, 9, 61);
  nvidia::ObjectMeta* const person =
      AddObject(&batch, unknown, "Person", UINT64_MAX, -0.1F, {-5.5F, 0, 10, 20.99F});
  // The element passes an object for payload type 0 only.
  const auto of_type = [&](void* object) { return type == 0 ? object : nullptr; };
  Compare("object_car", type, context.One(frame, of_type(car)).value_or("none"));
  Compare("object_untracked", type, context.One(unknown, of_type(person)).value_or("none"));
  const auto all = context.All(frame, of_type(car));
  ASSERT_EQ(all.size(), 1U);
  Compare("object_car", type, all[0]);
}

TEST_P(NvidiaLibrary, HasMessagesOfCustomBlobsAndEmptyFrames) {
  const int type = GetParam();
  Context context(type, "cameras.txt");
  Batch batch(2);
  nvidia::FrameMeta* const frame = AddFrame(&batch, 0, 62);
  nvidia::ObjectMeta* const dog = AddObject(&batch, frame, "dog", 3, 0.5F, {1, 2, 3, 4});
  char text[] = R"({"a":1})";
  nvidia::CustomBlob blob = {text, sizeof(text) - 1};
  batch.AddUser(frame, nvidia::kCustomBlob, &blob);
  const std::string made = context.One(frame, type == 0 ? dog : nullptr).value_or("none");
  if (type != 2) Compare("object_blob", type, made);
  nvidia::FrameMeta* const empty = AddFrame(&batch, 0, 63);
  if (type == 0) {
    EXPECT_EQ(context.One(empty, nullptr), std::nullopt);
  } else {
    Compare("object_none", type, context.One(empty, nullptr).value_or("none"));
  }
}

INSTANTIATE_TEST_SUITE_P(EachType, NvidiaLibrary, testing::Values(0, 1, 2));

TEST(NvidiaLibraryFull, OfTwoObjectsItTakesTheOneThatIsNamed) {
  Context context(0, "cameras.txt");
  Batch batch(1);
  nvidia::FrameMeta* const frame = AddFrame(&batch, 0, 1);
  nvidia::ObjectMeta* const cat = AddObject(&batch, frame, "cat", 1, 0.5F, {1, 2, 3, 4});
  AddObject(&batch, frame, "dog", 2, 0.5F, {1, 2, 3, 4});
  EXPECT_THAT(context.One(frame, cat).value_or("none"), HasSubstr("\"cat\":{"));
  EXPECT_EQ(context.All(frame, cat).size(), 1U);
  EXPECT_EQ(context.All(frame, nullptr).size(), 2U);
}

TEST(NvidiaLibraryFull, RefusesWhatItCannotRead) {
  Context context(1, "cameras.txt");
  EXPECT_EQ(context.One(nullptr, nullptr, "ds3d"), std::nullopt);
  char nothing[512] = {};
  EXPECT_EQ(context.One(nothing, nullptr), std::nullopt);
}

TEST(NvidiaLibraryMinimal, TheConfigurationMayChooseTheOtherDialect) {
  const std::string path = testing::TempDir() + "dialect.txt";
  std::ofstream(path) << "[message-converter]\ndialect=dsmsg\n";
  NvDsMsg2pCtx* const ctx =
      DSMSG_SYMBOL(nvds_msg2p_ctx_create)(path.c_str(), NVDS_PAYLOAD_DEEPSTREAM_MINIMAL);
  ASSERT_NE(ctx, nullptr);
  Batch batch(1);
  nvidia::FrameMeta* const frame = AddFrame(&batch, 0, 60);
  AddCar(&batch, frame);
  NvDsMsg2pMetaInfo info = {nullptr, frame, const_cast<char*>("video")};
  NvDsPayload* const payload = DSMSG_SYMBOL(nvds_msg2p_generate_new)(ctx, &info);
  ASSERT_NE(payload, nullptr);
  const std::string made(static_cast<const char*>(payload->payload), payload->payloadSize);
  EXPECT_THAT(made, HasSubstr(R"("attributes":{"color":"blue","type":"sedan")"));
  EXPECT_THAT(made, HasSubstr("2024-01-15T10:30:00.123Z"));
  DSMSG_SYMBOL(nvds_msg2p_release)(ctx, payload);
  DSMSG_SYMBOL(nvds_msg2p_ctx_destroy)(ctx);
  unlink(path.c_str());
}

}  // namespace
}  // namespace dsmsg_test
