// SPDX-License-Identifier: Apache-2.0
// Tells the host about the state of the link (connect_cb, link callback) on a thread of its own.
// Disconnect must not wait for a callback in progress (a host may hold the lock that it joins its
// threads under), so the thread is detached and owns this object, and nothing else of the
// connection. A callback that throws is logged and counts as run.
//
// Threads: every function from any thread; never blocks.
#ifndef DSMSG_CORE_BASE_NOTIFIER_H_
#define DSMSG_CORE_BASE_NOTIFIER_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "core/base/fork.h"
#include "core/base/time.h"

namespace dsmsg {

class Notifier : public std::enable_shared_from_this<Notifier> {
 public:
  using Event = std::function<void()>;

  /// Starts the thread if it does not run. Throws NoThreadError: call it before the first event,
  /// where the failure can be reported to the host.
  void Start();
  /// Queues an event; they run one at a time, in order. Without Start there are none.
  void Post(Event event) noexcept;

  /// nvds_msgapi_connect is about to return. No event runs before a later call on the handle proves
  /// that it has (HostCalled), or 100 ms have passed for a host that makes none.
  void ConnectReturning();
  void HostCalled() {
    if (!host_called_.load(std::memory_order_relaxed)) MarkHostCalled();
  }

  /// No event starts after this returns.
  void Close();

 private:
  void Run();
  void MarkHostCalled();
  bool WaitUntilAllowed(std::unique_lock<std::mutex>& lock);

  const ProcessStamp process_;
  std::mutex mutex_;
  std::condition_variable changed_cv_;
  std::deque<Event> events_;
  bool started_ = false, closed_ = false, returning_ = false;
  Clock::time_point returned_by_{};
  std::atomic<bool> host_called_{false};
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_NOTIFIER_H_
