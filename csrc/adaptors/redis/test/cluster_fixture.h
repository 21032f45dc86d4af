// SPDX-License-Identifier: Apache-2.0
// A real Redis Cluster on loopback ports for tests of the driver.
#ifndef DSMSG_ADAPTORS_REDIS_TEST_CLUSTER_FIXTURE_H_
#define DSMSG_ADAPTORS_REDIS_TEST_CLUSTER_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adaptors/redis/test/fixture.h"

namespace dsmsg::redis {

/// Waits for a state of the servers; fails the test after two minutes.
void WaitFor(const std::function<bool()>& state, const char* what);

/// Nodes 0 to masters-1 share the slots; each of the others is a replica of node n - masters.
class RedisCluster {
 public:
  RedisCluster(size_t masters, size_t replicas, std::vector<std::string> arguments = {});

  RedisServer& node(size_t number) { return *nodes_[number]; }
  std::string Address(size_t number) const;  // "127.0.0.1:port"
  std::string Seeds() const;                 // all of them
  std::string Id(size_t number) const { return ids_[number]; }
  /// A topic of the master `number`, different for each `n`.
  std::string Topic(size_t number, int n) const;
  /// The node that says of itself that it has the slot.
  bool Owns(size_t number, int slot) const;
  /// All running nodes of `numbers` say that the cluster is usable.
  bool Up(const std::vector<size_t>& numbers) const;
  /// The replica has all that its master has, or the master has no replica.
  void AwaitReplication(size_t master) const;

  // Moving a slot, in the steps that redis-cli takes.
  void BeginMove(int slot, size_t from, size_t to);
  void MoveKey(const std::string& key, size_t from, size_t to);
  void EndMove(int slot, size_t from, size_t to);

 private:
  const size_t masters_;
  std::vector<std::unique_ptr<RedisServer>> nodes_;
  std::vector<std::string> ids_;
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_TEST_CLUSTER_FIXTURE_H_
