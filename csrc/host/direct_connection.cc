// SPDX-License-Identifier: Apache-2.0
#include "host/direct_connection.h"

#include <algorithm>
#include <utility>

#include "core/base/thread.h"

namespace dsmsg::host {

SendResult DirectConnection::Send(const std::shared_ptr<User>& user, const MessageView& message,
                                  const Ticket& ticket) {
  SendId id;
  NvDsMsgApiHandle handle = nullptr;
  {
    const Lock lock(mutex_);
    if (user->closed) return SendResult::kClosed;
    // Counted before the call: the work thread may see the completion before the call returns.
    id = {number_, 0, pending_.Add({user, ticket, nullptr})};
    user->pending.fetch_add(1);
    ++calls_;
    handle = handle_;
    if (worker_sleeps_) work_.notify_one();
  }
  bool refused = false;
  if (CallSend(handle, message, id.Pack()) != NVDS_MSGAPI_OK) {
    const Lock lock(mutex_);
    PendingSend send;
    // One that is not there any more was called back by Leave.
    refused = pending_.Take(id.number, &send);
    if (refused && user->pending.fetch_sub(1) == 1) idle_.notify_all();
  }
  LeaveCall();
  return refused ? SendResult::kRefused : SendResult::kOk;
}

NvDsMsgApiErrorType DirectConnection::CallSend(NvDsMsgApiHandle handle, const MessageView& message,
                                               void* user_ptr) const {
  const bool plain = message.key.empty() && message.timestamp_ms == 0 && message.headers.empty();
  if (api().send_message == nullptr || plain) {
    return api().send_async(handle, message.topic, message.payload, message.size,
                            &Connection::OnSentTrampoline, user_ptr);
  }
  DsmsgMessage full = {};
  full.size = sizeof(full);
  full.topic = message.topic;
  full.payload = message.payload;
  full.payload_len = message.size;
  full.key = message.key.empty() ? nullptr : reinterpret_cast<const uint8_t*>(message.key.data());
  full.key_len = message.key.size();
  full.headers = message.headers.data();
  full.num_headers = message.headers.size();
  full.timestamp_ms = message.timestamp_ms;
  return api().send_message(handle, &full, &Connection::OnSentTrampoline, user_ptr);
}

void DirectConnection::OnSent(const SendId& id, NvDsMsgApiErrorType code) {
  PendingSend send;
  bool found = false;
  {
    const Lock lock(mutex_);
    ++completions_;
    found = pending_.Take(WholeNumber(id.number), &send);
  }
  if (found) CallBack(send, ResultOf(code));
}

void DirectConnection::OnEvent(NvDsMsgApiEventType event) {
  const Lock lock(mutex_);
  if (stopping_) return;
  switch (event) {
    case NVDS_MSGAPI_EVT_SUCCESS:
      return Tell(ConnectionState::kUp);
    case NVDS_MSGAPI_EVT_DISCONNECT:
      return Tell(ConnectionState::kReconnecting);
    case NVDS_MSGAPI_EVT_SERVICE_DOWN:
      log().Error(Name() + ": gave up, or was refused for good (its own log says why)");
      return Tell(ConnectionState::kDown);
  }
}

NvDsMsgApiErrorType DirectConnection::SubscribeTopics(const TopicSet& set) {
  return CallSubscribe(handle_, set);  // handle_ does not change any more
}

std::string DirectConnection::StuckIn() const {
  if (calls_ == 0) return "do_work";
  return subscribing_ ? "subscribe" : "send_async";
}

void DirectConnection::StartThreads() {
  worker_ = StartThread("dsmsg-work", [self = shared_from_this(), this] { Work(); });
}

void DirectConnection::JoinThreads(bool ended) { EndThread(&worker_, ended); }

void DirectConnection::Work() {
  Lock lock(mutex_);
  std::chrono::microseconds pause{0};
  while (!stopping_) {
    if (pending_.count() == 0) {
      worker_sleeps_ = true;
      work_.wait(lock, [this] { return pending_.count() > 0 || stopping_; });
      worker_sleeps_ = false;
      continue;
    }
    const uint64_t before = completions_;
    lock.unlock();
    const Clock::time_point begin = Clock::now();
    CallDoWork(handle_);
    const bool waited = Clock::now() - begin >= Millis(1);
    lock.lock();
    // do_work waits by itself; if it ever does not, this loop must not spin.
    pause = waited || completions_ != before ? std::chrono::microseconds(0) : NextPause(pause);
    const std::chrono::microseconds longer = std::max(pause, LeastPause());
    if (longer.count() > 0) work_.wait_for(lock, longer, [this] { return stopping_; });
  }
  // No other call may be in progress while the adaptor disconnects.
  work_.wait(lock, [this] { return calls_ == 0; });
  flushing_ = true;
  idle_.notify_all();
  lock.unlock();
  api().disconnect(handle_);  // flushes and calls back
  EventRouter::Get().Unbind(handle_, number_);
  lock.lock();
  work_ended_ = true;
  idle_.notify_all();
}

}  // namespace dsmsg::host
