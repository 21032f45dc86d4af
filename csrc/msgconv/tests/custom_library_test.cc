// SPDX-License-Identifier: Apache-2.0
// Payload libraries: ours loaded like any other, and small ones of our own making.
#include "msgconv/custom_library.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "render.h"
#include "rich_frame.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::RenderAll;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr char kExample[] = DSMSG_CFG_DIR "/msgconv_example.txt";

std::unique_ptr<CustomLibrary> Loaded(const std::string& library, int type = 257,
                                      const std::string& config = {}, bool one_each = false) {
  auto custom = CustomLibrary::Load({library, config, type, one_each});
  EXPECT_TRUE(custom.ok()) << custom.status().message();
  return custom.ok() ? std::move(custom.value()) : nullptr;
}

std::string Refused(const std::string& library, const std::string& config = {}) {
  const auto custom = CustomLibrary::Load({library, config, 257, false});
  EXPECT_FALSE(custom.ok());
  return custom.status().message();
}

// Ids are random.
std::vector<std::string> WithoutIds(std::vector<std::string> payloads) {
  constexpr size_t kLength = 36;
  for (std::string& payload : payloads) {
    for (size_t at = 0; at + kLength <= payload.size(); ++at) {
      const std::string_view part = std::string_view(payload).substr(at, kLength);
      if (dsmsg_test::IsUuid(part)) payload.replace(at, kLength, "UUID");
    }
  }
  return payloads;
}

Frame Street() {
  Frame frame = dsmsg_test::RichFrame();
  Object car;
  car.label = "car";
  car.confidence = 0.5F;
  car.component_id = 9;
  frame.objects.push_back(car);
  return frame;
}

TEST(CustomLibrary, OursMakesTheSamePayloadsAsTheConverter) {
  Result<ConvConfig> config = ConvConfig::Load(kExample);
  ASSERT_TRUE(config.ok());
  const Frame frame = Street();
  for (const PayloadType type :
       {PayloadType::kFull, PayloadType::kMinimal, PayloadType::kProtobuf}) {
    Converter converter(std::make_shared<ConvConfig>(config.value()),
                        {type, MinimalFormat::kObjects, false});
    const auto library = Loaded(DSMSG_MSGCONV_LIBRARY, static_cast<int>(type), kExample);
    ASSERT_NE(library, nullptr);
    EXPECT_TRUE(library->takes_frames());
    EXPECT_EQ(library->content(), converter.content());
    const auto expected = WithoutIds(RenderAll(&converter, frame));
    EXPECT_EQ(WithoutIds(RenderAll(library.get(), frame)), expected);
    EXPECT_EQ(expected.size(), type == PayloadType::kFull ? 2U : 1U);
    EXPECT_EQ(WithoutIds(RenderAll(library.get(), frame)),
              expected);  // again, with memory used again
    EXPECT_THAT(RenderAll(library.get(), Frame()), SizeIs(type == PayloadType::kFull ? 0 : 1));
  }
}

TEST(CustomLibrary, OursTellsComponents) {
  const auto library = Loaded(DSMSG_MSGCONV_LIBRARY, 0);
  const Frame frame = Street();
  ASSERT_EQ(library->Count(frame), 2U);
  EXPECT_EQ(library->ComponentId(frame, 0), kAnyComponent);
  EXPECT_EQ(library->ComponentId(frame, 1), 9U);
}

TEST(CustomLibrary, OneWrittenForDeepStreamGetsEvents) {
  const auto library = Loaded(DSMSG_CUSTOM_EVENTS, 257);
  ASSERT_NE(library, nullptr);
  EXPECT_FALSE(library->takes_frames());
  EXPECT_EQ(library->content(), Content::kUnknown);
  Frame frame = Street();
  EXPECT_THAT(RenderAll(library.get(), frame),
              ElementsAre("257 1 Person 0 /v/a.mp4", "257 1 car 0 /v/a.mp4"));
  EXPECT_EQ(library->ComponentId(frame, 0), 7U);
  frame.objects[0].label = "nothing";  // the library makes none of it
  EXPECT_THAT(RenderAll(library.get(), frame), ElementsAre("257 1 car 0 /v/a.mp4"));
}

TEST(CustomLibrary, BothNumbersOfTheCustomTypeAreOne) {
  const auto library = Loaded(DSMSG_CUSTOM_EVENTS, 256);
  EXPECT_THAT(RenderAll(library.get(), Street()),
              ElementsAre("257 1 Person 0 /v/a.mp4", "257 1 car 0 /v/a.mp4"));
}

TEST(CustomLibrary, TypesThatHoldAFrameGetItsEventsTogether) {
  const Frame frame = Street();
  EXPECT_THAT(RenderAll(Loaded(DSMSG_CUSTOM_EVENTS, 1).get(), frame),
              ElementsAre("1 2 Person 0 /v/a.mp4"));
  EXPECT_EQ(RenderAll(Loaded(DSMSG_CUSTOM_EVENTS, 1, "", true).get(), frame).size(), 2U);
}

TEST(CustomLibrary, FreesAllItGot) {
  void* const handle = dlopen(DSMSG_CUSTOM_EVENTS, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr);
  const auto open = reinterpret_cast<int (*)()>(dlsym(handle, "custom_events_open"));
  {
    const auto library = Loaded(DSMSG_CUSTOM_EVENTS);
    for (int round = 0; round < 3; ++round) EXPECT_EQ(library->Count(Street()), 2U);
    EXPECT_EQ(open(), 1002);
  }
  EXPECT_EQ(open(), 0);
  dlclose(handle);
}

TEST(CustomLibrary, OneThatTakesFrames) {
  const auto library = Loaded(DSMSG_CUSTOM_FRAMES);
  ASSERT_NE(library, nullptr);
  EXPECT_THAT(RenderAll(library.get(), Street()), ElementsAre("Person;car;", "end"));
  EXPECT_THAT(RenderAll(Loaded(DSMSG_CUSTOM_FRAMES, 1, "", true).get(), Street()),
              ElementsAre("Person;", "end", "car;", "end"));
}

TEST(CustomLibrary, SaysWhatIsWrong) {
  EXPECT_THAT(Refused(""), HasSubstr("name it with msg2p-lib"));
  EXPECT_THAT(
      Refused("/no/such.so"),
      AllOf(HasSubstr("cannot load the payload library /no/such.so"), HasSubstr("No such file")));
  EXPECT_THAT(Refused("libc.so.6"),
              HasSubstr("libc.so.6 is not a payload library: it lacks nvds_msg2p_ctx_create, "
                        "nvds_msg2p_ctx_destroy, nvds_msg2p_release, nvds_msg2p_generate or"));
  EXPECT_THAT(Refused(DSMSG_CUSTOM_INCOMPLETE),
              HasSubstr("it lacks nvds_msg2p_generate_multiple_new (nvmsgconv.h"));
  EXPECT_THAT(Refused(DSMSG_CUSTOM_EVENTS, "wrong"),
              HasSubstr("created no context: nvds_msg2p_ctx_create(wrong, 257) returned NULL"));
  EXPECT_THAT(Refused(DSMSG_MSGCONV_LIBRARY), HasSubstr("returned NULL"));
}

}  // namespace
}  // namespace dsmsg::msgconv
