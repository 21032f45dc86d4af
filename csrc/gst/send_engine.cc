// SPDX-License-Identifier: Apache-2.0
#include "gst/send_engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {
namespace {

using Clock = std::chrono::steady_clock;
using host::Connection;
using host::ConnectionState;
using host::SendResult;

// Host A's own minimum for the Azure adaptors, whose SDK is costly to poll.
constexpr Millis kAzurePause{10};
// This queue waits itself, and can be interrupted: what is ahead of it would only be lost at the
// end.
constexpr size_t kMostAhead = 64;
// Whatever overflow-timeout says: the stream waits for a full queue as long as it takes.
constexpr Millis kFullPatience{100};
constexpr const char* kTooLate = "not handed to the adaptor before flush-timeout";

Logger& SinkLog() {
  static PerProcess<Logger> logger;
  return logger.Get("DSMSGBROKER");
}

std::optional<std::string> UnlessEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

/// Why a message failed, where the adaptor does not say it.
std::string Explain(SendResult result, const host::AdaptorLibrary& library) {
  switch (result) {
    case SendResult::kUnknownTopic:
      return "the broker does not know the topic";
    case SendResult::kUnanswered:
      return "the adaptor never called back";
    case SendResult::kGivenUp:
      return "there was no connection within max-retry-limit";
    case SendResult::kReconnecting:
      return "the connection is lost, and as many messages wait for it as queue-size and "
             "queue-bytes of [nvmsgbroker] let";
    case SendResult::kClosed:
      return kTooLate;
    case SendResult::kTooLarge:
      return "the payload is larger than queue-bytes of [nvmsgbroker]";
    default:
      return "the " + library.protocol() + " adaptor reported an error (its log says why)";
  }
}

}  // namespace

/// Threads: OnState and OnSent on the connection's, Worker on a thread of its own; all under
/// `mutex`, which is taken after the connection's.
class SendEngine::State final : public host::User,
                                public std::enable_shared_from_this<SendEngine::State> {
 public:
  explicit State(Options settings) : options(std::move(settings)) {}

  void OnState(ConnectionState state) override;
  void OnSent(const host::Ticket& ticket, SendResult result) override;

  void Worker();
  SendResult Send(OutPayload* payload);
  void Fail(std::unique_lock<std::mutex>& lock, SendResult result);
  void Note(uint64_t count, std::string reason);
  void Tell(bool of_message) const {
    if (!closed && options.on_failure) options.on_failure(of_message);
  }
  void GiveUpQueue();
  bool MustNotWait() const { return interrupted || paused || stopping; }
  bool Idle() const { return queue.empty() && !submitting && counters.pending == 0; }
  Connection& connection() const { return *slot->value; }
  const host::AdaptorLibrary& library() const { return *options.library; }

  const Options options;
  Connection::Slots::SlotPtr slot;  // set before the worker starts
  std::thread worker;

  mutable std::mutex mutex;      // guards all below
  std::condition_variable room;  // Offer: the queue has room, or interrupted
  std::condition_variable todo;  // worker: something is queued, or stopping
  std::condition_variable idle;  // Drain and Stop: all is done, or the worker has ended
  std::deque<OutPayload> queue;
  Counters counters;
  Failures failures;
  ConnectionState bad_news = ConnectionState::kUp;  // not taken yet
  bool interrupted = false;
  bool paused = true;
  bool submitting = false;  // the worker is inside Send
  bool stopping = false;    // the worker sends what is queued, then ends
  bool closed = false;      // after Stop()
  bool worker_done = false;
  Clock::time_point deadline;  // of stopping
};

Result<std::unique_ptr<SendEngine>> SendEngine::Start(Options options) {
  const host::AdaptorLibrary& library = *options.library;
  Connection::Options wanted;
  wanted.library = options.library;
  wanted.conn_str = UnlessEmpty(options.conn_str);
  wanted.config = UnlessEmpty(options.config);
  wanted.log = &SinkLog();
  wanted.work_pause = options.sleep;
  wanted.most_ahead = kMostAhead;
  if (!library.ours()) {
    if (library.protocol().starts_with("AZURE"))
      wanted.work_pause = std::max(options.sleep, kAzurePause);
    auto settings = host::HostSettings::Load(options.config);
    if (!settings.ok()) return settings.status();
    for (const std::string& warning : settings->warnings) SinkLog().Warn(warning);
    wanted.settings = std::move(settings.value());
    wanted.settings.overflow_timeout = kFullPatience;
  }
  auto state = std::make_shared<State>(std::move(options));
  auto slot = Connection::Join(std::move(wanted), state);
  if (!slot.ok()) return slot.status();
  state->slot = std::move(slot.value());
  try {
    state->worker = StartThread("dsmsg-send", [state] { state->Worker(); });
  } catch (const std::system_error& error) {
    (void)Connection::Leave(state->slot, state, Clock::now());
    return Status(Code::kInternal, error.what());
  }
  return std::unique_ptr<SendEngine>(new SendEngine(std::move(state)));
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
  Failures failures;
  ConnectionState news = ConnectionState::kUp;
  {
    const std::lock_guard lock(state_->mutex);
    failures = std::exchange(state_->failures, Failures());
    news = std::exchange(state_->bad_news, ConnectionState::kUp);
  }
  if (news == ConnectionState::kUp) return failures;
  const std::string reason = library().LastError(state_->connection().handle());
  failures.connection = news == ConnectionState::kDown
                            ? "the broker is out of reach"
                            : "the connection is lost: connecting again, messages wait";
  if (!reason.empty()) failures.connection += ": " + reason;
  return failures;
}

Status SendEngine::CheckTopic(const std::string& topic) const {
  const auto check = library().api().check_topic;
  if (check == nullptr || check(state_->connection().handle(), topic.c_str()) == NVDS_MSGAPI_OK)
    return {};
  return {Code::kInvalidArgument, library().LastError(nullptr)};
}

std::string SendEngine::AdaptorStats() const {
  return library().Stats(state_->connection().handle());
}

const host::AdaptorLibrary& SendEngine::library() const { return state_->library(); }

// ---------------------------------------------------------------- the worker: queue -> connection

void SendEngine::State::Worker() {
  std::unique_lock lock(mutex);
  while (true) {
    todo.wait(lock, [&] { return !queue.empty() || stopping; });
    if (stopping && Clock::now() >= deadline) GiveUpQueue();
    if (queue.empty()) {
      if (stopping) break;
      continue;
    }
    OutPayload payload = std::move(queue.front());
    queue.pop_front();
    // Counted before the call: the end may come before it returns.
    submitting = true;
    ++counters.sent;
    ++counters.pending;
    room.notify_one();
    lock.unlock();
    const SendResult result = Send(&payload);
    lock.lock();
    submitting = false;
    if (result != SendResult::kOk) {
      --counters.sent;
      --counters.pending;
      Fail(lock, result);
    }
    if (Idle()) idle.notify_all();
  }
  worker_done = true;
  idle.notify_all();
}

/// A full queue is waited for, like a slow adaptor.
SendResult SendEngine::State::Send(OutPayload* payload) {
  gsize size = 0;
  const auto* data = static_cast<const uint8_t*>(g_bytes_get_data(payload->bytes.get(), &size));
  char* topic = payload->topic.empty() ? nullptr : payload->topic.data();
  SendResult result = SendResult::kFull;
  while (result == SendResult::kFull) {
    result = connection().Send(shared_from_this(),
                               {topic, data, size, payload->key, payload->timestamp_ms}, {});
  }
  return result;
}

void SendEngine::State::GiveUpQueue() {
  if (queue.empty()) return;
  const uint64_t count = queue.size();
  queue.clear();
  counters.failed += count;
  Note(count, kTooLate);
}

/// A message failed: the adaptor may know why. Unlocks for a moment.
void SendEngine::State::Fail(std::unique_lock<std::mutex>& lock, SendResult result) {
  ++counters.failed;
  lock.unlock();
  std::string reason = result == SendResult::kUnanswered
                           ? std::string()
                           : library().LastError(connection().handle());
  if (reason.empty()) reason = Explain(result, library());
  lock.lock();
  Note(1, std::move(reason));
}

/// For messages already counted as failed.
void SendEngine::State::Note(uint64_t count, std::string reason) {
  failures.count += count;
  failures.reason = std::move(reason);
  Tell(true);
}

// ---------------------------------------------------------------- told by the connection

void SendEngine::State::OnState(ConnectionState state) {
  if (state == ConnectionState::kUp) return;
  // Adaptors of ours reconnect by themselves, often before anybody would notice.
  if (state == ConnectionState::kReconnecting && library().ours()) return;
  const std::lock_guard lock(mutex);
  bad_news = state;
  Tell(false);
}

void SendEngine::State::OnSent(const host::Ticket&, SendResult result) {
  std::unique_lock lock(mutex);
  --counters.pending;
  if (result == SendResult::kRefused) --counters.sent;
  if (result == SendResult::kOk) {
    ++counters.ok;
  } else {
    Fail(lock, result);
  }
  if (Idle()) idle.notify_all();
}

// ---------------------------------------------------------------- the end

Status SendEngine::Stop() {
  State& s = *state_;
  if (std::exchange(stopped_, true)) return {};
  std::unique_lock lock(s.mutex);
  s.stopping = true;
  s.deadline = Clock::now() + s.options.flush_timeout;
  s.todo.notify_all();
  s.room.notify_all();
  const auto done = [&] { return s.worker_done; };
  bool worker_ended = s.idle.wait_until(lock, s.deadline, done);
  if (!worker_ended) {
    lock.unlock();
    s.connection().Close(s);
    lock.lock();
    worker_ended = s.idle.wait_until(lock, s.deadline + Connection::kGrace, done);
  }
  lock.unlock();
  if (worker_ended) {
    s.worker.join();
  } else {
    s.worker.detach();
  }
  Status status = Connection::Leave(s.slot, state_, s.deadline);
  if (status.ok() && !worker_ended)
    status = Status(Code::kInternal, s.connection().Name() +
                                         " does not return from send_async: its connection, "
                                         "which other sinks share, was left as it is");
  lock.lock();
  s.GiveUpQueue();
  // A result that is being told at this moment is still counted.
  s.idle.wait_until(lock, s.deadline + Connection::kGrace, [&] { return s.counters.pending == 0; });
  s.closed = true;
  return status;
}

}  // namespace dsmsg
