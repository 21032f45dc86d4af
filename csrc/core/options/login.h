// SPDX-License-Identifier: Apache-2.0
// User name and password of a connection, and what is said when a server refuses them: by one rule
// for every adaptor. Pure functions: any thread.
#ifndef DSMSG_CORE_OPTIONS_LOGIN_H_
#define DSMSG_CORE_OPTIONS_LOGIN_H_

#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"

namespace dsmsg {

struct Login {
  std::string user;
  std::string password;  // secret
};

/// The environment (USER_<suffix>, PASSWORD_<suffix>) beats the connection string, which beats the
/// file; each of the two by itself. `config` has the environment applied to it (the core does
/// that).
Login ReadLogin(const Endpoints& endpoints, const Config& config, const char* suffix);

/// What to check when a server refuses the login: " (check USER_<suffix> and PASSWORD_<suffix>, or
/// the login in conn-str; <more>)". If none was sent: " (does the server want a login? set
/// USER_<suffix> and PASSWORD_<suffix>)".
std::string LoginAdvice(const Login& login, std::string_view suffix, std::string_view more = {});

/// The error of a refused login: `cannot log in at <peer> as "<user>": <said><advice>`, without the
/// user if no name was sent. `said`: the server's words.
Status LoginRefused(Code code, const std::string& peer, const Login& login, std::string_view said,
                    std::string_view advice);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_LOGIN_H_
