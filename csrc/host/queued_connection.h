// SPDX-License-Identifier: Apache-2.0
// A connection through a third-party adaptor, about which nothing is assumed: it may not reconnect,
// may lose messages, and may not support calls from two threads. One thread makes every call into
// the adaptor; messages wait in a bounded queue and are kept until they are called back, so that
// they can be given to the adaptor again after a reconnect. Results are reported on a second
// thread: a callback that waits for its host must not stop the queue from draining, which that host
// may be waiting for.
//
// Threads: those of Connection.
#ifndef DSMSG_HOST_QUEUED_CONNECTION_H_
#define DSMSG_HOST_QUEUED_CONNECTION_H_

#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/connection.h"

namespace dsmsg::host {

class QueuedConnection final : public Connection {
 public:
  explicit QueuedConnection(Options options) : Connection(std::move(options)) {}

  SendResult Send(const std::shared_ptr<User>& user, const MessageView& message,
                  const Ticket& ticket) override;
  void OnEvent(NvDsMsgApiEventType event) override;
  void OnSent(const SendId& id, NvDsMsgApiErrorType code) override;

 protected:
  void StartThreads() override;
  void JoinThreads(bool ended) override;
  NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) override;
  std::string StuckIn() const override { return calling_; }
  std::vector<Outcome> TakeLeft(const User* user, SendResult result) override;

 private:
  struct TopicRequest {
    TopicSet set;
    bool withdrawn = false;  // its sender has stopped waiting
    std::optional<NvDsMsgApiErrorType> answer;
  };

  /// Calls the adaptor; lets go of the lock meanwhile.
  template <class Body>
  auto Call(Lock& lock, const char* function, Body body) {
    calling_ = function;
    lock.unlock();
    auto result = body();
    lock.lock();
    calling_ = kCallback;
    return result;
  }

  // The work thread. Functions that take the lock release it around calls of the adaptor.
  void Work();
  bool WaitForWork(Lock& lock);
  void SubmitSome(Lock& lock);
  void DoWork(Lock& lock);
  void Reconnect(Lock& lock);
  bool TryConnect(Lock& lock);
  void DropHandle(Lock& lock);
  void GiveUp();
  void FinishWork(Lock& lock);
  /// Subscribes, or while there is no handle notes what to subscribe to.
  void AnswerTopicRequest(Lock& lock);
  NvDsMsgApiErrorType CallSubscribeUnlocked(Lock& lock, const TopicSet& set);
  void RestoreTopics(Lock& lock);

  void Dispatch();  // the thread of the results

  // mutex_ is held:
  bool HasWork() const;
  bool InFlight() const { return pending_.count() > 0 && pending_.begin() < next_; }
  /// do_work does more than run send callbacks.
  bool Endless() const { return !topics_.topics.empty() || library().protocol() == "MQTT"; }
  Clock::time_point WorkDue() const { return last_work_ + std::max(pause_, LeastPause()); }
  bool HasRoom(size_t bytes) const;
  /// Nothing more can or need be sent before the end.
  bool FlushIsOver() const;
  void Break(std::string why);
  void SendFailed(uint64_t number, SendResult result);
  void Complete(uint64_t number, SendResult result);

  static constexpr const char* kCallback = "a send callback";

  std::thread worker_, dispatcher_;
  // Guarded by mutex_:
  std::condition_variable due_cv_;  // the dispatcher
  std::deque<Outcome> due_;
  const char* calling_ = kCallback;  // what may not return
  uint64_t next_ = 0;                // the first message that this handle was not given yet
  uint8_t generation_ = 0;           // counts handles, to tell late completions from new ones
  bool broken_ = false;              // the adaptor is to be connected again
  bool reconnecting_ = false;        // and that goes on
  bool given_up_ = false;
  bool finishing_ = false, worker_ended_ = false;
  bool acknowledged_ = false;    // this handle has brought an OK
  bool blamed_ = false;          // a message failed on this handle that had failed on another
  bool blame_messages_ = false;  // a failed send says nothing about the connection
  std::shared_ptr<TopicRequest> topic_request_;
  TopicSet topics_;  // in force
  std::string why_broken_;
  std::chrono::microseconds pause_{0};  // after last_work_
  Clock::time_point last_work_{}, last_connect_{};
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_QUEUED_CONNECTION_H_
