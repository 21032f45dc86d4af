// SPDX-License-Identifier: Apache-2.0
#include "core/session/inbox.h"

#include <utility>

#include "core/base/encoding.h"
#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

DsmsgReceivedHeader View(const std::pair<std::string, std::string>& header) {
  return {header.first.c_str(), reinterpret_cast<const uint8_t*>(header.second.data()),
          header.second.size()};
}

}  // namespace

Inbox::Inbox(std::function<void()> wake, AroundCallback around, Encoding encoding)
    : wake_(std::move(wake)), around_(std::move(around)), encoding_(encoding) {}

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
  counted_ = 0;  // those of the previous one may still be acknowledged, and hold nothing up
  std::deque<Item> kept;
  for (Item& item : items_) {
    item.subscription = current_;
    if (keep(item.message.topic)) {
      kept.push_back(std::move(item));
      continue;
    }
    bytes_ -= item.message.Size();
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
  const size_t size = message.Size();
  if (closed_) return {Code::kCancelled, "the connection is being closed"};
  if (full(size)) {
    refused_ = true;
    return {Code::kWouldBlock, "the inbox is full"};
  }
  bytes_ += size;
  items_.push_back({std::move(message), {epoch, token, std::nullopt}, current_});
  changed_cv_.notify_one();
  return {};
}

bool Inbox::full(size_t more_bytes) const {
  return items_.size() + counted_ >= kMaxMessages ||
         (bytes_ + more_bytes > kMaxBytes && !items_.empty());
}

bool Inbox::Acknowledge(uint64_t number) {
  std::lock_guard lock(mutex_);
  auto found = unacked_.extract(number);
  if (found.empty()) return false;
  if (found.mapped().subscription == current_) --counted_;
  AddAck(std::move(found.mapped().ack));
  return true;
}

void Inbox::AddAck(Ack&& ack) {
  acks_.push_back(std::move(ack));
  if (closed_) return;  // the link may be gone: do not wake it
  const bool room = refused_ && items_.size() + counted_ <= kMaxMessages / 2;
  if (acks_.size() > 1 && !room) return;
  if (room) refused_ = false;
  wake_();
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

bool Inbox::idle() const {
  std::lock_guard lock(mutex_);
  return items_.empty() && calling_ == nullptr && unacked_.empty();
}

bool Inbox::WaitForMessage(std::unique_lock<std::mutex>* lock) {
  const auto ready = [this] { return !items_.empty() && current_ != nullptr; };
  while (!closed_ && !ready()) {
    changed_cv_.wait(*lock, [&] { return closed_ || ready(); });
    gathering_.Rest(lock, [this] { return items_.size(); });
  }
  return !closed_;
}

void Inbox::Run() {
  std::unique_lock lock(mutex_);
  while (WaitForMessage(&lock)) {
    Item item = std::move(items_.front());
    items_.pop_front();
    bytes_ -= item.message.Size();
    calling_ = item.subscription != nullptr ? item.subscription : current_;
    const Subscription& receiver = *calling_;
    const bool manual = receiver.manual_ack;
    // Before the callback, which may acknowledge it.
    if (manual) {
      unacked_.emplace(++numbers_, Unacked{std::move(item.ack), calling_});
      if (calling_ == current_) ++counted_;
    }
    const uint64_t number = manual ? numbers_ : 0;
    lock.unlock();
    const auto call = [&] {
      if (encoding_.key && item.message.has_key) item.message.key = ToBase64(item.message.key);
      if (encoding_.value) item.message.payload = ToBase64(item.message.payload);
      around_([&] { Call(receiver, item.message, number); });
    };
    Contained(call, [](const char* what) { LogException("a subscribe callback", what); });
    if (!process_.is_here()) return;  // the callback forked and returned in the child
    lock.lock();
    calling_ = nullptr;
    idle_cv_.notify_all();
    if (!manual) AddAck(std::move(item.ack));
  }
}

void Inbox::Call(const Subscription& receiver, const InMessage& message, uint64_t number) const {
  if (receiver.message_callback == nullptr) {
    // The contract's types: not const, but only read.
    receiver.callback(NVDS_MSGAPI_OK, const_cast<char*>(message.payload.data()),
                      static_cast<int>(message.payload.size()),
                      const_cast<char*>(message.topic.data()), receiver.user_ctx);
    return;
  }
  std::vector<DsmsgReceivedHeader> headers;
  headers.reserve(message.headers.size());
  for (const auto& header : message.headers) headers.push_back(View(header));
  DsmsgReceived received{};
  received.size = sizeof received;
  received.topic = message.topic.c_str();
  received.payload = reinterpret_cast<const uint8_t*>(message.payload.data());
  received.payload_len = message.payload.size();
  if (message.has_key) received.key = reinterpret_cast<const uint8_t*>(message.key.data());
  received.key_len = message.key.size();
  received.headers = headers.data();
  received.num_headers = headers.size();
  received.timestamp_ms = message.timestamp_ms;
  received.partition = message.partition;
  received.redelivered = message.redelivered ? 1 : 0;
  received.offset = message.offset;
  received.id = message.id.c_str();
  received.ack = number;
  received.timestamp_type = message.timestamp_type;
  receiver.message_callback(&received, receiver.user_ctx);
}

}  // namespace dsmsg
