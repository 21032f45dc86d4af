// SPDX-License-Identifier: Apache-2.0
// dsmsg_check_option of every adaptor: it says the same about a setting as connect does, in the
// same words.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace {

std::vector<std::string> AdaptorNames() {
  std::vector<std::string> names;
  std::istringstream text(DSMSG_TEST_ADAPTORS);
  for (std::string name; std::getline(text, name, ',');) names.push_back(name);
  return names;
}

class CheckOption : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = DSMSG_TEST_LIB_DIR "/libnvds_" + GetParam() + "_proto.so";
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
    check_ = Get(&dsmsg_check_option, "dsmsg_check_option");
    ASSERT_NE(check_, nullptr);
  }
  ~CheckOption() override { std::filesystem::remove(file_); }

  template <class Function>
  Function* Get(Function*, const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }
  std::string Check(const std::string& name, const char* value) const {
    std::array<char, 4096> text{};
    const size_t size = check_(name.c_str(), value, text.data(), text.size());
    EXPECT_EQ(size, std::strlen(text.data()));
    EXPECT_EQ(check_(name.c_str(), value, nullptr, 0), size);
    return text.data();
  }
  std::string LastError() const {
    std::array<char, 4096> text{};
    Get(&dsmsg_last_error, "dsmsg_last_error")(nullptr, text.data(), text.size());
    return text.data();
  }
  // Of a connect with this setting.
  std::string ConnectError(const std::string& line) const {
    std::ofstream(file_) << "[message-broker]\n" << line << "\n";
    std::string where = "127.0.0.1;1", path = file_;
    EXPECT_EQ(Get(&nvds_msgapi_connect, "nvds_msgapi_connect")(where.data(), nullptr, path.data()),
              nullptr);
    return LastError();
  }

  void* library_ = nullptr;
  decltype(&dsmsg_check_option) check_ = nullptr;
  const std::string file_ =
      std::filesystem::temp_directory_path() / ("dsmsg-check-" + std::to_string(getpid()) + ".txt");
};

TEST_P(CheckOption, SaysWhatConnectSays) {
  rapidjson::Document table;
  table.Parse(Get(&dsmsg_describe, "dsmsg_describe")());
  ASSERT_FALSE(table.HasParseError());
  size_t refused = 0;
  for (const auto& option : table["options"].GetArray()) {
    const std::string name = option["name"].GetString();
    std::string with_underscores = name;
    std::replace(with_underscores.begin(), with_underscores.end(), '-', '_');
    EXPECT_EQ(Check(name, nullptr), "");
    EXPECT_EQ(Check(with_underscores, nullptr), "");
    EXPECT_EQ(Check(name, option["default"].GetString()), "") << name;
    const std::string why = Check(name, "no such value");
    if (why.empty()) continue;
    ++refused;
    EXPECT_TRUE(why.starts_with(name)) << why;
    const std::string error = ConnectError(name + "=\"no such value\"");
    EXPECT_TRUE(error.ends_with(":2: " + why)) << error << " is not " << why;
  }
  EXPECT_GT(refused, 20u);
}

TEST_P(CheckOption, KnowsNamesAndKeepsItsBounds) {
  constexpr char kUnknown[] = "unknown option 'queue_sise' (did you mean queue-size?)";
  const std::string before = LastError();
  EXPECT_EQ(Check("queue_sise", "1"), kUnknown);
  std::array<char, 8> text{};
  EXPECT_EQ(check_("queue_sise", nullptr, text.data(), text.size()), sizeof kUnknown - 1);
  EXPECT_STREQ(text.data(), "unknown");
  EXPECT_GT(check_(nullptr, "1", nullptr, 0), 0u);
  EXPECT_GT(check_("", nullptr, text.data(), 1), 0u);
  EXPECT_STREQ(text.data(), "");
  EXPECT_NE(Check("topic", "a\nb"), "");
  EXPECT_NE(Check("topic", "\xff"), "");
  EXPECT_EQ(Check("topic", "a b"), "");
  EXPECT_EQ(LastError(), before) << "it is not a refused call of the contract";
}

INSTANTIATE_TEST_SUITE_P(Adaptors, CheckOption, testing::ValuesIn(AdaptorNames()),
                         [](const auto& each) { return each.param; });

}  // namespace
