// SPDX-License-Identifier: Apache-2.0
// The handles of the process and the connections that they share.
#ifndef DSMSG_BROKER_REGISTRY_H_
#define DSMSG_BROKER_REGISTRY_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>

#include "broker/client.h"
#include "broker/connection.h"
#include "broker/shared_slots.h"
#include "core/base/status.h"

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

  /// Never destroyed: host threads may call until the very end of the process. A child of fork()
  /// has one of its own: its parent's handles mean nothing there.
  static Registry& Get();

  /// Joins the connection with the same library and signature, or makes one.
  Result<Entry> Connect(Connection::Options options, nv_msgbroker_connect_cb_t connect_cb);
  Entry Find(NvMsgBrokerClientHandle handle) const;
  /// Why a handle that is not found may be none.
  const char* WhyNot(NvMsgBrokerClientHandle handle) const;
  /// False: the handle is not connected (any more).
  bool Disconnect(NvMsgBrokerClientHandle handle);

 private:
  struct Held {
    Entry entry;
    SharedSlots<Connection>::SlotPtr slot;
  };

  NvMsgBrokerClientHandle NextHandle();

  SharedSlots<Connection> shared_;
  mutable std::shared_mutex handles_mutex_;
  std::map<NvMsgBrokerClientHandle, Held> handles_;
  static inline std::atomic<uintptr_t> next_{1};  // goes on in children
  const uintptr_t first_ = next_;                 // of this process
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_REGISTRY_H_
