// SPDX-License-Identifier: Apache-2.0
// The handles of the client library in this process.
#ifndef DSMSG_BROKER_CLIENT_HANDLES_H_
#define DSMSG_BROKER_CLIENT_HANDLES_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>

#include "broker/client.h"
#include "core/base/status.h"
#include "host/connection.h"

namespace dsmsg {

/// Threads: every function from any thread. No lock is held while an adaptor is called.
class ClientHandles {
 public:
  struct Entry {
    std::shared_ptr<Client> client;
    host::Connection::Slots::SlotPtr slot;
    explicit operator bool() const { return client != nullptr; }
    host::Connection& connection() const { return *slot->value; }
  };

  /// Never destroyed: host threads may call until the very end of the process. A forked child has
  /// its own: its parent's handles are not valid there.
  static ClientHandles& Get();

  Result<Entry> Connect(host::Connection::Options options, nv_msgbroker_connect_cb_t connect_cb);
  Entry Find(NvMsgBrokerClientHandle handle) const;
  /// Why a handle may not be found.
  const char* WhyNot(NvMsgBrokerClientHandle handle) const;
  /// As Find, and removes it, so that no later call finds it.
  Entry Take(NvMsgBrokerClientHandle handle);

 private:
  NvMsgBrokerClientHandle NextHandle();

  mutable std::shared_mutex mutex_;
  std::map<NvMsgBrokerClientHandle, Entry> handles_;
  static inline std::atomic<uintptr_t> next_{1};  // goes on in children
  const uintptr_t first_ = next_;                 // of this process
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_CLIENT_HANDLES_H_
