// SPDX-License-Identifier: Apache-2.0
#include "broker/connection.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <system_error>

#include "broker/direct_connection.h"
#include "broker/queued_connection.h"
#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

constexpr std::chrono::microseconds kShortestPause{100};

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

void OnLinkState(void* user_ptr, DsmsgLinkState state, const char*) {
  if (const auto connection = EventRouter::Get().Find(SendId::Unpack(user_ptr).connection))
    connection->OnLink(state == DSMSG_LINK_UP);
}

void OnSubscribed(NvDsMsgApiErrorType code, void* message, int length, char* topic,
                  void* user_ptr) {
  const SendId id = SendId::Unpack(user_ptr);
  if (const auto connection = EventRouter::Get().Find(id.connection))
    connection->OnMessage(id.number, code, message, length, topic);
}

}  // namespace

Logger& BrokerLog() {
  static PerProcess<Logger> logger;
  return logger.Get("NVMSGBROKER");
}

Connection::Connection(Options options) : options_(std::move(options)), id_(next_id++) {}

Connection::~Connection() = default;

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
    return Status(Code::kUnavailable,
                  Name() + ": " + (reason.empty() ? "connect failed (its log says why)" : reason));
  }
  {
    const Lock lock(mutex_);
    handle_ = handle;
  }
  try {
    StartThreads();
  } catch (const std::system_error& error) {
    EventRouter::Get().Unbind(handle, number_);
    api().disconnect(handle);
    return Status(Code::kInternal, error.what());
  }
  if (library().ours() && api().set_link_callback != nullptr) {
    api().set_link_callback(handle, &OnLinkState, SendId{number_, 0, 0}.Pack());
  }
  return {};
}

NvDsMsgApiHandle Connection::ConnectAdaptor() {
  // The contract's strings are not const, and adaptors of others may write into them.
  std::string conn_str = options_.conn_str, config = options_.config;
  NvDsMsgApiHandle handle =
      EventRouter::Get().Connect(api().connect, options_.has_conn_str ? conn_str.data() : nullptr,
                                 options_.has_config ? config.data() : nullptr);
  if (handle != nullptr) EventRouter::Get().Bind(handle, number_);
  return handle;
}

// ---------------------------------------------------------------- clients

void Connection::Attach(const std::shared_ptr<Client>& client) {
  const Lock lock(mutex_);
  clients_.push_back(client);
  TellClient(*client);
}

void Connection::Detach(const std::shared_ptr<Client>& client, bool last) {
  client->notifier->Close();
  Lock lock(mutex_);
  client->closed = true;
  room_.notify_all();
  const Clock::time_point deadline = Clock::now() + settings().flush_timeout;
  const auto quiet = [&] { return client->pending.load() == 0 && client->receiving == 0; };
  bool ended = false;
  if (last) {
    stopping_ = true;
    deadline_ = deadline;
    ended = EndWork(lock, deadline + kGrace);
    idle_.wait_until(lock, deadline + kGrace, [&] { return client->receiving == 0; });
  } else {
    idle_.wait_until(lock, deadline, quiet);
  }
  const std::vector<Outcome> left = TakeLeft(last ? nullptr : client.get());
  clients_.erase(std::remove(clients_.begin(), clients_.end(), client), clients_.end());
  const bool had_topics = !client->interest->topics.empty();
  lock.unlock();
  for (const auto& [send, status] : left) CallBack(send, status);
  if (last) {
    JoinThreads(ended);
    EventRouter::Get().Remove(number_);
  } else if (had_topics) {
    Resubscribe();
  }
}

/// False: the adaptor, or a callback, does not return.
bool Connection::EndWork(Lock& lock, Clock::time_point last) {
  work_.notify_all();
  const auto ended = [this] { return work_ended_; };
  // The time of an adaptor of ours is bounded by its flush-timeout, which is not known here.
  if (library().ours()) {
    idle_.wait(lock, ended);
  } else {
    idle_.wait_until(lock, last, ended);
  }
  if (!work_ended_) {
    BrokerLog().Error("disconnect: " + Name() +
                      " or a send callback does not return: its threads were left as they are");
  }
  return work_ended_;
}

std::vector<Connection::Outcome> Connection::TakeLeft(const Client* client) {
  std::vector<Outcome> left;
  for (PendingSend& send : pending_.TakeAll(client))
    left.emplace_back(std::move(send), NV_MSGBROKER_API_ERR);
  room_.notify_all();
  return left;
}

bool Connection::GivenUp() const {
  const Lock lock(mutex_);
  return state_ == NV_MSGBROKER_API_ERR || stopping_;
}

// ---------------------------------------------------------------- telling clients

void Connection::Tell(NvMsgBrokerErrorType status) {
  state_ = status;
  for (const auto& client : clients_) TellClient(*client);
}

void Connection::TellClient(Client& client) {
  if (client.closed || client.connect_cb == nullptr || client.told == state_) return;
  if (state_ == NV_MSGBROKER_API_RECONNECTING && !client.tell_reconnecting) return;
  client.told = state_;
  client.notifier->Post(
      [id = id_, callback = client.connect_cb, handle = client.handle, status = state_] {
        const CallbackScope scope(id);
        callback(handle, status);
      });
}

void Connection::OnLink(bool up) {
  const Lock lock(mutex_);
  // After ERR only a link that is up is news: the adaptor goes on trying without being asked.
  if (stopping_ || (!up && state_ == NV_MSGBROKER_API_ERR)) return;
  Tell(up ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_RECONNECTING);
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

void Connection::CallBack(const PendingSend& send, NvMsgBrokerErrorType status) {
  if (send.callback != nullptr) {
    const CallbackScope scope(id_);
    Contained([&] { send.callback(send.user_ptr, status); },
              [](const char* what) { LogException("a send callback", what); });
  }
  if (!process_.is_here()) return;  // the callback has forked, and returned in the child
  if (send.client->pending.fetch_sub(1) > 1) return;
  const Lock lock(mutex_);
  idle_.notify_all();
}

std::chrono::microseconds Connection::NextPause(std::chrono::microseconds last) const {
  return std::min(std::max(last * 2, kShortestPause),
                  std::max(settings().work_interval, kShortestPause));
}

void Connection::LeaveCall() {
  const Lock lock(mutex_);
  if (--calls_ == 0 && stopping_) work_.notify_all();
}

// ---------------------------------------------------------------- subscriptions

NvMsgBrokerErrorType Connection::Subscribe(const std::shared_ptr<Client>& client,
                                           std::vector<std::string> topics,
                                           nv_msgbroker_subscribe_cb_t callback, void* user_ptr) {
  const std::lock_guard serial(subscribe_mutex_);
  TopicSet all;
  {
    const Lock lock(mutex_);
    if (client->closed) return NV_MSGBROKER_API_ERR;
    ++calls_;
    // Before the adaptor knows the topics: messages may come at once.
    client->wanted =
        std::make_shared<const Interest>(Interest{std::move(topics), callback, user_ptr});
    all = NextTopics();
    client->wanted_in = all.number;
  }
  const NvDsMsgApiErrorType code = SubscribeTopics(all);
  {
    const Lock lock(mutex_);
    if (code == NVDS_MSGAPI_OK) client->interest = client->wanted;
    client->wanted.reset();
  }
  LeaveCall();
  return code == NVDS_MSGAPI_OK ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR;
}

/// A client has left: its topics are not wanted any more. The contract has no way to subscribe to
/// nothing; messages that still come are dropped then.
void Connection::Resubscribe() {
  const std::lock_guard serial(subscribe_mutex_);
  TopicSet all;
  {
    const Lock lock(mutex_);
    all = NextTopics();
    if (all.topics.empty() || stopping_) return;
    ++calls_;
  }
  if (SubscribeTopics(all) != NVDS_MSGAPI_OK)
    BrokerLog().Warn(Name() + ": the topics of a handle that was disconnected stay subscribed");
  LeaveCall();
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
  for (const auto& client : clients_) {
    if (client->closed) continue;
    const auto& interest = client->wanted != nullptr ? client->wanted : client->interest;
    for (const std::string& topic : interest->topics) {
      if (!Contains(all.topics, topic)) all.topics.push_back(topic);
    }
  }
  return all;
}

void Connection::OnMessage(uint64_t subscription, NvDsMsgApiErrorType code, void* message,
                           int length, char* topic) {
  using Receiver = std::pair<std::shared_ptr<Client>, std::shared_ptr<const Interest>>;
  std::vector<Receiver> subscribed, receivers;
  Lock lock(mutex_);
  for (const auto& client : clients_) {
    // A message of the subscription that is being tried says that the adaptor has taken it.
    const bool taken = client->wanted != nullptr && client->wanted_in == subscription;
    const auto& interest = taken ? client->wanted : client->interest;
    if (interest->callback != nullptr && !client->closed) subscribed.emplace_back(client, interest);
  }
  const auto pick = [&](auto wanted) {
    if (!receivers.empty()) return;
    std::copy_if(subscribed.begin(), subscribed.end(), std::back_inserter(receivers),
                 [&](const Receiver& receiver) { return wanted(receiver.second->topics); });
  };
  // Who asked for this topic by name; else who asked for a pattern; else all.
  if (topic != nullptr) pick([&](const auto& topics) { return Contains(topics, topic); });
  pick([](const auto& topics) { return HasPattern(topics); });
  pick([](const auto&) { return true; });
  const auto status = code == NVDS_MSGAPI_OK ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR;
  for (const auto& [client, interest] : receivers) {
    if (client->closed) continue;
    const Interest& receiver = *interest;
    ++client->receiving;
    lock.unlock();
    {
      const CallbackScope scope(id_);
      Contained([&] { receiver.callback(status, message, length, topic, receiver.user_ptr); },
                [](const char* what) { LogException("a subscribe callback", what); });
    }
    if (!process_.is_here()) return;  // the callback has forked, and returned in the child
    lock.lock();
    --client->receiving;
    idle_.notify_all();
  }
}

}  // namespace dsmsg
