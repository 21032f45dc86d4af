// SPDX-License-Identifier: Apache-2.0
#include "core/queue/outgoing.h"

namespace dsmsg {

void SyncWaiter::Finish(Status status) {
  std::lock_guard lock(mutex_);
  status_ = std::move(status);
  done_ = true;
  done_cv_.notify_all();  // under the lock: the waiter may be gone right afterwards
}

bool SyncWaiter::WaitUntil(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return done_cv_.wait_until(lock, deadline, [this] { return done_; });
}

Status SyncWaiter::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace dsmsg
