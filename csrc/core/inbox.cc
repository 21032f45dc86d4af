// SPDX-License-Identifier: Apache-2.0
#include "core/inbox.h"

#include <utility>

#include "core/guard.h"
#include "core/thread.h"

namespace dsmsg {

Inbox::Inbox(std::function<void()> wake, CallbackFrame frame)
    : wake_(std::move(wake)), frame_(std::move(frame)) {}

void Inbox::SetCallback(nvds_msgapi_subscribe_request_cb_t callback, void* user_ctx) {
  std::unique_lock lock(mutex_);
  const bool starts = !started_;
  if (starts) {
    auto thread = StartThread("dsmsg-dispatch", [self = shared_from_this()] { self->Run(); });
    thread_ = thread.get_id();
    thread.detach();
    started_ = true;
  }
  callback_ = callback;
  user_ctx_ = user_ctx;
  if (starts) return;
  if (std::this_thread::get_id() == thread_) return;
  idle_cv_.wait(lock, [this] { return !calling_; });
}

Status Inbox::Deliver(InMessage&& message, uint64_t epoch, AckToken token) {
  std::lock_guard lock(mutex_);
  const size_t size = message.payload.size() + message.topic.size();
  if (closed_) return {Code::kCancelled, "the connection is being closed"};
  if (items_.size() >= kMaxMessages || (bytes_ + size > kMaxBytes && !items_.empty())) {
    refused_ = true;
    return {Code::kWouldBlock, "the inbox is full"};
  }
  bytes_ += size;
  items_.push_back({std::move(message), {epoch, token}});
  changed_cv_.notify_one();
  return {};
}

void Inbox::TakeAcks(std::vector<Ack>* acks) {
  acks->clear();
  std::lock_guard lock(mutex_);
  acks->swap(acks_);
}

size_t Inbox::Drain(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (started_ && !closed_) {
    idle_cv_.wait_until(lock, deadline, [this] { return items_.empty() && !calling_; });
  }
  return items_.size();
}

void Inbox::Close(Deadline deadline) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  items_.clear();
  bytes_ = 0;
  changed_cv_.notify_all();
  idle_cv_.wait_until(lock, deadline, [this] { return !calling_; });
}

size_t Inbox::messages() const {
  std::lock_guard lock(mutex_);
  return items_.size();
}

void Inbox::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_cv_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (closed_) return;
    Item item = std::move(items_.front());
    items_.pop_front();
    bytes_ -= item.message.payload.size() + item.message.topic.size();
    const auto callback = callback_;
    void* const user_ctx = user_ctx_;
    calling_ = true;
    lock.unlock();
    Contained(
        [&] {
          frame_([&] {
            callback(NVDS_MSGAPI_OK, item.message.payload.data(),
                     static_cast<int>(item.message.payload.size()), item.message.topic.data(),
                     user_ctx);
          });
        },
        [](const char* what) { LogException("a subscribe callback", what); });
    if (!process_.is_here()) return;  // the callback has forked, and returned in the child
    lock.lock();
    calling_ = false;
    idle_cv_.notify_all();
    acks_.push_back(item.ack);
    if (closed_) return;  // the link may be gone: do not wake it
    // One wake-up for many: the I/O thread takes every acknowledgement there is.
    const bool wake = acks_.size() == 1 || (refused_ && items_.size() <= kMaxMessages / 2);
    if (wake) {
      refused_ = false;
      wake_();
    }
  }
}

}  // namespace dsmsg
