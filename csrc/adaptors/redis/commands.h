// SPDX-License-Identifier: Apache-2.0
// Writes a message as the command that sends it: XADD, PUBLISH, RPUSH or SET.
//
// Threads: one at a time. Settings and logger outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_COMMANDS_H_
#define DSMSG_ADAPTORS_REDIS_COMMANDS_H_

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>
#include <string_view>
#include <vector>

#include "adaptors/redis/resp_writer.h"
#include "adaptors/redis/settings.h"
#include "core/base/log.h"
#include "core/driver/message.h"

namespace dsmsg::redis {

class Commands {
 public:
  Commands(const RedisSettings& settings, Logger& log);

  void Append(const Message& message, RespWriter& out);
  /// "XADD".
  const char* name() const;

 private:
  void AppendXadd(const Message& message, RespWriter& out);
  void MakeStart(std::string_view topic);
  void AppendSensorFields(const Message& message, RespWriter& out);

  const RedisSettings& settings_;
  Logger& log_;

  // The part of XADD that is the same for every message of a topic, for the last topic used.
  std::string start_topic_, start_;
  int64_t start_made_ms_ = 0;
  size_t start_arguments_ = 0;

  FieldReader sensor_reader_;
  std::vector<FieldValue> sensor_values_;
  std::string scratch_;
  rapidjson::StringBuffer headers_text_;  // for DeepStream 9's layout
  rapidjson::Writer<rapidjson::StringBuffer> headers_json_;
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_COMMANDS_H_
