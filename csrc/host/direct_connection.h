// SPDX-License-Identifier: Apache-2.0
// A connection through one of our adaptors: it queues, retries, reconnects and flushes by itself
// and may be called by any thread, so a send is a single call into it.
//
// Threads: those of Connection.
#ifndef DSMSG_HOST_DIRECT_CONNECTION_H_
#define DSMSG_HOST_DIRECT_CONNECTION_H_

#include <string>
#include <thread>
#include <utility>

#include "host/connection.h"

namespace dsmsg::host {

class DirectConnection final : public Connection {
 public:
  explicit DirectConnection(Options options) : Connection(std::move(options)) {}

  SendResult Send(const std::shared_ptr<User>& user, const MessageView& message,
                  const Ticket& ticket) override;
  void OnEvent(NvDsMsgApiEventType event) override;
  void OnSent(const SendId& id, NvDsMsgApiErrorType code) override;

 protected:
  void StartThreads() override;
  void JoinThreads(bool ended) override;
  NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) override;
  std::string StuckIn() const override;

 private:
  NvDsMsgApiErrorType CallSend(NvDsMsgApiHandle handle, const MessageView& message,
                               void* user_ptr) const;
  void Work();

  std::thread worker_;
  bool worker_sleeps_ = false;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_DIRECT_CONNECTION_H_
