// SPDX-License-Identifier: Apache-2.0
// The metrics file of a connection: its content at the end, and what it must not overwrite.
#include "core/observe/metrics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadAll(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

size_t FilesIn(const std::string& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

class MetricsFileTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    folder_ = NewFolder();
    path_ = folder_ + "/dsmsg.prom";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::shared_ptr<Session> OpenWith(const std::string& path) {
    return Open("metrics-interval=100ms\nmetrics-file=" + path + "\n");
  }

  std::string folder_, path_;
};

TEST_F(MetricsFileTest, TheEndOfAConnectionIsNotALinkThatIsUp) {
  auto session = OpenWith(path_);
  ASSERT_TRUE(session);
  EXPECT_THAT(ReadAll(path_), ContainsRegex("dsmsg_link_up[{].*[}] "));
  EXPECT_TRUE(session->Send(Request("one")).ok());
  EXPECT_TRUE(session->Disconnect().ok());
  const std::string text = ReadAll(path_);
  EXPECT_THAT(text, ContainsRegex("dsmsg_link_up[{][^\n]*[}] 0\n"));
  EXPECT_THAT(text, ContainsRegex("dsmsg_acknowledged_total[{][^\n]*[}] 1\n"))
      << "the last counts are there";
  EXPECT_EQ(FilesIn(folder_), 1u) << "no temporary file is left";
}

TEST_F(MetricsFileTest, SoIsTheEndOfAProcessWithoutDisconnect) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string path = ::testing::TempDir() + "dsmsg_exit.prom";
  EXPECT_EXIT(
      {
        FakeBroker::Get().Reset();
        const auto session = OpenWith(path);
        std::exit(session != nullptr && session->Send(Request("one")).ok() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  const std::string text = ReadAll(path);
  EXPECT_THAT(text, ContainsRegex("dsmsg_link_up[{][^\n]*[}] 0\n"));
  EXPECT_THAT(text, ContainsRegex("dsmsg_acknowledged_total[{][^\n]*[}] 1\n"));
  std::filesystem::remove(path);
}

TEST_F(MetricsFileTest, PercentPIsTheProcessAndTheFileIsRemoved) {
  const std::string pid = std::to_string(getpid());
  bool per_process = true;
  EXPECT_EQ(MetricsFile::Expand("/a/50%%p.prom", &per_process), "/a/50%p.prom");
  EXPECT_FALSE(per_process);
  EXPECT_EQ(MetricsFile::Expand("/a/%d-%p%", &per_process), "/a/%d-" + pid + "%");
  EXPECT_TRUE(per_process);
  auto session = OpenWith(folder_ + "/dsmsg-%p.prom");
  ASSERT_TRUE(session);
  const std::string text = ReadAll(folder_ + "/dsmsg-" + pid + ".prom");
  EXPECT_THAT(text, HasSubstr("connection=\"" + pid + "-"))
      << "the files of two processes are read together";
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(FilesIn(folder_), 0u);
}

// The name of the temporary file could be guessed, and links were followed.
TEST_F(MetricsFileTest, NothingIsWrittenThroughASymbolicLink) {
  const std::string victim = folder_ + "/victim";
  std::ofstream(victim) << "precious";
  std::filesystem::create_symlink(victim, path_ + "." + std::to_string(getpid()) + ".tmp");
  std::filesystem::create_symlink(victim, path_);
  auto session = OpenWith(path_);
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(ReadAll(victim), "precious");
  EXPECT_THAT(ReadAll(path_), HasSubstr("dsmsg_link_up"));
  EXPECT_FALSE(std::filesystem::is_symlink(path_));
}

TEST_F(MetricsFileTest, AFileWithAnotherWriterIsReported) {
  unsetenv("DSMSG_LOG");
  ::testing::internal::CaptureStderr();
  auto session = OpenWith(path_);
  ASSERT_TRUE(session);
  const std::string other = folder_ + "/other";
  std::ofstream(other) << "another process'";
  std::filesystem::rename(other, path_);
  ASSERT_TRUE(WaitFor([&] { return ReadAll(path_).find("dsmsg_link_up") != std::string::npos; }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("is also written by another adaptor or process"));
}

TEST_F(MetricsFileTest, ADeletedFileIsWrittenAgainSilently) {
  unsetenv("DSMSG_LOG");
  ::testing::internal::CaptureStderr();
  auto session = OpenWith(path_);
  ASSERT_TRUE(session);
  std::filesystem::remove(path_);
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(path_); }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("metrics-file")));
}

}  // namespace
}  // namespace dsmsg
