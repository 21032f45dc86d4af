// SPDX-License-Identifier: Apache-2.0
#include "core/spool/spool_feed.h"

#include <algorithm>

#include "core/base/guard.h"
#include "core/base/thread.h"
#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg {
namespace {

constexpr Millis kLook{50};             // at what is behind the spool
constexpr Millis kOrderPatience{3000};  // how long to wait for a disk that returns nothing

int64_t WallClockMillis() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

SpoolFeed::SpoolFeed(const Config& config, SendQueue& queue, CompletionQueue& completions,
                     Metrics& metrics, std::function<void()> wake)
    : always_(config.GetString("spool-mode") == "always"),
      by_key_(config.GetString("spool-order") == "key"),
      rate_(static_cast<double>(config.GetInt("spool-replay-rate"))),
      // Leaves room for live messages in a small queue.
      most_fed_(
          std::clamp<size_t>(static_cast<size_t>(config.GetInt("queue-size")) / 4, 1, kMostFed)),
      queue_(queue),
      completions_(completions),
      metrics_(metrics),
      wake_(std::move(wake)) {}

SpoolFeed::~SpoolFeed() { StopFeeding(); }

Status SpoolFeed::Open(const Settings& settings, const char* protocol, Logger& logger) {
  const Config& config = settings.config;
  SpoolOptions options;
  options.dir = config.GetString("spool-dir");
  options.name = config.GetString("spool-name");
  options.protocol = protocol;
  options.endpoint = settings.endpoints.ToString();
  options.max_bytes = config.GetBytes("spool-max-bytes");
  options.evict = config.GetBool("spool-evict");
  options.sync_full = config.GetString("spool-sync") == "full";
  options.tell_evicted = metrics_.ledger != nullptr;
  Result<std::unique_ptr<Spool>> opened = Spool::Open(options, logger);
  if (!opened.ok()) {
    return {Code::kInvalidArgument, "spool-dir: " + opened.status().message()};
  }
  spool_ = std::move(opened.value());
  restored_ = spool_->backlog();
  logger_ = &logger;
  if (Status status = spool_->Start(this); !status.ok()) return status;
  thread_ = StartThread("dsmsg-replay", [this] { Run(); });
  return {};
}

// ---------------------------------------------------------------- to the disk

Status SpoolFeed::Push(Outgoing&& outgoing, bool link_up, SendQueue::FinishedList* finished,
                       Token* token, Deadline patience) {
  const std::string_view key = outgoing.order_key();
  uint64_t failures;
  do {
    failures = spool_->failures();  // before the look
    const Older older = OlderOf(key);
    if (older == Older::kBehind) break;
    const bool to_disk = always_ || !link_up || older == Older::kOnDisk;
    if (!to_disk && queue_.PushIfRoom(&outgoing, token)) return {};
    if (Take(&outgoing, failures).ok()) return {};
  } while (spool_->failures() != failures);
  // If the disk fails or is full, the queue's own policy applies.
  if (order_given_up_ || OlderOf(key) == Older::kNone) {
    return queue_.Push(std::move(outgoing), finished, token, patience);
  }
  outgoing.behind_spool = true;
  const std::string its_key(key);
  const Status pushed = queue_.Push(std::move(outgoing), finished, token, patience);
  {
    std::lock_guard lock(mutex_);
    release_ = release_ || !spool_->HasBacklog(its_key);
  }
  changed_cv_.notify_all();
  return pushed;
}

// Messages move from behind the spool to the disk, and back when it fails. A message that moves is
// counted in both places. Checking behind, disk, behind therefore misses nothing that moves to
// disk; if removals() is unchanged, nothing moved back either.
SpoolFeed::Older SpoolFeed::OlderOf(std::string_view key) const {
  if (!by_key_) return Older::kNone;
  uint64_t removals;
  do {
    removals = spool_->removals();
    if (queue_.AnyBehind(key)) return Older::kBehind;
    const bool on_disk = spool_->HasBacklog(key);
    if (queue_.AnyBehind(key)) return Older::kBehind;
    if (on_disk) return Older::kOnDisk;
  } while (spool_->removals() != removals);
  return Older::kNone;
}

Status SpoolFeed::Take(Outgoing* outgoing, uint64_t failures) {
  SpoolTicket ticket;
  Message message;
  {
    std::lock_guard lock(mutex_);
    if (closing_) return {Code::kCancelled, "spool: closed"};
    queue_.Reserve(outgoing);
    ticket = next_ticket_++;
    // Entered first: the commit may be reported before Append returns. Until then nothing else
    // touches the memory behind the views.
    const Outgoing& kept = pending_.emplace(ticket, std::move(*outgoing)).first->second;
    message = kept.message;
    message.headers = kept.headers;
  }
  Status status = spool_->Append(message, WallClockMillis(), ticket, failures);
  std::lock_guard lock(mutex_);
  if (status.ok()) {
    // Accepted, unless the commit or its failure was already reported: that has counted it.
    const auto found = pending_.find(ticket);
    if (found != pending_.end() && found->second.place == Place::kHost) {
      metrics_.books.Moved(Place::kHost, Place::kQueue);
      found->second.place = Place::kQueue;
    }
    return status;
  }
  auto node = pending_.extract(ticket);
  *outgoing = std::move(node.mapped());
  return status;
}

void SpoolFeed::OnSpooled(std::span<const SpoolTicket> tickets) noexcept {
  std::vector<Finished> finished;
  {
    std::lock_guard lock(mutex_);
    for (const SpoolTicket ticket : tickets) {
      auto node = pending_.extract(ticket);
      if (node.empty()) continue;
      metrics_.books.Moved(node.mapped().place, Place::kSpool);
      finished.push_back({std::move(node.mapped().recipient), Status()});
    }
  }
  completions_.Push(&finished);
}

// If the disk does not take them, the queue does, within wider limits. Under the lock, so that
// StopFeeding or Close sees what is pushed here.
void SpoolFeed::OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept {
  std::vector<Finished> finished;
  {
    std::lock_guard lock(mutex_);
    for (const SpoolTicket ticket : tickets) {
      auto node = pending_.extract(ticket);
      if (node.empty()) continue;
      Outgoing& outgoing = node.mapped();
      // A sender waiting for the answer cannot withdraw its message from the queue.
      if (outgoing.recipient.waiter != nullptr || ending_) {
        metrics_.RecordDropped(outgoing.place,
                               ending_ ? DropReason::kShutdown : DropReason::kSpoolFailed, status,
                               outgoing.carrier());
        finished.push_back(GiveUp(std::move(outgoing), status));
        continue;
      }
      outgoing.behind_spool = by_key_ && !order_given_up_;
      if (queue_.PushAccepted(std::move(outgoing))) continue;
      metrics_.RecordDropped(outgoing.place, DropReason::kSpoolFailed, status, outgoing.carrier());
      finished.push_back(GiveUp(std::move(outgoing), status));
    }
    if (stop_) queue_.ReleaseBehind(nullptr);  // as StopFeeding
  }
  completions_.Push(&finished);
  changed_cv_.notify_all();
  wake_();
}

void SpoolFeed::OnEvicted(std::span<const SpoolMessage> messages) noexcept {
  for (const SpoolMessage& each : messages) {
    metrics_.ledger->Dropped({each.headers, each.message.payload}, DropReason::kSpoolEvicted);
  }
}

void SpoolFeed::Withdraw(const std::shared_ptr<SyncWaiter>& waiter) {
  std::vector<Finished> finished;
  {
    std::lock_guard lock(mutex_);
    for (auto& [ticket, outgoing] : pending_) {
      if (outgoing.recipient.waiter != waiter) continue;
      finished.push_back({std::exchange(outgoing.recipient, {}),
                          {Code::kTimeout, "not on disk within send-timeout (spool-dir)"}});
      break;
    }
  }
  completions_.Push(&finished);
}

// ---------------------------------------------------------------- from the disk

void SpoolFeed::OnSpoolReady() noexcept {
  {
    std::lock_guard lock(mutex_);
    ready_ = true;
  }
  changed_cv_.notify_all();
}

void SpoolFeed::SetLinkUp(bool up) {
  {
    std::lock_guard lock(mutex_);
    link_up_ = up;
  }
  changed_cv_.notify_all();
}

void SpoolFeed::OnFinished(std::span<const Finished> finished) {
  std::vector<uint64_t> delivered, again;
  for (const Finished& item : finished) {
    if (item.spool_id != 0) (item.dropped ? again : delivered).push_back(item.spool_id);
  }
  if (delivered.empty() && again.empty()) return;
  spool_->MarkDelivered(delivered);
  spool_->Release(again);
  {
    std::lock_guard lock(mutex_);
    fed_ -= delivered.size() + again.size();
  }
  changed_cv_.notify_all();
}

size_t SpoolFeed::Allowance(Clock::time_point now, Clock::time_point* until) {
  const size_t room = most_fed_ - std::min(fed_, most_fed_);
  if (!link_up_ || !ready_ || room == 0) return 0;
  if (rate_ == 0) return room;
  // The allowance saved up while nothing was fed is used up within a second.
  const std::chrono::duration<double> since = now - credited_at_;
  credit_ = std::min(credit_ + since.count() * rate_, std::max(1.0, rate_));
  credited_at_ = now;
  if (credit_ < 1) {
    const std::chrono::duration<double> wait((1 - credit_) / rate_);
    *until = now + std::chrono::duration_cast<Clock::duration>(wait);
    return 0;
  }
  return std::min(room, static_cast<size_t>(credit_));
}

void SpoolFeed::Run() {
  credited_at_ = Clock::now();
  const auto log = [](const char* what) { LogException("replaying the spool", what); };
  // Memory is short: after a pause, again.
  while (!Contained([this] { Replay(); }, log)) {
    std::unique_lock lock(mutex_);
    if (changed_cv_.wait_for(lock, kLook, [this] { return stop_; })) return;
  }
}

void SpoolFeed::Replay() {
  std::vector<SpoolMessage> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    auto until = Clock::time_point::max();
    Tend(lock, &until);
    if (stop_) return;
    const size_t allowance = Allowance(Clock::now(), &until);
    if (allowance == 0) {
      if (until == Clock::time_point::max()) {
        changed_cv_.wait(lock);
      } else {
        changed_cv_.wait_until(lock, until);
      }
      continue;
    }
    ready_ = false;  // before the check: OnSpoolReady may come right after it
    lock.unlock();
    const size_t count = spool_->Fetch(allowance, kMostFedBytes, &batch);
    lock.lock();
    if (count == 0) continue;
    ready_ = true;
    order_given_up_ = false;
    moved_at_ = Clock::now();
    fed_ += count;
    if (rate_ > 0) credit_ -= static_cast<double>(count);
    lock.unlock();
    Feed(&batch);
    lock.lock();
  }
}

void SpoolFeed::Feed(std::vector<SpoolMessage>* batch) {
  for (SpoolMessage& each : *batch) {
    Outgoing outgoing;
    outgoing.buffer = std::move(each.buffer);
    outgoing.message = each.message;
    outgoing.headers = std::move(each.headers);
    outgoing.accepted_at = Clock::now();
    outgoing.spool_id = each.id;
    outgoing.place = Place::kSpool;
    const uint64_t id = each.id;
    if (queue_.PushAccepted(std::move(outgoing))) continue;
    // Closed meanwhile.
    spool_->Release({&id, 1});
    std::lock_guard lock(mutex_);
    --fed_;
  }
  batch->clear();
  wake_();
}

// ---------------------------------------------------------------- behind the spool

void SpoolFeed::Tend(std::unique_lock<std::mutex>& lock, Clock::time_point* until) {
  const auto now = Clock::now();
  if (spool_->backlog() == 0) order_given_up_ = false;
  const bool behind = queue_.behind() > 0;
  const bool was_behind = std::exchange(was_behind_, behind);
  if (!link_up_ || fed_ > 0 || !was_behind) moved_at_ = now;
  if (!behind) return;
  if (now >= tend_at_) {
    const uint64_t removals = spool_->removals();  // before the look at the keys
    const bool look =
        std::exchange(release_, false) || std::exchange(removals_seen_, removals) != removals;
    const bool stuck = now - moved_at_ >= kOrderPatience;
    if (stuck) order_given_up_ = true;
    lock.unlock();
    if (stuck) {
      logger_->Limited(LogLevel::kError, "spool order",
                       "spool: " + spool_->path() +
                           " returns no messages; until it works again, newer messages are sent "
                           "ahead of those it holds with the same key");
      queue_.ReleaseBehind([](std::string_view) { return false; });
    } else if (look) {
      queue_.ReleaseBehind([this](std::string_view key) { return spool_->HasBacklog(key); });
    }
    while (MoveBehind()) {
    }
    wake_();
    lock.lock();
    tend_at_ = Clock::now() + kLook;
  }
  *until = std::min(*until, tend_at_);
}

// Moves the oldest message behind the spool to disk. False: no message waits there, or the spool
// did not take it.
bool SpoolFeed::MoveBehind() {
  const uint64_t failures = spool_->failures();  // before the look
  Outgoing* const outgoing = queue_.BeginMove();
  if (outgoing == nullptr) return false;
  const bool taken = Take(outgoing, failures).ok();
  queue_.EndMove(taken);
  return taken;
}

// ---------------------------------------------------------------- end

void SpoolFeed::StopFeeding() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_cv_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  while (MoveBehind()) {
  }
  if (queue_.behind() == 0) return;
  queue_.ReleaseBehind(nullptr);
  wake_();
}

size_t SpoolFeed::Close(Deadline deadline) {
  StopFeeding();
  std::vector<Outgoing> rest;
  std::vector<Finished> finished;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(ending_, true)) return 0;
    queue_.TakeAll(&rest, &finished);
  }
  completions_.Push(&finished);
  // Messages in the queue are older than those that went to disk because the queue was full, except
  // for those that had to wait behind the spool.
  const auto behind = std::stable_partition(
      rest.begin(), rest.end(), [](const Outgoing& outgoing) { return !outgoing.behind_spool; });
  if (by_key_) spool_->BeginFront(static_cast<size_t>(behind - rest.begin()));
  spool_->RetryNow();
  bool refused = false;
  for (auto each = rest.begin(); each != rest.end(); ++each) {
    if (each == behind && by_key_) spool_->BeginFront(0);
    Status taken = Take(&*each, spool_->failures());
    // Perhaps only because too much is on its way to disk, or because a failed write is just being
    // retried: write as much as time allows.
    const bool may_pass = taken.code() == Code::kWouldBlock || taken.code() == Code::kUnavailable;
    if (may_pass && !refused) {
      if (spool_->Flush(deadline)) taken = Take(&*each, spool_->failures());
      refused = !taken.ok();
    }
    if (taken.ok()) continue;
    Status status(Code::kCancelled,
                  "disconnected before the broker acknowledged, and the spool did not take it: " +
                      taken.message());
    metrics_.RecordDropped(each->place, DropReason::kShutdown, status, each->carrier());
    finished.push_back(GiveUp(std::move(*each), std::move(status)));
  }
  completions_.Push(&finished);
  spool_->Flush(deadline);
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  spool_->Close(deadline);
  return rest.size();
}

}  // namespace dsmsg
