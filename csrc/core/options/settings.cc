// SPDX-License-Identifier: Apache-2.0
#include "core/options/settings.h"

#include <glib.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "core/base/fork.h"
#include "core/base/text_file.h"
#include "core/options/options.h"

namespace dsmsg {
namespace {

Overflow ParseOverflow(const std::string& name) {
  if (name == "drop-oldest") return Overflow::kDropOldest;
  if (name == "drop-newest") return Overflow::kDropNewest;
  if (name == "latest-per-key") return Overflow::kLatestPerKey;
  if (name == "reject") return Overflow::kReject;
  return Overflow::kBlock;
}

ConnectMode ParseConnect(const std::string& name) {
  if (name == "lazy") return ConnectMode::kLazy;
  return name == "wait" ? ConnectMode::kWait : ConnectMode::kStrict;
}

void ReadCommonOptions(Settings* settings) {
  const Config& config = settings->config;
  settings->connect = ParseConnect(config.GetString("connect"));
  settings->connect_timeout = config.GetMillis("connect-timeout");
  settings->connect_wait_timeout = config.GetMillis("connect-wait-timeout");
  settings->reconnect = config.GetBool("reconnect");
  settings->reconnect_attempts = config.GetInt("reconnect-attempts");
  settings->reconnect_interval = config.GetMillis("reconnect-interval");
  settings->reconnect_max_interval = config.GetMillis("reconnect-max-interval");
  settings->queue.messages = static_cast<size_t>(config.GetInt("queue-size"));
  settings->queue.bytes = config.GetBytes("queue-bytes");
  settings->queue.overflow = ParseOverflow(config.GetString("overflow"));
  settings->queue.overflow_timeout = config.GetMillis("overflow-timeout");
  settings->queue.message_timeout = config.GetMillis("message-timeout");
  settings->queue.poison_attempts = static_cast<int>(config.GetInt("poison-attempts"));
  settings->queue.memory_high_water = static_cast<int>(config.GetInt("memory-high-water"));
  settings->send_timeout = config.GetMillis("send-timeout");
  settings->flush_timeout = config.GetMillis("flush-timeout");
  settings->work_wait = config.GetMillis("work-wait");
  settings->max_message_bytes = config.GetBytes("max-message-bytes");
}

// Created once per process, so that a logged signature cannot be used to guess the password behind
// it.
struct RandomKey {
  RandomKey() {
    for (size_t filled = 0; filled < bytes.size();) {
      const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
      if (got > 0) filled += static_cast<size_t>(got);
    }
  }
  std::array<uint8_t, 32> bytes{};
};
const std::array<uint8_t, 32>& ProcessKey() {
  static PerProcess<RandomKey> key;
  return key.Get().bytes;
}

// Length-prefixed, so that different lists of fields never give the same text.
void AppendField(std::string* out, std::string_view field) {
  out->append(std::to_string(field.size())).append(":").append(field).append(";");
}

std::string CanonicalEndpoints(const Endpoints& endpoints) {
  std::string out;
  for (const HostPort& host : endpoints.hosts) AppendField(&out, host.ToString());
  for (const std::string* field : {&endpoints.user, &endpoints.password, &endpoints.path,
                                   &endpoints.address, &endpoints.default_topic}) {
    AppendField(&out, *field);
  }
  AppendField(&out, endpoints.tls ? "tls" : "");
  for (const auto& [name, value] : endpoints.fields) AppendField(&out, name + "=" + value);
  return out;
}

// These are already in the endpoints, whatever their source.
std::string CanonicalConfig(const Config& config) {
  std::string out;
  const std::string all = config.Canonical();
  for (size_t start = 0; start < all.size();) {
    const size_t end = std::min(all.find('\n', start), all.size());
    const std::string_view line(all.data() + start, end - start);
    const bool address = line.starts_with("hostname=") || line.starts_with("port=") ||
                         line.starts_with("connection-str=");
    if (!address) AppendField(&out, line);
    start = end + 1;
  }
  return out;
}

// The client libraries read these files themselves and skip the line with the mark, the first line
// of the first certificate or of the key.
Status CheckTlsFiles(const Config& config) {
  for (const char* option : {"tls-cafile", "tls-certfile", "tls-keyfile"}) {
    const std::string path = config.GetString(option);
    if (path.empty() || !BeginsWithByteOrderMark(path)) continue;
    return {
        Code::kInvalidArgument,
        std::string(option) + " = " + path +
            ": begins with a byte order mark, which TLS libraries cannot read (save the file as "
            "UTF-8 without it)"};
  }
  return {};
}

// The connection string, or hostname and port of the file; where the rules know named fields, they
// may stand in the file, alone or beside an address.
Result<Endpoints> ReadEndpoints(const ConnRules& rules, const std::string& conn_str,
                                const Config& config) {
  std::string address = conn_str, fields;
  if (address.empty() && config.IsSet("hostname")) {
    address = config.GetString("hostname");
    if (config.IsSet("port")) address += ";" + std::to_string(config.GetInt("port"));
  }
  if (!rules.fields.empty()) {
    fields = config.GetString("connection-str");
    if (fields.empty() && rules.fields_by_default != nullptr) fields = rules.fields_by_default();
    if (address.empty()) address.swap(fields);
  }
  if (address.empty() && !rules.instead.empty() && config.IsSet(rules.instead)) return Endpoints{};
  Result<Endpoints> endpoints = ParseConnString(address, rules);
  if (!endpoints.ok() || fields.empty() || !endpoints.value().fields.empty()) return endpoints;
  Result<Endpoints> named = ParseConnString(fields, rules);
  if (!named.ok()) return named;
  endpoints.value().fields = std::move(named.value().fields);
  return endpoints;
}

}  // namespace

Result<Settings> Settings::Load(const DriverInfo& info, const std::string& conn_str,
                                const std::string& config_path) {
  Result<Config> config = Config::Load(config_path, OptionTable(info.options));
  if (!config.ok()) return config.status();
  Settings settings;
  settings.config = std::move(config.value());
  settings.config.ApplyEnvironment(info.env_suffix);
  if (Status status = CheckTlsFiles(settings.config); !status.ok()) return status;
  Result<Endpoints> endpoints = ReadEndpoints(info.conn_rules, conn_str, settings.config);
  if (!endpoints.ok()) return endpoints.status();
  settings.endpoints = std::move(endpoints.value());
  settings.third_is_topic = !info.conn_rules.third_is_user;
  ReadCommonOptions(&settings);
  if (info.adjust != nullptr) {
    if (Status status = info.adjust(&settings); !status.ok()) return status;
  }
  return settings;
}

std::string Settings::Signature(const DriverInfo& info) const {
  if (!config.GetBool("share-connection")) return "";
  std::string text;
  AppendField(&text, info.protocol);
  AppendField(&text, CanonicalEndpoints(endpoints));
  AppendField(&text, CanonicalConfig(config));
  gchar* digest =
      g_compute_hmac_for_data(G_CHECKSUM_SHA256, ProcessKey().data(), ProcessKey().size(),
                              reinterpret_cast<const guchar*>(text.data()), text.size());
  std::string signature(digest);
  g_free(digest);
  return signature;
}

std::string DescribeJson(const DriverInfo& info) {
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> json(text);
  const auto string = [&json](const char* name, const char* value) {
    json.Key(name);
    json.String(value);
  };
  json.StartObject();
  string("protocol", info.protocol);
  string("version", DSMSG_VERSION);
  string("contract", kContractVersion);
  string("library", info.library);
  string("delivery", info.delivery);
  string("connection", ConnForms(info.conn_rules).c_str());
  json.Key("default_port");
  json.Uint(info.conn_rules.default_port);
  json.Key("schemes");
  json.StartArray();
  for (const std::string_view scheme : info.conn_rules.schemes) {
    json.String(scheme.data(), static_cast<rapidjson::SizeType>(scheme.size()));
  }
  json.EndArray();
  const auto is_own = [&info](std::string_view name) {
    for (const OptionSpec& spec : info.options) {
      if (name == spec.name) return true;
    }
    return false;
  };
  json.Key("options");
  json.StartArray();
  const OptionTable table(info.options);
  for (const OptionSpec& spec : table.all()) {
    json.StartObject();
    string("name", spec.name);
    string("type", spec.type);
    string("default", spec.deflt);
    string("doc", spec.doc);
    const auto flag = [&json](const char* name, bool value) {
      json.Key(name);
      json.Bool(value);
    };
    flag("secret", (spec.flags & kOptSecret) != 0);
    flag("deprecated", (spec.flags & kOptDeprecated) != 0);
    flag("unavailable", (spec.flags & kOptUnavailable) != 0);
    flag("local", (spec.flags & kOptLocal) != 0);
    flag("common", !is_own(spec.name));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return {text.GetString(), text.GetSize()};
}

}  // namespace dsmsg
