// SPDX-License-Identifier: Apache-2.0
// What the I/O thread of a link does.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "core/base/fd.h"
#include "core/base/guard.h"
#include "core/base/time.h"
#include "core/session/link.h"
#include "core/session/outage.h"

namespace dsmsg {
namespace {

constexpr Millis kIdleBudget{1000};    // for drivers that have periodic work
constexpr Millis kBlockedBudget{100};  // latest time to offer it again
constexpr Millis kStable{5000};        // a link that lasted this long resets the backoff
// How long a link that is to be made anew waits for what is on its way, and for its orderly end.
constexpr Millis kReopenWait{5000}, kReopenDrain{400};

// More than one attempt needs: a process short of descriptors ends connections by itself.
bool DescriptorsAreThere(int any) {
  std::array<UniqueFd, 32> spare;
  for (UniqueFd& each : spare) {
    each = UniqueFd(fcntl(any, F_DUPFD_CLOEXEC, 0));
    if (each.get() < 0) return false;
  }
  return true;
}

}  // namespace

void Link::Run() {
  io_thread_ = std::this_thread::get_id();
  // A driver or its library throws when it runs out of memory, threads or descriptors: an outage
  // like any other.
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

bool Link::TryOpen() {
  const Status accusation = std::exchange(accusation_, Status());
  attempted_at_ = Clock::now();
  const Status status =
      driver_->Open(role_, Clock::now() + settings_->connect_timeout, cancel_.fd());
  if (!status.ok()) {
    driver_->Close(Millis(0), -1);
    HandleOutcomes(&outcomes_);
    if (parts_.queue != nullptr) parts_.queue->Acquit();  // the server is what ended
    if (status.code() != Code::kCancelled) ReportDown(status, true);
    return false;
  }
  open_ = true;
  ++epoch_;
  up_since_ = Clock::now();
  if (parts_.subscription != nullptr) parts_.subscription->Opened();
  ReportUp();
  if (!accusation.ok()) JudgeAccused(accusation);
  return true;
}

// The server ended a connection with one message in flight and accepts the next connection at once.
// A server that died could not do that: either the message is the cause, or chance. Other causes (a
// client of the same name, a flaky network) show themselves because the new connection must first
// last without the message.
void Link::JudgeAccused(const Status& reason) {
  constexpr Millis kProof{1000};
  std::vector<Finished> finished;
  std::vector<SendQueue::Refused> refused;
  const bool prove =
      parts_.queue->Accuse(reason, &finished, parts_.dead_letters.enabled() ? &refused : nullptr);
  if (prove) hold_until_ = Clock::now() + kProof;
  if (const std::string text = parts_.queue->Unconvicted(); !text.empty()) {
    parts_.logger.Limited(LogLevel::kWarn, "unconvicted", text);
  }
  TellRefused(&finished, &refused);
}

// Anything the driver still reports belongs to messages in flight; the other messages in flight
// wait again. `lost`: see SendQueue::RecoverLost; otherwise false.
bool Link::CloseDriver(Millis drain, bool lost) {
  open_ = false;
  driver_->Close(drain, -1);
  if (parts_.queue == nullptr) return false;
  HandleOutcomes(&outcomes_);
  if (lost) return parts_.queue->RecoverLost();
  parts_.queue->Recover();
  return false;
}

// `subscribing`: none of our messages is the cause.
void Link::LinkLost(const Status& reason, bool subscribing) {
  if (Clock::now() - up_since_ > kStable) reconnect_backoff_.Reset();
  const bool core_retries = parts_.factory.info->retry == RetryOwner::kCore;
  const bool over_messages = over_messages_.exchange(false);
  const bool judge = CloseDriver(Millis(0), (core_retries || over_messages) && !subscribing);
  ReportDown(reason, false);
  down_since_ = Clock::now();
  accusation_ = judge && DescriptorsAreThere(wake_.fd()) ? reason : Status();
  // Otherwise at once: a server that died is not back yet. Without a limit this may go on for ever.
  if (accusation_.ok() || parts_.settings->queue.poison_attempts == 0) Pause(false);
}

// Waits for the next attempt; messages expire meanwhile.
void Link::Pause(bool slowly) {
  const Millis message_timeout = parts_.settings->queue.message_timeout;  // the queue's: it stays
  const auto begin = Clock::now();
  const Deadline end = slowly
                           ? begin + settings_->reconnect_max_interval / 2 + slow_backoff_.Next()
                           : NextAttempt({down_since_, attempted_at_}, begin, &reconnect_backoff_);
  while (!stopping() && !state_.given_up() && !retry_now_.exchange(false) && Clock::now() < end) {
    Deadline next = end;
    if (parts_.queue != nullptr && message_timeout.count() > 0) {
      std::vector<Finished> finished;
      // A message accepted after this check cannot expire before a whole message-timeout from now.
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
  if (CanReopen()) {
    CloseDriver(kReopenDrain);
    return;
  }
  bool blocked = true, room = false;
  if (parts_.inbox != nullptr) {
    HandleAcks();  // first: a driver may check what was acknowledged when the topics change
    if (Status lost = HandleSubscription(); !lost.ok()) return LinkLost(lost, true);
  }
  if (parts_.queue != nullptr) {
    if (hold_requested_.exchange(false)) hold_until_ = Clock::now() + retry_backoff_.Next();
    blocked = SubmitWaiting();
    // A message that completed inside Submit makes room, and the driver reports no event for it.
    room = blocked && !outcomes_.empty();
    HandleOutcomes(&outcomes_);
    // From here on, a host that adds a message wakes us; PollBudget sees what was added before.
    if (!blocked) sleep_ = Sleep::kIdle;
  }
  const Status status = driver_->Poll(room ? Millis(0) : PollBudget(blocked), wake_.fd());
  sleep_ = Sleep::kAwake;
  if (signalled_.exchange(false)) wake_.Drain();
  if (parts_.queue != nullptr) {
    for (const SendQueue::Outcome& outcome : outcomes_) {
      if (outcome.status.retryable()) continue;
      // A server that refuses may do so by ending the connection, but it is there. That it accepts
      // messages proves nothing: it would do so too between two clients of the same name that keep
      // disconnecting each other.
      (outcome.status.ok() ? retry_backoff_ : reconnect_backoff_).Reset();
    }
    HandleOutcomes(&outcomes_);
  }
  if (!status.ok()) LinkLost(status, false);
}

bool Link::Lingering(const SendQueue::Waiting& waiting, Clock::time_point now) const {
  return waiting.count < kSubmitBatch && waiting.oldest + linger_ > now;
}

bool Link::SubmitWaiting() {
  const auto now = Clock::now();
  if (now < hold_until_ || !up() || driver_->WantsReopen()) return true;
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

// An acknowledgement that comes after the new connection is lost, and its message is sent again.
bool Link::CanReopen() {
  if (!driver_->WantsReopen()) {
    reopen_by_ = Deadline::max();
    return false;
  }
  const auto now = Clock::now();
  reopen_by_ = std::min(reopen_by_, now + kReopenWait);
  const bool received = parts_.inbox != nullptr && !parts_.inbox->idle();
  if (parts_.inbox != nullptr) HandleAcks();
  const bool sent = parts_.queue != nullptr && parts_.queue->in_flight() > 0;
  return (!received && !sent) || now >= reopen_by_;
}

bool Link::ReplacementWaits() {
  std::lock_guard lock(replacement_mutex_);
  return replacement_ != nullptr;
}

// Not ok: the driver has the wrong topics, and the link must be reopened.
Status Link::HandleSubscription() {
  const Deadline usual = Clock::now() + settings_->connect_timeout;
  while (const auto step = parts_.subscription->Next(usual)) {
    // Checked after the step: a subscribe that follows a reload is for the new broker.
    if (ReplacementWaits()) return {};
    const Status status = driver_->Subscribe(step->topics(), step->deadline);
    if (status.permanent()) {
      parts_.logger.Limited(LogLevel::kWarn, "cannot subscribe",
                            "cannot subscribe: " + status.message());
    }
    Status lost = parts_.subscription->Answer(*step, status);
    if (!lost.ok()) return lost;
    HandleAcks();  // acknowledgements for topics no longer subscribed to
  }
  return {};
}

void Link::HandleAcks() {
  parts_.inbox->TakeAcks(&acks_);
  const uint64_t epoch = epoch_.load();
  for (Inbox::Ack& ack : acks_) {
    // After a reconnect, the broker delivers unacknowledged messages again, under new names.
    const bool known = ack.epoch == epoch;
    if (ack.unseen) {
      driver_->Release(known ? ack.token : kNoToken, std::move(*ack.unseen));
    } else if (known) {
      driver_->Ack(ack.token);
    }
  }
}

}  // namespace dsmsg
