// SPDX-License-Identifier: Apache-2.0
#include "core/options/login.h"

#include <cstdlib>

namespace dsmsg {
namespace {

// As in Config::ApplyEnvironment, an empty variable counts as absent.
bool EnvironmentSet(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr && *value != '\0';
}

}  // namespace

Login ReadLogin(const Endpoints& endpoints, const Config& config, const char* suffix) {
  Login login{endpoints.user, endpoints.password};
  if (login.user.empty() || EnvironmentSet(std::string("USER_") + suffix)) {
    login.user = config.GetString("username");
  }
  if (login.password.empty() || EnvironmentSet(std::string("PASSWORD_") + suffix)) {
    login.password = config.GetString("password");
  }
  return login;
}

}  // namespace dsmsg
