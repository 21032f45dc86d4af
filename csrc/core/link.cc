// SPDX-License-Identifier: Apache-2.0
#include "core/link.h"

#include <poll.h>

#include <algorithm>
#include <new>
#include <random>

#include "core/guard.h"
#include "core/thread.h"

namespace dsmsg {
namespace {

constexpr size_t kSubmitBatch = 64;    // so many do not linger
constexpr Millis kIdleBudget{1000};    // for drivers that have something to do now and then
constexpr Millis kBlockedBudget{100};  // offered again at the latest
constexpr Millis kRetryFirst{20}, kRetryMax{2000};
constexpr Millis kStable{5000};  // a link that lasted this long starts the backoff anew

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

Link::Link(Role role, const LinkParts& parts)
    : role_(role),
      parts_(parts),
      state_(*parts.settings, parts.queue),
      reconnect_backoff_(Millis(0), Millis(0), 0),  // Adopt makes both
      slow_backoff_(Millis(0), Millis(0), 0),
      retry_backoff_(kRetryFirst, kRetryMax, RandomSeed()) {
  Adopt(parts.settings);
}

Link::~Link() {
  RequestStop(Millis(0));
  Join();
}

Status Link::Configure() {
  driver_ = parts_.factory.create(*this);
  return driver_->Configure(parts_.settings->endpoints, parts_.settings->config);
}

Result<std::unique_ptr<Driver>> Link::Prepare(const Settings& settings) {
  std::unique_ptr<Driver> driver = parts_.factory.create(*this);
  if (Status status = driver->Configure(settings.endpoints, settings.config); !status.ok()) {
    return status;
  }
  return driver;
}

void Link::Replace(std::unique_ptr<Driver> driver, std::shared_ptr<const Settings> settings) {
  state_.Adopt(*settings);
  {
    std::lock_guard lock(replacement_mutex_);
    replacement_ = std::move(driver);
    replacement_settings_ = std::move(settings);
  }
  retry_now_ = true;
  Signal();
}

// ---------------------------------------------------------------- any thread

void Link::Start() {
  thread_ = StartThread(role_ == Role::kConsumer ? "dsmsg-receive" : "dsmsg-io", [this] { Run(); });
}

void Link::Wake(bool urgent) {
  if (urgent) urgent_ = true;
  const Sleep sleep = sleep_.load();
  if (sleep == Sleep::kAwake) return;
  if (sleep == Sleep::kLingering && !urgent && parts_.queue->waiting().count < kSubmitBatch) return;
  if (sleep_.exchange(Sleep::kAwake) != Sleep::kAwake) Signal();
}

// The flag is set on both sides of the write. Before: the I/O thread, woken at once, must see it or
// it would not drain the descriptor. After: a drain of an earlier signal may have taken the flag
// before the write.
void Link::Signal() {
  signalled_ = true;
  wake_.Signal();
  signalled_ = true;
}

void Link::Resubscribe() {
  retry_now_ = true;
  Signal();
}

void Link::BeginFlush() {
  state_.BeginFlush();
  retry_now_ = true;
  Signal();
}

void Link::RequestStop(Millis drain) {
  drain_ = drain;
  stop_ = true;
  cancel_.Signal();
  Signal();
}

void Link::Join() {
  if (thread_.joinable()) thread_.join();
}

void Link::Complete(Token token, const Status& status) noexcept {
  if (std::this_thread::get_id() == io_thread_.load(std::memory_order_relaxed)) {
    outcomes_.push_back({token, status});
    return;
  }
  std::vector<SendQueue::Outcome> outcomes{{token, status}};
  HandleOutcomes(&outcomes);
}

Status Link::Deliver(InMessage&& message, AckToken token) noexcept {
  Status status = parts_.inbox->Deliver(std::move(message), epoch_.load(), token);
  if (status.ok()) Metrics::Add(parts_.metrics.received);
  return status;
}

std::shared_ptr<const void> Link::HoldInFlight() noexcept {
  try {
    if (parts_.queue == nullptr) return std::make_shared<int>();
    return parts_.queue->HoldInFlight();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// While Open runs, its result is what counts: one of several addresses may fail and the next one
// work.
void Link::LinkUp() noexcept {
  if (open_) ReportUp();
}

void Link::LinkDown(const Status& reason) noexcept {
  if (open_) ReportDown(reason, true);
}

void Link::ReportUp() {
  const LinkState::Up change = state_.SetUp();
  if (parts_.subscription != nullptr) parts_.subscription->LinkUp();
  if (change == LinkState::Up::kAlready) return;
  const bool again = change == LinkState::Up::kAgain;
  if (again) Metrics::Add(parts_.metrics.reconnects);
  const std::string outage = parts_.observer.OnBack(role_);
  const std::string text = "connected to " + state_.peer() + (again ? " again" : "") +
                           (outage.empty() ? "" : ": " + outage);
  if (again || !outage.empty()) {
    parts_.logger.Warn(text);
  } else {
    parts_.logger.Info(text);
  }
  parts_.observer.OnLinkUp(role_);
  Signal();
}

void Link::ReportDown(const Status& reason, bool failed_attempt) {
  if (stopping()) return;
  const std::optional<LinkState::Down> down = state_.SetDown(reason, failed_attempt);
  if (!down) return;
  if (parts_.subscription != nullptr) {
    parts_.subscription->LinkDown(reason, failed_attempt, down->gives_up);
  }
  if (failed_attempt) Metrics::Add(parts_.metrics.failed_attempts);
  parts_.metrics.RecordFailureReason(reason);
  if (down->gives_up) Signal();
  if (down->known) return;
  const char* next =
      down->gives_up ? "; gave up (reconnect, reconnect-attempts)" : "; trying again";
  if (down->first || down->gives_up) {
    parts_.logger.Warn(reason.message() + next);
  } else {
    parts_.logger.Limited(LogLevel::kWarn, "link", reason.message() + next);
  }
  parts_.observer.OnLinkDown(role_, reason);
  if (down->gives_up) parts_.observer.OnGaveUp(role_, reason);
}

void Link::HandleOutcomes(std::vector<SendQueue::Outcome>* outcomes) {
  if (outcomes->empty()) return;
  std::vector<Finished> finished;
  finished.reserve(outcomes->size());
  std::vector<SendQueue::Refused> refused;
  const bool keep = parts_.dead_letters.enabled();
  const size_t retried = parts_.queue->Complete(*outcomes, &finished, keep ? &refused : nullptr);
  for (const SendQueue::Outcome& outcome : *outcomes) {
    if (outcome.status.ok()) continue;
    parts_.logger.Limited(
        LogLevel::kWarn, CodeName(outcome.status.code()),
        (outcome.status.retryable() ? "not taken, will be sent again: " : "message refused: ") +
            outcome.status.message());
  }
  outcomes->clear();
  if (retried > 0) {
    hold_requested_ = true;
    Wake(true);
  }
  KeepRefused(&refused);  // first: who is told of a refusal finds the dead letter
  parts_.completions.Push(&finished);
}

// Never waits for room: a dead letter that finds none goes to the directory.
void Link::KeepRefused(std::vector<SendQueue::Refused>* refused) {
  if (refused->empty()) return;
  for (auto& [outgoing, status] : *refused) {
    if (!outgoing.dead_letter) parts_.metrics.books.LetterDue();
    Outgoing letter;
    if (!outgoing.dead_letter && parts_.dead_letters.MakeLetter(outgoing, status, &letter)) {
      if (parts_.observer.OnLetter(&letter) || parts_.queue->PushIfRoom(&letter, nullptr)) continue;
    }
    parts_.dead_letters.Keep(outgoing.message, status);
  }
  parts_.queue->Kept(refused->size());
  refused->clear();
}

void Link::Tell(std::vector<Finished>* finished) { parts_.completions.Push(finished); }

// ---------------------------------------------------------------- I/O thread

void Link::Run() {
  io_thread_ = std::this_thread::get_id();
  // What throws is a driver, or the library, that ran out of memory, threads or descriptors: an
  // outage like any other.
  while (!stopping()) {
    Status thrown;
    const auto keep = [&](const char* what) { thrown = {Code::kUnavailable, what}; };
    if (Contained([this] { Step(); }, keep)) continue;
    const bool attempt = !open_;
    const auto log = [this](const char* what) { parts_.logger.Error(what); };
    Contained([this] { CloseDriver(Millis(0)); }, log);
    Contained([&] { ReportDown(thrown, attempt); }, log);
    Contained([this] { Pause(false); }, log);
  }
  const auto log = [this](const char* what) {
    parts_.logger.Error(std::string("disconnect: ") + what);
  };
  const auto acknowledge = [this] {
    if (open_ && parts_.inbox != nullptr) HandleAcks();
  };
  Contained(acknowledge, log);
  Contained([this] { CloseDriver(drain_); }, log);
}

void Link::Step() {
  SwapDriver();
  if (state_.given_up()) {
    AnswerGivenUp();
  } else if (open_) {
    Drive();
  } else if (!TryOpen()) {
    Pause(state_.last_error().permanent());
  }
}

void Link::SwapDriver() {
  std::unique_ptr<Driver> next;
  std::shared_ptr<const Settings> settings;
  {
    std::lock_guard lock(replacement_mutex_);
    next = std::move(replacement_);
    settings = std::move(replacement_settings_);
  }
  if (next == nullptr) return;
  CloseDriver(Millis(0));
  driver_ = std::move(next);
  Adopt(std::move(settings));
  state_.Revive();
}

void Link::Adopt(std::shared_ptr<const Settings> settings) {
  settings_ = std::move(settings);
  const char* linger = parts_.factory.info->linger_option;
  linger_ = settings_->config.Has(linger) ? settings_->config.GetMillis(linger) : Millis(0);
  const Millis longest = settings_->reconnect_max_interval;
  reconnect_backoff_ = Backoff(settings_->reconnect_interval, longest, RandomSeed());
  slow_backoff_ = Backoff(longest / 2, longest / 2, RandomSeed());
}

bool Link::TryOpen() {
  const Status status =
      driver_->Open(role_, Clock::now() + settings_->connect_timeout, cancel_.fd());
  if (!status.ok()) {
    driver_->Close(Millis(0), -1);
    HandleOutcomes(&outcomes_);
    if (status.code() != Code::kCancelled) ReportDown(status, true);
    return false;
  }
  open_ = true;
  ++epoch_;
  up_since_ = Clock::now();
  if (parts_.subscription != nullptr) parts_.subscription->Opened();
  ReportUp();
  return true;
}

// Whatever the driver still reports belongs to messages in flight; the rest of those waits again.
void Link::CloseDriver(Millis drain) {
  open_ = false;
  driver_->Close(drain, -1);
  if (parts_.queue == nullptr) return;
  HandleOutcomes(&outcomes_);
  parts_.queue->Recover();
}

void Link::LinkLost(const Status& reason) {
  if (Clock::now() - up_since_ > kStable) reconnect_backoff_.Reset();
  CloseDriver(Millis(0));
  ReportDown(reason, false);
  Pause(false);
}

// Waits for the next attempt; messages expire meanwhile.
void Link::Pause(bool slowly) {
  const Millis message_timeout = parts_.settings->queue.message_timeout;  // the queue's: it stays
  const Millis pause = slowly ? settings_->reconnect_max_interval / 2 + slow_backoff_.Next()
                              : reconnect_backoff_.Next();
  const Deadline end = Clock::now() + pause;
  while (!stopping() && !state_.given_up() && !retry_now_.exchange(false) && Clock::now() < end) {
    Deadline next = end;
    if (parts_.queue != nullptr && message_timeout.count() > 0) {
      std::vector<Finished> finished;
      // A message accepted after this look cannot expire before a whole message-timeout from now.
      const auto now = Clock::now();
      const auto due = parts_.queue->Expire(now, &finished);
      next = std::min({end, due, now + message_timeout});
      Tell(&finished);
    }
    pollfd fds[] = {{cancel_.fd(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    poll(fds, 2, PollTimeout(next));
    if (signalled_.exchange(false)) wake_.Drain();
    parts_.observer.OnTick();
  }
}

// Sends are still accepted and answered with ERR, because a refused send ends a host's pipeline.
void Link::AnswerGivenUp() {
  if (open_) CloseDriver(Millis(0));
  sleep_ = Sleep::kIdle;
  if (parts_.subscription != nullptr) {
    parts_.subscription->LinkDown(state_.last_error(), false, /*gave_up=*/true);
  }
  if (parts_.queue != nullptr) {
    std::vector<Finished> finished;
    parts_.queue->CloseAll({Code::kRejected, "gave up: " + state_.last_error().message()},
                           DropReason::kGaveUp, &finished);
    Tell(&finished);
  }
  pollfd fds[] = {{cancel_.fd(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
  poll(fds, 2, -1);
  if (signalled_.exchange(false)) wake_.Drain();
}

void Link::Drive() {
  parts_.observer.OnTick();
  bool blocked = true, room = false;
  if (parts_.inbox != nullptr) {
    HandleAcks();  // first: a driver may look at what was acknowledged when the topics change
    if (Status lost = HandleSubscription(); !lost.ok()) return LinkLost(lost);
  }
  if (parts_.queue != nullptr) {
    if (hold_requested_.exchange(false)) hold_until_ = Clock::now() + retry_backoff_.Next();
    blocked = SubmitWaiting();
    // What completed inside Submit makes room, and no event of the driver's will tell of it.
    room = blocked && !outcomes_.empty();
    HandleOutcomes(&outcomes_);
    // From here on a host that adds a message wakes us; what came before is seen by the look at the
    // queue in PollBudget.
    if (!blocked) sleep_ = Sleep::kIdle;
  }
  const Status status = driver_->Poll(room ? Millis(0) : PollBudget(blocked), wake_.fd());
  sleep_ = Sleep::kAwake;
  if (signalled_.exchange(false)) wake_.Drain();
  if (parts_.queue != nullptr) {
    for (const SendQueue::Outcome& outcome : outcomes_) {
      if (outcome.status.ok()) {
        retry_backoff_.Reset();
        break;
      }
    }
    HandleOutcomes(&outcomes_);
  }
  if (!status.ok()) LinkLost(status);
}

bool Link::Lingering(const SendQueue::Waiting& waiting, Clock::time_point now) const {
  return waiting.count < kSubmitBatch && waiting.oldest + linger_ > now;
}

bool Link::SubmitWaiting() {
  const auto now = Clock::now();
  if (now < hold_until_ || !up()) return true;
  if (Lingering(parts_.queue->waiting(), now) && !urgent_.exchange(false)) return false;
  while (true) {
    submissions_.clear();
    const bool full = parts_.queue->Take(kSubmitBatch, &submissions_);
    for (size_t i = 0; i < submissions_.size(); ++i) {
      const Status status = driver_->Submit(submissions_[i].message, submissions_[i].token);
      if (status.ok()) continue;
      if (status.code() == Code::kWouldBlock) {
        parts_.queue->Return({submissions_.data() + i, submissions_.size() - i});
        Metrics::Add(parts_.metrics.submitted, i);
        return true;
      }
      outcomes_.push_back({submissions_[i].token, status});
    }
    Metrics::Add(parts_.metrics.submitted, submissions_.size());
    if (full || submissions_.size() < kSubmitBatch) return full;
  }
}

Millis Link::PollBudget(bool blocked) {
  if (parts_.queue == nullptr) return kIdleBudget;
  const auto now = Clock::now();
  Deadline end = now + (blocked ? kBlockedBudget : kIdleBudget);
  if (hold_until_ > now) end = std::min(end, hold_until_);
  const Millis message_timeout = parts_.settings->queue.message_timeout;  // the queue's: it stays
  if (message_timeout.count() > 0) {
    std::vector<Finished> finished;
    next_expiry_ = parts_.queue->Expire(now, &finished);
    end = std::min({end, next_expiry_, now + message_timeout});
    Tell(&finished);
  }
  if (!blocked) {
    const SendQueue::Waiting waiting = parts_.queue->waiting();
    if (waiting.count > 0) {
      if (urgent_ || !Lingering(waiting, now)) return Millis(0);
      end = std::min(end, waiting.oldest + linger_);
      sleep_ = Sleep::kLingering;
    }
  }
  return Millis(PollTimeout(end));
}

bool Link::ReplacementWaits() {
  std::lock_guard lock(replacement_mutex_);
  return replacement_ != nullptr;
}

// Not ok: the driver has the wrong topics, the link has to be opened anew.
Status Link::HandleSubscription() {
  const Deadline usual = Clock::now() + settings_->connect_timeout;
  while (const auto step = parts_.subscription->Next(usual)) {
    // Looked at after the step: a subscribe that follows a reload is for the new broker.
    if (ReplacementWaits()) return {};
    const Status status = driver_->Subscribe(step->topics(), step->deadline);
    if (status.permanent()) {
      parts_.logger.Limited(LogLevel::kWarn, "cannot subscribe",
                            "cannot subscribe: " + status.message());
    }
    Status lost = parts_.subscription->Answer(*step, status);
    if (!lost.ok()) return lost;
    HandleAcks();  // what belongs to topics that were given up
  }
  return {};
}

void Link::HandleAcks() {
  parts_.inbox->TakeAcks(&acks_);
  const uint64_t epoch = epoch_.load();
  for (Inbox::Ack& ack : acks_) {
    // After a reconnect the broker delivers what was not acknowledged again, under new names.
    const bool known = ack.epoch == epoch;
    if (ack.unseen) {
      driver_->Release(known ? ack.token : kNoToken, std::move(*ack.unseen));
    } else if (known) {
      driver_->Ack(ack.token);
    }
  }
}

}  // namespace dsmsg
