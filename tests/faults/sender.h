// SPDX-License-Identifier: Apache-2.0
// A pipeline that sends numbered messages at a steady rate through an adaptor, driven as host A of
// CONTRACT section 2 does it: send_async under a lock that the send callback takes, do_work on a
// thread of its own while messages are pending.
//
// Threads: one thread calls the public functions; one sender a process. Ownership: a sender owns
// its connection; the adaptor and the journal outlive it.
#ifndef DSMSG_FAULTS_SENDER_H_
#define DSMSG_FAULTS_SENDER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adaptor.h"
#include "journal.h"

namespace dsmsg::faults {

using Clock = std::chrono::steady_clock;

struct Plan {
  std::string topic;
  size_t keys = 8;     // messages take the keys camera-0, camera-1, ... in turn
  size_t bytes = 300;  // of a payload, at least
};

class Sender {
 public:
  /// Messages are numbered on from the journal's end. `endless`: do_work also while nothing is
  /// pending (host A does so for libnvds_mqtt_proto.so).
  Sender(const conformance::Link& link, Journal& journal, Plan plan, bool endless);
  ~Sender();  // Disconnect, if that was forgotten
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Sends until Stop, at points in time `1/rate` seconds apart. It does not catch up after a
  /// blocked send: a camera does not wait.
  void Start(double rate);
  void Stop();
  /// Sends `count` messages as fast as they are accepted.
  void Burst(size_t count);
  /// Waits for all callbacks that are due; false when some are missing after `timeout`.
  bool Drain(std::chrono::milliseconds timeout);
  /// Joins the thread that calls do_work, then disconnects, as host A does. Returns how long the
  /// adaptor took.
  std::chrono::microseconds Disconnect();

  const conformance::Link& link() const { return link_; }
  size_t first() const { return first_; }
  size_t next() const { return next_.load(); }
  std::chrono::microseconds longest_send() const {
    return std::chrono::microseconds(longest_send_us_.load());
  }

 private:
  static void OnSent(void* entry, NvDsMsgApiErrorType flag);
  void SendOne();
  void SendAll(double rate);
  void Work();
  void Called();

  const conformance::Link link_;
  Journal& journal_;
  const Plan plan_;
  const bool endless_;
  const size_t first_;
  std::string payload_;
  std::mutex flow_lock_;  // held around send_async, taken by the callback
  std::condition_variable changed_;
  uint64_t pending_ = 0;
  bool running_ = true, connected_ = true;
  std::atomic<size_t> next_;
  std::atomic<int64_t> longest_send_us_{0};
  std::atomic<bool> sending_{false};
  std::thread worker_, source_;
};

}  // namespace dsmsg::faults

#endif  // DSMSG_FAULTS_SENDER_H_
