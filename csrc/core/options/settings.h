// SPDX-License-Identifier: Apache-2.0
// All settings of a connection: the parsed connection string and configuration file, and from
// both the signature by which hosts share connections. Immutable after Load: any thread may read.
#ifndef DSMSG_CORE_OPTIONS_SETTINGS_H_
#define DSMSG_CORE_OPTIONS_SETTINGS_H_

#include <string>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/driver_info.h"
#include "core/options/queue_limits.h"

namespace dsmsg {

enum class ConnectMode { kStrict, kLazy, kWait };

struct Settings {
  Endpoints endpoints;
  Config config;

  // The common options that the core itself uses.
  ConnectMode connect = ConnectMode::kStrict;
  Millis connect_timeout{0}, connect_wait_timeout{0};
  bool reconnect = true;
  int64_t reconnect_attempts = 0;
  Millis reconnect_interval{0}, reconnect_max_interval{0};
  QueueLimits queue;
  Millis send_timeout{0}, flush_timeout{0}, work_wait{0};
  size_t max_message_bytes = 0;  // 0: no limit but the queue's
  bool topic_optional = false;   // a message without a topic is sent nevertheless
  bool third_is_topic = true;    // of the fields of the connection string

  /// Parses; `conn_str` may be empty (hostname and port are then taken from the file).
  static Result<Settings> Load(const DriverInfo& info, const std::string& conn_str,
                               const std::string& config_path);

  /// "" unless share-connection=1, else 64 hex digits (see nvds_msgapi.h).
  std::string Signature(const DriverInfo& info) const;
};

/// The JSON text of dsmsg_describe().
std::string DescribeJson(const DriverInfo& info);

/// Version of the contract that nvds_msgapi_getversion() answers, and of the project.
inline constexpr char kContractVersion[] = "4.0";

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_SETTINGS_H_
