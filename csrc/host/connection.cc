// SPDX-License-Identifier: Apache-2.0
#include "host/connection.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <system_error>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/thread.h"
#include "host/direct_connection.h"
#include "host/queued_connection.h"

namespace dsmsg::host {
namespace {

constexpr std::chrono::microseconds kShortestPause{100};
// A host's own pause between two calls of do_work must not slow down the end.
constexpr Millis kMostAtEnd{10};

std::atomic<uint64_t> next_id{1};

bool Contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

/// A subscription of that form stands for topics with other names.
bool HasPattern(const std::vector<std::string>& topics) {
  return std::any_of(topics.begin(), topics.end(), [](const std::string& topic) {
    return topic.find_first_of("*+#?[$^") != std::string::npos;
  });
}

void OnLinkStateOf(void* user_ptr, DsmsgLinkState state, const char*) {
  if (const auto connection = EventRouter::Get().Find(SendId::Unpack(user_ptr).connection))
    connection->OnLinkState(state == DSMSG_LINK_UP);
}

void OnSubscribed(NvDsMsgApiErrorType code, void* message, int length, char* topic,
                  void* user_ptr) {
  const SendId id = SendId::Unpack(user_ptr);
  if (const auto connection = EventRouter::Get().Find(id.connection))
    connection->OnMessage(id.number, code, message, length, topic);
}

/// Never destroyed: a host may call until the very end of the process.
Connection::Slots& AllSlots() {
  static PerProcess<Connection::Slots> slots;
  return slots.Get();
}

}  // namespace

Connection::Connection(Options options) : options_(std::move(options)), id_(next_id++) {}

Connection::~Connection() = default;

Result<Connection::Slots::SlotPtr> Connection::Join(Options options,
                                                    const std::shared_ptr<User>& user) {
  const std::string key = SharingKey(*options.library, options.conn_str, options.config);
  auto slot = AllSlots().Join(
      key, [&] { return Open(std::move(options)); },
      [](const Connection& connection) { return !connection.GivenUp(); });
  if (slot.ok()) slot.value()->value->Attach(user);
  return slot;
}

Status Connection::Leave(const Slots::SlotPtr& slot, const std::shared_ptr<User>& user,
                         Clock::time_point deadline) {
  const bool last = AllSlots().Leave(slot);
  return slot->value->Detach(user, last, deadline);
}

Result<std::shared_ptr<Connection>> Connection::Open(Options options) {
  std::shared_ptr<Connection> connection;
  if (options.library->ours()) {
    connection = std::make_shared<DirectConnection>(std::move(options));
  } else {
    connection = std::make_shared<QueuedConnection>(std::move(options));
  }
  connection->number_ = EventRouter::Get().Add(connection);
  if (connection->number_ == 0)
    return Status(Code::kInternal, "there are 65535 connections already");
  const Status status = connection->Start();
  if (status.ok()) return connection;
  EventRouter::Get().Remove(connection->number_);
  return status;
}

Status Connection::Start() {
  NvDsMsgApiHandle handle = ConnectAdaptor();
  if (handle == nullptr) {
    const std::string reason = library().LastError(nullptr);
    return Status(Code::kUnavailable, reason.empty()
                                          ? "connect failed without a reason (its log may have one)"
                                          : reason);
  }
  const bool tells = library().ours() && api().set_link_callback != nullptr;
  {
    const Lock lock(mutex_);
    handle_ = handle;
    silent_ = tells;
  }
  try {
    StartThreads();
  } catch (const std::system_error& error) {
    EventRouter::Get().Unbind(handle, number_);
    api().disconnect(handle);
    return Status(Code::kInternal, error.what());
  }
  if (tells) api().set_link_callback(handle, &OnLinkStateOf, SendId{number_, 0, 0}.Pack());
  return {};
}

NvDsMsgApiHandle Connection::ConnectAdaptor() {
  // The contract's strings are not const, and third-party adaptors may write into them.
  std::string conn_str = options_.conn_str.value_or(""), config = options_.config.value_or("");
  NvDsMsgApiHandle handle =
      EventRouter::Get().Connect(api().connect, options_.conn_str ? conn_str.data() : nullptr,
                                 options_.config ? config.data() : nullptr);
  if (handle != nullptr) EventRouter::Get().Bind(handle, number_);
  return handle;
}

bool Connection::up() const {
  const Lock lock(mutex_);
  return state_ == ConnectionState::kUp && !silent_;
}

NvDsMsgApiHandle Connection::handle() const {
  const Lock lock(mutex_);
  return handle_;
}

// ---------------------------------------------------------------- users

void Connection::Attach(const std::shared_ptr<User>& user) {
  const Lock lock(mutex_);
  users_.push_back(user);
  user->connection = id_;
  user->OnState(state_);
}

void Connection::Close(User& user) {
  const Lock lock(mutex_);
  user.closed = true;
  room_.notify_all();
}

Status Connection::Detach(const std::shared_ptr<User>& user, bool last,
                          Clock::time_point deadline) {
  Lock lock(mutex_);
  user->closed = true;
  room_.notify_all();
  Status status;
  if (last) {
    stopping_ = true;
    deadline_ = deadline;
    status = EndWork(lock);
    idle_.wait_until(lock, deadline + kGrace, [&] { return user->receiving == 0; });
  } else {
    idle_.wait_until(lock, deadline,
                     [&] { return user->pending.load() == 0 && user->receiving == 0; });
  }
  const std::vector<Outcome> left = TakeLeft(last ? nullptr : user.get(), SendResult::kUnanswered);
  users_.erase(std::remove(users_.begin(), users_.end(), user), users_.end());
  const bool had_topics = !user->interest->topics.empty();
  lock.unlock();
  for (const auto& [send, result] : left) CallBack(send, result);
  if (last) {
    JoinThreads(status.ok());
    EventRouter::Get().Remove(number_);
  } else if (had_topics) {
    Resubscribe();
  }
  return status;
}

void Connection::EndThread(std::thread* thread, bool ended) {
  if (ended) {
    thread->join();
  } else {
    thread->detach();
  }
}

/// An error: the adaptor, or a callback, does not return.
Status Connection::EndWork(Lock& lock) {
  work_.notify_all();
  idle_.wait_until(lock, deadline_ + kGrace, [this] { return work_ended_ || flushing_; });
  if (flushing_) idle_.wait(lock, [this] { return work_ended_; });
  if (work_ended_) return {};
  return {Code::kInternal,
          Name() + " does not return from " + StuckIn() + ": its connection was left as it is"};
}

std::vector<Connection::Outcome> Connection::TakeLeft(const User* user, SendResult result) {
  std::vector<Outcome> left;
  for (PendingSend& send : pending_.TakeAll(user)) left.emplace_back(std::move(send), result);
  room_.notify_all();
  return left;
}

bool Connection::GivenUp() const {
  const Lock lock(mutex_);
  return state_ == ConnectionState::kDown || stopping_;
}

void Connection::Tell(ConnectionState state) {
  state_ = state;
  for (const auto& user : users_) {
    if (!user->closed) user->OnState(state);
  }
}

void Connection::OnLinkState(bool up) {
  const Lock lock(mutex_);
  silent_ = false;
  // After kDown only a link that is up is news: the adaptor goes on trying without being asked.
  if (stopping_ || (!up && state_ == ConnectionState::kDown)) return;
  Tell(up ? ConnectionState::kUp : ConnectionState::kReconnecting);
}

// ---------------------------------------------------------------- sends

void Connection::OnSentTrampoline(void* user_ptr, NvDsMsgApiErrorType code) {
  const SendId id = SendId::Unpack(user_ptr);
  if (const auto connection = EventRouter::Get().Find(id.connection)) connection->OnSent(id, code);
}

uint64_t Connection::WholeNumber(uint64_t lower_bits) const {
  constexpr uint64_t kMask = (uint64_t{1} << SendId::kNumberBits) - 1;
  return pending_.begin() + ((lower_bits - pending_.begin()) & kMask);
}

SendResult Connection::ResultOf(NvDsMsgApiErrorType code) {
  if (code == NVDS_MSGAPI_OK) return SendResult::kOk;
  return code == NVDS_MSGAPI_UNKNOWN_TOPIC ? SendResult::kUnknownTopic : SendResult::kFailed;
}

void Connection::CallBack(const PendingSend& send, SendResult result) {
  {
    const CallbackScope scope(id_);
    Contained([&] { send.user->OnSent(send.ticket, result); },
              [](const char* what) { LogException("a send callback", what); });
  }
  if (!process_.is_here()) return;  // the callback forked and returned in the child
  if (send.user->pending.fetch_sub(1) > 1) return;
  const Lock lock(mutex_);
  idle_.notify_all();
}

void Connection::CallDoWork(NvDsMsgApiHandle handle) const {
  Contained([&] { api().do_work(handle); },
            [](const char* what) { LogException("do_work of an adaptor", what); });
}

std::chrono::microseconds Connection::NextPause(std::chrono::microseconds last) const {
  return std::min(std::max(last * 2, kShortestPause),
                  std::max(settings().work_interval, kShortestPause));
}

std::chrono::microseconds Connection::LeastPause() const {
  return stopping_ ? std::min(options_.work_pause, kMostAtEnd) : options_.work_pause;
}

void Connection::LeaveCall() {
  const Lock lock(mutex_);
  if (--calls_ == 0 && stopping_) work_.notify_all();
}

// ---------------------------------------------------------------- subscriptions

bool Connection::Subscribe(const std::shared_ptr<User>& user, std::vector<std::string> topics,
                           nv_msgbroker_subscribe_cb_t callback, void* user_ptr) {
  TopicSet all;
  {
    Lock lock(mutex_);
    if (user->closed || !BeginTopics(lock)) return false;
    // Before the adaptor knows the topics: messages may come at once.
    user->wanted =
        std::make_shared<const Interest>(Interest{std::move(topics), callback, user_ptr});
    all = NextTopics();
    user->wanted_in = all.number;
  }
  const NvDsMsgApiErrorType code = SubscribeTopics(all);
  {
    const Lock lock(mutex_);
    if (code == NVDS_MSGAPI_OK) user->interest = user->wanted;
    user->wanted.reset();
  }
  EndTopics();
  return code == NVDS_MSGAPI_OK;
}

/// A user has left: its topics are not wanted any more. The contract has no way to subscribe to
/// nothing; messages that still come are dropped then.
void Connection::Resubscribe() {
  TopicSet all;
  {
    Lock lock(mutex_);
    if (!BeginTopics(lock)) return;
    all = NextTopics();
  }
  if (!all.topics.empty() && SubscribeTopics(all) != NVDS_MSGAPI_OK)
    log().Warn(Name() + ": the topics of a handle that was disconnected stay subscribed");
  EndTopics();
}

bool Connection::BeginTopics(Lock& lock) {
  const Millis bound = settings().flush_timeout + kGrace;
  idle_.wait_for(lock, bound, [this] { return !subscribing_ || stopping_; });
  if (stopping_) return false;
  if (subscribing_) {
    log().Error(Name() + ": the subscribe of another handle has not returned for " +
                std::to_string(bound.count()) + " ms; the topics stay as they are");
    return false;
  }
  subscribing_ = true;
  ++calls_;
  return true;
}

void Connection::EndTopics() {
  const Lock lock(mutex_);
  subscribing_ = false;
  idle_.notify_all();
  if (--calls_ == 0 && stopping_) work_.notify_all();
}

NvDsMsgApiErrorType Connection::CallSubscribe(NvDsMsgApiHandle handle, const TopicSet& set) {
  std::vector<std::string> copies = set.topics;
  std::vector<char*> pointers;
  pointers.reserve(copies.size());
  for (std::string& topic : copies) pointers.push_back(topic.data());
  return api().subscribe(handle, pointers.data(), static_cast<int>(pointers.size()), &OnSubscribed,
                         SendId{number_, 0, set.number}.Pack());
}

Connection::TopicSet Connection::NextTopics() {
  TopicSet all;
  all.number = ++topic_sets_;
  for (const auto& user : users_) {
    if (user->closed) continue;
    const auto& interest = user->wanted != nullptr ? user->wanted : user->interest;
    for (const std::string& topic : interest->topics) {
      if (!Contains(all.topics, topic)) all.topics.push_back(topic);
    }
  }
  return all;
}

void Connection::OnMessage(uint64_t subscription, NvDsMsgApiErrorType code, void* message,
                           int length, char* topic) {
  using Receiver = std::pair<std::shared_ptr<User>, std::shared_ptr<const Interest>>;
  std::vector<Receiver> subscribed, receivers;
  Lock lock(mutex_);
  for (const auto& user : users_) {
    // A message for the subscription being tried shows that the adaptor has accepted it.
    const bool taken = user->wanted != nullptr && user->wanted_in == subscription;
    const auto& interest = taken ? user->wanted : user->interest;
    if (interest->callback != nullptr && !user->closed) subscribed.emplace_back(user, interest);
  }
  const auto pick = [&](auto wanted) {
    if (!receivers.empty()) return;
    std::copy_if(subscribed.begin(), subscribed.end(), std::back_inserter(receivers),
                 [&](const Receiver& receiver) { return wanted(receiver.second->topics); });
  };
  // Those who asked for this topic by name; otherwise those who asked for a pattern; otherwise all.
  if (topic != nullptr) pick([&](const auto& topics) { return Contains(topics, topic); });
  pick([](const auto& topics) { return HasPattern(topics); });
  pick([](const auto&) { return true; });
  const auto status = code == NVDS_MSGAPI_OK ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR;
  for (const auto& [user, interest] : receivers) {
    if (user->closed) continue;
    const Interest& receiver = *interest;
    ++user->receiving;
    lock.unlock();
    {
      const CallbackScope scope(id_);
      Contained([&] { receiver.callback(status, message, length, topic, receiver.user_ptr); },
                [](const char* what) { LogException("a subscribe callback", what); });
    }
    if (!process_.is_here()) return;  // the callback forked and returned in the child
    lock.lock();
    --user->receiving;
    idle_.notify_all();
  }
}

}  // namespace dsmsg::host
