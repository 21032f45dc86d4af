// SPDX-License-Identifier: Apache-2.0
// A connection through one adaptor, shared by its clients. What is common to both kinds is here:
// who waits for which callback, who is told what, who receives what.
//
// Threads: every function from any thread. The work thread calls the adaptor's do_work and
// disconnect. No lock is held while the adaptor or a user's callback is called.
// Ownership: the work thread holds its connection until it ends, so that an adaptor that never
// returns keeps what it works with.
#ifndef DSMSG_BROKER_CONNECTION_H_
#define DSMSG_BROKER_CONNECTION_H_

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/client.h"
#include "broker/client_settings.h"
#include "broker/event_router.h"
#include "broker/loader.h"
#include "broker/pending.h"
#include "core/base/fork.h"
#include "core/base/log.h"

namespace dsmsg {

/// The one logger of the library.
Logger& BrokerLog();

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Options {
    std::shared_ptr<const AdaptorLibrary> library;
    std::string conn_str, config;
    bool has_conn_str = false, has_config = false;  // NULL and "" may differ to an adaptor
    ClientSettings settings;
  };

  /// Connects and starts the threads. Blocks as long as the adaptor does; holds no lock.
  static Result<std::shared_ptr<Connection>> Open(Options options);
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Attach(const std::shared_ptr<Client>& client);
  /// Flushes the client's messages and calls back what is left. `last`: also ends the connection.
  void Detach(const std::shared_ptr<Client>& client, bool last);

  virtual NvMsgBrokerErrorType Send(const std::shared_ptr<Client>& client,
                                    const NvMsgBrokerClientMsg& message,
                                    nv_msgbroker_send_cb_t callback, void* user_ptr) = 0;
  /// All or nothing: on an error this client's topics and callback of before are in force, and the
  /// other clients' always.
  NvMsgBrokerErrorType Subscribe(const std::shared_ptr<Client>& client,
                                 std::vector<std::string> topics,
                                 nv_msgbroker_subscribe_cb_t callback, void* user_ptr);
  /// It will never send again: nobody else should join it.
  bool GivenUp() const;
  uint64_t id() const { return id_; }

  // What the adaptor calls, found through EventRouter.
  virtual void OnEvent(NvDsMsgApiEventType event) = 0;
  virtual void OnSent(const SendId& id, NvDsMsgApiErrorType code) = 0;
  void OnLink(bool up);
  /// `subscription`: the number of the one that the adaptor has in force.
  void OnMessage(uint64_t subscription, NvDsMsgApiErrorType code, void* message, int length,
                 char* topic);

 protected:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;
  // What an adaptor of others may take beyond flush-timeout before it is left alone.
  static constexpr Millis kGrace{10000};

  explicit Connection(Options options);

  // The two kinds differ in these. StartThreads and Work: once.
  virtual void StartThreads() = 0;
  virtual void JoinThreads(bool ended) = 0;
  /// The topics of all clients, numbered in the order in which they are tried.
  struct TopicSet {
    std::vector<std::string> topics;
    uint64_t number = 0;
  };
  /// Gives the adaptor the set of topics. On an error the previous set is in force again.
  virtual NvDsMsgApiErrorType SubscribeTopics(const TopicSet& set) = 0;

  const AdaptorApi& api() const { return options_.library->api(); }
  const AdaptorLibrary& library() const { return *options_.library; }
  const ClientSettings& settings() const { return options_.settings; }
  std::string Name() const { return library().protocol() + " (" + library().path() + ")"; }

  /// nvds_msgapi_connect; the handle is bound. Null: refused.
  NvDsMsgApiHandle ConnectAdaptor();
  NvDsMsgApiErrorType CallSubscribe(NvDsMsgApiHandle handle, const TopicSet& set);
  /// Calls back on this thread.
  void CallBack(const PendingSend& send, NvMsgBrokerErrorType status);
  void LeaveCall();  // of a user inside the adaptor
  /// Posts a state to every client that has heard another one last. mutex_ is held.
  void Tell(NvMsgBrokerErrorType status);
  void TellClient(Client& client);
  uint64_t WholeNumber(uint64_t lower_bits) const;  // mutex_ is held
  TopicSet NextTopics();                            // mutex_ is held
  /// The pause after a do_work that brought nothing: grows up to work-interval.
  std::chrono::microseconds NextPause(std::chrono::microseconds last) const;
  static void OnSentTrampoline(void* user_ptr, NvDsMsgApiErrorType code);

  using Outcome = std::pair<PendingSend, NvMsgBrokerErrorType>;
  /// Everything of a client, or of all, that was not called back. mutex_ is held.
  virtual std::vector<Outcome> TakeLeft(const Client* client);

  const ProcessStamp process_;
  const Options options_;
  const uint64_t id_;
  uint16_t number_ = 0;  // set before the threads start

  mutable std::mutex mutex_;      // guards all below
  std::condition_variable work_;  // the work thread has something to do
  std::condition_variable idle_;  // waiting users: something was completed, answered or ended
  std::condition_variable room_;  // senders that wait for the queue
  PendingSends pending_;
  std::vector<std::shared_ptr<Client>> clients_;
  NvDsMsgApiHandle handle_ = nullptr;  // of the adaptor
  NvMsgBrokerErrorType state_ = NV_MSGBROKER_API_OK;
  uint64_t completions_ = 0;
  uint64_t topic_sets_ = 0;       // tried so far
  size_t calls_ = 0;              // of users that are inside the adaptor
  bool stopping_ = false;         // the last client leaves
  bool work_ended_ = false;       // no thread of ours calls the adaptor or a send callback any more
  Clock::time_point deadline_{};  // of stopping

 private:
  Status Start();
  bool EndWork(Lock& lock, Clock::time_point last);
  void Resubscribe();

  std::mutex subscribe_mutex_;  // one set of topics after the other; never taken by callbacks
};

}  // namespace dsmsg

#endif  // DSMSG_BROKER_CONNECTION_H_
