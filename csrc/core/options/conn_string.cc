// SPDX-License-Identifier: Apache-2.0
#include "core/options/conn_string.h"

#include <arpa/inet.h>
#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/base/encoding.h"

namespace dsmsg {
namespace {

constexpr size_t kLongest = 8192;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string Lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), g_ascii_tolower);
  return out;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool IsIpv6(std::string_view text) {
  // The part after '%' names a network interface.
  const std::string address(text.substr(0, text.find('%')));
  std::array<unsigned char, 16> bytes;
  return ::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsDigit(c) || IsLetter(c) || c == '.' || c == '-' || c == '_';
         });
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value == 0 || value > 65535) return std::nullopt;
  return static_cast<uint16_t>(value);
}

/// "scheme" of "scheme://rest", or nothing: a password may contain "://" too, but never at the
/// start.
std::optional<std::string_view> SchemeOf(std::string_view text) {
  const size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0 || !IsLetter(text.front())) return std::nullopt;
  const std::string_view scheme = text.substr(0, end);
  const bool valid = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '+' || c == '-' || c == '.';
  });
  return valid ? std::optional(scheme) : std::nullopt;
}

/// A part of a URL; nothing where it is not encoded correctly, or has control characters.
std::optional<std::string> DecodedPart(std::string_view text) {
  std::optional<std::string> out = PercentDecoded(text);
  if (out && HasControl(*out)) out.reset();
  return out;
}

/// One parse. Messages never quote the text: any part of it may be a password in the wrong place.
class Parser {
 public:
  Parser(std::string_view text, const ConnRules& rules) : text_(Trim(text)), rules_(rules) {}

  Result<Endpoints> Parse() {
    if (text_.empty()) return Expected("it is empty");
    if (text_.size() > kLongest) return Expected("it is longer than 8192 characters");
    if (HasControl(text_)) return Expected("it contains a control character");
    // What a host without a topic would take for one.
    const size_t last = text_.rfind(';');
    if (last != std::string_view::npos) endpoints_.not_a_topic = Trim(text_.substr(last + 1));

    Status status = ParseForm();
    if (!status.ok()) return status;
    if (!endpoints_.default_topic.empty()) endpoints_.not_a_topic.clear();
    return std::move(endpoints_);
  }

 private:
  Status ParseForm() {
    if (rules_.path) return ParsePath();
    if (!rules_.fields.empty() && text_.find('=') < text_.find(';')) return ParseNamed();
    std::string_view marked = text_;
    // ">tcp://..." and "@tcp://..." say connect or bind.
    if (rules_.opaque && (marked.front() == '@' || marked.front() == '>')) marked.remove_prefix(1);
    if (const auto scheme = SchemeOf(marked)) return ParseUrl(Lowered(*scheme), marked);
    const size_t semicolon = text_.find(';');
    const Status status =
        semicolon == std::string_view::npos ? ParseList() : ParseFields(semicolon);
    if (status.ok() && rules_.opaque) {
      for (const HostPort& host : endpoints_.hosts) {
        endpoints_.address += (endpoints_.address.empty() ? "tcp://" : ",tcp://") + host.ToString();
      }
      endpoints_.hosts
          .clear();  // the address is complete: it equals the same address written as a URL
    }
    return status;
  }

  // "Name=value;Name=value". A value may contain '=', as base64 does.
  Status ParseNamed() {
    for (std::string_view rest = text_; !rest.empty();) {
      const size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view part = Trim(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (part.empty()) continue;
      if (Status status = TakeNamed(part); !status.ok()) return status;
    }
    const std::string_view host_name = rules_.fields.front();
    for (const auto& [name, value] : endpoints_.fields) {
      if (name == host_name) return AddHosts(value, rules_.default_port, false);
    }
    return Expected(std::string(host_name) + " is missing");
  }

  Status TakeNamed(std::string_view part) {
    const size_t equals = part.find('=');
    const std::string name = Lowered(Trim(part.substr(0, equals)));
    const auto known = std::find_if(rules_.fields.begin(), rules_.fields.end(),
                                    [&](std::string_view each) { return Lowered(each) == name; });
    if (equals == std::string_view::npos || known == rules_.fields.end()) {
      return Expected("one of its parts does not begin with a known name and '='");
    }
    const std::string_view value = Trim(part.substr(equals + 1));
    if (value.empty()) return Expected(std::string(*known) + " is empty");
    for (const auto& [taken, unused] : endpoints_.fields) {
      if (taken == *known) return Expected(taken + " is given twice");
    }
    endpoints_.fields.emplace_back(*known, value);
    return {};
  }

  // Only URLs are percent-decoded: anywhere else, '%' is part of the name.
  Status ParsePath() {
    std::string_view rest = text_;
    const auto scheme = SchemeOf(rest);
    if (scheme) {
      const std::string name = Lowered(*scheme);
      if (std::find(rules_.schemes.begin(), rules_.schemes.end(), name) == rules_.schemes.end()) {
        return Expected("the scheme \"" + name.substr(0, 16) + "\" belongs to another protocol");
      }
      rest.remove_prefix(scheme->size() + 3);
      if (!rest.starts_with('/')) return Expected("a path that begins with '/' must follow ://");
    }
    if (Status topic = TakeTopic(&rest); !topic.ok()) return topic;
    const auto path = scheme ? DecodedPart(rest) : std::optional<std::string>(Trim(rest));
    if (!path) return Expected("the path is not percent-encoded correctly");
    if (path->empty()) return Expected("the path is missing");
    endpoints_.address = *path;
    return {};
  }

  Status ParseUrl(const std::string& scheme, std::string_view marked) {
    const auto known = [&](std::string_view name) {
      return std::find(rules_.schemes.begin(), rules_.schemes.end(), name) != rules_.schemes.end();
    };
    std::string_view rest = marked.substr(scheme.size() + 3);
    const bool transport = scheme == "tcp" || scheme == "ipc" || scheme == "inproc";
    if (rules_.opaque && !known(scheme) && transport) {
      if (rest.empty()) return Expected("nothing follows ://");
      std::string_view address = text_;
      if (Status topic = TakeTopic(&address); !topic.ok()) return topic;
      endpoints_.address = address;
      return {};
    }
    if (!known(scheme)) {
      return Expected("the scheme \"" + scheme.substr(0, 16) + "\" belongs to another protocol");
    }
    if (rest.empty()) return Expected("nothing follows ://");
    if (rules_.opaque) return ParseOpaque(rest);
    const std::string_view name = scheme;
    endpoints_.tls = (name.ends_with('s') && known(name.substr(0, name.size() - 1))) ||
                     (name.ends_with("+ssl") && known(name.substr(0, name.size() - 4)));
    if (IsAmbiguous(rest)) {
      return Expected(
          "a ';' before an '@' is ambiguous: in a user name or password write it as %3B; set a "
          "topic that contains an '@' with the option topic");
    }
    if (Status status = TakeUser(&rest); !status.ok()) return status;
    if (Status status = TakeTopic(&rest); !status.ok()) return status;
    if (rest.find('?') != std::string_view::npos) {
      return Expected("settings after '?' belong in the configuration file");
    }
    const size_t slash = rest.find('/');
    if (slash != std::string_view::npos) {
      const auto path = DecodedPart(rest.substr(slash + 1));
      if (!path) return Expected("the path is not percent-encoded correctly");
      endpoints_.path = *path;
    }
    const bool tls_port = endpoints_.tls && rules_.tls_port != 0;
    return AddHosts(rest.substr(0, slash), tls_port ? rules_.tls_port : rules_.default_port, false);
  }

  Status ParseOpaque(std::string_view rest) {
    const size_t separator = rest.find("://");
    const bool complete = separator != std::string_view::npos && separator + 3 < rest.size();
    if (!complete) return Expected("no transport such as tcp:// follows the scheme");
    if (Status topic = TakeTopic(&rest); !topic.ok()) return topic;
    endpoints_.address = rest;
    return {};
  }

  // "h:9092;a@b": a host and the topic a@b, or the host b and the user h with the password 9092;a?
  static bool IsAmbiguous(std::string_view rest) {
    const size_t at = rest.rfind('@'), semicolon = rest.find(';');
    if (at == std::string_view::npos || semicolon > at) return false;
    std::string_view list = rest.substr(0, semicolon);
    for (bool more = true; more;) {
      const size_t comma = list.find(',');
      const std::string_view entry = Trim(list.substr(0, comma));
      const size_t colon = entry.rfind(':');
      const bool port = colon != std::string_view::npos && ParsePort(entry.substr(colon + 1));
      const std::string_view name = port ? entry.substr(0, colon) : entry;
      if (!IsName(name) && !name.starts_with('[')) return false;
      more = comma != std::string_view::npos;
      if (more) list.remove_prefix(comma + 1);
    }
    return true;
  }

  // user:password@ in front of the hosts.
  Status TakeUser(std::string_view* rest) {
    const size_t at = rest->substr(0, rest->find('/')).rfind('@');
    if (at == std::string_view::npos) {
      if (rest->find('@') == std::string_view::npos) return {};
      return Expected("a '/' in the user name or password must be written %2F");
    }
    const std::string_view both = rest->substr(0, at);
    const size_t colon = both.find(':');
    const auto user = DecodedPart(both.substr(0, colon));
    const auto password =
        DecodedPart(colon == std::string_view::npos ? std::string_view() : both.substr(colon + 1));
    if (!user || !password) {
      return Expected("the user name or password is not percent-encoded correctly");
    }
    endpoints_.user = *user;
    endpoints_.password = *password;
    rest->remove_prefix(at + 1);
    return {};
  }

  // ";topic" after a URL, a host list or an address.
  Status TakeTopic(std::string_view* rest) {
    const size_t semicolon = rest->find(';');
    if (semicolon == std::string_view::npos) return {};
    const std::string_view topic = Trim(rest->substr(semicolon + 1));
    if (topic.find(';') != std::string_view::npos) return Expected("there are too many fields");
    endpoints_.default_topic = topic;
    *rest = rest->substr(0, semicolon);
    return {};
  }

  Status ParseList() {
    if (text_.find('@') != std::string_view::npos) {
      return Expected("a user name belongs in the configuration file, the environment or a URL");
    }
    return AddHosts(text_, rules_.default_port, true);
  }

  Status ParseFields(size_t semicolon) {
    const std::string_view first = Trim(text_.substr(0, semicolon));
    if (first.empty()) return Expected("the host is missing");
    if (HasPort(first)) return ParseListWithTopic(first, semicolon);
    std::string_view rest = text_.substr(semicolon + 1);
    const size_t second_end = rest.find(';');
    const std::string_view port_text = Trim(rest.substr(0, second_end));
    const std::optional<uint16_t> port = ParsePort(port_text);
    if (port_text.empty()) return Expected("the port is missing");
    if (!port) return Expected("the second field is not a port (1 to 65535)");
    if (Status status = AddHosts(first, *port, false); !status.ok()) return status;
    if (second_end == std::string_view::npos) return {};
    rest.remove_prefix(second_end + 1);
    return rules_.third_is_user ? TakeUserFields(rest) : TakeTopicField(rest);
  }

  Status TakeUserFields(std::string_view rest) {
    const size_t end = rest.find(';');
    endpoints_.user = Trim(rest.substr(0, end));
    // The rest of the text, so that a password may contain ';' and begin with a blank.
    if (end != std::string_view::npos) endpoints_.password = rest.substr(end + 1);
    return {};
  }

  Status TakeTopicField(std::string_view rest) {
    const std::string_view topic = Trim(rest);
    if (topic.find(';') != std::string_view::npos) return Expected("there are too many fields");
    endpoints_.default_topic = topic;
    return {};
  }

  Status ParseListWithTopic(std::string_view list, size_t semicolon) {
    if (rules_.third_is_user) return Expected("the port is given twice or fields are missing");
    const std::string_view topic = Trim(text_.substr(semicolon + 1));
    const bool number = !topic.empty() && std::all_of(topic.begin(), topic.end(), IsDigit);
    if (number) return Expected("the port is given twice");
    if (topic.find(';') != std::string_view::npos) return Expected("there are too many fields");
    endpoints_.default_topic = topic;
    return AddHosts(list, rules_.default_port, true);
  }

  // Whether any entry of a host list carries its own port.
  static bool HasPort(std::string_view list) {
    while (!list.empty()) {
      const size_t comma = list.find(',');
      const std::string_view entry = Trim(list.substr(0, comma));
      const size_t bracket = entry.rfind(']');
      const std::string_view behind =
          bracket == std::string_view::npos ? entry : entry.substr(bracket + 1);
      if (behind.find(':') != std::string_view::npos && !IsIpv6(entry)) return true;
      list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
    return false;
  }

  Status AddHosts(std::string_view list, uint16_t port, bool need_a_port) {
    if (need_a_port && !HasPort(list)) return Expected("the port is missing");
    for (bool more = true; more;) {
      const size_t comma = list.find(',');
      if (Status status = AddHost(Trim(list.substr(0, comma)), port); !status.ok()) return status;
      more = comma != std::string_view::npos;
      if (more) list.remove_prefix(comma + 1);
    }
    return {};
  }

  Status AddHost(std::string_view entry, uint16_t port) {
    HostPort host;
    std::string_view name = entry, port_text;
    bool own_port = false;
    if (!entry.empty() && entry.front() == '[') {
      const size_t close = entry.find(']');
      if (close == std::string_view::npos) return Expected("the bracket [ is not closed");
      name = entry.substr(1, close - 1);
      if (!IsIpv6(name)) return Expected("there is no IPv6 address in the brackets");
      const std::string_view behind = entry.substr(close + 1);
      own_port = !behind.empty();
      if (own_port && behind.front() != ':') return Expected("text follows the bracket ]");
      port_text = own_port ? behind.substr(1) : behind;
    } else if (!IsIpv6(entry)) {
      const size_t colon = entry.find(':');
      name = Trim(entry.substr(0, colon));
      own_port = colon != std::string_view::npos;
      if (own_port) port_text = entry.substr(colon + 1);
      if (name.empty()) return Expected("the host is missing");
      if (!IsName(name) && !(rules_.opaque && name == "*")) {
        return Expected("a host name may contain only letters, digits, '.', '-' and '_'");
      }
    }
    if (own_port) {
      const std::optional<uint16_t> parsed = ParsePort(Trim(port_text));
      if (!parsed) return Expected("what follows the host is not a port (1 to 65535)");
      port = *parsed;
    }
    if (port == 0) return Expected("the port is missing");
    host.host = Lowered(name);
    host.port = port;
    if (std::find(endpoints_.hosts.begin(), endpoints_.hosts.end(), host) ==
        endpoints_.hosts.end()) {
      endpoints_.hosts.push_back(std::move(host));
    }
    return {};
  }

  Status Expected(const std::string& why) const {
    if (rules_.path) {
      const std::string url =
          rules_.schemes.empty()
              ? ""
              : ", for example \"" + std::string(rules_.schemes.front()) + ":///run/name\"";
      return {Code::kInvalidArgument, "connection string: " + why +
                                          "; expected a path (\"/run/name\"), \"path;topic\"" +
                                          (url.empty() ? "" : " or a URL") + url};
    }
    if (!rules_.fields_example.empty()) {
      return {Code::kInvalidArgument, "connection string: " + why + "; expected for example \"" +
                                          std::string(rules_.fields_example) +
                                          "\", or \"host;port\" beside connection_str"};
    }
    const std::string port = std::to_string(rules_.default_port == 0 ? 9000 : rules_.default_port);
    std::string url = rules_.schemes.empty() ? std::string() : std::string(rules_.schemes.front());
    if (!url.empty()) url += rules_.opaque ? "://tcp://localhost:" + port : "://localhost:" + port;
    const std::string fields = rules_.third_is_user ? "host;port;user;password" : "host;port;topic";
    return {Code::kInvalidArgument, "connection string: " + why + "; expected \"host;port\", \"" +
                                        fields + "\", \"host:port\"" +
                                        (url.empty() ? "" : " or a URL") +
                                        ", for example \"localhost;" + port + "\"" +
                                        (url.empty() ? "" : " or \"" + url + "\"")};
  }

  const std::string_view text_;
  const ConnRules& rules_;
  Endpoints endpoints_;
};

}  // namespace

std::string HostPort::ToString() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Endpoints::Field(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [name](const auto& field) { return field.first == name; });
  return found != fields.end() ? found->second : "";
}

std::string Endpoints::ToString() const {
  std::string out;
  for (const HostPort& host : hosts) {
    if (!out.empty()) out += ',';
    out += host.ToString();
  }
  return hosts.empty() ? address : out;
}

std::string ConnForms(const ConnRules& rules) {
  if (rules.path) return rules.schemes.empty() ? "a path" : "a path or a URL";
  if (!rules.fields.empty()) return std::string(rules.fields_example);
  return "host;port, host:port,host:port or a URL";
}

Result<Endpoints> ParseConnString(std::string_view text, const ConnRules& rules) {
  return Parser(text, rules).Parse();
}

}  // namespace dsmsg
