// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/options/config.h"
#include "core/options/login.h"
#include "core/options/options.h"

namespace dsmsg::redis {
namespace {

constexpr OptionSpec kOptions[] = {
    {"payloadkey", "string", "metadata",
     "Stream field that holds the payload (written by XADD, read by subscribe)"},
    {"consumergroup", "string", "redis-consumer-group",
     "Consumer group of subscribe: each message goes to one of its members. A group that does not "
     "exist is created and gets new messages only. Written \"\": no group, every subscriber gets "
     "every new message and the server keeps nothing of it"},
    {"consumername", "string", "redis-consumer",
     "Name in the consumer group. Give each process of a group its own: entries that were "
     "delivered and not "
     "acknowledged are read again under the same name after a restart"},
    {"streamsize", "int(0,9223372036854775807)", "10000",
     "A stream is trimmed to about this many entries (MAXLEN ~); 0: never"},
    {"stream-max-age", "ms(0,3155760000000)", "0",
     "A stream is trimmed of entries older than this (MINID ~, Redis 6.2 or newer), instead of by "
     "streamsize; "
     "0: never"},
    {"command", "enum(xadd,publish,rpush)", "xadd",
     "xadd: streams, acknowledged by consumers. publish: Pub/Sub, lost when nobody listens. rpush: "
     "lists"},
    {"database", "int(0,2147483647)", "0", "Number of the database (SELECT)"},
    {"pipeline", "int(1,1000000)", "1000", "Most commands sent and not yet answered"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait for others to share system calls and wake-ups with; a "
     "synchronous send never "
     "waits. 0: every message leaves at once"},
    {"sentinel-master", "string", "",
     "Name of the master to ask Sentinel for: conn-str then names the Sentinels, for example "
     "\"s1:26379,s2:26379,s3:26379\""},
    {"sentinel-username", "string", "", "User name at the Sentinels; empty: none"},
    {"sentinel-password", "string", "",
     "Password of the Sentinels, which is not the servers'; empty: none", kOptSecret},
    {"fields", "pairs", "",
     "Further fields of a stream entry: name=template;name=template, for example "
     "camera=${sensor.id}"},
    {"batch-read", "int(1,100000)", "100", "Most entries that subscribe reads at once (COUNT)"},
    // Redis refuses larger ones and ends the connection (proto-max-bulk-len).
    {"max-message-bytes", "bytes(1,536870912)", "512M",
     "A larger payload is completed with an error; the server's proto-max-bulk-len is the limit"},
};

Status ReadServer(const Endpoints& endpoints, const Config& config, RedisSettings* out) {
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  out->tls = std::move(tls.value());
  if (endpoints.hosts.empty()) {
    return {Code::kInvalidArgument,
            "no server is named (conn-str is \"host;port\", for example \"localhost;6379\", or set "
            "hostname "
            "and port in the config file)"};
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
  return {};
}

Status ReadProducer(const Config& config, RedisSettings* out) {
  const std::string command = config.GetString("command");
  if (command == "publish") out->command = RedisSettings::Command::kPublish;
  if (command == "rpush") out->command = RedisSettings::Command::kRpush;
  out->pipeline = static_cast<size_t>(config.GetInt("pipeline"));
  out->payload_key = config.GetString("payloadkey");
  if (out->payload_key.empty()) {
    return {Code::kInvalidArgument, "payloadkey is empty (leave it out for \"metadata\")"};
  }
  out->stream_size = config.GetInt("streamsize");
  out->stream_max_age = config.GetMillis("stream-max-age");
  if (out->stream_max_age.count() > 0) {
    // One XADD trims in one way only.
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
  const char* extraction = std::getenv("DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION");
  out->sensor_id_fields = streams && extraction != nullptr && std::string_view(extraction) == "1";
  if (const char* id = std::getenv("DEEPSTREAM_SENSOR_ID")) out->default_sensor_id = id;
  return {};
}

}  // namespace

std::span<const OptionSpec> RedisOptions() { return kOptions; }

Result<RedisSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  RedisSettings settings;
  if (Status status = ReadServer(endpoints, config, &settings); !status.ok()) return status;
  if (Status status = ReadProducer(config, &settings); !status.ok()) return status;
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, Millis(5000));
  settings.group = config.GetString("consumergroup");
  settings.consumer = config.GetString("consumername");
  if (settings.consumer.empty()) {
    return Status(Code::kInvalidArgument,
                  "consumername cannot be empty (leave it out for the default)");
  }
  settings.batch_read = config.GetInt("batch-read");
  return settings;
}

}  // namespace dsmsg::redis
