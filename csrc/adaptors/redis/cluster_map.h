// SPDX-License-Identifier: Apache-2.0
// What the nodes of a Redis Cluster say about each other: who has which slot, and where a command
// is to go instead.
//
// Threads: values; no thread may change one while another reads it.
#ifndef DSMSG_ADAPTORS_REDIS_CLUSTER_MAP_H_
#define DSMSG_ADAPTORS_REDIS_CLUSTER_MAP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/redis/key_slot.h"
#include "adaptors/redis/reply.h"
#include "core/options/conn_string.h"

namespace dsmsg::redis {

class ClusterMap {
 public:
  /// From the answer to CLUSTER SLOTS of the node at `asked`: a node whose address the cluster does
  /// not know has that host.
  static ClusterMap Read(const Reply& reply, const HostPort& asked);

  /// No node has a slot.
  bool empty() const { return masters_.empty(); }
  /// The master of a slot; null if none serves it.
  const HostPort* OwnerOf(int slot) const;
  const std::vector<HostPort>& masters() const { return masters_; }
  const std::vector<HostPort>& replicas() const { return replicas_; }
  /// These, and behind them all nodes that are not among them.
  std::vector<HostPort> WithNodes(std::vector<HostPort> nodes) const;

 private:
  static constexpr uint16_t kNone = 0xFFFF;
  std::vector<HostPort> masters_, replicas_;
  std::vector<uint16_t> owners_ = std::vector<uint16_t>(kSlots, kNone);  // indices of masters_
};

/// Where a MOVED or ASK error sends a command.
struct Redirect {
  bool ask = false;  // this command only, behind ASKING
  int slot = 0;
  HostPort node;
};
/// nullopt: it is another error. `asked`: the node that answered.
std::optional<Redirect> ReadRedirect(std::string_view error, const HostPort& asked);

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CLUSTER_MAP_H_
