// SPDX-License-Identifier: Apache-2.0
#include "core/queue/completion.h"

#include <iterator>
#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {

NvDsMsgApiErrorType ToApi(const Status& status) {
  if (status.ok()) return NVDS_MSGAPI_OK;
  return status.code() == Code::kUnknownTopic ? NVDS_MSGAPI_UNKNOWN_TOPIC : NVDS_MSGAPI_ERR;
}

void CompletionQueue::Push(std::vector<Finished>* finished) {
  if (finished->empty()) return;
  if (observer_) observer_(*finished);
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    for (const Finished& item : *finished) {
      if (item.recipient.callback == nullptr) continue;
      due_.push_back({item.recipient.callback, item.recipient.user_ptr, ToApi(item.status)});
    }
    wake = sleepers_ > 0 && !due_.empty();
  }
  if (wake) due_cv_.notify_one();
  for (Finished& item : *finished) {
    if (item.recipient.waiter) item.recipient.waiter->Finish(std::move(item.status));
  }
  finished->clear();
}

void CompletionQueue::Dispatch(Millis wait) {
  std::vector<Due> batch;
  {
    std::unique_lock lock(mutex_);
    if (due_.empty() && wait.count() > 0) {
      ++sleepers_;
      due_cv_.wait_for(lock, wait, [this] { return !due_.empty(); });
      --sleepers_;
      // A server with a small window answers a few messages at a time.
      gathering_.Rest(&lock, [this] { return due_.size(); });
    }
    if (due_.empty()) return;
    batch = std::exchange(due_, std::move(spare_));
    spare_ = {};
  }
  size_t done = 0;
  // Also when pthread_cancel unwinds the stack.
  struct Rest {
    CompletionQueue& queue;
    std::vector<Due>& batch;
    size_t& done;
    ~Rest() { queue.GiveBack(&batch, done); }
  } const rest{*this, batch, done};
  while (done < batch.size()) {
    const Due& due = batch[done++];
    Contained([&due] { due.callback(due.user_ptr, due.outcome); },
              [](const char* what) { LogException("a send callback", what); });
    if (!process_.is_here()) done = batch.size();  // it forked: the parent calls the others
  }
}

// The first `begin` callbacks of the batch have run.
void CompletionQueue::GiveBack(std::vector<Due>* batch, size_t begin) {
  if (!process_.is_here()) return;  // the lock may be held by a thread that is not here
  batch->erase(batch->begin(), batch->begin() + static_cast<std::ptrdiff_t>(begin));
  std::lock_guard lock(mutex_);
  if (!batch->empty()) {
    due_.insert(due_.begin(), batch->begin(), batch->end());
  } else if (batch->capacity() > spare_.capacity()) {
    spare_ = std::move(*batch);
  }
}

size_t CompletionQueue::waiting() const {
  std::lock_guard lock(mutex_);
  return due_.size();
}

}  // namespace dsmsg
