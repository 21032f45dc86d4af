// SPDX-License-Identifier: Apache-2.0
// Frames through the structures of dsmsg_frame.h and back.
#include <gmock/gmock.h>

#include <cstring>
#include <vector>

#include "dialect_text.h"
#include "msgconv/frame_c.h"
#include "render.h"
#include "rich_frame.h"
#include "warehouse.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::RenderAll;
using dsmsg_test::Warehouse;

std::vector<std::string> Comparable(const ConverterOptions& options, const Frame& frame) {
  auto all = RenderAll(options, frame);
  for (std::string& one : all) {
    one = options.type == PayloadType::kProtobuf ? dsmsg_test::ProtobufText(one)
                                                 : dsmsg_test::JsonText(one);
  }
  return all;
}

TEST(FrameC, CarriesEverythingThatMessagesAreMadeOf) {
  Frame named = Warehouse();
  named.attributes.push_back({"classifier3", "x", {}, true});
  named.objects[0].first_attribute = 2;
  named.objects[0].attribute_count = 1;
  named.segmentation.reset();
  named.findings[0].segmentation = Segmentation{3, 2, {0, 6}, {1, 1}};
  for (const Frame& frame : {dsmsg_test::RichFrame(), Warehouse(), named}) {
    for (const Dialect dialect : {Dialect::kDsmsg, Dialect::kDeepStream}) {
      for (const PayloadType type :
           {PayloadType::kFull, PayloadType::kMinimal, PayloadType::kProtobuf}) {
        ConverterOptions options;
        options.type = type;
        options.dialect = dialect;
        FrameExport exported;
        Frame back;
        ASSERT_TRUE(ReadFrame(exported.Make(frame), &back).ok());
        EXPECT_EQ(Comparable(options, back), Comparable(options, frame));
      }
    }
  }
}

TEST(FrameC, OfVersion2HasNothingOfVersion3) {
  FrameExport exported;
  const Frame frame = Warehouse();
  DsmsgFrame old = *exported.Make(frame);
  constexpr size_t kSize = offsetof(DsmsgObject, rotation);
  std::vector<char> objects(kSize * old.object_count);  // a byte more would be read beyond its end
  for (uint32_t i = 0; i < old.object_count; ++i) {
    std::memcpy(objects.data() + i * kSize, DSMSG_FRAME_OBJECT(&old, i), kSize);
  }
  old.version = 2;
  old.size = offsetof(DsmsgFrame, source_name);
  old.object_size = kSize;
  old.objects = reinterpret_cast<const DsmsgObject*>(objects.data());
  Frame back;
  ASSERT_TRUE(ReadFrame(&old, &back).ok());
  ASSERT_EQ(back.objects.size(), 2U);
  EXPECT_EQ(back.objects[0].label, "Person");
  EXPECT_EQ(back.objects[0].rotation, 0);
  EXPECT_EQ(back.objects[0].mask.count + back.objects[0].findings.count, 0U);
  EXPECT_TRUE(back.counts.empty());
  EXPECT_EQ(back.source_name, "");
  EXPECT_EQ(DialectOf(old), Dialect::kDsmsg);
}

}  // namespace
}  // namespace dsmsg::msgconv
