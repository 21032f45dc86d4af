// SPDX-License-Identifier: Apache-2.0
// Both dialects, compared with data/dialects. The converter of DeepStream 9.1 itself made the files
// in `deepstream`, from the same objects and events: only random ids and the time of the conversion
// may differ. The files in `dsmsg` are our own form of the same.
//
// With DSMSG_WRITE_DATA=1 the files in `dsmsg` are written anew.
#include <gtest/gtest.h>

#include <cstdlib>

#include "dialect_frames.h"
#include "dialect_text.h"
#include "msgconv/converter.h"

namespace dsmsg::msgconv {
namespace {

namespace fs = std::filesystem;
using dsmsg_test::JsonText;
using dsmsg_test::ProtobufText;
using dsmsg_test::ReadFile;

constexpr char kData[] = DSMSG_MSGCONV_DATA "/dialects/";

// ---------------------------------------------------------------- comparison

struct Form {
  PayloadType type;
  const char* ending;
};
constexpr Form kForms[] = {{PayloadType::kFull, ".full.json"},
                           {PayloadType::kMinimal, ".minimal.json"},
                           {PayloadType::kProtobuf, ".pb"}};

std::shared_ptr<const ConvConfig> Config(const char* file) {
  Result<ConvConfig> config = ConvConfig::Load(std::string(kData) + file);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return std::make_shared<ConvConfig>(config.ok() ? config.value() : ConvConfig());
}

class Dialects : public testing::TestWithParam<Dialect> {
 protected:
  fs::path Folder() const {
    return kData + std::string(GetParam() == Dialect::kDeepStream ? "deepstream" : "dsmsg");
  }
  std::string Rendered(const std::string& name, const Frame& frame, PayloadType type) const {
    ConverterOptions options;
    options.type = type;
    options.dialect = GetParam();
    options.format = MinimalFormat::kDelimited;
    const auto config = Config(name == "object_csv" ? "cameras.csv" : "cameras.txt");
    const auto maker = MakeConverter(config, options);
    return maker->Count(frame) == 0 ? "" : std::string(maker->Render(frame, 0));
  }
};

TEST_P(Dialects, WriteWhatIsRecorded) {
  size_t compared = 0;
  for (const auto& [name, frame] : dsmsg_test::DialectFrames()) {
    for (const Form& form : kForms) {
      const fs::path path = Folder() / (name + form.ending);
      const std::string made = Rendered(name, frame, form.type);
      if (GetParam() == Dialect::kDsmsg && std::getenv("DSMSG_WRITE_DATA") != nullptr) {
        if (!made.empty()) std::ofstream(path, std::ios::binary) << made;
        continue;
      }
      if (!fs::exists(path)) {
        EXPECT_TRUE(made.empty() || form.type == PayloadType::kFull || name == "object_csv" ||
                    name == "object_blob")
            << path;
        continue;
      }
      SCOPED_TRACE(path);
      ++compared;
      const auto text = form.type == PayloadType::kProtobuf ? ProtobufText : JsonText;
      EXPECT_EQ(text(made), text(ReadFile(path)));
    }
  }
  const auto files = std::distance(fs::directory_iterator(Folder()), fs::directory_iterator());
  EXPECT_EQ(compared, static_cast<size_t>(files));
}

INSTANTIATE_TEST_SUITE_P(Each, Dialects, testing::Values(Dialect::kDeepStream, Dialect::kDsmsg),
                         [](const auto& each) {
                           return std::string(each.param == Dialect::kDsmsg ? "dsmsg"
                                                                            : "deepstream");
                         });

}  // namespace
}  // namespace dsmsg::msgconv
