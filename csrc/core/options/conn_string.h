// SPDX-License-Identifier: Apache-2.0
// Parses connection strings (docs/configuration.md). Pure functions and values: any thread.
#ifndef DSMSG_CORE_OPTIONS_CONN_STRING_H_
#define DSMSG_CORE_OPTIONS_CONN_STRING_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace dsmsg {

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 0;
  std::string ToString() const;  // "host:port", "[::1]:port"
  bool operator==(const HostPort&) const = default;
};

/// Where to connect. Equal for equal settings written in different forms.
struct Endpoints {
  std::vector<HostPort> hosts;
  std::string user, password;  // from the string; password is a secret
  std::string path;            // of a URL, without the leading slash (AMQP: vhost, Redis: database)
  std::string address;         // opaque and path: an address of its own ("tcp://*:5555", "/a/b")
  bool tls = false;            // mqtts, rediss, amqps
  /// Of "Name=value;Name=value", with the names as the rules write them. Values may be secrets.
  std::vector<std::pair<std::string, std::string>> fields;
  std::string default_topic;  // third field of host;port;topic
  /// Last field after ';' that is not a topic (a port, an AMQP password): a host may pass it as the
  /// topic, where it counts as absent and must not be logged.
  /// Without blanks at its ends: trim what it is compared with.
  std::string not_a_topic;
  /// The value of a field, "" where the string has none.
  std::string Field(std::string_view name) const;
  std::string ToString() const;  // hosts or address: safe to log
};

/// What the forms mean for one protocol.
struct ConnRules {
  std::string_view protocol;  // for messages: "kafka"
  std::span<const std::string_view>
      schemes;                 // {"redis", "rediss"}; with an 's' or "+ssl" more it is TLS
  uint16_t default_port = 0;   // 0: a port must be given
  bool third_is_user = false;  // AMQP: host;port;user;password
  bool opaque = false;         // ZMQ: the rest of the URL is an address
  uint16_t tls_port = 0;       // of a URL whose scheme is TLS; 0: default_port too
  bool path = false;           // a file or a Unix socket: "path", "path;topic", "scheme:///path"
  /// "Name=value;Name=value" is understood, too, with these names (in any case). The first is the
  /// host's, "host" or "host:port". Such a string may also stand in the option connection-str;
  /// another address beside it then says where to connect.
  std::span<const std::string_view> fields = {};
  std::string_view fields_example = {};          // shown in messages
  std::string (*fields_by_default)() = nullptr;  // when neither string nor option is given
  /// An option that makes an address needless: with it set, an empty string means no address.
  std::string_view instead = {};
};

/// The forms in words, for describe: "host;port, host:port,host:port or a URL".
std::string ConnForms(const ConnRules& rules);

/// An error says what was expected and shows an example, and never repeats a password.
Result<Endpoints> ParseConnString(std::string_view text, const ConnRules& rules);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_CONN_STRING_H_
