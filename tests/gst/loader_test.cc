// SPDX-License-Identifier: Apache-2.0
#include "host/adaptor_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "support.h"

namespace {

using dsmsg::host::AdaptorLibrary;
using fake::Path;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

TEST(Loader, ResolvesTheContractAndOurExtensions) {
  const auto library = AdaptorLibrary::Load(Path("fake"));
  ASSERT_TRUE(library.ok()) << library.status().message();
  EXPECT_EQ(library.value()->protocol(), "FAKE");
  EXPECT_EQ(library.value()->path(), Path("fake"));
  EXPECT_TRUE(library.value()->ours());
  EXPECT_NE(library.value()->api().send_message, nullptr);
  EXPECT_EQ(library.value()->api().flush, nullptr);  // the fake has none
  EXPECT_EQ(library.value()->LastError(nullptr), "fake: the broker said no");
}

TEST(Loader, WorksWithoutExtensions) {
  const auto library = AdaptorLibrary::Load(Path("fakeplain"));
  ASSERT_TRUE(library.ok()) << library.status().message();
  EXPECT_FALSE(library.value()->ours());
  EXPECT_EQ(library.value()->LastError(nullptr), "");
  EXPECT_EQ(library.value()->Stats(nullptr), "");
}

TEST(Loader, ReadsLongTextsWhole) {
  dsmsg_test::Fake fake;
  const std::string text(100000, 'x');
  fake.With([&](fake::State& c) { c.stats = text; });
  const auto library = AdaptorLibrary::Load(fake.path());
  ASSERT_TRUE(library.ok());
  EXPECT_EQ(library.value()->Stats(nullptr), text);
}

TEST(Loader, NamesTheMissingFunction) {
  const auto library = AdaptorLibrary::Load(Path("fakebroken"));
  ASSERT_FALSE(library.ok());
  EXPECT_THAT(library.status().message(),
              AllOf(HasSubstr("not a protocol adaptor"), HasSubstr("lacks nvds_msgapi_do_work")));
}

TEST(Loader, NamesThePackageOfAMissingLibrary) {
  const auto library = AdaptorLibrary::Load(Path("fakeneedy"));
  ASSERT_FALSE(library.ok());
  EXPECT_THAT(library.status().message(), AllOf(HasSubstr("libdsmsgabsent.so.7: cannot open"),
                                                HasSubstr("apt install libdsmsgabsent7")));
}

TEST(Loader, SaysWhichFileIsNotThere) {
  const auto library = AdaptorLibrary::Load("/nowhere/libnvds_kafka_proto.so");
  ASSERT_FALSE(library.ok());
  EXPECT_THAT(library.status().message(), AllOf(HasSubstr("/nowhere/libnvds_kafka_proto.so"),
                                                HasSubstr("no such file"), HasSubstr("fakeplain")));
}

TEST(Loader, FindsShortAndFileNames) {
  for (const char* name : {"fake", "FAKE", "libnvds_fake_proto.so"}) {
    const auto library = AdaptorLibrary::Load(name);
    ASSERT_TRUE(library.ok()) << name << ": " << library.status().message();
    EXPECT_EQ(library.value()->path(), Path("fake"));
  }
  EXPECT_THAT(AdaptorLibrary::Available(), Contains("fake"));
}

TEST(Loader, ListsTheAdaptorsForAnUnknownShortName) {
  const auto library = AdaptorLibrary::Load("kafak");
  ASSERT_FALSE(library.ok());
  EXPECT_THAT(library.status().message(),
              AllOf(HasSubstr("no adaptor 'kafak'"), HasSubstr("libnvds_kafak_proto.so"),
                    HasSubstr("fakeplain")));
  EXPECT_FALSE(AdaptorLibrary::Load("").ok());
  EXPECT_FALSE(AdaptorLibrary::Load("libnvds_nothere_proto.so").ok());
}

TEST(Loader, SearchesTheVariableThenItsSurroundingsThenDeepStream) {
  const std::string before = std::getenv("DSMSG_LIB_DIR");
  setenv("DSMSG_LIB_DIR", "/first::/second:/first", 1);
  const std::vector<std::string> folders = AdaptorLibrary::SearchFolders();
  setenv("DSMSG_LIB_DIR", before.c_str(), 1);
  ASSERT_GE(folders.size(), 4U);
  EXPECT_EQ(folders[0], "/first");
  EXPECT_EQ(folders[1], "/second");
  EXPECT_EQ(folders.back(), "/opt/nvidia/deepstream/deepstream/lib");
  const std::string own = std::string(DSMSG_TEST_REGISTRY);
  EXPECT_EQ(folders[2],
            own.substr(0, own.rfind('/')));  // the test program is in the folder of its registry
}

TEST(Loader, RefusesOtherFiles) {
  const std::string path = testing::TempDir() + "/libnvds_text_proto.so";
  std::ofstream(path) << "not a library";
  const auto library = AdaptorLibrary::Load(path);
  ASSERT_FALSE(library.ok());
  EXPECT_THAT(library.status().message(), HasSubstr("cannot load " + path));
}

}  // namespace
