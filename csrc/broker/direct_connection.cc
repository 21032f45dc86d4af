// SPDX-License-Identifier: Apache-2.0
#include "broker/direct_connection.h"

#include <utility>

#include "core/base/thread.h"

namespace dsmsg {

NvMsgBrokerErrorType DirectConnection::Send(const std::shared_ptr<Client>& client,
                                            const NvMsgBrokerClientMsg& message,
                                            nv_msgbroker_send_cb_t callback, void* user_ptr) {
  SendId id;
  NvDsMsgApiHandle handle = nullptr;
  {
    const Lock lock(mutex_);
    if (client->closed) return NV_MSGBROKER_API_ERR;
    PendingSend send;
    send.client = client;
    send.callback = callback;
    send.user_ptr = user_ptr;
    // Counted before the call: the work thread may see the completion before the call returns.
    id = {number_, 0, pending_.Add(std::move(send))};
    client->pending.fetch_add(1);
    ++calls_;
    handle = handle_;
    if (worker_sleeps_) work_.notify_one();
  }
  const NvDsMsgApiErrorType code =
      api().send_async(handle, message.topic, static_cast<const uint8_t*>(message.payload),
                       message.payload_len, &Connection::OnSentTrampoline, id.Pack());
  if (code != NVDS_MSGAPI_OK) {
    const Lock lock(mutex_);
    PendingSend refused;
    if (pending_.Take(id.number, &refused) && client->pending.fetch_sub(1) == 1) idle_.notify_all();
  }
  LeaveCall();
  return code == NVDS_MSGAPI_OK ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR;
}

void DirectConnection::OnSent(const SendId& id, NvDsMsgApiErrorType code) {
  PendingSend send;
  bool found = false;
  {
    const Lock lock(mutex_);
    ++completions_;
    found = pending_.Take(WholeNumber(id.number), &send);
  }
  if (found) CallBack(send, code == NVDS_MSGAPI_OK ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR);
}

void DirectConnection::OnEvent(NvDsMsgApiEventType event) {
  const Lock lock(mutex_);
  if (stopping_) return;
  switch (event) {
    case NVDS_MSGAPI_EVT_SUCCESS:
      return Tell(NV_MSGBROKER_API_OK);
    case NVDS_MSGAPI_EVT_DISCONNECT:
      return Tell(NV_MSGBROKER_API_RECONNECTING);
    case NVDS_MSGAPI_EVT_SERVICE_DOWN:
      BrokerLog().Error(Name() + ": gave up, or was refused for good (its own log says why)");
      return Tell(NV_MSGBROKER_API_ERR);
  }
}

NvDsMsgApiErrorType DirectConnection::SubscribeTopics(const TopicSet& set) {
  return CallSubscribe(handle_, set);  // handle_ does not change any more
}

void DirectConnection::StartThreads() {
  worker_ = StartThread("dsmsg-client", [self = shared_from_this(), this] { Work(); });
}

void DirectConnection::JoinThreads(bool) { worker_.join(); }

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
    api().do_work(handle_);
    const bool waited = Clock::now() - begin >= Millis(1);
    lock.lock();
    // It waits by itself; should it ever not, this loop must not spin.
    pause = waited || completions_ != before ? std::chrono::microseconds(0) : NextPause(pause);
    if (pause.count() > 0) work_.wait_for(lock, pause, [this] { return stopping_; });
  }
  // Nobody may be inside another call while the adaptor disconnects.
  work_.wait(lock, [this] { return calls_ == 0; });
  lock.unlock();
  api().disconnect(handle_);  // flushes and calls back
  EventRouter::Get().Unbind(handle_, number_);
  lock.lock();
  work_ended_ = true;
  idle_.notify_all();
}

}  // namespace dsmsg
