// SPDX-License-Identifier: Apache-2.0
#include "gst/adaptor_link.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

// Pause between two calls of a do_work that neither waits nor completes anything.
constexpr Millis kPollPause{1};
// Host A's own minimum for the Azure adaptors, whose SDK is costly to poll.
constexpr Millis kAzurePause{10};

/// The connect callback carries no user pointer: handles are looked up here. Never destroyed,
/// because an adaptor's thread may call late.
struct Handles {
  std::mutex mutex;
  std::map<NvDsMsgApiHandle, std::weak_ptr<AdaptorLink>> links;

  static Handles& Get() {
    static PerProcess<Handles> handles;
    return handles.Get();
  }
  void Set(NvDsMsgApiHandle handle, const std::shared_ptr<AdaptorLink>& link) {
    const std::lock_guard lock(mutex);
    links[handle] = link;
  }
  void Remove(NvDsMsgApiHandle handle) {
    const std::lock_guard lock(mutex);
    links.erase(handle);
  }
  std::shared_ptr<AdaptorLink> Find(NvDsMsgApiHandle handle) {
    const std::lock_guard lock(mutex);
    const auto found = links.find(handle);
    return found == links.end() ? nullptr : found->second.lock();
  }
};

AdaptorLink::Slots& AllSlots() {
  static PerProcess<AdaptorLink::Slots> slots;  // never destroyed, like Handles
  return slots.Get();
}

const std::string* OrNull(const std::string& text) { return text.empty() ? nullptr : &text; }

/// Joins a thread that has ended, lets go one that has not.
void EndThread(std::thread* thread, bool ended) {
  if (ended) {
    thread->join();
  } else {
    thread->detach();
  }
}

}  // namespace

void AdaptorLink::OnConnectEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event) {
  if (const auto link = Handles::Get().Find(handle)) link->Tell(event);
}

Result<AdaptorLink::Slots::SlotPtr> AdaptorLink::Join(const Options& options) {
  const std::string key =
      SharingKey(*options.library, OrNull(options.conn_str), OrNull(options.config));
  return AllSlots().Join(
      key, [&] { return Open(options); }, [](const AdaptorLink& link) { return link.Usable(); });
}

bool AdaptorLink::Leave(const Slots::SlotPtr& slot) { return AllSlots().Leave(slot); }

Result<std::shared_ptr<AdaptorLink>> AdaptorLink::Open(const Options& options) {
  std::shared_ptr<AdaptorLink> link(new AdaptorLink(options));
  const AdaptorLibrary& library = link->library();
  // The contract's strings are not const, and adaptors of others may write into them.
  std::string conn_str = options.conn_str, config = options.config;
  link->handle_ = library.api().connect(conn_str.empty() ? nullptr : conn_str.data(),
                                        &OnConnectEvent, config.empty() ? nullptr : config.data());
  if (link->handle_ == nullptr) {
    const std::string reason = library.LastError(nullptr);
    return Status(Code::kUnavailable,
                  reason.empty()
                      ? std::string("connect failed without a reason (its log may have one; is "
                                    "the property ") +
                            (conn_str.empty() ? "config" : "conn-str") + " right?)"
                      : reason);
  }
  Handles::Get().Set(link->handle_, link);
  try {
    link->work_thread_ = StartThread("dsmsg-work", [link] { link->Work(); });
  } catch (const std::system_error& error) {
    library.api().disconnect(link->handle_);
    Handles::Get().Remove(link->handle_);
    return Status(Code::kInternal, error.what());
  }
  return link;
}

// ---------------------------------------------------------------- events

uint64_t AdaptorLink::Listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_[next_listener_] = std::move(listener);
  return next_listener_++;
}

void AdaptorLink::Unlisten(uint64_t id) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(id);
}

void AdaptorLink::Tell(NvDsMsgApiEventType event) {
  std::vector<Listener> listeners;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, listener] : listeners_) listeners.push_back(listener);
  }
  for (const Listener& listener : listeners) listener(event);
}

// ---------------------------------------------------------------- sends

NvDsMsgApiErrorType AdaptorLink::Send(const LinkMessage& message, nvds_msgapi_send_cb_t callback,
                                      void* user_ptr) {
  const AdaptorApi& api = library().api();
  if (api.send_message != nullptr && (!message.key->empty() || message.timestamp_ms != 0)) {
    DsmsgMessage full = {};
    full.size = sizeof(full);
    full.topic = message.topic->empty() ? nullptr : message.topic->c_str();
    full.payload = message.data;
    full.payload_len = message.size;
    full.key =
        message.key->empty() ? nullptr : reinterpret_cast<const uint8_t*>(message.key->data());
    full.key_len = message.key->size();
    full.timestamp_ms = message.timestamp_ms;
    return api.send_message(handle_, &full, callback, user_ptr);
  }
  std::string topic = *message.topic;
  std::unique_lock<std::mutex> one_at_a_time(send_mutex_, std::defer_lock);
  if (!library().ours()) one_at_a_time.lock();
  return api.send_async(handle_, topic.empty() ? nullptr : topic.data(), message.data, message.size,
                        callback, user_ptr);
}

Status AdaptorLink::CheckTopic(const std::string& topic) const {
  const AdaptorApi& api = library().api();
  if (api.check_topic == nullptr || api.check_topic(handle_, topic.c_str()) == NVDS_MSGAPI_OK)
    return {};
  return {Code::kInvalidArgument, library().LastError(nullptr)};
}

void AdaptorLink::NotePending() {
  const std::lock_guard lock(mutex_);
  ++pending_count_;
  pending_.notify_one();
}

void AdaptorLink::NoteDone() {
  const std::lock_guard lock(mutex_);
  ++completions_;
  if (pending_count_ > 0) --pending_count_;
}

// ---------------------------------------------------------------- the work thread

Millis AdaptorLink::Pause() const {
  if (!library().ours() && library().protocol().starts_with("AZURE"))
    return std::max(options_.sleep, kAzurePause);
  return options_.sleep;
}

void AdaptorLink::Work() {
  const bool ours = library().ours();
  // DeepStream's MQTT adaptor keeps its connection alive inside do_work.
  const bool endless = !ours && library().protocol() == "MQTT";
  const Millis pause = Pause();
  std::unique_lock lock(mutex_);
  while (true) {
    pending_.wait(lock, [&] { return pending_count_ > 0 || ending_ || endless; });
    // Ours flushes in disconnect by itself; others may drop there what is pending.
    if (ending_ && (ours || pending_count_ == 0 || Clock::now() >= deadline_)) break;
    const uint64_t before = completions_;
    lock.unlock();
    const Clock::time_point begin = Clock::now();
    Contained([this] { library().api().do_work(handle_); },
              [](const char* what) { LogException("do_work of an adaptor", what); });
    const bool at_once = Clock::now() - begin < kPollPause;
    lock.lock();
    const bool was_ending = ending_;
    Millis wait = was_ending ? std::min(pause, kAzurePause) : pause;
    if (wait.count() == 0 && at_once && completions_ == before) wait = kPollPause;
    if (wait.count() > 0) pending_.wait_for(lock, wait, [&] { return ending_ && !was_ending; });
  }
  work_ended_ = true;
  ended_.notify_all();
}

// ---------------------------------------------------------------- the end

bool AdaptorLink::Usable() const {
  const std::lock_guard lock(mutex_);
  return !ending_ && !abandoned_;
}

void AdaptorLink::Abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

Status AdaptorLink::End(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  ending_ = true;
  deadline_ = deadline;
  pending_.notify_all();
  const bool work_ended = ended_.wait_until(lock, deadline + kGrace, [&] { return work_ended_; });
  const bool abandoned = abandoned_;
  lock.unlock();
  EndThread(&work_thread_, work_ended);
  Status status;
  if (abandoned || !work_ended) {
    status = Status(Code::kInternal, "the adaptor " + library().path() + " does not return from " +
                                         (abandoned ? "send_async" : "do_work") +
                                         ": its connection was left as it is");
  } else if (!Disconnect(deadline)) {
    status = Status(Code::kInternal,
                    "the adaptor " + library().path() + " does not return from disconnect");
  }
  Handles::Get().Remove(handle_);
  return status;
}

/// False: the adaptor does not return.
bool AdaptorLink::Disconnect(Clock::time_point deadline) {
  if (library().ours()) {
    library().api().disconnect(handle_);  // bounded by the contract
    return true;
  }
  std::thread closer;
  try {
    closer = StartThread("dsmsg-close", [link = shared_from_this()] {
      link->library().api().disconnect(link->handle_);
      const std::lock_guard lock(link->mutex_);
      link->disconnected_ = true;
      link->ended_.notify_all();
    });
  } catch (const std::system_error&) {  // no thread to be had: here, however long it takes
    library().api().disconnect(handle_);
    return true;
  }
  std::unique_lock lock(mutex_);
  const bool ended = ended_.wait_until(lock, std::max(deadline, Clock::now()) + kGrace,
                                       [&] { return disconnected_; });
  lock.unlock();
  EndThread(&closer, ended);
  return ended;
}

}  // namespace dsmsg
