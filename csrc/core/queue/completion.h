// SPDX-License-Identifier: Apache-2.0
// Outcomes on their way to the host. The I/O thread adds, do_work and disconnect dispatch. Waiting
// synchronous senders are woken at once, without do_work.
//
// Threads: every function from any thread. Callbacks run on the thread that dispatches, with no
// lock held.
#ifndef DSMSG_CORE_QUEUE_COMPLETION_H_
#define DSMSG_CORE_QUEUE_COMPLETION_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/base/fork.h"
#include "core/base/gathering.h"
#include "core/queue/outgoing.h"

namespace dsmsg {

class CompletionQueue {
 public:
  /// Told first of everything that is pushed, on the thread that pushes. Set before any thread
  /// uses the queue.
  using Observer = std::function<void(std::span<const Finished>)>;
  void SetObserver(Observer observer) { observer_ = std::move(observer); }

  /// Takes all of `finished` and leaves it empty.
  void Push(std::vector<Finished>* finished);

  /// Runs every callback that is due; if none is, waits for one at most `wait`, and where that
  /// happens thousands of times a second, 0.1 ms more for others (Gathering). One that throws is
  /// logged and counts as run. When the thread is cancelled inside one, the others stay due.
  void Dispatch(Millis wait);

  size_t waiting() const;

 private:
  struct Due {
    nvds_msgapi_send_cb_t callback;
    void* user_ptr;
    NvDsMsgApiErrorType outcome;
  };

  void GiveBack(std::vector<Due>* batch, size_t begin);

  const ProcessStamp process_;
  Observer observer_;
  mutable std::mutex mutex_;
  std::condition_variable due_cv_;
  std::vector<Due> due_;
  std::vector<Due> spare_;  // memory of the last dispatched batch, used again
  size_t sleepers_ = 0;
  Gathering gathering_;
};

/// What the C contract calls a status.
NvDsMsgApiErrorType ToApi(const Status& status);

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_COMPLETION_H_
