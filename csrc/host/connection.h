// SPDX-License-Identifier: Apache-2.0
// A connection through one adaptor, shared by its users. What is common to both kinds is here: who
// waits for which result, who gets which state and which message.
//
// Threads: every function from any thread. The work thread calls the adaptor's do_work and
// disconnect. No lock is held while the adaptor or a user's callback is called (except
// User::OnState). Ownership: the work thread holds its connection until it ends, so that an adaptor
// that never returns keeps the objects it uses.
#ifndef DSMSG_HOST_CONNECTION_H_
#define DSMSG_HOST_CONNECTION_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/fork.h"
#include "core/base/log.h"
#include "host/adaptor_library.h"
#include "host/event_router.h"
#include "host/host_settings.h"
#include "host/pending_sends.h"
#include "host/shared_slots.h"
#include "host/user.h"

namespace dsmsg::host {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;
  using Slots = SharedSlots<Connection>;
  struct Options {
    std::shared_ptr<const AdaptorLibrary> library;
    std::optional<std::string> conn_str, config;  // none: NULL for the adaptor, which may differ
    HostSettings settings;
    Logger* log = nullptr;  // never null, lives as long as the process
    Millis work_pause{0};   // shortest between two calls of do_work
    // Of the messages in the queue in front of a third-party adaptor, so many may wait for their
    // first send while the connection is up. A host that can wait itself keeps it short.
    size_t most_ahead = SIZE_MAX;
  };

  /// Joins the connection with the same library and signature, or makes one: then it blocks as
  /// long as the adaptor's connect does. The error contains the adaptor's own text.
  static Result<Slots::SlotPtr> Join(Options options, const std::shared_ptr<User>& user);
  /// The user sends nothing more; a Send that waits for room returns.
  void Close(User& user);
  /// Waits for the user's messages until `deadline` and calls back what is left. The last user ends
  /// the connection. The status names a call that does not return within kGrace beyond that: the
  /// connection and its threads are then left as they are. (The flush in the disconnect of an
  /// adaptor of ours has a bound of its own.)
  static Status Leave(const Slots::SlotPtr& slot, const std::shared_ptr<User>& user,
                      Clock::time_point deadline);
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// kOk: OnSent follows, exactly once, perhaps before this returns. Otherwise it never does.
  virtual SendResult Send(const std::shared_ptr<User>& user, const MessageView& message,
                          const Ticket& ticket) = 0;
  /// All or nothing: if it returns false, this user's previous topics and callback stay in force.
  /// Those of the other users never change.
  bool Subscribe(const std::shared_ptr<User>& user, std::vector<std::string> topics,
                 nv_msgbroker_subscribe_cb_t callback, void* user_ptr);

  const AdaptorLibrary& library() const { return *options_.library; }
  const HostSettings& settings() const { return options_.settings; }
  uint64_t id() const { return id_; }
  /// "KAFKA (/path/of/the/adaptor.so)"
  std::string Name() const { return library().protocol() + " (" + library().path() + ")"; }
  /// The adaptor's handle; null while not connected.
  NvDsMsgApiHandle handle() const;
  /// The broker can be reached, as far as the adaptor has said so. (Users are told kUp when they
  /// join, even if connect did not wait for the broker.)
  bool up() const;

  // What the adaptor calls, found through EventRouter.
  virtual void OnEvent(NvDsMsgApiEventType event) = 0;
  virtual void OnSent(const SendId& id, NvDsMsgApiErrorType code) = 0;
  void OnLinkState(bool up);
  /// `subscription`: the number of the one that the adaptor has in force.
  void OnMessage(uint64_t subscription, NvDsMsgApiErrorType code, void* message, int length,
                 char* topic);

  /// What a call into the adaptor may take beyond a deadline before it is left alone.
  static constexpr Millis kGrace{10000};

 protected:
  using Lock = std::unique_lock<std::mutex>;

  explicit Connection(Options options);

  // The two kinds differ in these. StartThreads: once.
  virtual void StartThreads() = 0;
  virtual void JoinThreads(bool ended) = 0;
  /// The topics of all users, numbered in the order in which they are tried.
  struct TopicSet {
    std::vector<std::string> topics;
    uint64_t number = 0;
  };
  /// Passes the set of topics to the adaptor. On an error the previous set is in force again.
  virtual NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) = 0;
  /// The call that does not return. mutex_ is held.
  virtual std::string StuckIn() const = 0;

  const AdaptorApi& api() const { return options_.library->api(); }
  Logger& log() const { return *options_.log; }

  /// nvds_msgapi_connect; the handle is bound. Null: refused.
  NvDsMsgApiHandle ConnectAdaptor();
  NvDsMsgApiErrorType CallSubscribe(NvDsMsgApiHandle handle, const TopicSet& set);
  /// nvds_msgapi_do_work; an exception of the adaptor is logged.
  void CallDoWork(NvDsMsgApiHandle handle) const;
  /// Calls back on this thread.
  void CallBack(const PendingSend& send, SendResult result);
  void LeaveCall();  // of a user inside the adaptor
  /// mutex_ is held.
  void Tell(ConnectionState state);
  uint64_t WholeNumber(uint64_t lower_bits) const;  // mutex_ is held
  TopicSet NextTopics();                            // mutex_ is held
  /// The pause after a do_work that completed nothing: grows up to work-interval.
  std::chrono::microseconds NextPause(std::chrono::microseconds last) const;
  /// The shortest pause between two calls of do_work. mutex_ is held.
  std::chrono::microseconds LeastPause() const;
  static void OnSentTrampoline(void* user_ptr, NvDsMsgApiErrorType code);
  static SendResult ResultOf(NvDsMsgApiErrorType code);
  /// Joins a thread that has ended, detaches one that has not.
  static void EndThread(std::thread* thread, bool ended);

  using Outcome = std::pair<PendingSend, SendResult>;
  /// Everything of a user, or of all, that was not called back. mutex_ is held.
  virtual std::vector<Outcome> TakeLeft(const User* user, SendResult result);

  const ProcessStamp process_;
  const Options options_;
  const uint64_t id_;
  uint16_t number_ = 0;  // set before the threads start

  mutable std::mutex mutex_;      // guards all below
  std::condition_variable work_;  // the work thread has something to do
  std::condition_variable idle_;  // waiting users: something was completed, answered or ended
  std::condition_variable room_;  // senders that wait for the queue
  PendingSends pending_;
  std::vector<std::shared_ptr<User>> users_;
  NvDsMsgApiHandle handle_ = nullptr;  // of the adaptor
  ConnectionState state_ = ConnectionState::kUp;
  uint64_t completions_ = 0;
  uint64_t topic_sets_ = 0;       // tried so far
  size_t calls_ = 0;              // of users that are inside the adaptor
  bool subscribing_ = false;      // one of these calls passes a set of topics
  bool silent_ = false;           // the adaptor has not yet said whether the link is up
  bool stopping_ = false;         // the last user leaves
  bool flushing_ = false;         // an adaptor of ours is in disconnect, which has its own bound
  bool work_ended_ = false;       // no thread of ours calls the adaptor or a user any more
  Clock::time_point deadline_{};  // of stopping

 private:
  static Result<std::shared_ptr<Connection>> Open(Options options);
  Status Start();
  void Attach(const std::shared_ptr<User>& user);
  Status Detach(const std::shared_ptr<User>& user, bool last, Clock::time_point deadline);
  /// It will never send again: no one else should join it.
  bool GivenUp() const;
  Status EndWork(Lock& lock);
  void Resubscribe();
  /// One set of topics after the other. False: the one before is not answered within the bound,
  /// which is logged.
  bool BeginTopics(Lock& lock);
  void EndTopics();
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_CONNECTION_H_
