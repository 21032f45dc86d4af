// SPDX-License-Identifier: Apache-2.0
#include "core/options/login.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace dsmsg {
namespace {

class LoginTest : public testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("USER_LOGINTEST");
    ::unsetenv("PASSWORD_LOGINTEST");
  }

  // As the core does it: the file, then the environment, then the driver asks.
  static Login Read(const std::string& user_in_string, const std::string& password_in_string) {
    auto config = Config::Parse("[message-broker]\nusername=file-user\npassword=file-password\n",
                                "test.cfg", OptionTable({}));
    EXPECT_TRUE(config.ok());
    config.value().ApplyEnvironment("LOGINTEST");
    Endpoints endpoints;
    endpoints.user = user_in_string;
    endpoints.password = password_in_string;
    return ReadLogin(endpoints, config.value(), "LOGINTEST");
  }
};

TEST_F(LoginTest, TheFileIsTheLastResort) {
  const Login login = Read("", "");
  EXPECT_EQ(login.user, "file-user");
  EXPECT_EQ(login.password, "file-password");
}

TEST_F(LoginTest, TheConnectionStringBeatsTheFile) {
  const Login login = Read("string-user", "string-password");
  EXPECT_EQ(login.user, "string-user");
  EXPECT_EQ(login.password, "string-password");
}

TEST_F(LoginTest, TheEnvironmentBeatsTheConnectionString) {
  ::setenv("USER_LOGINTEST", "env-user", 1);
  ::setenv("PASSWORD_LOGINTEST", "env-password", 1);
  const Login login = Read("string-user", "string-password");
  EXPECT_EQ(login.user, "env-user");
  EXPECT_EQ(login.password, "env-password");
}

TEST_F(LoginTest, EachOfTheTwoByItself) {
  ::setenv("PASSWORD_LOGINTEST", "env-password", 1);
  const Login login = Read("string-user", "");
  EXPECT_EQ(login.user, "string-user");
  EXPECT_EQ(login.password, "env-password");
}

TEST_F(LoginTest, AnEmptyVariableCountsAsAbsent) {
  ::setenv("USER_LOGINTEST", "", 1);
  ::setenv("PASSWORD_LOGINTEST", "", 1);
  const Login login = Read("string-user", "string-password");
  EXPECT_EQ(login.user, "string-user");
  EXPECT_EQ(login.password, "string-password");
}

}  // namespace
}  // namespace dsmsg
