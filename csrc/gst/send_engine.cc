// SPDX-License-Identifier: Apache-2.0
#include "gst/send_engine.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"
#include "gst/adaptor_link.h"

namespace dsmsg {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

struct SendEngine::State : std::enable_shared_from_this<SendEngine::State> {
  State(Options settings, AdaptorLink::Slots::SlotPtr joined)
      : options(std::move(settings)), slot(std::move(joined)), link(*slot->value) {}

  void Worker();
  void Completed(NvDsMsgApiErrorType code);
  void Heard(NvDsMsgApiEventType event);
  void Fail(std::unique_lock<std::mutex>& lock, NvDsMsgApiErrorType code);
  void Note(uint64_t count, std::string reason);
  void Tell(bool of_message) const {
    if (!closed && options.on_failure) options.on_failure(of_message);
  }
  void GiveUpQueue();
  bool MustNotWait() const { return interrupted || paused || stopping; }
  bool Idle() const { return queue.empty() && !submitting && counters.pending == 0; }

  static void OnSent(void* user_ptr, NvDsMsgApiErrorType code) {
    static_cast<State*>(user_ptr)->Completed(code);
  }

  const Options options;
  const AdaptorLink::Slots::SlotPtr slot;
  AdaptorLink& link;  // of the slot
  uint64_t listener = 0;
  std::thread worker;

  mutable std::mutex mutex;      // guards all below
  std::condition_variable room;  // Offer: the queue has room, or interrupted
  std::condition_variable todo;  // worker: something is queued, or stopping
  std::condition_variable idle;  // Drain and Stop: all is done, or the worker has ended
  std::deque<OutPayload> queue;
  Counters counters;
  Failures failures;
  bool interrupted = false;
  bool paused = true;
  bool submitting = false;  // the worker is inside send_async
  bool stopping = false;    // the worker sends what is queued, then ends
  bool closed = false;      // after Stop()
  bool worker_done = false;
  Clock::time_point deadline;  // of stopping
};

Result<std::unique_ptr<SendEngine>> SendEngine::Start(Options options) {
  auto slot = AdaptorLink::Join({options.library, options.conn_str, options.config, options.sleep});
  if (!slot.ok()) return slot.status();
  auto state = std::make_shared<State>(std::move(options), std::move(slot.value()));
  state->listener =
      state->link.Listen([weak = std::weak_ptr<State>(state)](NvDsMsgApiEventType event) {
        if (const std::shared_ptr<State> alive = weak.lock()) alive->Heard(event);
      });
  try {
    state->worker = StartThread("dsmsg-send", [state] { state->Worker(); });
  } catch (const std::system_error& error) {
    state->link.Unlisten(state->listener);
    if (AdaptorLink::Leave(state->slot)) (void)state->link.End(Clock::now());
    return Status(Code::kInternal, error.what());
  }
  return std::unique_ptr<SendEngine>(new SendEngine(std::move(state)));
}

void SendEngine::State::Heard(NvDsMsgApiEventType event) {
  if (event == NVDS_MSGAPI_EVT_SUCCESS) return;
  const std::string reason = link.LastError();
  const std::lock_guard lock(mutex);
  failures.link = event == NVDS_MSGAPI_EVT_DISCONNECT ? "the broker ended the connection"
                                                      : "the broker is out of reach";
  if (!reason.empty()) failures.link += ": " + reason;
  Tell(false);
}

SendEngine::~SendEngine() {
  Contained(
      [this] {
        if (!stopped_) (void)Stop();
      },
      [](const char* what) { LogException("ending a connection", what); });
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

Status SendEngine::CheckTopic(const std::string& topic) const {
  return state_->link.CheckTopic(topic);
}

std::string SendEngine::AdaptorStats() const { return state_->link.Stats(); }

const AdaptorLibrary& SendEngine::library() const { return state_->link.library(); }

// ---------------------------------------------------------------- the worker: queue -> send_async

void SendEngine::State::Worker() {
  std::unique_lock lock(mutex);
  while (true) {
    todo.wait(lock, [&] { return !queue.empty() || stopping; });
    if (stopping && Clock::now() >= deadline) GiveUpQueue();
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
    lock.unlock();
    gsize size = 0;
    const auto* data = static_cast<const uint8_t*>(g_bytes_get_data(payload.bytes.get(), &size));
    link.NotePending();
    const NvDsMsgApiErrorType code =
        link.Send({data, size, &payload.topic, &payload.key, payload.timestamp_ms}, &OnSent, this);
    if (code != NVDS_MSGAPI_OK) link.NoteDone();
    lock.lock();
    submitting = false;
    if (code != NVDS_MSGAPI_OK) {
      --counters.sent;
      if (counters.pending > 0) --counters.pending;  // 0: Stop() gave it up
      Fail(lock, code);
    }
    if (Idle()) idle.notify_all();
  }
  worker_done = true;
  idle.notify_all();
}

void SendEngine::State::GiveUpQueue() {
  if (queue.empty()) return;
  const uint64_t count = queue.size();
  queue.clear();
  counters.failed += count;
  Note(count, "not handed to the adaptor before flush-timeout");
}

/// A message failed: the adaptor knows why. Unlocks for a moment.
void SendEngine::State::Fail(std::unique_lock<std::mutex>& lock, NvDsMsgApiErrorType code) {
  ++counters.failed;
  lock.unlock();
  std::string reason = link.LastError();
  if (reason.empty()) {
    reason =
        code == NVDS_MSGAPI_UNKNOWN_TOPIC
            ? "the broker does not know the topic"
            : "the " + link.library().protocol() + " adaptor reported an error (its log says why)";
  }
  lock.lock();
  Note(1, std::move(reason));
}

/// Of messages that are counted as failed already.
void SendEngine::State::Note(uint64_t count, std::string reason) {
  failures.count += count;
  failures.reason = std::move(reason);
  Tell(true);
}

// ---------------------------------------------------------------- the work thread: completions

void SendEngine::State::Completed(NvDsMsgApiErrorType code) {
  link.NoteDone();
  std::unique_lock lock(mutex);
  if (closed) return;  // too late: it was counted as failed
  if (counters.pending > 0) --counters.pending;
  if (code == NVDS_MSGAPI_OK) {
    ++counters.ok;
  } else {
    Fail(lock, code);
  }
  if (Idle()) idle.notify_all();
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

}  // namespace

Status SendEngine::Stop() {
  State& s = *state_;
  if (std::exchange(stopped_, true)) return {};
  std::unique_lock lock(s.mutex);
  s.stopping = true;
  s.deadline = Clock::now() + s.options.flush_timeout;
  s.todo.notify_all();
  s.room.notify_all();
  const bool worker_ended =
      s.idle.wait_until(lock, s.deadline + AdaptorLink::kGrace, [&] { return s.worker_done; });
  lock.unlock();
  if (worker_ended) {
    s.worker.join();
  } else {
    s.worker.detach();
    s.link.Abandon();
  }
  const Status status = LeaveLink(worker_ended);
  lock.lock();
  s.GiveUpQueue();
  const uint64_t lost = std::exchange(s.counters.pending, 0);
  s.counters.failed += lost;
  if (lost > 0) s.Note(lost, "the adaptor never called back");
  s.closed = true;
  if (lost > 0 || !status.ok()) KeepForEver(state_);
  return status;
}

/// Ends the link, or where others use it waits for the messages of this engine.
Status SendEngine::LeaveLink(bool worker_ended) {
  State& s = *state_;
  s.link.Unlisten(s.listener);
  if (AdaptorLink::Leave(s.slot)) return s.link.End(s.deadline);
  if (!worker_ended)
    return {Code::kInternal, "the adaptor " + s.link.library().path() +
                                 " does not return from send_async: its connection, which other "
                                 "sinks share, was left as it is"};
  std::unique_lock lock(s.mutex);
  s.idle.wait_until(lock, s.deadline, [&] { return s.counters.pending == 0; });
  return {};
}

}  // namespace dsmsg
