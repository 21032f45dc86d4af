// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/settings.h"

#include <algorithm>
#include <charconv>

#include "core/base/environment.h"
#include "core/options/config.h"
#include "core/options/login.h"

namespace dsmsg::redis {
namespace {

Status ReadServer(const Endpoints& endpoints, const Config& config, RedisSettings* out) {
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  out->tls = std::move(tls.value());
  if (endpoints.hosts.empty()) {
    return {Code::kInvalidArgument,
            "no server is named (conn-str is \"host;port\", for example \"localhost;6379\", or set "
            "hostname and port in the config file)"};
  }
  out->hosts = endpoints.hosts;
  Login login = ReadLogin(endpoints, config, "REDIS");
  out->user = std::move(login.user);
  out->password = std::move(login.password);
  out->sentinel_master = config.GetString("sentinel-master");
  out->sentinel_user = config.GetString("sentinel-username");
  out->sentinel_password = config.GetString("sentinel-password");
  for (const char* option : {"sentinel-username", "sentinel-password"}) {
    if (out->sentinel_master.empty() && !config.GetString(option).empty()) {
      return {Code::kInvalidArgument,
              std::string(option) + " is set without sentinel-master (name the master too)"};
    }
  }
  out->database = config.GetInt("database");
  if (!endpoints.path.empty() && !config.IsSet("database")) {
    const char* end = endpoints.path.data() + endpoints.path.size();
    const auto [last, error] = std::from_chars(endpoints.path.data(), end, out->database);
    if (error != std::errc() || last != end || out->database < 0) {
      return {Code::kInvalidArgument,
              "the path of a redis:// URL is the number of a database, not \"" + endpoints.path +
                  "\" (for example redis://localhost:6379/0)"};
    }
  }
  const std::string cluster = config.GetString("cluster");
  if (cluster == "0") out->cluster = RedisSettings::Cluster::kNo;
  if (cluster == "1") out->cluster = RedisSettings::Cluster::kYes;
  if (!out->sentinel_master.empty()) {
    if (cluster == "1") {
      return {Code::kInvalidArgument,
              "cluster=1 and sentinel-master are both set: a Redis Cluster has no Sentinels (leave "
              "one out)"};
    }
    out->cluster = RedisSettings::Cluster::kNo;
  }
  if (cluster == "1" && out->database != 0) {
    return {Code::kInvalidArgument, "cluster=1: a Redis Cluster has only database 0, not " +
                                        std::to_string(out->database) + " (leave database out)"};
  }
  return {};
}

Status ReadProducer(const Config& config, RedisSettings* out) {
  const std::string command = config.GetString("command");
  if (command == "publish") out->command = RedisSettings::Command::kPublish;
  if (command == "spublish") out->command = RedisSettings::Command::kSpublish;
  if (command == "rpush") out->command = RedisSettings::Command::kRpush;
  if (command == "set") out->command = RedisSettings::Command::kSet;
  out->expire = config.GetMillis("expire");
  out->pipeline = static_cast<size_t>(config.GetInt("pipeline"));
  out->payload_key = config.GetString("payloadkey");
  if (out->payload_key.empty()) {
    return {Code::kInvalidArgument, "payloadkey is empty (leave it out for \"metadata\")"};
  }
  out->stream_size = config.GetInt("streamsize");
  out->stream_max_age = config.GetMillis("stream-max-age");
  if (out->stream_max_age.count() > 0) {
    // An XADD can trim in only one way.
    if (config.IsSet("streamsize") && out->stream_size > 0) {
      return {Code::kInvalidArgument,
              "streamsize and stream-max-age are both set: Redis trims a stream by one of them "
              "(leave one out)"};
    }
    out->stream_size = 0;
  }
  for (const auto& [name, text] : config.GetPairs("fields")) {
    Result<Template> compiled = Template::Compile(text);
    if (!compiled.ok()) {
      return {compiled.status().code(), "fields: " + name + ": " + compiled.status().message()};
    }
    out->fields.emplace_back(name, std::move(compiled.value()));
  }
  const bool streams = out->command == RedisSettings::Command::kXadd;
  if (!streams && (!out->fields.empty() || out->stream_max_age.count() > 0)) {
    return {Code::kInvalidArgument, "fields and stream-max-age need command=xadd, not " + command};
  }
  const bool extraction = FromEnvironment("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION") == "1";
  out->sensor_id_fields = streams && extraction;
  out->default_sensor_id = config.GetString("sensorid");
  if (out->default_sensor_id.empty()) {
    out->default_sensor_id = FromEnvironment("DEEPSTREAM_SENSOR_ID");
  }
  return {};
}

// "1700000000000-0", or without its second part.
bool IsEntryId(std::string_view text) {
  const size_t dash = text.find('-');
  const auto number = [](std::string_view digits) {
    uint64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [last, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && last == end;
  };
  return number(text.substr(0, dash)) && (dash == text.npos || number(text.substr(dash + 1)));
}

Status ReadStart(const Config& config, RedisSettings* out) {
  const std::string start = config.GetString("stream-start");
  if (start == "new") return {};
  if (out->command != RedisSettings::Command::kXadd) {
    return {Code::kInvalidArgument, "stream-start needs command=xadd, not " +
                                        config.GetString("command") +
                                        ": only streams keep what was sent before"};
  }
  if (start != "oldest" && !IsEntryId(start)) {
    return {Code::kInvalidArgument,
            "stream-start is new, oldest or an entry id such as "
            "1700000000000-0, not \"" +
                start + "\""};
  }
  out->start = start == "oldest" ? "0-0" : start;
  return {};
}

}  // namespace

Result<RedisSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  RedisSettings settings;
  if (Status status = ReadServer(endpoints, config, &settings); !status.ok()) return status;
  if (Status status = ReadProducer(config, &settings); !status.ok()) return status;
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, Millis(5000));
  settings.reconnect_interval = config.GetMillis("reconnect-interval");
  settings.reconnect_max_interval = config.GetMillis("reconnect-max-interval");
  settings.group = config.GetString("consumergroup");
  settings.consumer = config.GetString("consumername");
  if (settings.consumer.empty()) {
    return Status(Code::kInvalidArgument,
                  "consumername cannot be empty (leave it out for the default)");
  }
  if (Status status = ReadStart(config, &settings); !status.ok()) return status;
  settings.batch_read = config.GetInt("batch-read");
  return settings;
}

}  // namespace dsmsg::redis
