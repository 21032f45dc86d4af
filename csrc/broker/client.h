// SPDX-License-Identifier: Apache-2.0
// One caller of nv_msgbroker_connect(): its own handle on a connection that may be shared.
#ifndef DSMSG_BROKER_CLIENT_H_
#define DSMSG_BROKER_CLIENT_H_

#include <memory>

#include "core/base/notifier.h"
#include "host/user.h"
#include "nvmsgbroker.h"

namespace dsmsg {

/// Threads: as host::User; the data here are constant, except for `told_`, which the connection's
/// mutex guards.
class Client final : public host::User {
 public:
  /// Throws NoThreadError.
  Client(NvMsgBrokerClientHandle number, nv_msgbroker_connect_cb_t callback, bool reconnecting)
      : handle(number), connect_cb_(callback), tell_reconnecting_(reconnecting) {
    if (callback != nullptr) notifier->Start();
  }
  ~Client() override { notifier->Close(); }

  void OnState(host::ConnectionState state) override {
    if (connect_cb_ == nullptr || told_ == state) return;
    if (state == host::ConnectionState::kReconnecting && !tell_reconnecting_) return;
    told_ = state;
    notifier->Post([id = connection, callback = connect_cb_, handle = handle, state] {
      const host::CallbackScope scope(id);
      callback(handle, state == host::ConnectionState::kUp     ? NV_MSGBROKER_API_OK
                       : state == host::ConnectionState::kDown ? NV_MSGBROKER_API_ERR
                                                               : NV_MSGBROKER_API_RECONNECTING);
    });
  }
  void OnSent(const host::Ticket& ticket, host::SendResult result) override {
    if (ticket.callback == nullptr) return;
    ticket.callback(ticket.user_ptr,
                    result == host::SendResult::kOk ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR);
  }

  const NvMsgBrokerClientHandle handle;
  const std::shared_ptr<Notifier> notifier = std::make_shared<Notifier>();

 private:
  const nv_msgbroker_connect_cb_t connect_cb_;  // may be null
  const bool tell_reconnecting_;
  host::ConnectionState told_ = host::ConnectionState::kUp;  // last given to connect_cb_
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_CLIENT_H_
