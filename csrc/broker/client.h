// SPDX-License-Identifier: Apache-2.0
// One caller of nv_msgbroker_connect(): a handle of its own on a connection that may be shared.
#ifndef DSMSG_BROKER_CLIENT_H_
#define DSMSG_BROKER_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/notifier.h"
#include "nvmsgbroker.h"

namespace dsmsg {

/// Topics, and who receives their messages.
struct Interest {
  std::vector<std::string> topics;
  nv_msgbroker_subscribe_cb_t callback = nullptr;
  void* user_ptr = nullptr;
};

/// Threads: the first block is constant; `pending` is atomic; the rest is guarded by the mutex of
/// the client's connection.
struct Client {
  /// Throws NoThreadError.
  Client(NvMsgBrokerClientHandle number, nv_msgbroker_connect_cb_t callback, bool reconnecting)
      : handle(number), connect_cb(callback), tell_reconnecting(reconnecting) {
    if (callback != nullptr) notifier->Start();
  }
  ~Client() { notifier->Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const NvMsgBrokerClientHandle handle;
  const nv_msgbroker_connect_cb_t connect_cb;  // may be null
  const bool tell_reconnecting;
  const std::shared_ptr<Notifier> notifier = std::make_shared<Notifier>();

  std::atomic<size_t> pending{0};  // accepted sends whose callback has not returned

  bool closed = false;
  NvMsgBrokerErrorType told = NV_MSGBROKER_API_OK;  // last state given to connect_cb
  std::shared_ptr<const Interest> interest = std::make_shared<const Interest>();  // in force
  // Null, or being tried: in the connection's set of topics with this number.
  std::shared_ptr<const Interest> wanted;
  uint64_t wanted_in = 0;
  size_t receiving = 0;  // subscribe callbacks that run now
};

/// Marks the calling thread as being inside a user callback of the connection with this id. Ids are
/// never used again.
class CallbackScope {
 public:
  explicit CallbackScope(uint64_t connection) : before_(current_) { current_ = connection; }
  ~CallbackScope() { current_ = before_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;
  static bool Inside(uint64_t connection) { return current_ == connection; }

 private:
  static inline thread_local uint64_t current_ = 0;
  const uint64_t before_;
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_CLIENT_H_
