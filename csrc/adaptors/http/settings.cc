// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/settings.h"

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/base/encoding.h"
#include "core/base/text_file.h"

namespace dsmsg::http {
namespace {

constexpr size_t kLargestPem = 1 << 20;

bool IsTokenCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

Status CheckOption(const std::string& option, const std::string& name) {
  const Status status = CheckHeaderName(name);
  return status.ok() ? status : Status(status.code(), option + ": " + status.message());
}

Status CheckHeaders(const Config& config) {
  for (const auto& [name, value] : config.GetPairs("headers")) {
    if (Status status = CheckOption("headers", name); !status.ok()) return status;
  }
  for (const char* option : {"idempotency-header", "key-header"}) {
    const std::string name = config.GetString(option);
    if (name.empty()) continue;
    if (Status status = CheckOption(option, name); !status.ok()) return status;
  }
  for (const char* option : {"content-type", "ce-source", "ce-type", "bearer-token"}) {
    if (IsHeaderValue(config.GetString(option))) continue;
    return {Code::kInvalidArgument,
            std::string(option) + " contains a control character (is there a line break?)"};
  }
  return {};
}

Status ReadRequests(const Endpoints& endpoints, const Config& config, HttpSettings* out) {
  Result<Template> target = Template::Compile(TargetText(endpoints, config));
  if (!target.ok()) return {target.status().code(), "path: " + target.status().message()};
  out->target = std::move(target.value());
  out->put = config.GetString("method") == "PUT";
  out->http2 = config.GetBool("http2");
  out->gzip = config.GetString("compression") == "gzip";
  out->probe = config.GetString("probe");
  if (!out->probe.empty() && out->probe.front() != '/') out->probe.insert(0, 1, '/');
  out->probe_interval = config.GetMillis("probe-interval");
  out->content_type = config.GetString("content-type");
  out->id_header = config.GetString("idempotency-header");
  out->key_header = config.GetString("key-header");
  out->cloud_events = config.GetBool("cloudevents");
  out->event_source = config.GetString("ce-source");
  out->event_type = config.GetString("ce-type");
  out->batch = static_cast<size_t>(config.GetInt("batch-size"));
  out->lanes = static_cast<size_t>(config.GetInt("max-inflight"));
  out->request_timeout = config.GetMillis("request-timeout");
  if (out->batch > 1 && (out->cloud_events || !out->key_header.empty())) {
    return {Code::kInvalidArgument,
            "batch-size is more than 1: cloudevents and key-header describe single messages "
            "(leave one out)"};
  }
  return CheckHeaders(config);
}

Status ReadSigning(const Config& config, HttpSettings* out) {
  if (config.GetString("sign") == "none") return {};
  if (out->login.user.empty() || out->login.password.empty()) {
    return {Code::kInvalidArgument,
            "sign=aws-v4 needs keys: the access key as user name and the secret key as password "
            "(USER_HTTP and PASSWORD_HTTP in the environment)"};
  }
  if (!out->bearer.empty())
    return {Code::kInvalidArgument, "sign and bearer-token are both set (leave one out)"};
  out->aws = {out->login.user, out->login.password, config.GetString("sign-token"),
              config.GetString("sign-region"), config.GetString("sign-service")};
  if (out->aws.region.empty() || out->aws.service.empty())
    return {Code::kInvalidArgument, "sign=aws-v4 needs sign-region and sign-service"};
  for (const std::string* text :
       {&out->aws.access, &out->aws.token, &out->aws.region, &out->aws.service}) {
    if (!IsHeaderValue(*text))
      return {Code::kInvalidArgument, "a key or an option of sign has a control character"};
  }
  return {};
}

Status ReadListenFiles(const Config& config, HttpSettings* out) {
  const std::string cert = config.GetString("listen-certfile");
  const std::string key = config.GetString("listen-keyfile");
  if (cert.empty() != key.empty()) {
    return {Code::kInvalidArgument,
            "listen-certfile and listen-keyfile belong together: set both or none"};
  }
  if (cert.empty()) return {};
  for (const auto& [path, text] : {std::pair(&cert, &out->listen_cert), {&key, &out->listen_key}}) {
    Result<std::string> read = ReadTextFile(*path, kLargestPem);
    if (!read.ok()) return read.status();
    *text = std::move(read.value());
  }
  return {};
}

Status ReadListen(const Config& config, HttpSettings* out) {
  std::string address = config.GetString("listen");
  if (address.empty()) return {};
  if (address.find_first_not_of("0123456789") == std::string::npos) address.insert(0, "127.0.0.1:");
  const Result<Endpoints> parsed = ParseConnString(address, ConnRules{});
  if (!parsed.ok() || parsed->hosts.size() != 1) {
    return {Code::kInvalidArgument,
            "listen=" + address + ": expected host:port or a port, for example 127.0.0.1:8088"};
  }
  out->listen = parsed->hosts[0];
  out->listen_headers = config.GetPairs("listen-headers");
  for (const auto& [name, value] : out->listen_headers) {
    if (Status status = CheckOption("listen-headers", name); !status.ok()) return status;
    if (value.empty()) {
      return {Code::kInvalidArgument, "listen-headers: the value of " + name + " is empty"};
    }
  }
  std::string rest = config.GetString("listen-allow");
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    Result<Network> network = ParseNetwork(rest.substr(0, comma));
    if (!network.ok()) return network.status();
    out->listen_allow.push_back(std::move(network.value()));
    rest.erase(0, comma + 1);
  }
  out->listen_most_bytes = config.GetBytes("listen-max-bytes");
  out->listen_connections = static_cast<unsigned>(config.GetInt("listen-connections"));
  out->listen_timeout = config.GetMillis("listen-timeout");
  return ReadListenFiles(config, out);
}

}  // namespace

bool Network::Contains(std::string_view other) const {
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (address.size() == 4 && other.size() == 16 && other.starts_with(kMapped))
    other.remove_prefix(kMapped.size());
  if (other.size() != address.size()) return false;
  for (int bit = 0; bit < bits; ++bit) {
    const int mask = 0x80 >> (bit % 8);
    const auto at = static_cast<size_t>(bit / 8);
    if (((address[at] ^ other[at]) & mask) != 0) return false;
  }
  return true;
}

Result<Network> ParseNetwork(const std::string& text) {
  const auto bad = [&text] {
    return Status(
        Code::kInvalidArgument,
        "listen-allow: \"" + text + "\" is neither an address nor a network such as 10.0.0.0/8");
  };
  const size_t slash = std::min(text.find('/'), text.size());
  const size_t first = std::min(text.find_first_not_of(' '), slash);
  const std::string address = text.substr(first, slash - first);
  char bytes[16];
  Network network;
  if (inet_pton(AF_INET, address.c_str(), bytes) == 1) {
    network.address.assign(bytes, 4);
  } else if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) {
    network.address.assign(bytes, 16);
  } else {
    return bad();
  }
  const int most = static_cast<int>(network.address.size()) * 8;
  network.bits = most;
  if (slash < text.size()) {
    const char* const end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + slash + 1, end, network.bits);
    if (error != std::errc() || last != end || network.bits < 0 || network.bits > most)
      return bad();
  }
  return network;
}

Result<Proxy> ParseProxy(const std::string& text) {
  static constexpr std::string_view kSchemes[] = {"http"};
  ConnRules rules;
  rules.protocol = "http";
  rules.schemes = kSchemes;
  Proxy proxy;
  const size_t scheme_end = std::min(text.find("://"), text.size());
  const std::string scheme = text.substr(0, scheme_end);
  proxy.socks = scheme == "socks5" || scheme == "socks5h";
  const Result<Endpoints> parsed = ParseConnString("http" + text.substr(scheme_end), rules);
  if ((!proxy.socks && scheme != "http") || !parsed.ok() || parsed->hosts.size() != 1 ||
      !parsed->path.empty()) {
    return Status(Code::kInvalidArgument,
                  "proxy: expected http://host:port or socks5://host:port, with user:password@ "
                  "before the host where the proxy wants a login");
  }
  proxy.address = parsed->hosts[0];
  proxy.login = {parsed->user, parsed->password};
  return proxy;
}

std::string TargetText(const Endpoints& endpoints, const Config& config) {
  std::string text = config.GetString("path");
  if (text.empty() && endpoints.path.empty()) return "/${topic}";
  if (text.empty()) {
    // "$" begins a field in a template.
    for (const char c : endpoints.path) text.append(c == '$' ? "$" : "").push_back(c);
    std::string encoded;
    AppendEncoded(text, /*topic=*/true, &encoded);
    text = std::move(encoded);
  }
  return text.front() == '/' ? text : "/" + text;
}

void AppendEncoded(std::string_view value, bool topic, std::string* out) {
  AppendPercentEncoded(value, topic ? "/$" : "", out);
}

Status CheckHeaderName(std::string_view name) {
  const std::string quoted = "\"" + std::string(name) + "\"";
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenCharacter)) {
    return {Code::kInvalidArgument,
            quoted + " is not a header's name (letters, digits and dashes)"};
  }
  for (const char* own : {"content-length", "transfer-encoding", "connection", "expect"}) {
    if (SameName(name, own))
      return {Code::kInvalidArgument,
              "the header " + quoted + " is set by the adaptor itself (leave it out)"};
  }
  return {};
}

bool IsHeaderValue(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

Result<HttpSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  HttpSettings settings;
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  settings.tls = std::move(tls.value());
  if (endpoints.hosts.empty() && !config.IsSet("listen")) {
    return Status(Code::kInvalidArgument,
                  "no server is named (conn-str is a URL or \"host;port\", for example "
                  "https://hooks.example.com/events, or set hostname and port in the config file)");
  }
  settings.hosts = endpoints.hosts;
  settings.login = ReadLogin(endpoints, config, "HTTP");
  settings.bearer = config.GetString("bearer-token");
  if (!settings.bearer.empty() && !settings.login.user.empty()) {
    return Status(Code::kInvalidArgument,
                  "bearer-token and a user name are both set: a request carries one of them");
  }
  if (Status status = ReadSigning(config, &settings); !status.ok()) return status;
  if (const std::string proxy = config.GetString("proxy"); !proxy.empty()) {
    Result<Proxy> parsed = ParseProxy(proxy);
    if (!parsed.ok()) return parsed.status();
    settings.proxy = std::move(parsed.value());
  }
  settings.connect_timeout = config.GetMillis("connect-timeout");
  if (Status status = ReadRequests(endpoints, config, &settings); !status.ok()) return status;
  if (Status status = ReadListen(config, &settings); !status.ok()) return status;
  return settings;
}

}  // namespace dsmsg::http
