// SPDX-License-Identifier: Apache-2.0
// The hosts of CONTRACT section 2, imitated in what matters to an adaptor: which lock is held when,
// which thread calls what, and what a return value or an event makes them do.
//
// Threads: stated at each class. Ownership: a host owns its connection and ends it in Stop.
#ifndef DSMSG_CONFORMANCE_HOSTS_H_
#define DSMSG_CONFORMANCE_HOSTS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "adaptor.h"
#include "ledger.h"

namespace dsmsg::conformance {

/// Host A, the sink in its default mode. Render is called by one streaming thread, which also calls
/// Start and Stop. The work thread is its own.
class HostA {
 public:
  struct Options {
    bool endless = false;  // library named libnvds_mqtt_proto.so: do_work without pending sends
    std::chrono::microseconds sleep{0};  // after each do_work; 10 ms for libnvds_azure_proto.so
  };
  HostA(Link link, Ledger& ledger, Options options);
  ~HostA();  // Stop, if that was forgotten
  HostA(const HostA&) = delete;
  HostA& operator=(const HostA&) = delete;

  void Start();
  /// Sends a record under the flow lock. False: the adaptor refused it, which ends the pipeline.
  bool Render(Record& record);
  /// Waits until no callback is outstanding, as a host does at the end of the stream. False after
  /// `silence` without any callback.
  bool Drain(std::chrono::milliseconds silence);
  /// Joins the work thread, then disconnects: from then on no thread calls do_work.
  NvDsMsgApiErrorType Stop();

  uint64_t work_calls() const { return work_calls_.load(); }
  const Link& link() const { return link_; }

 private:
  void Work();
  void Called();

  Link link_;
  Ledger& ledger_;
  const Options options_;
  std::mutex flow_lock_;
  std::condition_variable flow_changed_;
  bool running_ = false;
  int pending_ = 0;
  std::atomic<uint64_t> work_calls_{0};
  std::thread worker_;
};

/// Host B, the client library. Send may be called by several threads at once.
class HostB {
 public:
  struct Options {
    std::chrono::milliseconds work_interval{10}, retry_interval{200};
    int max_retries = 200;
    bool endless = false;  // protocol MQTT
  };
  enum class Sent { kOk, kRefused, kReconnecting };

  /// Asks for the signature and joins a connection with the same one, or connects under the
  /// process-wide lock. Null: connect gave no handle.
  static std::shared_ptr<HostB> Connect(const Adaptor& adaptor, const std::string& connection,
                                        const std::string& config, Ledger& ledger, Options options);
  ~HostB();
  HostB(const HostB&) = delete;
  HostB& operator=(const HostB&) = delete;

  Sent Send(Record& record);
  bool Drain(std::chrono::milliseconds silence);
  /// The last user of a shared connection ends it. Holds the lock that the connect callback takes.
  NvDsMsgApiErrorType Disconnect();

  int users() const { return users_; }
  int reconnects() const { return reconnects_.load(); }
  int events() const { return events_.load(); }
  Link link();

 private:
  HostB(const Adaptor& adaptor, std::string connection, std::string config, Ledger& ledger,
        Options options);
  static void OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event);
  bool ConnectUnderLock();
  void Work();
  void Reconnect();
  void Called();

  const Adaptor& adaptor_;
  const std::string connection_, config_;
  Ledger& ledger_;
  const Options options_;
  std::string signature_;
  int users_ = 1;
  std::mutex event_lock_;  // taken by the connect callback, held in Disconnect
  std::mutex send_lock_;   // taken by the send callback, held around send_async
  std::condition_variable drained_;
  Link link_;  // changes only with send_lock_ held
  int pending_ = 0;
  std::atomic<bool> running_{true}, broken_{false};
  std::atomic<int> reconnects_{0}, events_{0};
  std::thread worker_;
};

/// Host C, a sample program: sends in the background, then calls do_work once a second until every
/// callback came. Returns false after `silence` without any callback.
bool HostCWaitOncePerSecond(const Link& link, const Ledger& ledger,
                            std::chrono::milliseconds silence);

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_HOSTS_H_
