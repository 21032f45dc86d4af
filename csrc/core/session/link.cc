// SPDX-License-Identifier: Apache-2.0
#include "core/session/link.h"

#include <new>
#include <random>

#include "core/base/thread.h"

namespace dsmsg {
namespace {

constexpr Millis kRetryFirst{20}, kRetryMax{2000};

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

void Link::Adopt(std::shared_ptr<const Settings> settings) {
  settings_ = std::move(settings);
  const char* linger = parts_.factory.info->linger_option;
  linger_ = settings_->config.Has(linger) ? settings_->config.GetMillis(linger) : Millis(0);
  const Millis longest = settings_->reconnect_max_interval;
  reconnect_backoff_ = Backoff(settings_->reconnect_interval, longest, RandomSeed());
  slow_backoff_ = Backoff(longest / 2, longest / 2, RandomSeed());
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

// The flag is set before and after the write. Before: the I/O thread, woken at once, must see it or
// it would not drain the descriptor. After: draining an earlier signal may have cleared the flag
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
  const std::string text =
      reason.message() +
      (down->gives_up ? "; gave up (reconnect, reconnect-attempts)" : "; trying again");
  // How a link was lost is logged separately from why it cannot be opened again.
  const char* const key = failed_attempt ? "link" : "lost";
  if (down->first || down->gives_up) {
    parts_.logger.Unlimited(LogLevel::kWarn, key, text);
  } else {
    parts_.logger.Limited(LogLevel::kWarn, key, text);
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
    if (!outcome.status.retryable()) continue;
    parts_.logger.Limited(LogLevel::kWarn, CodeName(outcome.status.code()),
                          "not accepted, will be sent again: " + outcome.status.message());
  }
  outcomes->clear();
  if (retried > 0) {
    hold_requested_ = true;
    Wake(true);
  }
  TellRefused(&finished, &refused);
}

void Link::TellRefused(std::vector<Finished>* finished, std::vector<SendQueue::Refused>* refused) {
  for (const Finished& ended : *finished) {
    if (ended.status.ok()) continue;
    parts_.logger.Limited(LogLevel::kWarn, CodeName(ended.status.code()),
                          "message refused: " + ended.status.message());
  }
  KeepRefused(refused);  // first, so that whoever learns of a refusal finds the dead letter
  parts_.completions.Push(finished);
}

// Never waits for room: without room, the dead letter goes to the directory.
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

}  // namespace dsmsg
