// SPDX-License-Identifier: Apache-2.0
#include "evidence/settings.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/base/encoding.h"
#include "core/base/text_file.h"
#include "core/options/config_parser.h"
#include "core/options/conn_string.h"
#include "core/options/option_value.h"

namespace dsmsg::evidence {
namespace {

constexpr char kGroup[] = "evidence";
constexpr size_t kLargestFile = size_t{1} << 20;

constexpr OptionSpec kOptions[] = {
    {"pictures", "enum(crop,frame,both)", "crop",
     "crop: the object with a margin; frame: the whole frame, once for all objects in it; both"},
    {"when", "string", "",
     "Which objects have pictures, as an expression of a map, for example object.label == \"car\" "
     "and object.confidence > 0.8; empty: objects with an event"},
    {"margin", "int(0,500)", "10", "Percent of the box that a crop has more on each side"},
    {"quality", "int(1,100)", "85", "Quality of the JPEG files"},
    {"max-edge", "int(0,65500)", "1920",
     "A picture whose longer edge has more pixels is made smaller; 0: it is not"},
    {"timeout", "ms(1,3600000)", "5s",
     "How long a message waits for its pictures; then it leaves and says that they are lost"},
    {"waiting", "int(1,1000000)", "1000",
     "How many messages may wait; with more, the oldest leaves at once"},
    {"queue-bytes", "bytes(1048576,1099511627776)", "64M",
     "Memory for pictures that are not stored yet; a picture that finds no room is lost"},
    {"fsync", "bool", "1",
     "1: a file counts as stored once the disk has it, so that it survives a power failure "
     "(folder)"},
    {"max-age", "s(0,315576000)", "0", "Older pictures are deleted (folder); 0: never"},
    {"max-bytes", "bytes(0,1125899906842624)", "0",
     "When the pictures take more than this, the oldest are deleted (folder); 0: no limit"},
    {"ttl", "s(0,315576000)", "86400",
     "After this time the server deletes a picture (Redis); 0: never"},
    {"prefix", "string", "evidence:", "What the keys begin with (Redis)"},
    {"endpoint", "string", "",
     "URL of the S3 server, for example http://minio:9000; empty: Amazon's of the region (S3)"},
    {"region", "string", "us-east-1", "Region that requests are signed for (S3)"},
    {"access-key", "string", "", "Access key; empty: AWS_ACCESS_KEY_ID of the environment (S3)"},
    {"secret-key", "string", "",
     "Secret key, for example ${file:/run/secrets/s3}; empty: AWS_SECRET_ACCESS_KEY of the "
     "environment (S3)",
     kOptSecret},
    {"session-token", "string", "",
     "Token of temporary keys; empty: AWS_SESSION_TOKEN of the environment (S3)", kOptSecret},
    {"spool-dir", "path", "",
     "Folder where pictures are kept while the server is away, and sent from later: a picture in "
     "it counts as stored (Redis, S3)"},
    {"spool-max-bytes", "bytes(1048576,1125899906842624)", "1G", "Size limit of the spool"},
    {"adaptor-config", "path", "",
     "Configuration file of the adaptor that connects, for example with its TLS options: that of "
     "the adaptor redis, or for S3 of http"},
};

Status Bad(const std::string& text) { return {Code::kInvalidArgument, text}; }

/// Pairs as the file that they stand for.
Result<std::string> AsFile(const std::string& pairs) {
  const Result<Pairs> parsed = ParsePairs(pairs);
  if (!parsed.ok()) return Bad("evidence-config: " + parsed.status().message());
  std::string text = "[evidence]\n";
  for (const auto& [key, value] : parsed.value())
    text.append(key).append("=").append(value).append("\n");
  return text;
}

constexpr std::string_view kPairs = "evidence-config";

/// Pairs have no lines: those of the file that they stand for are taken out.
std::string WithoutLine(std::string text) {
  const size_t line = kPairs.size() + 1;
  if (!text.starts_with(std::string(kPairs) + ":")) return text;
  const size_t end = text.find_first_not_of("0123456789", line);
  if (end != std::string::npos && end > line && text[end] == ':') text.erase(line, end + 1 - line);
  return text;
}

Result<Config> ReadConfig(const std::string& config, std::vector<std::string>* warnings) {
  std::string text = "[evidence]\n", origin(kPairs);
  if (config.find('=') != std::string::npos) {
    Result<std::string> lines = AsFile(config);
    if (!lines.ok()) return lines.status();
    text = std::move(lines.value());
  } else if (!config.empty()) {
    origin = config;
    Result<std::string> read = ReadTextFile(config, kLargestFile);
    if (!read.ok()) return Bad("evidence-config " + config + ": " + read.status().message());
    text = std::move(read.value());
  }
  const OptionTable table(kOptions);
  Result<Config> parsed = ConfigParser(table, origin, kGroup).Parse(text);
  if (!parsed.ok()) return Status(parsed.status().code(), WithoutLine(parsed.status().message()));
  for (const OptionSpec& spec : table.all()) {
    const auto same = [&spec](const OptionSpec& own) {
      return std::string_view(own.name) == spec.name;
    };
    if (std::ranges::any_of(kOptions, same) || !parsed->IsSet(spec.name)) continue;
    return Bad(origin + ": " + spec.name +
               " is an option of the adaptor: write it into a file of its own, in the group "
               "[message-broker], and name that file with adaptor-config");
  }
  for (const std::string& warning : parsed->warnings()) warnings->push_back(WithoutLine(warning));
  return parsed;
}

std::string OrEnvironment(const Config& config, const char* option, const char* variable) {
  std::string value = config.GetString(option);
  const char* const given = std::getenv(variable);
  return value.empty() && given != nullptr ? given : value;
}

Status ReadRedis(const std::string& url, const Config& config, EvidenceSettings* out) {
  static constexpr std::string_view kSchemes[] = {"redis", "rediss"};
  ConnRules rules;
  rules.protocol = "redis";
  rules.schemes = kSchemes;
  rules.default_port = 6379;
  const Result<Endpoints> parsed = ParseConnString(url, rules);
  if (!parsed.ok()) return Bad("evidence: " + parsed.status().message());
  out->kind = EvidenceSettings::Kind::kRedis;
  out->address = url;
  out->public_address = (parsed->tls ? "rediss://" : "redis://") + parsed->ToString();
  if (!parsed->path.empty()) out->public_address += "/" + parsed->path;
  out->prefix = config.GetString("prefix");
  out->ttl = config.GetMillis("ttl");
  return {};
}

Status ReadS3(const std::string& url, const Config& config, EvidenceSettings* out) {
  const std::string rest = url.substr(std::string_view("s3://").size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  out->kind = EvidenceSettings::Kind::kS3;
  out->bucket = rest.substr(0, slash);
  out->prefix = slash < rest.size() ? rest.substr(slash + 1) : "";
  if (!out->prefix.empty() && out->prefix.back() != '/') out->prefix.push_back('/');
  if (out->bucket.empty()) return Bad("evidence=" + url + ": expected s3://bucket/prefix");
  out->region = config.GetString("region");
  std::string endpoint = config.GetString("endpoint");
  if (endpoint.empty()) endpoint = "https://s3." + out->region + ".amazonaws.com";
  while (endpoint.back() == '/') endpoint.pop_back();
  const size_t scheme = endpoint.find("://");
  const bool web = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!web || endpoint.find_first_of("/@?", scheme + 3) != std::string::npos) {
    return Bad(
        "endpoint: expected http://host:port or https://host:port, without a path or a "
        "login (keys are set with access-key and secret-key)");
  }
  out->public_address = endpoint;
  out->access_key = OrEnvironment(config, "access-key", "AWS_ACCESS_KEY_ID");
  out->secret_key = OrEnvironment(config, "secret-key", "AWS_SECRET_ACCESS_KEY");
  out->session_token = OrEnvironment(config, "session-token", "AWS_SESSION_TOKEN");
  if (out->access_key.empty() || out->secret_key.empty()) {
    return Bad("evidence=" + url +
               ": no keys (set access-key and secret-key in evidence-config, or "
               "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)");
  }
  out->address = endpoint.substr(0, scheme + 3) + PercentEncoded(out->access_key) + ":" +
                 PercentEncoded(out->secret_key) + "@" + endpoint.substr(scheme + 3);
  return {};
}

Status ReadFolder(const std::string& destination, const Config& config, EvidenceSettings* out) {
  constexpr std::string_view kScheme = "file://";
  std::string folder = destination;
  if (folder.starts_with(kScheme)) {
    const auto decoded = PercentDecoded(folder.substr(kScheme.size()));
    if (!decoded || decoded->empty() || decoded->front() != '/')
      return Bad("evidence=" + destination + ": expected file:///folder");
    folder = *decoded;
  }
  if (folder.find("://") != std::string::npos) {
    return Bad("evidence=" + destination.substr(0, destination.find("://")) +
               "://...: not a known store (a folder, redis://host:port or s3://bucket/prefix)");
  }
  std::error_code error;
  out->folder = std::filesystem::absolute(folder, error).lexically_normal().string();
  while (out->folder.size() > 1 && out->folder.back() == '/') out->folder.pop_back();
  out->fsync = config.GetBool("fsync");
  out->max_age = config.GetMillis("max-age");
  out->max_bytes = config.GetBytes("max-bytes");
  return {};
}

void ReadPictures(const Config& config, EvidenceSettings* out) {
  const std::string pictures = config.GetString("pictures");
  out->crop = pictures != "frame";
  out->frame = pictures != "crop";
  out->when = config.GetString("when");
  out->margin = static_cast<double>(config.GetInt("margin")) / 100;
  out->quality = static_cast<int>(config.GetInt("quality"));
  out->max_edge = static_cast<int>(config.GetInt("max-edge"));
  out->timeout = config.GetMillis("timeout");
  out->waiting = static_cast<size_t>(config.GetInt("waiting"));
  out->queue_bytes = config.GetBytes("queue-bytes");
  out->spool_dir = config.GetString("spool-dir");
  out->spool_max_bytes = config.GetBytes("spool-max-bytes");
  out->adaptor_config = config.GetString("adaptor-config");
}

}  // namespace

std::span<const OptionSpec> EvidenceOptions() { return kOptions; }

Result<EvidenceSettings> ReadEvidenceSettings(const std::string& destination,
                                              const std::string& config,
                                              std::vector<std::string>* warnings) {
  const Result<Config> options = ReadConfig(config, warnings);
  if (!options.ok()) return options.status();
  EvidenceSettings settings;
  ReadPictures(options.value(), &settings);
  Status status;
  if (destination.starts_with("redis://") || destination.starts_with("rediss://")) {
    status = ReadRedis(destination, options.value(), &settings);
  } else if (destination.starts_with("s3://")) {
    status = ReadS3(destination, options.value(), &settings);
  } else {
    status = ReadFolder(destination, options.value(), &settings);
  }
  if (!status.ok()) return status;
  return settings;
}

}  // namespace dsmsg::evidence
