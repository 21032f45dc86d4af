// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/commands.h"

#include <algorithm>
#include <chrono>

#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Commands::Commands(const RedisSettings& settings, Logger& log) : settings_(settings), log_(log) {
  if (settings.sensor_id_fields) {
    (void)sensor_reader_.Add("sensor.id");
    (void)sensor_reader_.Add("sensorId");
  }
}

const char* Commands::name() const {
  switch (settings_.command) {
    case RedisSettings::Command::kPublish:
      return "PUBLISH";
    case RedisSettings::Command::kSpublish:
      return "SPUBLISH";
    case RedisSettings::Command::kRpush:
      return "RPUSH";
    case RedisSettings::Command::kSet:
      return "SET";
    case RedisSettings::Command::kXadd:
      break;
  }
  return "XADD";
}

void Commands::Append(const Message& message, RespWriter& out) {
  if (settings_.command == RedisSettings::Command::kXadd) {
    AppendXadd(message, out);
  } else if (settings_.expire.count() > 0 && settings_.command == RedisSettings::Command::kSet) {
    const std::string expire = std::to_string(settings_.expire.count());
    out.Command({name(), message.topic, message.payload, "PX", expire});
  } else {
    out.Command({name(), message.topic, message.payload});
  }
}

// XADD <topic> [MAXLEN|MINID ~ <limit>] * as RESP, without the number of arguments.
void Commands::MakeStart(std::string_view topic) {
  RespWriter writer;
  writer.Argument("XADD");
  writer.Argument(topic);
  start_arguments_ = 3;
  if (settings_.stream_size > 0 || settings_.stream_max_age.count() > 0) {
    const bool by_size = settings_.stream_size > 0;
    writer.Argument(by_size ? "MAXLEN" : "MINID");
    writer.Argument("~");
    writer.Number(by_size
                      ? settings_.stream_size
                      : std::max<int64_t>(0, start_made_ms_ - settings_.stream_max_age.count()));
    start_arguments_ += 3;
  }
  writer.Argument("*");
  start_.assign(writer.view());
  start_topic_.assign(topic);
}

void Commands::AppendXadd(const Message& message, RespWriter& out) {
  bool stale = start_.empty() || start_topic_ != message.topic;
  if (settings_.stream_max_age.count() > 0) {
    const int64_t now = NowMs();
    stale = stale || now - start_made_ms_ > 1000 || now < start_made_ms_;
    if (stale) start_made_ms_ = now;
  }
  if (stale) MakeStart(message.topic);

  const size_t own_pairs =
      settings_.sensor_id_fields ? 3 : 1 + (message.has_key ? 1 : 0) + message.headers.size();
  out.Begin(start_arguments_ + 2 * (own_pairs + settings_.fields.size()));
  out.Raw(start_);
  if (settings_.sensor_id_fields) {
    AppendSensorFields(message, out);
  } else {
    out.Argument(settings_.payload_key);
    out.Argument(message.payload);
    if (message.has_key) {
      out.Argument("key");
      out.Argument(message.key);
    }
    for (const auto& [name, value] : message.headers) {
      out.Argument(name);
      out.Argument(value);
    }
  }
  for (const auto& [name, text] : settings_.fields) {
    scratch_.clear();
    if (!text.Render(message.payload, message.topic, &scratch_)) {
      log_.Limited(LogLevel::kWarn, "field:" + name,
                   "fields: a payload has no value for \"" + name + "\"; \"unknown\" is sent");
    }
    out.Argument(name);
    out.Argument(scratch_);
  }
}

// DeepStream 9's layout, which its consumers expect: key, value, headers (a JSON object).
void Commands::AppendSensorFields(const Message& message, RespWriter& out) {
  sensor_reader_.Extract(message.payload, &sensor_values_);
  std::string_view id = settings_.default_sensor_id;
  for (const FieldValue& value : sensor_values_) {
    if (!value.found) continue;
    id = value.text;
    break;
  }
  out.Argument("key");
  out.Argument(id);
  out.Argument("value");
  out.Argument(message.payload);
  headers_text_.Clear();
  headers_json_.Reset(headers_text_);
  headers_json_.StartObject();
  for (const auto& [name, value] : message.headers) {
    headers_json_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    headers_json_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  headers_json_.EndObject();
  out.Argument("headers");
  out.Argument({headers_text_.GetString(), headers_text_.GetSize()});
}

}  // namespace dsmsg::redis
