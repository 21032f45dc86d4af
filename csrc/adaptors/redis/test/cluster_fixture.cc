// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/test/cluster_fixture.h"

#include <hiredis.h>

#include <stdexcept>
#include <thread>

#include "adaptors/redis/key_slot.h"
#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

constexpr size_t kMost = 6;

std::string Ok(Client& client, const std::vector<std::string>& command) {
  std::string answer = client.Text(command);
  if (answer != "OK") throw std::runtime_error(command[0] + " " + command[1] + ": " + answer);
  return answer;
}

}  // namespace

void WaitFor(const std::function<bool()>& state, const char* what) {
  const Deadline deadline = Clock::now() + Millis(120'000);
  while (!state()) {
    if (Clock::now() >= deadline) throw std::runtime_error(std::string("waited for ") + what);
    std::this_thread::sleep_for(Millis(20));
  }
}

RedisCluster::RedisCluster(size_t masters, size_t replicas, std::vector<std::string> arguments)
    : masters_(masters) {
  const size_t count = masters * (1 + replicas);
  if (count > kMost) throw std::runtime_error("too many nodes for this machine");
  std::vector<std::string> bus_ports;
  for (size_t number = 0; number < count; ++number) {
    bus_ports.push_back(std::to_string(testing::FreePort()));
    std::vector<std::string> all = {"--cluster-enabled",
                                    "yes",
                                    "--cluster-port",
                                    bus_ports.back(),
                                    "--cluster-node-timeout",
                                    "2000",
                                    "--repl-diskless-sync-delay",
                                    "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    nodes_.push_back(std::make_unique<RedisServer>(std::move(all)));
  }
  for (size_t number = 0; number < count; ++number) {
    Client client(nodes_[number]->port());
    ids_.push_back(client.Text({"CLUSTER", "MYID"}));
    Ok(client, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(number + 1)});
    if (number >= masters) continue;
    const size_t first = number * kSlots / masters, end = (number + 1) * kSlots / masters;
    Ok(client, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(end - 1)});
  }
  Client first(nodes_[0]->port());
  for (size_t number = 1; number < count; ++number) {
    Ok(first,
       {"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[number]->port()), bus_ports[number]});
  }
  const std::string known = "cluster_known_nodes:" + std::to_string(count) + "\r";
  std::vector<size_t> all;
  for (size_t number = 0; number < count; ++number) {
    Client client(nodes_[number]->port());
    WaitFor(
        [&] {
          return client.Text({"CLUSTER", "INFO"}).find(known) != std::string::npos;
        },
        "the nodes to meet");
    all.push_back(number);
  }
  for (size_t number = masters; number < count; ++number) {
    Client client(nodes_[number]->port());
    const std::string& master = ids_[(number - masters) % masters];
    WaitFor([&] { return client.Text({"CLUSTER", "REPLICATE", master}) == "OK"; }, "REPLICATE");
    WaitFor(
        [&] {
          return client.Text({"INFO", "replication"}).find("master_link_status:up") !=
                 std::string::npos;
        },
        "the replica");
  }
  WaitFor([&] { return Up(all); }, "the cluster");
}

std::string RedisCluster::Address(size_t number) const {
  return "127.0.0.1:" + std::to_string(nodes_[number]->port());
}

std::string RedisCluster::Seeds() const {
  std::string seeds;
  for (size_t number = 0; number < nodes_.size(); ++number) {
    seeds += (number == 0 ? "" : ",") + Address(number);
  }
  return seeds;
}

std::string RedisCluster::Topic(size_t number, int n) const {
  for (int i = 0;; ++i) {
    std::string topic = "topic-" + std::to_string(n) + "-" + std::to_string(i);
    const auto slot = static_cast<size_t>(KeySlot(topic));
    if (slot >= number * kSlots / masters_ && slot < (number + 1) * kSlots / masters_) return topic;
  }
}

bool RedisCluster::Owns(size_t number, int slot) const {
  Client client(nodes_[number]->port());
  Client::Reply ranges = client.Run({"CLUSTER", "SLOTS"});
  for (size_t i = 0; i < ranges->elements; ++i) {
    const redisReply* range = ranges->element[i];
    if (slot < range->element[0]->integer || slot > range->element[1]->integer) continue;
    return range->element[2]->element[1]->integer == nodes_[number]->port();
  }
  return false;
}

bool RedisCluster::Up(const std::vector<size_t>& numbers) const {
  for (const size_t number : numbers) {
    Client client(nodes_[number]->port());
    if (client.Text({"CLUSTER", "INFO"}).find("cluster_state:ok") == std::string::npos) {
      return false;
    }
  }
  return true;
}

void RedisCluster::AwaitReplication(size_t master) const {
  Client client(nodes_[master]->port());
  // WAIT asks about the commands of its own connection only.
  client.Run({"PUBLISH", "replicate", "all"});
  WaitFor(
      [&] {
        const std::string text = client.Text({"INFO", "replication"});
        const auto value = [&text](const std::string& name) {
          const size_t at = text.find(name);
          return at == std::string::npos
                     ? std::string()
                     : text.substr(at + name.size(),
                                   text.find_first_of(",\r", at + name.size()) - at - name.size());
        };
        const std::string replica = value(",offset=");
        return replica.empty() || replica == value("master_repl_offset:");
      },
      "the replica to have all");
}

void RedisCluster::BeginMove(int slot, size_t from, size_t to) {
  Client source(nodes_[from]->port()), target(nodes_[to]->port());
  Ok(target, {"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", ids_[from]});
  Ok(source, {"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", ids_[to]});
}

void RedisCluster::MoveKey(const std::string& key, size_t from, size_t to) {
  Client source(nodes_[from]->port());
  Ok(source, {"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), key, "0", "60000"});
}

void RedisCluster::EndMove(int slot, size_t from, size_t to) {
  for (const size_t number : {to, from}) {
    Client client(nodes_[number]->port());
    Ok(client, {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", ids_[to]});
  }
}

}  // namespace dsmsg::redis
