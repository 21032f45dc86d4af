// SPDX-License-Identifier: Apache-2.0
// The directory of dead letters while another program moves and deletes files in it.
#include "core/queue/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace dsmsg {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

class DeadLettersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "dsmsg-letters-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Settings SettingsFor(const std::string& more) const {
    const std::string text = "[message-broker]\ndead-letter-dir=" + dir_ + "\n" + more;
    Settings settings;
    settings.config = Config::Parse(text, "x", OptionTable({})).value();
    return settings;
  }
  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) files.push_back(entry);
    return files;
  }
  static std::string Text(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  uint64_t Total() const {
    uint64_t total = 0;
    for (const auto& file : Files()) total += std::filesystem::file_size(file);
    return total;
  }

  /// The dead letters of one connection.
  struct Connection {
    explicit Connection(const Settings& settings) : letters(settings, "TEST", metrics, logger) {
      const Status prepared = letters.Prepare();
      EXPECT_TRUE(prepared.ok()) << prepared.message();
    }
    /// Whether it was kept.
    bool Keep(std::string_view payload) {
      const uint64_t before = metrics.Read({}).dead_lettered;
      Message message;
      message.topic = "events";
      message.payload = payload;
      letters.Keep(message, {Code::kRejected, "refused"});
      return metrics.Read({}).dead_lettered > before;
    }
    Metrics metrics;
    Logger logger{"TEST"};
    DeadLetters letters;
  };

  std::string dir_;
};

TEST_F(DeadLettersTest, GoToAFileThatHasItsName) {
  Connection connection(SettingsFor(""));
  ASSERT_TRUE(connection.Keep("one"));
  ASSERT_THAT(Files(), SizeIs(1));
  const std::filesystem::path path = Files()[0];
  std::filesystem::rename(path, path.string() + ".1");  // as logrotate does
  ASSERT_TRUE(connection.Keep("two"));
  EXPECT_THAT(Text(path), HasSubstr("\"two\""));
  EXPECT_THAT(Text(path.string() + ".1"), testing::Not(HasSubstr("\"two\"")));
  std::filesystem::remove(path);
  ASSERT_TRUE(connection.Keep("three"));
  EXPECT_THAT(Text(path), HasSubstr("\"three\""));
  std::filesystem::remove_all(dir_);
  ASSERT_TRUE(connection.Keep("four"));
  EXPECT_THAT(Text(path), HasSubstr("\"four\""));
}

TEST_F(DeadLettersTest, AFullDirectoryThatWasEmptiedTakesLettersAgain) {
  Connection connection(SettingsFor("dead-letter-max-bytes=4096\n"));
  int kept = 0;
  while (connection.Keep(std::string(500, 'x'))) ++kept;
  EXPECT_GT(kept, 3);
  EXPECT_LE(Total(), 4096u);
  for (const auto& file : Files()) std::filesystem::remove(file);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!connection.Keep("again")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_THAT(Files(), SizeIs(1));
  EXPECT_THAT(Text(Files()[0]), HasSubstr("\"again\""));
}

TEST_F(DeadLettersTest, ConnectionsKeepOneBoundTogether) {
  Connection first(SettingsFor("dead-letter-max-bytes=20000\n"));
  Connection second(SettingsFor("dead-letter-max-bytes=20000\n"));
  bool more = true;
  while (more) {
    const bool one = first.Keep(std::string(300, 'x')), two = second.Keep(std::string(300, 'y'));
    more = one || two;
    ASSERT_LE(Total(), 20000u);
  }
  EXPECT_GT(Total(), 19000u);
}

TEST_F(DeadLettersTest, NoHalfLineIsLeft) {
  std::string path;
  {
    Connection connection(SettingsFor(""));
    ASSERT_TRUE(connection.Keep("whole"));
    path = Files()[0].string();
    const std::string before = Text(path);
    // The next line is cut in the middle, as on a disk that becomes full.
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit small{before.size() + 20, old.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    testing::internal::CaptureStderr();
    const bool kept = connection.Keep("lost");
    const std::string log = testing::internal::GetCapturedStderr();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    std::signal(SIGXFSZ, handler);
    EXPECT_FALSE(kept);
    EXPECT_EQ(Text(path), before) << log;
    EXPECT_TRUE(connection.Keep("next"));
    EXPECT_THAT(Text(path), StartsWith(before));
  }
  // As a crash of the machine may leave it.
  std::ofstream(path, std::ios::app) << "{\"time\":\"20";
  const std::string crashed = Text(path);
  Connection connection(SettingsFor(""));
  ASSERT_TRUE(connection.Keep("later"));
  EXPECT_THAT(Text(path), StartsWith(crashed + "\n{\"time\":"));
  EXPECT_THAT(Text(path), EndsWith("}\n"));
}

}  // namespace
}  // namespace dsmsg
