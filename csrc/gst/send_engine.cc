// SPDX-License-Identifier: Apache-2.0
#include "gst/send_engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/thread.h"

namespace dsmsg {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What a call into the adaptor may take beyond flush-timeout before it is given up.
constexpr milliseconds kGrace{10000};
// Pause between two calls of a do_work that neither waits nor completes anything.
constexpr milliseconds kPollPause{1};
// Host A's own minimum for the Azure adaptors, whose SDK is costly to poll.
constexpr milliseconds kAzurePause{10};

}  // namespace

struct SendEngine::State : std::enable_shared_from_this<SendEngine::State> {
  explicit State(Options settings) : options(std::move(settings)), library(options.library) {}

  const AdaptorApi& api() const { return library->api(); }
  void Worker();
  void WorkLoop();
  NvDsMsgApiErrorType Send(const OutPayload& payload);
  void Completed(NvDsMsgApiErrorType code);
  void Fail(std::unique_lock<std::mutex>& lock, uint64_t count, std::string reason);
  void Tell(bool of_message) const {
    if (!closed && options.on_failure) options.on_failure(of_message);
  }
  void GiveUpQueue(std::unique_lock<std::mutex>& lock);
  milliseconds Pause() const;
  bool MustNotWait() const { return interrupted || paused || stopping; }
  bool Idle() const { return queue.empty() && !submitting && counters.pending == 0; }

  static void OnSent(void* user_ptr, NvDsMsgApiErrorType code) {
    static_cast<State*>(user_ptr)->Completed(code);
  }

  const Options options;
  const std::shared_ptr<const AdaptorLibrary> library;
  NvDsMsgApiHandle handle = nullptr;  // set before the threads start
  std::thread worker, work_thread;

  mutable std::mutex mutex;            // guards all below
  std::condition_variable room;        // Offer: the queue has room, or interrupted
  std::condition_variable todo;        // worker: something is queued, or stopping
  std::condition_variable pending_cv;  // work thread: something is pending, or ending
  std::condition_variable idle;        // Drain and Stop: all is done, or a thread has ended
  std::deque<OutPayload> queue;
  Counters counters;
  Failures failures;
  uint64_t completions = 0;
  bool interrupted = false;
  bool paused = true;
  bool submitting = false;  // the worker is inside send_async
  bool stopping = false;    // the worker sends what is queued, then ends
  bool ending = false;      // the work thread ends
  bool closed = false;      // after Stop()
  bool worker_done = false, work_thread_done = false, disconnect_done = false;
  Clock::time_point deadline;  // of stopping
};

namespace {

/// The connect callback carries no user pointer: handles are looked up here. Never destroyed,
/// because an adaptor's thread may call late.
struct Connections {
  std::mutex mutex;
  std::map<NvDsMsgApiHandle, std::function<void(NvDsMsgApiEventType)>> handlers;

  static Connections& Get() {
    static auto* const connections = new Connections;
    return *connections;
  }
  void Set(NvDsMsgApiHandle handle, std::function<void(NvDsMsgApiEventType)> handler) {
    const std::lock_guard lock(mutex);
    handlers[handle] = std::move(handler);
  }
  void Remove(NvDsMsgApiHandle handle) {
    const std::lock_guard lock(mutex);
    handlers.erase(handle);
  }
};

void OnConnectEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event) {
  std::function<void(NvDsMsgApiEventType)> handler;
  {
    Connections& connections = Connections::Get();
    const std::lock_guard lock(connections.mutex);
    const auto found = connections.handlers.find(handle);
    if (found == connections.handlers.end()) return;
    handler = found->second;
  }
  handler(event);
}

const char* OrNull(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

Result<std::unique_ptr<SendEngine>> SendEngine::Start(Options options) {
  auto state = std::make_shared<State>(std::move(options));
  const AdaptorLibrary& library = *state->library;
  // The contract's strings are not const, and adaptors of others may write into them.
  std::string conn_str = state->options.conn_str, config = state->options.config;
  state->handle = library.api().connect(conn_str.empty() ? nullptr : conn_str.data(),
                                        &OnConnectEvent, config.empty() ? nullptr : config.data());
  if (state->handle == nullptr) {
    const std::string reason = library.LastError(nullptr);
    return Status(Code::kUnavailable,
                  reason.empty()
                      ? library.protocol() + " adaptor: connect failed (its log says why)"
                      : reason);
  }
  Connections::Get().Set(state->handle, [weak = std::weak_ptr(state)](NvDsMsgApiEventType event) {
    const std::shared_ptr<State> alive = weak.lock();
    if (alive == nullptr || event == NVDS_MSGAPI_EVT_SUCCESS) return;
    const std::string reason = alive->library->LastError(alive->handle);
    const std::lock_guard lock(alive->mutex);
    alive->failures.link = event == NVDS_MSGAPI_EVT_DISCONNECT ? "the broker ended the connection"
                                                               : "the broker is out of reach";
    if (!reason.empty()) alive->failures.link += ": " + reason;
    alive->Tell(false);
  });
  state->worker = StartThread("dsmsg-send", [state] { state->Worker(); });
  state->work_thread = StartThread("dsmsg-work", [state] { state->WorkLoop(); });
  return std::unique_ptr<SendEngine>(new SendEngine(std::move(state)));
}

SendEngine::~SendEngine() {
  if (!stopped_) (void)Stop();
}

SendEngine::Push SendEngine::Offer(OutPayload* payload) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  const size_t limit = s.options.queue_size;
  s.room.wait(lock, [&] { return s.queue.size() < limit || s.MustNotWait(); });
  if (s.stopping) return Push::kStopped;
  if (s.queue.size() >= limit) return Push::kInterrupted;
  s.queue.push_back(std::move(*payload));
  s.todo.notify_one();
  return Push::kTaken;
}

void SendEngine::SetInterrupted(bool interrupted) {
  const std::lock_guard lock(state_->mutex);
  state_->interrupted = interrupted;
  state_->room.notify_all();
  state_->idle.notify_all();
}

void SendEngine::SetPaused(bool paused) {
  const std::lock_guard lock(state_->mutex);
  state_->paused = paused;
  state_->room.notify_all();
  state_->idle.notify_all();
}

SendEngine::Drained SendEngine::Drain(Clock::time_point deadline) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.idle.wait_until(lock, deadline, [&] { return s.Idle() || s.MustNotWait(); });
  if (s.Idle()) return Drained::kAll;
  return s.MustNotWait() ? Drained::kInterrupted : Drained::kTimeout;
}

SendEngine::Counters SendEngine::counters() const {
  const std::lock_guard lock(state_->mutex);
  Counters counters = state_->counters;
  counters.queued = state_->queue.size();
  return counters;
}

SendEngine::Failures SendEngine::TakeFailures() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->failures, Failures());
}

std::string SendEngine::AdaptorStats() const { return state_->library->Stats(state_->handle); }

const AdaptorLibrary& SendEngine::library() const { return *state_->library; }

// ---------------------------------------------------------------- the worker: queue -> send_async

void SendEngine::State::Worker() {
  std::unique_lock lock(mutex);
  while (true) {
    todo.wait(lock, [&] { return !queue.empty() || stopping; });
    if (stopping && Clock::now() >= deadline) GiveUpQueue(lock);
    if (queue.empty()) {
      if (stopping) break;
      continue;
    }
    const OutPayload payload = std::move(queue.front());
    queue.pop_front();
    // Counted before the call: an adaptor of others may call back before it returns.
    submitting = true;
    ++counters.sent;
    ++counters.pending;
    room.notify_one();
    pending_cv.notify_one();
    lock.unlock();
    const NvDsMsgApiErrorType code = Send(payload);
    lock.lock();
    submitting = false;
    if (code != NVDS_MSGAPI_OK) {
      --counters.sent;
      if (counters.pending > 0) --counters.pending;  // 0: Stop() gave it up
      Fail(lock, 1, code == NVDS_MSGAPI_UNKNOWN_TOPIC ? "the broker does not know the topic" : "");
    }
    if (Idle()) idle.notify_all();
  }
  worker_done = true;
  idle.notify_all();
}

NvDsMsgApiErrorType SendEngine::State::Send(const OutPayload& payload) {
  gsize size = 0;
  const auto* data = static_cast<const uint8_t*>(g_bytes_get_data(payload.bytes.get(), &size));
  if (api().send_message != nullptr && (!payload.key.empty() || payload.timestamp_ms != 0)) {
    DsmsgMessage message = {};
    message.size = sizeof(message);
    message.topic = OrNull(payload.topic);
    message.payload = data;
    message.payload_len = size;
    message.key =
        payload.key.empty() ? nullptr : reinterpret_cast<const uint8_t*>(payload.key.data());
    message.key_len = payload.key.size();
    message.timestamp_ms = payload.timestamp_ms;
    return api().send_message(handle, &message, &OnSent, this);
  }
  std::string topic = payload.topic;
  return api().send_async(handle, topic.empty() ? nullptr : topic.data(), data, size, &OnSent,
                          this);
}

void SendEngine::State::GiveUpQueue(std::unique_lock<std::mutex>& lock) {
  if (queue.empty()) return;
  const uint64_t count = queue.size();
  queue.clear();
  Fail(lock, count, "not handed to the adaptor before flush-timeout");
}

/// Notes failed messages; without a reason the adaptor is asked. Unlocks for a moment.
void SendEngine::State::Fail(std::unique_lock<std::mutex>& lock, uint64_t count,
                             std::string reason) {
  counters.failed += count;
  lock.unlock();
  if (reason.empty()) reason = library->LastError(handle);
  if (reason.empty())
    reason = "the " + library->protocol() + " adaptor reported an error (its log says why)";
  lock.lock();
  failures.count += count;
  failures.reason = std::move(reason);
  Tell(true);
}

// ---------------------------------------------------------------- the work thread: completions

void SendEngine::State::Completed(NvDsMsgApiErrorType code) {
  std::unique_lock lock(mutex);
  if (closed) return;  // against the contract; it was counted as failed
  ++completions;
  if (counters.pending > 0) --counters.pending;
  if (code == NVDS_MSGAPI_OK) {
    ++counters.ok;
  } else {
    Fail(lock, 1, code == NVDS_MSGAPI_UNKNOWN_TOPIC ? "the broker does not know the topic" : "");
  }
  if (Idle()) idle.notify_all();
}

milliseconds SendEngine::State::Pause() const {
  if (!library->ours() && library->protocol().starts_with("AZURE"))
    return std::max(options.sleep, kAzurePause);
  return options.sleep;
}

void SendEngine::State::WorkLoop() {
  // DeepStream's MQTT adaptor keeps its connection alive inside do_work.
  const bool endless = !library->ours() && library->protocol() == "MQTT";
  const milliseconds pause = Pause();
  std::unique_lock lock(mutex);
  while (true) {
    pending_cv.wait(lock, [&] { return counters.pending > 0 || ending || endless; });
    // Ours flushes in disconnect by itself; others may drop there what is pending.
    if (ending && (library->ours() || counters.pending == 0 || Clock::now() >= deadline)) break;
    const uint64_t before = completions;
    lock.unlock();
    const Clock::time_point begin = Clock::now();
    api().do_work(handle);
    const bool at_once = Clock::now() - begin < kPollPause;
    lock.lock();
    const bool was_ending = ending;
    milliseconds wait = was_ending ? std::min(pause, kAzurePause) : pause;
    if (wait.count() == 0 && at_once && completions == before) wait = kPollPause;
    if (wait.count() > 0) pending_cv.wait_for(lock, wait, [&] { return ending && !was_ending; });
  }
  work_thread_done = true;
  idle.notify_all();
}

// ---------------------------------------------------------------- the end

namespace {

/// For adaptors that may call back after the end: what they point to stays for ever.
void KeepForEver(std::shared_ptr<void> state) {
  static std::mutex mutex;
  static auto* const kept = new std::deque<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(state));
}

/// Joins a thread that has ended, lets go one that has not.
void End(std::thread* thread, bool ended) {
  if (ended) {
    thread->join();
  } else {
    thread->detach();
  }
}

}  // namespace

Status SendEngine::Stop() {
  State& s = *state_;
  if (std::exchange(stopped_, true)) return {};
  std::unique_lock lock(s.mutex);
  s.stopping = true;
  s.deadline = Clock::now() + s.options.flush_timeout;
  const Clock::time_point last = s.deadline + kGrace;
  s.todo.notify_all();
  s.room.notify_all();
  const bool worker_ended = s.idle.wait_until(lock, last, [&] { return s.worker_done; });
  s.ending = true;
  s.pending_cv.notify_all();
  const bool work_ended = s.idle.wait_until(lock, last, [&] { return s.work_thread_done; });
  lock.unlock();
  End(&s.worker, worker_ended);
  End(&s.work_thread, work_ended);
  Status status;
  if (!worker_ended || !work_ended) {
    status = Status(Code::kInternal, "the adaptor " + s.library->path() + " does not return from " +
                                         (worker_ended ? "do_work" : "send_async") +
                                         ": its connection was left as it is");
  } else if (!Disconnect()) {
    status = Status(Code::kInternal,
                    "the adaptor " + s.library->path() + " does not return from disconnect");
  }
  Connections::Get().Remove(s.handle);
  lock.lock();
  s.GiveUpQueue(lock);
  const uint64_t lost = std::exchange(s.counters.pending, 0);
  if (lost > 0) s.Fail(lock, lost, "the adaptor never called back");
  s.closed = true;
  if (lost > 0 || !status.ok()) KeepForEver(state_);
  return status;
}

/// False: the adaptor does not return.
bool SendEngine::Disconnect() {
  State& s = *state_;
  if (s.library->ours()) {
    s.api().disconnect(s.handle);  // bounded by the contract
    return true;
  }
  std::thread closer = StartThread("dsmsg-close", [state = state_] {
    state->api().disconnect(state->handle);
    const std::lock_guard lock(state->mutex);
    state->disconnect_done = true;
    state->idle.notify_all();
  });
  std::unique_lock lock(s.mutex);
  const bool ended =
      s.idle.wait_for(lock, s.options.flush_timeout + kGrace, [&] { return s.disconnect_done; });
  lock.unlock();
  End(&closer, ended);
  return ended;
}

}  // namespace dsmsg
