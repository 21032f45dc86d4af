// SPDX-License-Identifier: Apache-2.0
// A connection through an adaptor of others, of which nothing is expected: it need not reconnect,
// nor keep a message it was given, nor bear calls from two threads. One thread makes every call of
// the adaptor; messages wait in a bounded queue and are kept until they are called back, so that
// they can be given to the next link. Send callbacks run on a second thread: a callback that waits
// for its host must not keep the queue from draining, for which that host may wait.
#ifndef DSMSG_BROKER_QUEUED_CONNECTION_H_
#define DSMSG_BROKER_QUEUED_CONNECTION_H_

#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/connection.h"

namespace dsmsg {

class QueuedConnection final : public Connection {
 public:
  explicit QueuedConnection(Options options) : Connection(std::move(options)) {}

  NvMsgBrokerErrorType Send(const std::shared_ptr<Client>& client,
                            const NvMsgBrokerClientMsg& message, nv_msgbroker_send_cb_t callback,
                            void* user_ptr) override;
  void OnEvent(NvDsMsgApiEventType event) override;
  void OnSent(const SendId& id, NvDsMsgApiErrorType code) override;

 protected:
  void StartThreads() override;
  void JoinThreads(bool ended) override;
  NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) override;
  std::vector<Outcome> TakeLeft(const Client* client) override;

 private:
  struct TopicRequest {
    TopicSet set;
    bool withdrawn = false;  // its sender has stopped waiting
    std::optional<NvDsMsgApiErrorType> answer;
  };

  // The work thread. Functions that take the lock let go of it around calls of the adaptor.
  void Work();
  bool WaitForWork(Lock& lock);
  void SubmitSome(Lock& lock);
  void CallDoWork(Lock& lock);
  void Reconnect(Lock& lock);
  bool TryLink(Lock& lock);
  void EndLink(Lock& lock);
  void GiveUp();
  void FinishWork(Lock& lock);
  /// Subscribes, or with no link notes what to subscribe to.
  void AnswerTopicRequest(Lock& lock);
  void RestoreTopics(Lock& lock, NvDsMsgApiHandle handle);

  void Dispatch();  // the thread of the send callbacks

  // mutex_ is held:
  bool HasWork() const;
  bool InFlight() const { return pending_.count() > 0 && pending_.begin() < next_; }
  /// do_work moves more than send callbacks.
  bool Endless() const { return !topics_.topics.empty() || library().protocol() == "MQTT"; }
  bool HasRoom(size_t bytes) const;
  /// Nothing more can or need be sent before the end.
  bool FlushIsOver() const;
  void Break(std::string why);
  void SendFailed(uint64_t number);
  void Complete(uint64_t number, NvMsgBrokerErrorType status);

  std::thread worker_, dispatcher_;
  // Guarded by mutex_:
  std::condition_variable due_cv_;  // the dispatcher
  std::deque<Outcome> due_;
  uint64_t next_ = 0;          // the first message that this link was not given yet
  uint8_t link_ = 0;           // counts links, to tell late completions from new ones
  bool broken_ = false;        // the link is to be made again
  bool reconnecting_ = false;  // and that goes on
  bool given_up_ = false;
  bool finishing_ = false, worker_ended_ = false;
  bool acknowledged_ = false;    // this link has brought an OK
  bool blamed_ = false;          // a message failed on this link that had failed on another
  bool blame_messages_ = false;  // a failed send says nothing about the link
  std::shared_ptr<TopicRequest> topic_request_;
  TopicSet topics_;  // in force
  std::string why_broken_;
  std::chrono::microseconds pause_{0};
  Clock::time_point work_due_{}, last_connect_{};
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_QUEUED_CONNECTION_H_
