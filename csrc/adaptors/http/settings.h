// SPDX-License-Identifier: Apache-2.0
// The options of the HTTP adaptor and what they mean, checked once at connect.
//
// Threads: written by ReadSettings, then only read.
#ifndef DSMSG_ADAPTORS_HTTP_SETTINGS_H_
#define DSMSG_ADAPTORS_HTTP_SETTINGS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/http/aws_signature.h"
#include "core/driver/driver.h"
#include "core/net/tls.h"
#include "core/options/login.h"
#include "core/options/options.h"
#include "core/options/topic_template.h"

namespace dsmsg::http {

/// An address and how many of its bits count.
struct Network {
  std::string address;  // 4 or 16 bytes
  int bits = 0;
  /// IPv4 addresses in IPv6's form count as IPv4.
  bool Contains(std::string_view other) const;
};

/// Of an address as text, or with "/bits".
Result<Network> ParseNetwork(const std::string& text);

/// What the requests go through.
struct Proxy {
  HostPort address;  // port 0: none
  bool socks = false;
  Login login;

  bool used() const { return address.port != 0; }
};

/// "http://user:password@host:port" or "socks5://..."; an error never has the login.
Result<Proxy> ParseProxy(const std::string& text);

struct HttpSettings {
  std::vector<HostPort> hosts;
  TlsSettings tls;
  Login login;         // basic authentication
  std::string bearer;  // secret
  AwsKeys aws;         // with a region: requests are signed, and `login` is not sent
  Proxy proxy;
  Millis connect_timeout{5000};

  Template target;    // path and query of a request, with its slash
  std::string probe;  // asked with GET when the link is opened; empty: nothing is
  Millis probe_interval{0};
  bool put = false;
  bool http2 = true;
  bool gzip = false;
  std::string content_type, id_header, key_header;
  bool cloud_events = false;
  std::string event_source, event_type;
  size_t batch = 1;
  size_t lanes = 8;
  Millis request_timeout{30000};

  // The endpoint that receives.
  HostPort listen;                      // port 0: none
  std::string listen_cert, listen_key;  // PEM; the key is a secret
  Pairs listen_headers;                 // secrets
  std::vector<Network> listen_allow;    // empty: everybody who reaches the address
  size_t listen_most_bytes = 1 << 20;
  unsigned listen_connections = 64;
  Millis listen_timeout{60'000};
};

std::span<const OptionSpec> Options();

Result<HttpSettings> ReadSettings(const Endpoints& endpoints, const Config& config);
/// The template of a request's path and query.
std::string TargetText(const Endpoints& endpoints, const Config& config);

/// Appends a value so that it stays one part of a path or a query; a topic may be several.
void AppendEncoded(std::string_view value, bool topic, std::string* out);
/// Whether a request may have a header of this name. kInvalidArgument: it is not a name, or the
/// adaptor sets that header itself.
Status CheckHeaderName(std::string_view name);
/// Whether `value` may be a header's: no line break and no other control character.
bool IsHeaderValue(std::string_view value);

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_SETTINGS_H_
