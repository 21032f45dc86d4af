// SPDX-License-Identifier: Apache-2.0
#include "host/queued_connection.h"

#include <algorithm>

#include "core/base/thread.h"

namespace dsmsg::host {
namespace {

// Number of sends between two calls of do_work, so that a long queue does not delay completions.
constexpr int kSendsPerWork = 64;

}  // namespace

// ---------------------------------------------------------------- called by users and the adaptor

SendResult QueuedConnection::Send(const std::shared_ptr<User>& user, const MessageView& message,
                                  const Ticket& ticket) {
  if (message.size > settings().queue_bytes) return SendResult::kTooLarge;
  PendingSend send{user, ticket, std::make_shared<KeptMessage>()};
  if (message.topic != nullptr) send.message->topic = message.topic;
  send.message->payload.assign(reinterpret_cast<const char*>(message.payload), message.size);

  Lock lock(mutex_);
  room_.wait_for(lock, settings().overflow_timeout, [&] {
    return user->closed || given_up_ || reconnecting_ || HasRoom(message.size);
  });
  if (user->closed) return SendResult::kClosed;
  if (given_up_) return SendResult::kGivenUp;
  if (!HasRoom(message.size)) return reconnecting_ ? SendResult::kReconnecting : SendResult::kFull;
  pending_.Add(std::move(send));
  user->pending.fetch_add(1);
  work_.notify_one();
  return SendResult::kOk;
}

bool QueuedConnection::HasRoom(size_t bytes) const {
  const uint64_t ahead = pending_.end() - std::max(next_, pending_.begin());
  return pending_.count() < settings().queue_size &&
         pending_.bytes() + bytes <= settings().queue_bytes &&
         (ahead < options_.most_ahead || broken_ || reconnecting_);
}

void QueuedConnection::OnEvent(NvDsMsgApiEventType event) {
  const Lock lock(mutex_);
  if (finishing_ || given_up_) return;
  if (event == NVDS_MSGAPI_EVT_SUCCESS) {
    if (!broken_ && !reconnecting_) Tell(ConnectionState::kUp);
    return;
  }
  blame_messages_ = false;
  if (settings().auto_reconnect) {
    Break("the adaptor reports that the broker is gone");
  } else {
    Tell(ConnectionState::kDown);
  }
}

void QueuedConnection::OnSent(const SendId& id, NvDsMsgApiErrorType code) {
  const Lock lock(mutex_);
  if (id.generation != generation_) return;  // too late: another handle was given the message
  ++completions_;
  const uint64_t number = WholeNumber(id.number);
  const SendResult result = ResultOf(code);
  if (result == SendResult::kFailed) return SendFailed(number, result);
  if (result == SendResult::kOk) {
    acknowledged_ = true;
    if (blamed_) blame_messages_ = true;
  }
  Complete(number, result);
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

/// A failed send may be the message's fault or the connection's. The first time it is held against
/// the connection: the message is sent again over a new one. If it fails there too while other
/// messages pass, it was the message, and later failures are believed to be so at once.
void QueuedConnection::SendFailed(uint64_t number, SendResult result) {
  PendingSend* send = pending_.Find(number);
  if (send == nullptr) return;
  if (finishing_ || !settings().auto_reconnect) return Complete(number, result);
  if (broken_) return;  // the next handle is given it
  const bool passes = acknowledged_;
  if (!send->failed_before && !(blame_messages_ && passes)) {
    send->failed_before = true;
    return Break("a message could not be sent");
  }
  blamed_ = true;
  if (passes) blame_messages_ = true;
  Complete(number, result);
  if (!passes && Clock::now() - last_connect_ >= settings().retry_interval)
    Break("no message could be sent");
}

void QueuedConnection::Complete(uint64_t number, SendResult result) {
  PendingSend send;
  if (!pending_.Take(number, &send)) return;
  due_.emplace_back(std::move(send), result);
  due_cv_.notify_one();
  // A freed slot admits one waiter; freed bytes may admit several, or be too few for the first:
  // wake all.
  if (pending_.count() + 1 < settings().queue_size) {
    room_.notify_all();
  } else {
    room_.notify_one();
  }
}

std::vector<Connection::Outcome> QueuedConnection::TakeLeft(const User* user, SendResult result) {
  std::vector<Outcome> left;
  std::deque<Outcome> others;
  for (Outcome& outcome : due_) {
    if (user == nullptr || outcome.first.user.get() == user) {
      left.push_back(std::move(outcome));
    } else {
      others.push_back(std::move(outcome));
    }
  }
  due_.swap(others);
  for (Outcome& outcome : Connection::TakeLeft(user, result)) left.push_back(std::move(outcome));
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
    worker_ = StartThread("dsmsg-work", [self = shared_from_this(), this] { Work(); });
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
  for (std::thread* thread : {&worker_, &dispatcher_}) EndThread(thread, ended);
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
    if (!broken_ && handle_ != nullptr && (InFlight() || Endless()) && Clock::now() >= WorkDue())
      DoWork(lock);
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
  return (InFlight() || Endless()) && Clock::now() >= WorkDue();
}

/// False: the end.
bool QueuedConnection::WaitForWork(Lock& lock) {
  while (true) {
    if (FlushIsOver()) return false;
    if (HasWork()) return true;
    const bool polls = handle_ != nullptr && (InFlight() || Endless());
    if (polls || stopping_) {
      Clock::time_point until = polls ? WorkDue() : deadline_;
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
    const SendId id{number_, generation_, next_++};
    if (options_.most_ahead < SIZE_MAX) room_.notify_all();
    const PendingSend* send = pending_.Find(id.number);
    if (send == nullptr) continue;
    const auto code = Call(lock, "send_async", [&, handle = handle_, kept = send->message] {
      std::optional<std::string> topic = kept->topic;  // adaptors may write into it
      return api().send_async(handle, topic ? topic->data() : nullptr,
                              reinterpret_cast<const uint8_t*>(kept->payload.data()),
                              kept->payload.size(), &Connection::OnSentTrampoline, id.Pack());
    });
    ++count;
    pause_ = std::chrono::microseconds(0);
    if (code == NVDS_MSGAPI_UNKNOWN_TOPIC) {
      Complete(id.number, SendResult::kUnknownTopic);
    } else if (code != NVDS_MSGAPI_OK) {
      SendFailed(id.number, SendResult::kRefused);
    }
  }
}

void QueuedConnection::DoWork(Lock& lock) {
  const uint64_t before = completions_;
  Call(lock, "do_work", [this, handle = handle_] {
    CallDoWork(handle);
    return true;
  });
  // Called again at once as long as it completes something; otherwise after a growing pause, so
  // that a work-interval of a second does not make a message wait for a second.
  pause_ = completions_ != before ? std::chrono::microseconds(0) : NextPause(pause_);
  last_work_ = Clock::now();
}

NvDsMsgApiErrorType QueuedConnection::CallSubscribeUnlocked(Lock& lock, const TopicSet& set) {
  return Call(lock, "subscribe", [&, handle = handle_] { return CallSubscribe(handle, set); });
}

void QueuedConnection::AnswerTopicRequest(Lock& lock) {
  if (topic_request_ == nullptr) return;
  const std::shared_ptr<TopicRequest> request = std::move(topic_request_);
  topic_request_ = nullptr;
  NvDsMsgApiErrorType code = NVDS_MSGAPI_OK;  // without a handle: the next one subscribes
  if (given_up_ || finishing_) {
    code = NVDS_MSGAPI_ERR;
  } else if (handle_ != nullptr) {
    code = CallSubscribeUnlocked(lock, request->set);
    if (request->withdrawn) code = NVDS_MSGAPI_ERR;
    if (code != NVDS_MSGAPI_OK) RestoreTopics(lock);
  }
  if (code == NVDS_MSGAPI_OK) topics_ = request->set;
  request->answer = code;
  idle_.notify_all();
}

/// A third-party adaptor may have dropped what was subscribed before, or kept a part of what it
/// refused.
void QueuedConnection::RestoreTopics(Lock& lock) {
  const TopicSet topics = topics_;
  if (topics.topics.empty()) return;
  if (CallSubscribeUnlocked(lock, topics) != NVDS_MSGAPI_OK)
    Break("the earlier subscription could not be restored");
}

// ---------------------------------------------------------------- connecting again

void QueuedConnection::Reconnect(Lock& lock) {
  const Clock::time_point begin = Clock::now();
  reconnecting_ = true;
  room_.notify_all();  // senders that wait for room get kReconnecting
  log().Warn(Name() + ": " + why_broken_ + "; connecting again every retry-interval");
  Tell(ConnectionState::kReconnecting);
  DropHandle(lock);
  while (!FlushIsOver()) {
    AnswerTopicRequest(lock);
    const Clock::time_point next = last_connect_ + settings().retry_interval;
    if (Clock::now() < next) {
      work_.wait_until(lock, stopping_ ? std::min(next, deadline_) : next);
      continue;
    }
    if (TryConnect(lock)) {
      reconnecting_ = false;
      log().Warn(Name() + ": connected again");
      return Tell(ConnectionState::kUp);
    }
    const Millis limit = settings().max_retry_limit;
    if (limit.count() > 0 && Clock::now() - begin >= limit) return GiveUp();
  }
}

/// What was not called back stays and is given to the next handle.
void QueuedConnection::DropHandle(Lock& lock) {
  if (NvDsMsgApiHandle handle = std::exchange(handle_, nullptr); handle != nullptr) {
    EventRouter::Get().Unbind(handle, number_);
    Call(lock, "disconnect", [&] { return api().disconnect(handle); });
  }
  ++generation_;
  next_ = pending_.begin();
}

bool QueuedConnection::TryConnect(Lock& lock) {
  last_connect_ = Clock::now();
  broken_ = acknowledged_ = blamed_ = false;
  handle_ = Call(lock, "connect", [this] { return ConnectAdaptor(); });
  if (handle_ != nullptr && !topics_.topics.empty()) {
    const TopicSet topics = topics_;
    if (CallSubscribeUnlocked(lock, topics) != NVDS_MSGAPI_OK) DropHandle(lock);
  }
  if (handle_ == nullptr) broken_ = true;
  return handle_ != nullptr;
}

void QueuedConnection::GiveUp() {
  log().Error(Name() + ": no connection within max-retry-limit: giving up, " +
              std::to_string(pending_.count()) + " waiting messages fail");
  broken_ = reconnecting_ = false;
  given_up_ = true;
  for (Outcome& outcome : Connection::TakeLeft(nullptr, SendResult::kGivenUp))
    due_.push_back(std::move(outcome));
  due_cv_.notify_all();
  Tell(ConnectionState::kDown);
}

void QueuedConnection::FinishWork(Lock& lock) {
  finishing_ = true;
  AnswerTopicRequest(lock);
  DropHandle(lock);  // may call back
  for (Outcome& outcome : Connection::TakeLeft(nullptr, SendResult::kUnanswered))
    due_.push_back(std::move(outcome));
  worker_ended_ = true;
  due_cv_.notify_all();
  AnswerTopicRequest(lock);
}

}  // namespace dsmsg::host
