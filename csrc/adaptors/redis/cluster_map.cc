// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/cluster_map.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace dsmsg::redis {
namespace {

uint16_t IndexOf(const HostPort& node, std::vector<HostPort>* nodes) {
  const auto found = std::find(nodes->begin(), nodes->end(), node);
  if (found != nodes->end()) return static_cast<uint16_t>(found - nodes->begin());
  nodes->push_back(node);
  return static_cast<uint16_t>(nodes->size() - 1);
}

// [endpoint, port, id, [name, value, ...]]. The endpoint is null or empty where the node is reached
// like the one that was asked, and "?" where it has no host name though it should.
std::optional<HostPort> NodeAt(const Reply& reply, size_t node, const HostPort& asked) {
  const size_t count = reply.count(node);
  if (count < 2) return std::nullopt;
  HostPort found;
  found.host = reply.text(Reply::First(node));
  if (found.host == "?" && count >= 4) {
    const size_t more = reply.At(node, 3);
    size_t at = Reply::First(more);
    for (size_t left = reply.count(more) / 2; left-- > 0; at = reply.Next(reply.Next(at))) {
      if (reply.text(at) == "ip") found.host = reply.text(reply.Next(at));
    }
  }
  if (found.host.empty() || found.host == "?") found.host = asked.host;
  const int64_t port = reply.integer(reply.At(node, 1));
  if (port <= 0 || port > 65535) return std::nullopt;
  found.port = static_cast<uint16_t>(port);
  return found;
}

template <class Number>
bool ReadNumber(std::string_view text, Number* number) {
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && last == end;
}

}  // namespace

// [[first, last, master, replica, ...], ...]
ClusterMap ClusterMap::Read(const Reply& reply, const HostPort& asked) {
  ClusterMap map;
  if (!reply.is(Reply::Type::kArray)) return map;
  size_t range = Reply::First(0);
  for (size_t left = reply.count(); left-- > 0; range = reply.Next(range)) {
    const size_t count = reply.count(range);
    if (count < 3) continue;
    const int64_t first = reply.integer(reply.At(range, 0));
    const int64_t last = reply.integer(reply.At(range, 1));
    const auto master = NodeAt(reply, reply.At(range, 2), asked);
    if (!master || first < 0 || last >= kSlots || first > last) continue;
    const uint16_t owner = IndexOf(*master, &map.masters_);
    for (int64_t slot = first; slot <= last; ++slot) {
      map.owners_[static_cast<size_t>(slot)] = owner;
    }
    for (size_t n = 3; n < count; ++n) {
      const auto replica = NodeAt(reply, reply.At(range, n), asked);
      if (replica) (void)IndexOf(*replica, &map.replicas_);
    }
  }
  // A single node is the one that was asked, whatever it takes for its address.
  if (map.masters_.size() == 1 && map.replicas_.empty()) map.masters_[0] = asked;
  return map;
}

const HostPort* ClusterMap::OwnerOf(int slot) const {
  const uint16_t owner = owners_[static_cast<size_t>(slot)];
  return owner == kNone ? nullptr : &masters_[owner];
}

std::vector<HostPort> ClusterMap::WithNodes(std::vector<HostPort> nodes) const {
  for (const auto* more : {&masters_, &replicas_}) {
    for (const HostPort& node : *more) (void)IndexOf(node, &nodes);
  }
  return nodes;
}

// "MOVED 3999 127.0.0.1:6381". The host may be empty, and an IPv6 address has no brackets.
std::optional<Redirect> ReadRedirect(std::string_view error, const HostPort& asked) {
  Redirect redirect;
  redirect.ask = error.starts_with("ASK ");
  if (!redirect.ask && !error.starts_with("MOVED ")) return std::nullopt;
  error.remove_prefix(error.find(' ') + 1);
  const size_t blank = error.find(' '), colon = error.rfind(':');
  if (blank == error.npos || colon == error.npos || colon < blank) return std::nullopt;
  if (!ReadNumber(error.substr(0, blank), &redirect.slot) || redirect.slot < 0 ||
      redirect.slot >= kSlots || !ReadNumber(error.substr(colon + 1), &redirect.node.port)) {
    return std::nullopt;
  }
  redirect.node.host = error.substr(blank + 1, colon - blank - 1);
  if (redirect.node.host.empty() || redirect.node.host == "?") redirect.node.host = asked.host;
  return redirect;
}

}  // namespace dsmsg::redis
