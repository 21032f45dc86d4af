// SPDX-License-Identifier: Apache-2.0
// Where the options come from, and the errors for wrong ones.
#include <cstdlib>

#include "harness.h"
#include "host/host_settings.h"

namespace dsmsg::client_test {
namespace {

constexpr const char* kNone = "/nonexistent/cfg_nvmsgbroker.txt";

class Settings : public ClientTest {};

TEST_F(Settings, DefaultsAreThoseOfDeepStream) {
  const auto settings = host::HostSettings::Load("", kNone);
  ASSERT_TRUE(settings.ok());
  EXPECT_TRUE(settings->auto_reconnect);
  EXPECT_EQ(settings->retry_interval, Millis(2000));
  EXPECT_EQ(settings->max_retry_limit, Millis(360000));
  EXPECT_EQ(settings->work_interval, std::chrono::microseconds(10000));
  EXPECT_EQ(settings->flush_timeout, Millis(10000));
  EXPECT_EQ(settings->queue_size, 100000U);
  EXPECT_EQ(settings->queue_bytes, uint64_t{256} << 20);
  EXPECT_EQ(settings->overflow_timeout, Millis(5000));
  EXPECT_EQ(settings->report, host::HostSettings::Report::kAuto);
  EXPECT_TRUE(settings->origin.empty());
  EXPECT_FALSE(host::HostOptions().empty());
}

TEST_F(Settings, TheFirstFileWithTheGroupGivesAllOptions) {
  ConfigFile adaptor(
      "\xef\xbb\xbf[message-broker]\nretry-interval=99\n\n[nvmsgbroker]\n# seconds\nretry-interval "
      "= 5\r\n");
  ConfigFile named("\xef\xbb\xbf[nvmsgbroker]\nretry-interval=6\nwork-interval=123\n");
  ConfigFile deepstream("[nvmsgbroker]\nretry-interval=7\nmax_retry_limit=0\nauto-reconnect=0\n");
  ConfigFile other("[message-broker]\nretry-interval=99\n");
  setenv("NVMSGBROKER_CONFIG", named.path(), 1);
  auto settings = host::HostSettings::Load(adaptor.path(), deepstream.path());
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->retry_interval, Millis(5000));
  EXPECT_EQ(settings->work_interval, std::chrono::microseconds(10000)) << "not from another file";
  EXPECT_EQ(settings->origin, adaptor.path());
  settings = host::HostSettings::Load(other.path(), deepstream.path());
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->retry_interval, Millis(6000));
  EXPECT_EQ(settings->work_interval, std::chrono::microseconds(123));
  unsetenv("NVMSGBROKER_CONFIG");
  settings = host::HostSettings::Load(kNone, deepstream.path());
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->retry_interval, Millis(7000));
  EXPECT_EQ(settings->max_retry_limit, Millis(0));
  EXPECT_FALSE(settings->auto_reconnect);
}

TEST_F(Settings, WrongValuesStopConnectAndAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"retry-interval=soon", ":2: retry-interval = soon: must be a time from 0 to 24h, such as"},
      {"retry-interval=5 # seconds", "(a comment needs a line of its own)"},
      {"work-interval=-1", ":2: work-interval"},
      {"auto-reconnect=maybe", ":2: auto-reconnect"},
      {"queue-size=0", ":2: queue-size"},
      {"report-reconnecting=loudly", ":2: report-reconnecting"},
      {"nonsense", "line 2"}};
  for (const auto& [line, expected] : cases) {
    ConfigFile config(std::string("[nvmsgbroker]\n") + line + "\n");
    TakeLog();
    EXPECT_EQ(Connect(Plain(), "host;1", config.path()), nullptr) << line;
    const std::vector<std::string> log = TakeLog();
    ASSERT_EQ(log.size(), 1U) << line;
    EXPECT_NE(log[0].find(expected), std::string::npos) << log[0];
    EXPECT_NE(log[0].find(config.path()), std::string::npos) << log[0];
  }
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.connects; }), 0);
}

TEST_F(Settings, AFileThatWasNamedMustHaveTheGroup) {
  ConfigFile other("[message-broker]\n");
  for (const char* path : {kNone, const_cast<const char*>(other.path())}) {
    setenv("NVMSGBROKER_CONFIG", path, 1);
    EXPECT_EQ(Connect(Plain()), nullptr);
    const std::vector<std::string> log = TakeLog();
    ASSERT_EQ(log.size(), 1U);
    EXPECT_NE(log[0].find("NVMSGBROKER_CONFIG"), std::string::npos) << log[0];
    EXPECT_NE(log[0].find(path), std::string::npos) << log[0];
  }
  unsetenv("NVMSGBROKER_CONFIG");
}

TEST_F(Settings, UnknownKeysAreWarnings) {
  ConfigFile config("[nvmsgbroker]\nretry-intervall=3\nacks=all\n");
  const auto handle = Connect(Plain(), "host;1", config.path());
  EXPECT_NE(handle, nullptr);
  const std::vector<std::string> log = TakeLog();
  ASSERT_EQ(log.size(), 2U);
  EXPECT_NE(log[0].find("did you mean retry-interval?"), std::string::npos) << log[0];
  EXPECT_NE(log[1].find("acks"), std::string::npos) << log[1];
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
}

}  // namespace
}  // namespace dsmsg::client_test
