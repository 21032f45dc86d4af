// SPDX-License-Identifier: Apache-2.0
#include "core/options/login.h"

#include "core/base/environment.h"

namespace dsmsg {

Login ReadLogin(const Endpoints& endpoints, const Config& config, const char* suffix) {
  Login login{endpoints.user, endpoints.password};
  if (login.user.empty() || !FromEnvironment(std::string("USER_") + suffix).empty()) {
    login.user = config.GetString("username");
  }
  if (login.password.empty() || !FromEnvironment(std::string("PASSWORD_") + suffix).empty()) {
    login.password = config.GetString("password");
  }
  return login;
}

std::string LoginAdvice(const Login& login, std::string_view suffix, std::string_view more) {
  const std::string name(suffix);
  const std::string variables = "USER_" + name + " and PASSWORD_" + name;
  if (login.user.empty() && login.password.empty()) {
    return " (does the server want a login? set " + variables + ")";
  }
  return " (check " + variables + ", or the login in conn-str" +
         (more.empty() ? "" : "; " + std::string(more)) + ")";
}

Status LoginRefused(Code code, const std::string& peer, const Login& login, std::string_view said,
                    std::string_view advice) {
  const std::string as = login.user.empty() ? "" : " as \"" + login.user + "\"";
  return {code, "cannot log in at " + peer + as + ": " + std::string(said) + std::string(advice)};
}

}  // namespace dsmsg
