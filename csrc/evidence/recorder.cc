// SPDX-License-Identifier: Apache-2.0
#include "evidence/recorder.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/digest.h"
#include "core/base/encoding.h"
#include "core/base/guard.h"
#include "core/base/thread.h"
#include "evidence/jpeg.h"

namespace dsmsg::evidence {
namespace {

constexpr Millis kTendEvery{1000};
constexpr Millis kStopWithin{2000};

}  // namespace

class Recorder::Ticket {
 public:
  Outcome outcome;        // guarded by State::mutex while it is waiting
  bool given_up = false;  // guarded by State::mutex
};

/// Owned by the recorder, its thread, and every picture that the store has not answered for.
struct Recorder::State : std::enable_shared_from_this<Recorder::State> {
  struct Job {
    TicketPtr ticket;
    std::string name;
    std::shared_ptr<const RawPicture> picture;
  };

  void Run();
  bool Next(Job* job);
  void Work(const Job& job);
  /// The first word about a ticket counts.
  void Settle(Ticket* ticket, const Status& status, size_t bytes);
  void SettleLocked(Ticket* ticket, const Status& status);
  void Stop();

  EvidenceSettings settings;
  std::shared_ptr<PictureStore> store;
  std::unique_ptr<JpegEncoder> encoder;  // of the thread
  std::thread thread;

  mutable std::mutex mutex;  // guards the following
  mutable std::condition_variable settled, todo, ended_cv;
  std::deque<Job> jobs;
  size_t held_bytes = 0;  // of pictures that are not encoded, and of files that are not stored
  RecorderCounters counters;
  bool stopping = false, ended = false;
  bool nothing_waits = false;
};

Result<std::unique_ptr<Recorder>> Recorder::Start(const EvidenceSettings& settings,
                                                  std::vector<std::string>* warnings) {
  auto store = OpenStore(settings, warnings);
  if (!store.ok()) return store.status();
  return Start(settings, std::move(store.value()));
}

Result<std::unique_ptr<Recorder>> Recorder::Start(const EvidenceSettings& settings,
                                                  std::shared_ptr<PictureStore> store) {
  auto encoder = JpegEncoder::Create(settings.quality, settings.max_edge);
  if (!encoder.ok()) {
    store->Stop(Clock::now());
    return Status(encoder.status().code(), "evidence: " + encoder.status().message());
  }
  auto state = std::make_shared<State>();
  state->settings = settings;
  state->store = std::move(store);
  state->encoder = std::move(encoder.value());
  try {
    state->thread = StartThread("dsmsg-evidence", [state] { state->Run(); });
  } catch (const std::system_error& error) {
    state->store->Stop(Clock::now());
    return Status(Code::kInternal, error.what());
  }
  return std::unique_ptr<Recorder>(new Recorder(std::move(state)));
}

Recorder::~Recorder() {
  Contained([this] { state_->Stop(); },
            [](const char* what) { LogException("ending the storage of pictures", what); });
}

void Recorder::State::Stop() {
  std::unique_lock lock(mutex);
  stopping = true;
  for (const Job& job : jobs)
    SettleLocked(job.ticket.get(), {Code::kCancelled, "the pipeline stopped"});
  jobs.clear();
  todo.notify_all();
  const Deadline deadline = Clock::now() + kStopWithin;
  lock.unlock();
  store->Stop(deadline);
  lock.lock();
  const bool joins = ended_cv.wait_until(lock, deadline, [this] { return ended; });
  lock.unlock();
  if (joins) {
    thread.join();
  } else {
    thread.detach();  // a disk or a network file system hangs
  }
}

Recorder::TicketPtr Recorder::Take(const std::string& name, size_t bytes,
                                   const std::function<Result<PicturePtr>()>& copy) {
  auto ticket = std::make_shared<Ticket>();
  ticket->outcome.uri = state_->store->Uri(name);
  std::unique_lock lock(state_->mutex);
  ++state_->counters.waiting;
  const size_t limit = state_->settings.queue_bytes;
  // A picture larger than the limit is taken where it is alone.
  if (state_->held_bytes > 0 && state_->held_bytes + bytes > limit) {
    const uint64_t waiting = state_->counters.waiting - 1;
    state_->SettleLocked(
        ticket.get(), {Code::kUnavailable,
                       "no room: " + std::to_string(waiting) +
                           (waiting == 1 ? " picture waits" : " pictures wait") +
                           " to be stored (the store is slow; more memory for them: queue-bytes)"});
    return ticket;
  }
  state_->held_bytes += bytes;  // until the copy's own size is known
  lock.unlock();
  Result<PicturePtr> picture = copy();
  lock.lock();
  state_->held_bytes -= bytes;
  if (!picture.ok()) {
    state_->SettleLocked(ticket.get(), picture.status());
    return ticket;
  }
  state_->held_bytes += picture.value()->size();
  state_->jobs.push_back({ticket, name, std::move(picture.value())});
  state_->todo.notify_one();
  return ticket;
}

Recorder::TicketPtr Recorder::Lost(std::string reason) {
  auto ticket = std::make_shared<Ticket>();
  ticket->outcome.state = Outcome::State::kLost;
  ticket->outcome.reason = std::move(reason);
  return ticket;
}

Outcome Recorder::Of(const Ticket& ticket) const {
  const std::lock_guard lock(state_->mutex);
  return ticket.outcome;
}

bool Recorder::IsWaiting(const Ticket& ticket) const {
  const std::lock_guard lock(state_->mutex);
  return ticket.outcome.state == Outcome::State::kWaiting;
}

Outcome Recorder::Wait(const Ticket& ticket, Deadline deadline) const {
  std::unique_lock lock(state_->mutex);
  state_->settled.wait_until(lock, deadline, [&ticket, this] {
    return ticket.outcome.state != Outcome::State::kWaiting || state_->nothing_waits;
  });
  Outcome outcome = ticket.outcome;
  if (outcome.state == Outcome::State::kWaiting) {
    outcome.state = Outcome::State::kLost;
    outcome.reason = "not stored within " + std::to_string(state_->settings.timeout.count()) +
                     " ms (option timeout)";
    lock.unlock();
    const std::string trouble = state_->store->Trouble();
    if (!trouble.empty()) outcome.reason += ": " + trouble;
  }
  return outcome;
}

void Recorder::StopWaiting() {
  const std::lock_guard lock(state_->mutex);
  state_->nothing_waits = true;
  state_->settled.notify_all();
}

void Recorder::GiveUp(Ticket& ticket) {
  const std::lock_guard lock(state_->mutex);
  ticket.given_up = true;
}

RecorderCounters Recorder::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}

// ---------------------------------------------------------------- the thread

void Recorder::State::SettleLocked(Ticket* ticket, const Status& status) {
  Outcome& outcome = ticket->outcome;
  if (outcome.state != Outcome::State::kWaiting) return;
  outcome.state = status.ok() ? Outcome::State::kStored : Outcome::State::kLost;
  outcome.reason = status.ok() ? "" : status.message();
  ++(status.ok() ? counters.stored : counters.lost);
  if (status.ok()) {
    counters.stored_bytes += outcome.size;
  } else {  // as far as the store knows there is no such file
    outcome.uri.clear();
    outcome.digest.clear();
    outcome.size = 0;
  }
  --counters.waiting;
  settled.notify_all();
}

void Recorder::State::Settle(Ticket* ticket, const Status& status, size_t bytes) {
  const std::lock_guard lock(mutex);
  held_bytes -= bytes;
  SettleLocked(ticket, status);
}

bool Recorder::State::Next(Job* job) {
  Deadline tend = Clock::now() + kTendEvery;
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (!jobs.empty()) {
      *job = std::move(jobs.front());
      jobs.pop_front();
      return true;
    }
    if (todo.wait_until(lock, tend) == std::cv_status::timeout) {
      lock.unlock();
      store->Tend();
      lock.lock();
      tend = Clock::now() + kTendEvery;
    }
  }
  return false;
}

void Recorder::State::Run() {
  Contained(
      [this] {
        store->Tend();
        Deadline tend = Clock::now() + kTendEvery;
        Job job;
        while (Next(&job)) {
          Work(job);
          job = {};
          if (Clock::now() < tend) continue;
          store->Tend();
          tend = Clock::now() + kTendEvery;
        }
      },
      [](const char* what) { LogException("storing pictures", what); });
  const std::lock_guard lock(mutex);
  stopping = ended = true;
  ended_cv.notify_all();
}

void Recorder::State::Work(const Job& job) {
  const size_t raw = job.picture->size();
  {
    const std::lock_guard lock(mutex);
    if (job.ticket->given_up) {
      held_bytes -= raw;
      SettleLocked(job.ticket.get(), {Code::kTimeout, "given up: its message has left"});
      return;
    }
  }
  Result<std::string> file = encoder->Encode(*job.picture);
  if (!file.ok()) return Settle(job.ticket.get(), file.status(), raw);
  const size_t size = file.value().size();
  {
    const std::string digest = ToHex(Sha256(file.value()));
    const std::lock_guard lock(mutex);
    held_bytes = held_bytes - raw + size;
    job.ticket->outcome.digest = digest;
    job.ticket->outcome.size = size;
  }
  store->Put(job.name, file.value(),
             [self = shared_from_this(), ticket = job.ticket, size](const Status& status) {
               self->Settle(ticket.get(), status, size);
             });
}

}  // namespace dsmsg::evidence
