// SPDX-License-Identifier: Apache-2.0
#include "core/base/notifier.h"

#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {

void Notifier::Start() {
  std::lock_guard lock(mutex_);
  if (started_ || closed_) return;
  StartThread("dsmsg-notify", [self = shared_from_this()] { self->Run(); }).detach();
  started_ = true;
}

// Called on the thread that watches the link, which must continue: if memory runs out, the event is
// lost.
void Notifier::Post(Event event) noexcept {
  Contained(
      [&] {
        std::lock_guard lock(mutex_);
        if (closed_ || !started_) return;
        events_.push_back(std::move(event));
        changed_cv_.notify_all();
      },
      [](const char* what) { LogException("an event for the host", what); });
}

void Notifier::ConnectReturning() {
  std::lock_guard lock(mutex_);
  returning_ = true;
  returned_by_ = Clock::now() + Millis(100);
  changed_cv_.notify_all();
}

void Notifier::MarkHostCalled() {
  std::lock_guard lock(mutex_);
  host_called_ = true;
  changed_cv_.notify_all();
}

void Notifier::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  events_.clear();
  changed_cv_.notify_all();
}

bool Notifier::WaitUntilAllowed(std::unique_lock<std::mutex>& lock) {
  changed_cv_.wait(lock, [this] { return closed_ || returning_; });
  changed_cv_.wait_until(lock, returned_by_, [this] { return closed_ || host_called_; });
  return !closed_;
}

void Notifier::Run() {
  std::unique_lock lock(mutex_);
  if (!WaitUntilAllowed(lock)) return;
  while (true) {
    changed_cv_.wait(lock, [this] { return closed_ || !events_.empty(); });
    if (closed_) return;
    Event event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    Contained(event, [](const char* what) { LogException("a connect or link callback", what); });
    if (!process_.is_here()) return;  // the callback forked and returned in the child
    lock.lock();
  }
}

}  // namespace dsmsg
