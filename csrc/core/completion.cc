// SPDX-License-Identifier: Apache-2.0
#include "core/completion.h"

#include <utility>

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
    }
    if (due_.empty()) return;
    batch = std::exchange(due_, std::move(spare_));
    spare_ = {};
  }
  for (const Due& due : batch) due.callback(due.user_ptr, due.outcome);
  batch.clear();
  std::lock_guard lock(mutex_);
  if (batch.capacity() > spare_.capacity()) spare_ = std::move(batch);
}

size_t CompletionQueue::waiting() const {
  std::lock_guard lock(mutex_);
  return due_.size();
}

}  // namespace dsmsg
