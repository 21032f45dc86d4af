// SPDX-License-Identifier: Apache-2.0
// The handles of the process and the connections that they share.
#ifndef DSMSG_BROKER_REGISTRY_H_
#define DSMSG_BROKER_REGISTRY_H_

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>

#include "broker/client.h"
#include "broker/connection.h"
#include "core/status.h"

namespace dsmsg {

/// Threads: every function from any thread. No lock is held while an adaptor is called; who wants a
/// connection that another thread is making waits for that one only.
class Registry {
 public:
  struct Entry {
    std::shared_ptr<Client> client;
    std::shared_ptr<Connection> connection;
    explicit operator bool() const { return client != nullptr; }
  };

  /// Never destroyed: host threads may call until the very end of the process.
  static Registry& Get();

  /// Joins the connection with the same library and signature, or makes one.
  Result<Entry> Connect(Connection::Options options, nv_msgbroker_connect_cb_t connect_cb);
  Entry Find(NvMsgBrokerClientHandle handle) const;
  /// False: the handle is not connected (any more).
  bool Disconnect(NvMsgBrokerClientHandle handle);

 private:
  /// A connection and its number of users; made before the connection is.
  struct Slot {
    std::string key;  // empty: not shared
    std::shared_ptr<Connection> connection;
    std::optional<Status> outcome;  // of connecting
    std::condition_variable connected;
    size_t users = 0;  // also those that wait for it
  };
  struct Held {
    Entry entry;
    std::shared_ptr<Slot> slot;
  };

  Result<std::shared_ptr<Slot>> GetSlot(Connection::Options options);
  std::shared_ptr<Slot> FindShared(const std::string& key);  // mutex_ is held
  void Forget(const std::shared_ptr<Slot>& slot);            // mutex_ is held
  NvMsgBrokerClientHandle NextHandle();

  mutable std::mutex mutex_;  // guards the slots
  std::map<std::string, std::shared_ptr<Slot>> shared_;
  mutable std::shared_mutex handles_mutex_;
  std::map<NvMsgBrokerClientHandle, Held> handles_;
  std::atomic<uint64_t> next_{1};
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_REGISTRY_H_
