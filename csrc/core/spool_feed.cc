// SPDX-License-Identifier: Apache-2.0
#include "core/spool_feed.h"

#include <algorithm>

#include "core/thread.h"

namespace dsmsg {
namespace {

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
      // A small queue still has room for live messages.
      most_fed_(
          std::clamp<size_t>(static_cast<size_t>(config.GetInt("queue-size")) / 4, 1, kMostFed)),
      queue_(queue),
      completions_(completions),
      metrics_(metrics),
      wake_(std::move(wake)) {}

SpoolFeed::~SpoolFeed() {
  StopFeeding();
  if (thread_.joinable()) thread_.join();
}

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
  Result<std::unique_ptr<Spool>> opened = Spool::Open(options, logger);
  if (!opened.ok()) {
    return {Code::kInvalidArgument, "spool-dir: " + opened.status().message()};
  }
  spool_ = std::move(opened.value());
  if (Status status = spool_->Start(this); !status.ok()) return status;
  thread_ = StartThread("dsmsg-replay", [this] { Run(); });
  return {};
}

// ---------------------------------------------------------------- to the disk

bool SpoolFeed::Wants(const Outgoing& outgoing, bool link_up) const {
  if (always_ || !link_up) return true;
  const Message& message = outgoing.message;
  return by_key_ && spool_->HasBacklog(message.has_key ? message.key : std::string_view());
}

Status SpoolFeed::Take(Outgoing* outgoing) {
  SpoolTicket ticket;
  Message message;
  {
    std::lock_guard lock(mutex_);
    if (closing_) return {Code::kCancelled, "spool: closed"};
    ticket = next_ticket_++;
    // Entered first: the commit may be told before Append returns. Until then nobody else touches
    // what the views point to.
    const Outgoing& kept = pending_.emplace(ticket, std::move(*outgoing)).first->second;
    message = kept.message;
    message.headers = kept.headers;
  }
  Status status = spool_->Append(message, WallClockMillis(), ticket);
  if (status.ok()) return status;
  std::lock_guard lock(mutex_);
  auto node = pending_.extract(ticket);
  *outgoing = std::move(node.mapped());
  return status;
}

std::vector<Outgoing> SpoolFeed::TakePending(std::span<const SpoolTicket> tickets) {
  std::vector<Outgoing> taken;
  taken.reserve(tickets.size());
  std::lock_guard lock(mutex_);
  for (const SpoolTicket ticket : tickets) {
    auto node = pending_.extract(ticket);
    if (!node.empty()) taken.push_back(std::move(node.mapped()));
  }
  return taken;
}

void SpoolFeed::OnSpooled(std::span<const SpoolTicket> tickets) noexcept {
  Metrics::Add(metrics_.spooled, tickets.size());
  std::vector<Finished> finished;
  for (Outgoing& outgoing : TakePending(tickets)) {
    finished.push_back({std::move(outgoing.recipient), Status()});
  }
  completions_.Push(&finished);
}

// The disk does not take them: the queue does, as it would without a spool. This thread does not
// wait for room.
void SpoolFeed::OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept {
  std::vector<Finished> finished;
  for (Outgoing& outgoing : TakePending(tickets)) {
    Recipient recipient = outgoing.recipient;
    if (recipient.waiter !=
        nullptr) {  // waits for the answer, and has no way to withdraw from there
      finished.push_back({std::move(recipient), status});
      continue;
    }
    const Status pushed = queue_.Push(std::move(outgoing), &finished, nullptr, Clock::now());
    if (!pushed.ok()) finished.push_back({std::move(recipient), status});
  }
  completions_.Push(&finished);
  wake_();
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
  // What was saved up while nothing was fed is spent within a second.
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
  std::vector<SpoolMessage> batch;
  std::unique_lock lock(mutex_);
  credited_at_ = Clock::now();
  while (!stop_) {
    auto until = Clock::time_point::max();
    const size_t allowance = Allowance(Clock::now(), &until);
    if (allowance == 0) {
      if (until == Clock::time_point::max()) {
        changed_cv_.wait(lock);
      } else {
        changed_cv_.wait_until(lock, until);
      }
      continue;
    }
    ready_ = false;  // before the look: OnSpoolReady may come right after it
    lock.unlock();
    const size_t count = spool_->Fetch(allowance, kMostFedBytes, &batch);
    lock.lock();
    if (count == 0) continue;
    ready_ = true;
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
    const uint64_t id = each.id;
    if (queue_.PushSpooled(std::move(outgoing))) continue;
    // Closed meanwhile.
    spool_->Release({&id, 1});
    std::lock_guard lock(mutex_);
    --fed_;
  }
  batch->clear();
  wake_();
}

// ---------------------------------------------------------------- end

void SpoolFeed::StopFeeding() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_cv_.notify_all();
}

void SpoolFeed::Close(std::vector<Outgoing>* rest, Deadline deadline) {
  {
    std::lock_guard lock(mutex_);
    if (closing_) return;
  }
  StopFeeding();
  if (thread_.joinable()) thread_.join();
  std::vector<Finished> finished;
  // What waited in the queue is older than what went to the disk because the queue was full.
  if (by_key_) spool_->BeginFront(rest->size());
  bool full = false;
  for (Outgoing& outgoing : *rest) {
    Status taken = Take(&outgoing);
    // Perhaps only because too much is on its way to the disk: what there is time for goes there.
    if (taken.code() == Code::kWouldBlock && !full) {
      if (spool_->Flush(deadline)) taken = Take(&outgoing);
      full = !taken.ok();
    }
    if (taken.ok()) continue;
    metrics_.CountDrop(DropReason::kShutdown);
    finished.push_back({std::move(outgoing.recipient),
                        {Code::kCancelled,
                         "disconnected before the broker acknowledged, and the "
                         "spool did not take it"}});
  }
  rest->clear();
  completions_.Push(&finished);
  spool_->Flush(deadline);
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  spool_->Close(deadline);
}

}  // namespace dsmsg
