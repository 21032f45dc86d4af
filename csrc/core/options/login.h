// SPDX-License-Identifier: Apache-2.0
// User name and password of a connection, by one rule for every adaptor. Pure function: any thread.
#ifndef DSMSG_CORE_OPTIONS_LOGIN_H_
#define DSMSG_CORE_OPTIONS_LOGIN_H_

#include <string>

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

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_LOGIN_H_
