// SPDX-License-Identifier: Apache-2.0
// The options of the Redis adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_REDIS_SETTINGS_H_
#define DSMSG_ADAPTORS_REDIS_SETTINGS_H_

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/driver/driver.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/options.h"
#include "core/options/topic_template.h"

namespace dsmsg::redis {

struct RedisSettings {
  enum class Command { kXadd, kPublish, kSpublish, kRpush, kSet };
  enum class Cluster { kAuto, kNo, kYes };

  std::vector<HostPort> hosts;                   // with sentinel_master: the Sentinels
  std::string user, password;                    // password is a secret
  TlsSettings tls;                               // of Sentinels too
  std::string sentinel_master;                   // empty: no Sentinel
  std::string sentinel_user, sentinel_password;  // secret
  int64_t database = 0;
  Cluster cluster = Cluster::kAuto;  // whether `hosts` are nodes of one
  Millis connect_timeout{5000};
  /// No answer at all for this long is an outage.
  Millis silence_limit{5000};
  Millis reconnect_interval{200}, reconnect_max_interval{30000};  // of one node of a cluster

  Command command = Command::kXadd;
  size_t pipeline = 1000;  // of each node

  Millis expire{0};  // of a key that SET writes; 0: never

  std::string payload_key;
  int64_t stream_size = 0;   // 0: not trimmed by size
  Millis stream_max_age{0};  // 0: not trimmed by age
  std::vector<std::pair<std::string, Template>> fields;
  /// DeepStream 9: entries carry key (the sensor's id), value (the payload) and headers.
  bool sensor_id_fields = false;
  std::string default_sensor_id;

  std::string group;  // empty: none, every subscriber gets every entry
  std::string consumer;
  std::string start = "$";  // where a new group begins, or no group: "$" (new), or behind an id
  int64_t batch_read = 100;
};

std::span<const OptionSpec> Options();

Result<RedisSettings> ReadSettings(const Endpoints& endpoints, const Config& config);

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_SETTINGS_H_
