// SPDX-License-Identifier: Apache-2.0
// A connection through an adaptor of ours: it queues, retries, reconnects and flushes by itself and
// may be called by any thread, so that a send is one call into it.
#ifndef DSMSG_BROKER_DIRECT_CONNECTION_H_
#define DSMSG_BROKER_DIRECT_CONNECTION_H_

#include <string>
#include <thread>
#include <vector>

#include "broker/connection.h"

namespace dsmsg {

class DirectConnection final : public Connection {
 public:
  explicit DirectConnection(Options options) : Connection(std::move(options)) {}

  NvMsgBrokerErrorType Send(const std::shared_ptr<Client>& client,
                            const NvMsgBrokerClientMsg& message, nv_msgbroker_send_cb_t callback,
                            void* user_ptr) override;
  void OnEvent(NvDsMsgApiEventType event) override;
  void OnSent(const SendId& id, NvDsMsgApiErrorType code) override;

 protected:
  void StartThreads() override;
  void JoinThreads(bool ended) override;
  NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) override;

 private:
  void Work();

  std::thread worker_;
  bool worker_sleeps_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_DIRECT_CONNECTION_H_
