// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace dsmsg::zmq {
namespace {

using Transport = ZmqAddress::Transport;
using Marker = ZmqAddress::Marker;

constexpr size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr size_t kLongestInproc = 255;

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

/// One address of a list. Messages never quote the text: it may be a password or a key in the wrong
/// place.
class Parser {
 public:
  Parser(std::string_view text, const char* option) : text_(text), option_(option) {}

  Result<ZmqAddress> Parse() {
    std::string_view rest = text_;
    if (!rest.empty() && (rest.front() == '@' || rest.front() == '>')) {
      address_.marker = rest.front() == '@' ? Marker::kBind : Marker::kConnect;
      rest.remove_prefix(1);
    }
    const size_t end = rest.find("://");
    if (end == std::string_view::npos)
      return Bad("it has no transport (tcp://, ipc://, inproc://)");
    const std::string_view transport = rest.substr(0, end), name = rest.substr(end + 3);
    if (name.empty()) return Bad("nothing follows ://");
    address_.text = rest;
    if (transport == "tcp") return ParseTcp(name);
    address_.path = name;
    if (transport == "ipc") {
      address_.transport = Transport::kIpc;
      if (name.size() <= kLongestPath) return address_;
      return Bad("the path is longer than " + std::to_string(kLongestPath) + " characters");
    }
    if (transport == "inproc") {
      address_.transport = Transport::kInproc;
      if (name.size() <= kLongestInproc) return address_;
      return Bad("the name is longer than " + std::to_string(kLongestInproc) + " characters");
    }
    return Bad("the transport is not one of tcp, ipc, inproc");
  }

 private:
  Result<ZmqAddress> ParseTcp(std::string_view name) {
    address_.transport = Transport::kTcp;
    const size_t colon = name.rfind(':');
    const bool bracketed = name.front() == '[';
    const size_t bracket = name.rfind(']');
    if (bracketed && bracket == std::string_view::npos) return Bad("the bracket [ is not closed");
    if (colon == std::string_view::npos || (bracketed && colon < bracket)) {
      return Bad("the port is missing");
    }
    std::string_view host = name.substr(0, colon);
    if (bracketed) {
      if (bracket != host.size() - 1) return Bad("text follows the bracket ]");
      host = host.substr(1, host.size() - 2);
      in6_addr unused;
      const std::string number(host.substr(0, host.find('%')));
      if (::inet_pton(AF_INET6, number.c_str(), &unused) != 1) {
        return Bad("there is no IPv6 address in the brackets");
      }
    }
    if (host.empty()) return Bad("the host is missing");
    if (!bracketed && host != "*" && !std::all_of(host.begin(), host.end(), IsNameCharacter)) {
      return Bad(
          "a host name may contain only letters, digits, '.', '-' and '_' (write an IPv6 address "
          "in brackets)");
    }
    if (host == "*" && address_.marker == Marker::kConnect) {
      return Bad("\"*\" is not an address that can be connected to");
    }
    if (host == "*") address_.marker = Marker::kBind;
    address_.host_port.host = host;
    const std::string_view port = name.substr(colon + 1);
    if (port == "*") return address_;  // 0: any free port
    const char* last = port.data() + port.size();
    const auto [stopped, error] = std::from_chars(port.data(), last, address_.host_port.port);
    if (error != std::errc() || stopped != last || address_.host_port.port == 0) {
      return Bad("what follows the host is not a port (1 to 65535)");
    }
    return address_;
  }

  Status Bad(const std::string& why) const {
    return {Code::kInvalidArgument,
            std::string(option_) + ": cannot read the address: " + why +
                "; expected for example tcp://*:5555 (to bind), tcp://host:5555 (to connect), "
                "ipc:///tmp/events.ipc or inproc://name"};
  }

  const std::string_view text_;
  const char* const option_;
  ZmqAddress address_;
};

}  // namespace

Result<std::vector<ZmqAddress>> ParseZmqAddresses(std::string_view text, const char* option) {
  std::vector<ZmqAddress> addresses;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    Result<ZmqAddress> address = Parser(Trim(text.substr(0, comma)), option).Parse();
    if (!address.ok()) return address.status();
    addresses.push_back(std::move(address.value()));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return addresses;
}

}  // namespace dsmsg::zmq
