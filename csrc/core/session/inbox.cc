// SPDX-License-Identifier: Apache-2.0
#include "core/session/inbox.h"

#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

size_t SizeOf(const InMessage& message) { return message.payload.size() + message.topic.size(); }

}  // namespace

Inbox::Inbox(std::function<void()> wake, AroundCallback around)
    : wake_(std::move(wake)), around_(std::move(around)) {}

void Inbox::Start() {
  std::lock_guard lock(mutex_);
  if (started_) return;
  auto thread = StartThread("dsmsg-dispatch", [self = shared_from_this()] { self->Run(); });
  started_ = true;
  thread_ = thread.get_id();
  thread.detach();
}

void Inbox::Adopt(SubscriptionPtr subscription,
                  const std::function<bool(const std::string&)>& keep) {
  std::lock_guard lock(mutex_);
  current_ = std::move(subscription);
  std::deque<Item> kept;
  for (Item& item : items_) {
    item.subscription = current_;
    if (keep(item.message.topic)) {
      kept.push_back(std::move(item));
      continue;
    }
    bytes_ -= SizeOf(item.message);
    item.ack.unseen = std::move(item.message);
    acks_.push_back(std::move(item.ack));
  }
  items_.swap(kept);
  changed_cv_.notify_one();
  if (!closed_ && !acks_.empty()) wake_();
}

bool Inbox::WaitForOlderCall(uint64_t generation, Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (std::this_thread::get_id() == thread_) return true;
  return idle_cv_.wait_until(
      lock, deadline, [&] { return calling_ == nullptr || calling_->generation >= generation; });
}

Status Inbox::Deliver(InMessage&& message, uint64_t epoch, AckToken token) {
  std::lock_guard lock(mutex_);
  const size_t size = SizeOf(message);
  if (closed_) return {Code::kCancelled, "the connection is being closed"};
  if (items_.size() >= kMaxMessages || (bytes_ + size > kMaxBytes && !items_.empty())) {
    refused_ = true;
    return {Code::kWouldBlock, "the inbox is full"};
  }
  bytes_ += size;
  items_.push_back({std::move(message), {epoch, token, std::nullopt}, current_});
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
    idle_cv_.wait_until(lock, deadline, [this] { return items_.empty() && calling_ == nullptr; });
  }
  return items_.size();
}

bool Inbox::Close(Deadline deadline) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  items_.clear();
  bytes_ = 0;
  changed_cv_.notify_all();
  // The last owner of a session may be a call of its own callback.
  if (std::this_thread::get_id() == thread_) return true;
  return idle_cv_.wait_until(lock, deadline, [this] { return calling_ == nullptr; });
}

size_t Inbox::messages() const {
  std::lock_guard lock(mutex_);
  return items_.size();
}

void Inbox::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_cv_.wait(lock, [this] { return closed_ || (!items_.empty() && current_ != nullptr); });
    if (closed_) return;
    Item item = std::move(items_.front());
    items_.pop_front();
    bytes_ -= SizeOf(item.message);
    calling_ = item.subscription != nullptr ? item.subscription : current_;
    const Subscription& receiver = *calling_;
    lock.unlock();
    Contained(
        [&] {
          around_([&] {
            receiver.callback(NVDS_MSGAPI_OK, item.message.payload.data(),
                              static_cast<int>(item.message.payload.size()),
                              item.message.topic.data(), receiver.user_ctx);
          });
        },
        [](const char* what) { LogException("a subscribe callback", what); });
    if (!process_.is_here()) return;  // the callback forked and returned in the child
    lock.lock();
    calling_ = nullptr;
    idle_cv_.notify_all();
    acks_.push_back(std::move(item.ack));
    if (closed_) return;  // the link may be gone: do not wake it
    // One wake-up for many: the I/O thread takes all pending acknowledgements.
    const bool wake = acks_.size() == 1 || (refused_ && items_.size() <= kMaxMessages / 2);
    if (wake) {
      refused_ = false;
      wake_();
    }
  }
}

}  // namespace dsmsg
