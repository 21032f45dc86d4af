// SPDX-License-Identifier: Apache-2.0
// What the core knows of an adaptor before any connection. Constant: any thread may read.
#ifndef DSMSG_CORE_OPTIONS_DRIVER_INFO_H_
#define DSMSG_CORE_OPTIONS_DRIVER_INFO_H_

#include <span>
#include <string>

#include "core/base/status.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/options.h"

namespace dsmsg {

/// Who sends a message again whose fate is unknown after a lost link.
enum class RetryOwner {
  kCore,     // the session submits it again after the next Open
  kLibrary,  // the client library does, by itself; Open is called once, the driver reports
             // LinkDown/LinkUp
};

struct Settings;

/// Static facts about an adaptor.
struct DriverInfo {
  const char* protocol;    // "KAFKA": what nvds_msgapi_get_protocol_name answers
  const char* env_suffix;  // USER_<suffix>, PASSWORD_<suffix>
  const char* delivery;    // one sentence for describe: what OK means
  const char* library;     // "librdkafka": for describe and messages
  /// The version of the library that runs, for dsmsg_build_info. nullptr: not known.
  const char* (*library_version)() = nullptr;
  std::span<const OptionSpec> options;
  ConnRules conn_rules;
  bool separate_roles = true;  // false, too, for a driver that only sends
  RetryOwner retry = RetryOwner::kCore;
  /// The option by which messages wait for others to be submitted with (another name where the
  /// protocol has a `linger` of its own).
  const char* linger_option = "linger";
  /// Called once the options were read: changes what the core took from the common ones where an
  /// adaptor's own options say more. An error makes connect fail. nullptr: nothing to change.
  Status (*adjust)(Settings* settings) = nullptr;
  /// Whether a message is acknowledged when it is delivered, before its callback: what was
  /// delivered by then is still handed to the host at disconnect, because it would not come again.
  /// nullptr: never.
  bool (*acknowledges_early)(const Config& config) = nullptr;
  /// Whether a subscription to `filter` gets the messages of `topic`. nullptr: if they are equal.
  bool (*matches)(const Config& config, const std::string& filter,
                  const std::string& topic) = nullptr;
  /// Why messages travel without their headers ("command=publish sends no headers"), or nullptr.
  /// nullptr: they always go along.
  const char* (*no_headers)(const Config& config) = nullptr;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_DRIVER_INFO_H_
