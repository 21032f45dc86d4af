// SPDX-License-Identifier: Apache-2.0
#include "broker/queued_connection.h"

#include <algorithm>

#include "core/base/thread.h"

namespace dsmsg {
namespace {

// Between two calls of do_work, so that completions are not kept waiting by a long queue.
constexpr int kSendsPerWork = 64;

}  // namespace

// ---------------------------------------------------------------- called by users and the adaptor

NvMsgBrokerErrorType QueuedConnection::Send(const std::shared_ptr<Client>& client,
                                            const NvMsgBrokerClientMsg& message,
                                            nv_msgbroker_send_cb_t callback, void* user_ptr) {
  if (message.topic == nullptr || message.payload_len > settings().queue_bytes) {
    BrokerLog().Limited(LogLevel::kError, "send " + library().path(),
                        "send_async: " + Name() + ": " +
                            (message.topic == nullptr ? "this adaptor needs a topic"
                                                      : "the payload is larger than queue-bytes"));
    return NV_MSGBROKER_API_ERR;
  }
  PendingSend send;
  send.client = client;
  send.callback = callback;
  send.user_ptr = user_ptr;
  send.message = std::make_shared<KeptMessage>();
  send.message->topic = message.topic;
  send.message->payload.assign(static_cast<const char*>(message.payload), message.payload_len);

  Lock lock(mutex_);
  const auto no_wait = [&] { return client->closed || given_up_ || reconnecting_; };
  room_.wait_for(lock, settings().overflow_timeout,
                 [&] { return no_wait() || HasRoom(message.payload_len); });
  if (client->closed || given_up_) return NV_MSGBROKER_API_ERR;
  if (!HasRoom(message.payload_len)) {
    if (reconnecting_) return NV_MSGBROKER_API_RECONNECTING;
    BrokerLog().Limited(LogLevel::kError, "full " + library().path(),
                        "send_async: " + Name() +
                            ": the queue stayed full for overflow-timeout (is the broker too "
                            "slow? see queue-size, queue-bytes)");
    return NV_MSGBROKER_API_ERR;
  }
  pending_.Add(std::move(send));
  client->pending.fetch_add(1);
  work_.notify_one();
  return NV_MSGBROKER_API_OK;
}

bool QueuedConnection::HasRoom(size_t bytes) const {
  return pending_.count() < settings().queue_size &&
         pending_.bytes() + bytes <= settings().queue_bytes;
}

void QueuedConnection::OnEvent(NvDsMsgApiEventType event) {
  const Lock lock(mutex_);
  if (finishing_ || given_up_) return;
  if (event == NVDS_MSGAPI_EVT_SUCCESS) {
    if (!broken_ && !reconnecting_) Tell(NV_MSGBROKER_API_OK);
    return;
  }
  blame_messages_ = false;
  if (settings().auto_reconnect) {
    Break("the adaptor reports that the broker is gone");
  } else {
    Tell(NV_MSGBROKER_API_ERR);
  }
}

void QueuedConnection::OnSent(const SendId& id, NvDsMsgApiErrorType code) {
  const Lock lock(mutex_);
  if (id.link != link_) return;  // too late: another link was given the message
  ++completions_;
  const uint64_t number = WholeNumber(id.number);
  if (code == NVDS_MSGAPI_OK) {
    acknowledged_ = true;
    if (blamed_) blame_messages_ = true;
    Complete(number, NV_MSGBROKER_API_OK);
  } else if (code == NVDS_MSGAPI_UNKNOWN_TOPIC) {
    Complete(number, NV_MSGBROKER_API_ERR);
  } else {
    SendFailed(number);
  }
}

NvDsMsgApiErrorType QueuedConnection::SubscribeTopics(const TopicSet& set) {
  const auto request = std::make_shared<TopicRequest>();
  request->set = set;
  Lock lock(mutex_);
  if (worker_ended_ || given_up_) return NVDS_MSGAPI_ERR;
  topic_request_ = request;
  work_.notify_all();
  // The work thread may be inside a connect that does not return.
  idle_.wait_for(lock, settings().flush_timeout + kGrace,
                 [&] { return request->answer.has_value() || work_ended_; });
  if (request->answer) return *request->answer;
  if (topic_request_ == request) topic_request_ = nullptr;
  request->withdrawn = true;
  return NVDS_MSGAPI_ERR;
}

// ---------------------------------------------------------------- completions (mutex_ is held)

void QueuedConnection::Break(std::string why) {
  if (broken_ || finishing_) return;
  broken_ = true;
  why_broken_ = std::move(why);
  work_.notify_all();
}

/// A failed send may be the message's fault or the link's. The first time it is held against the
/// link: the message is sent again over a new one. If it fails there too while other messages pass,
/// it was the message, and later failures on this link are believed to be so at once.
void QueuedConnection::SendFailed(uint64_t number) {
  PendingSend* send = pending_.Find(number);
  if (send == nullptr) return;
  if (finishing_ || !settings().auto_reconnect) return Complete(number, NV_MSGBROKER_API_ERR);
  if (broken_) return;  // the next link is given it
  const bool passes = acknowledged_;
  if (!send->failed_before && !(blame_messages_ && passes)) {
    send->failed_before = true;
    return Break("a message could not be sent");
  }
  blamed_ = true;
  if (passes) blame_messages_ = true;
  Complete(number, NV_MSGBROKER_API_ERR);
  if (!passes && Clock::now() - last_connect_ >= settings().retry_interval)
    Break("no message could be sent");
}

void QueuedConnection::Complete(uint64_t number, NvMsgBrokerErrorType status) {
  PendingSend send;
  if (!pending_.Take(number, &send)) return;
  due_.emplace_back(std::move(send), status);
  due_cv_.notify_one();
  // A freed slot admits one waiter; freed bytes may admit several, or be too few for the first:
  // wake all.
  if (pending_.count() + 1 < settings().queue_size) {
    room_.notify_all();
  } else {
    room_.notify_one();
  }
}

std::vector<Connection::Outcome> QueuedConnection::TakeLeft(const Client* client) {
  std::vector<Outcome> left;
  std::deque<Outcome> others;
  for (Outcome& outcome : due_) {
    const bool wanted = client == nullptr || outcome.first.client.get() == client;
    if (wanted) {
      left.push_back(std::move(outcome));
    } else {
      others.push_back(std::move(outcome));
    }
  }
  due_.swap(others);
  for (Outcome& outcome : Connection::TakeLeft(client)) left.push_back(std::move(outcome));
  return left;
}

void QueuedConnection::Dispatch() {
  Lock lock(mutex_);
  while (true) {
    due_cv_.wait(lock, [this] { return !due_.empty() || worker_ended_; });
    if (due_.empty()) break;
    const Outcome outcome = std::move(due_.front());
    due_.pop_front();
    lock.unlock();
    CallBack(outcome.first, outcome.second);
    lock.lock();
  }
  work_ended_ = true;
  idle_.notify_all();
}

// ---------------------------------------------------------------- the work thread

void QueuedConnection::StartThreads() {
  last_connect_ = Clock::now();
  dispatcher_ = StartThread("dsmsg-sent", [self = shared_from_this(), this] { Dispatch(); });
  try {
    worker_ = StartThread("dsmsg-client", [self = shared_from_this(), this] { Work(); });
  } catch (...) {
    {
      const Lock lock(mutex_);
      worker_ended_ = true;
      due_cv_.notify_all();
    }
    dispatcher_.join();
    throw;
  }
}

void QueuedConnection::JoinThreads(bool ended) {
  for (std::thread* thread : {&worker_, &dispatcher_}) {
    if (ended) {
      thread->join();
    } else {
      thread->detach();
    }
  }
}

void QueuedConnection::Work() {
  Lock lock(mutex_);
  while (WaitForWork(lock)) {
    if (broken_) {
      Reconnect(lock);
      continue;
    }
    AnswerTopicRequest(lock);
    SubmitSome(lock);
    if (!broken_ && handle_ != nullptr && (InFlight() || Endless())) CallDoWork(lock);
  }
  FinishWork(lock);
}

bool QueuedConnection::FlushIsOver() const {
  return stopping_ && (pending_.count() == 0 || given_up_ || Clock::now() >= deadline_);
}

bool QueuedConnection::HasWork() const {
  if (broken_ || topic_request_ != nullptr) return true;
  if (handle_ == nullptr) return false;  // given up
  if (next_ < pending_.end()) return true;
  return (InFlight() || Endless()) && Clock::now() >= work_due_;
}

/// False: the end.
bool QueuedConnection::WaitForWork(Lock& lock) {
  while (true) {
    if (FlushIsOver()) return false;
    if (HasWork()) return true;
    const bool polls = handle_ != nullptr && (InFlight() || Endless());
    if (polls || stopping_) {
      Clock::time_point until = polls ? work_due_ : deadline_;
      if (stopping_) until = std::min(until, deadline_);
      work_.wait_until(lock, until);
    } else {
      work_.wait(lock);
    }
  }
}

void QueuedConnection::SubmitSome(Lock& lock) {
  for (int count = 0; count < kSendsPerWork && !broken_ && handle_ != nullptr;) {
    next_ = std::max(next_, pending_.begin());
    if (next_ >= pending_.end()) return;
    const SendId id{number_, link_, next_++};
    const PendingSend* send = pending_.Find(id.number);
    if (send == nullptr) continue;
    const std::shared_ptr<KeptMessage> message = send->message;  // a completion may come at once
    NvDsMsgApiHandle handle = handle_;
    lock.unlock();
    std::string topic = message->topic;  // adaptors may write into it
    const NvDsMsgApiErrorType code = api().send_async(
        handle, topic.data(), reinterpret_cast<const uint8_t*>(message->payload.data()),
        message->payload.size(), &Connection::OnSentTrampoline, id.Pack());
    lock.lock();
    ++count;
    pause_ = std::chrono::microseconds(0);
    work_due_ = Clock::now();
    if (code == NVDS_MSGAPI_UNKNOWN_TOPIC) {
      Complete(id.number, NV_MSGBROKER_API_ERR);
    } else if (code != NVDS_MSGAPI_OK) {
      SendFailed(id.number);
    }
  }
}

void QueuedConnection::CallDoWork(Lock& lock) {
  const uint64_t before = completions_;
  NvDsMsgApiHandle handle = handle_;
  lock.unlock();
  api().do_work(handle);
  lock.lock();
  // At once again while it brings something; else after a pause that grows, so that a
  // work-interval of a second does not make a message wait for a second.
  pause_ = completions_ != before ? std::chrono::microseconds(0) : NextPause(pause_);
  work_due_ = Clock::now() + pause_;
}

void QueuedConnection::AnswerTopicRequest(Lock& lock) {
  if (topic_request_ == nullptr) return;
  const std::shared_ptr<TopicRequest> request = std::move(topic_request_);
  topic_request_ = nullptr;
  NvDsMsgApiErrorType code = NVDS_MSGAPI_OK;  // with no link: the next one subscribes
  if (given_up_ || finishing_) {
    code = NVDS_MSGAPI_ERR;
  } else if (NvDsMsgApiHandle handle = handle_; handle != nullptr) {
    lock.unlock();
    code = CallSubscribe(handle, request->set);
    lock.lock();
    if (request->withdrawn) code = NVDS_MSGAPI_ERR;
    if (code != NVDS_MSGAPI_OK) RestoreTopics(lock, handle);
  }
  if (code == NVDS_MSGAPI_OK) topics_ = request->set;
  request->answer = code;
  idle_.notify_all();
}

/// A third-party adaptor may have dropped what was subscribed before, or kept a part of what it
/// refused.
void QueuedConnection::RestoreTopics(Lock& lock, NvDsMsgApiHandle handle) {
  const TopicSet topics = topics_;
  if (topics.topics.empty()) return;
  lock.unlock();
  const NvDsMsgApiErrorType code = CallSubscribe(handle, topics);
  lock.lock();
  if (code != NVDS_MSGAPI_OK) Break("the topics of before cannot be subscribed to again");
}

// ---------------------------------------------------------------- a new link

void QueuedConnection::Reconnect(Lock& lock) {
  const Clock::time_point begin = Clock::now();
  reconnecting_ = true;
  room_.notify_all();  // who waits for room is told RECONNECTING
  BrokerLog().Warn(Name() + ": " + why_broken_ + "; connecting again every retry-interval");
  Tell(NV_MSGBROKER_API_RECONNECTING);
  EndLink(lock);
  while (!FlushIsOver()) {
    AnswerTopicRequest(lock);
    const Clock::time_point next = last_connect_ + settings().retry_interval;
    if (Clock::now() < next) {
      work_.wait_until(lock, stopping_ ? std::min(next, deadline_) : next);
      continue;
    }
    if (TryLink(lock)) {
      reconnecting_ = false;
      BrokerLog().Warn(Name() + ": connected again");
      return Tell(NV_MSGBROKER_API_OK);
    }
    const Millis limit = settings().max_retry_limit;
    if (limit.count() > 0 && Clock::now() - begin >= limit) return GiveUp();
  }
}

/// What was not called back stays and is sent over the next link.
void QueuedConnection::EndLink(Lock& lock) {
  NvDsMsgApiHandle handle = std::exchange(handle_, nullptr);
  if (handle != nullptr) {
    EventRouter::Get().Unbind(handle, number_);
    lock.unlock();
    api().disconnect(handle);
    lock.lock();
  }
  ++link_;
  next_ = pending_.begin();
}

bool QueuedConnection::TryLink(Lock& lock) {
  last_connect_ = Clock::now();
  broken_ = acknowledged_ = blamed_ = false;
  lock.unlock();
  NvDsMsgApiHandle handle = ConnectAdaptor();
  lock.lock();
  handle_ = handle;
  if (handle != nullptr && !topics_.topics.empty()) {
    const TopicSet topics = topics_;
    lock.unlock();
    const NvDsMsgApiErrorType code = CallSubscribe(handle, topics);
    lock.lock();
    if (code != NVDS_MSGAPI_OK) EndLink(lock);
  }
  if (handle_ == nullptr) broken_ = true;
  return handle_ != nullptr;
}

void QueuedConnection::GiveUp() {
  BrokerLog().Error(Name() + ": no connection within max-retry-limit: giving up, " +
                    std::to_string(pending_.count()) + " waiting messages fail");
  broken_ = reconnecting_ = false;
  given_up_ = true;
  for (Outcome& outcome : Connection::TakeLeft(nullptr)) due_.push_back(std::move(outcome));
  due_cv_.notify_all();
  Tell(NV_MSGBROKER_API_ERR);
}

void QueuedConnection::FinishWork(Lock& lock) {
  finishing_ = true;
  AnswerTopicRequest(lock);
  EndLink(lock);  // may call back
  for (Outcome& outcome : Connection::TakeLeft(nullptr)) due_.push_back(std::move(outcome));
  worker_ended_ = true;
  due_cv_.notify_all();
  AnswerTopicRequest(lock);
}

}  // namespace dsmsg
