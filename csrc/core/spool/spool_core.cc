// SPDX-License-Identifier: Apache-2.0
// The side of the callers. The thread's side is in spool_thread.cc and spool_evict.cc.
#include "core/spool/spool_core.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "core/base/thread.h"
#include "core/base/time.h"

namespace dsmsg {
namespace {

// Delivered messages are deleted together with the next group, when this many have accumulated, or
// after this time: a separate transaction for each acknowledgement would cost more than the few
// duplicates after a kill in between.
constexpr Millis kRemovalPause{50};
constexpr size_t kRemovalBatch = 512;
// Leaves room in front for messages that turn out to be older.
constexpr uint64_t kFirstRow = 1'000'000'001;
// SQLite refuses rows of a billion bytes, and with them the whole group.
constexpr uint64_t kLargestMessage = uint64_t{512} << 20;

}  // namespace

void SpoolCore::Group::Clear() {
  messages.clear();
  tickets.clear();
  bytes = 0;
}

void SpoolCore::Group::Append(Group&& later) {
  std::move(later.messages.begin(), later.messages.end(), std::back_inserter(messages));
  tickets.insert(tickets.end(), later.tickets.begin(), later.tickets.end());
  bytes += later.bytes;
}

// ---------------------------------------------------------------- open, start, close

Status SpoolCore::Open() {
  if (sqlite3_threadsafe() == 0) {
    return {Code::kNotSupported, "spool: this SQLite was built without thread support"};
  }
  const SpoolIdentity identity{options_.dir, options_.protocol, options_.endpoint, options_.name};
  Result<SpoolFile> file = SpoolFile::Claim(identity);
  if (!file.ok()) return Status(file.status().code(), "spool: " + file.status().message());
  path_ = file->path();
  for (SpoolFile& leftover : SpoolFile::ClaimLeftovers(identity)) {
    const std::string path = leftover.path();
    if (Status status = AddSource(std::move(leftover), true); !status.ok()) {
      logger_.Warn("spool: the messages in " + path + " stay there, unsent (" + status.message() +
                   ")");
    }
  }
  if (Status status = AddSource(std::move(file.value()), false); !status.ok()) return status;
  next_row_ = std::max(own().last + 1, kFirstRow);
  lowest_row_ = own().rows > 0 ? own().first : next_row_;
  PublishTotals();
  backlog_.store(stored_rows_);
  if (stored_rows_ > 0) {
    logger_.Info("spool: " + std::to_string(stored_rows_) + " messages of earlier runs are in " +
                 options_.dir);
  }
  return {};
}

Status SpoolCore::AddSource(SpoolFile file, bool adopted) {
  const SpoolStore::Settings settings{
      {options_.dir, options_.protocol, options_.endpoint, options_.name},
      options_.sync_full,
      options_.vfs};
  std::string report;
  Result<std::unique_ptr<SpoolStore>> store =
      SpoolStore::Open(std::move(file), settings, pool_, &report);
  if (!report.empty()) logger_.Error(report);
  if (!store.ok()) {
    return {store.status().code(), "spool: cannot open: " + store.status().message()};
  }
  const Result<SpoolStore::Totals> totals = store.value()->Count();
  if (!totals.ok()) {
    return {totals.status().code(), "spool: cannot read: " + totals.status().message()};
  }
  if (adopted && totals->rows == 0) {
    store.value()->Close(true);
    return {};
  }
  if (const auto counted = store.value()->CountKeys(0, &keys_); !counted.ok()) {
    return {counted.status().code(), "spool: cannot read: " + counted.status().message()};
  }
  if (adopted) {
    logger_.Info("spool: taking over " + std::to_string(totals->rows) + " messages from " +
                 store.value()->file().path());
  }
  Source source;
  source.store = std::move(store.value());
  source.first = totals->first_id;
  source.last = totals->last_id;
  source.rows = totals->rows;
  source.bytes = totals->bytes;
  sources_.push_back(std::move(source));
  return {};
}

Status SpoolCore::Start(SpoolListener* listener) {
  const std::lock_guard lock(mutex_);
  listener_ = listener;
  try {
    thread_ = StartThread("dsmsg-spool", [self = shared_from_this()] { self->Run(); });
  } catch (const std::system_error& error) {
    return {Code::kInternal, std::string("spool: ") + error.what()};
  }
  started_ = true;
  return {};
}

void SpoolCore::Close(Deadline deadline) {
  Lock lock(mutex_);
  const bool first = !std::exchange(stopping_, true);
  if (!started_) {
    if (first) CloseStores();
    return;
  }
  if (!thread_.joinable()) return;
  work_cv_.notify_all();
  if (idle_cv_.wait_until(lock, deadline, [this] { return done_; })) {
    lock.unlock();
    thread_.join();
    return;
  }
  // The disk hangs. What happens to these messages is unknown, and nothing more will be reported.
  abandoned_ = true;
  std::vector<SpoolTicket> tickets = std::move(group_.tickets);
  tickets.insert(tickets.end(), pending_.tickets.begin(), pending_.tickets.end());
  pending_.Clear();
  failed_ += tickets.size();
  thread_.detach();
  idle_cv_.wait(lock, [this] { return calls_ == 0; });
  lock.unlock();
  if (tickets.empty()) {
    logger_.Warn("spool: the disk under " + options_.dir +
                 " is slow; the file is being closed in the background");
    return;
  }
  listener_->OnSpoolFailed(tickets, {Code::kCancelled, "spool: the disk did not answer in time"});
  logger_.Error("spool: the disk under " + options_.dir + " did not answer in time; " +
                std::to_string(tickets.size()) + " messages may not have reached it");
}

bool SpoolCore::Flush(Deadline deadline) {
  Lock lock(mutex_);
  ++flushing_;
  work_cv_.notify_all();
  const bool flushed = idle_cv_.wait_until(lock, deadline, [this] {
    const bool removed = (removals_.empty() && !removing_) || failing_;
    return (pending_.empty() && !committing_ && removed) || done_ || abandoned_;
  });
  --flushing_;
  return flushed && !abandoned_;
}

// ---------------------------------------------------------------- in

// What can be decided without asking the disk.
Status SpoolCore::Admit(uint64_t cost, std::optional<uint64_t> failures) {
  if (stopping_) return {Code::kCancelled, "spool: closed"};
  if (cost > std::min(options_.max_bytes, kLargestMessage)) {
    return {Code::kTooLarge, "spool: a message of " + std::to_string(cost) +
                                 " bytes is too large for the spool (spool-max-bytes is " +
                                 std::to_string(options_.max_bytes) + ")"};
  }
  const uint64_t waiting = pending_.bytes + group_.bytes;
  if (waiting > 0 && waiting + cost > options_.pending_bytes) {
    return {Code::kWouldBlock, "spool: the disk does not keep up: " + std::to_string(waiting) +
                                   " bytes wait to be written"};
  }
  // Evicting makes the log larger, not smaller.
  const uint64_t kept = options_.evict ? 0 : stored_bytes_;
  const bool full =
      (!options_.evict || held_log_ > 0) && kept + held_log_ + waiting + cost > options_.max_bytes;
  if (full) {
    return {Code::kWouldBlock,
            "spool: full (spool-max-bytes is " + std::to_string(options_.max_bytes) +
                (held_log_ > 0 ? ", and a program that reads it holds on to " +
                                     std::to_string(held_log_) + " bytes of its log"
                               : std::string()) +
                ")"};
  }
  if (telling_ || failures.value_or(failures_) != failures_) {
    return {Code::kUnavailable, "spool: it is returning messages at the moment"};
  }
  if (failing_) {
    const Clock::time_point now = Clock::now();
    if (now < retry_at_) return {Code::kUnavailable, failure_};
    retry_at_ = now + options_.retry_pause;  // this one tries the disk
  }
  return {};
}

Status SpoolCore::Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket,
                         std::optional<uint64_t> failures) {
  const uint64_t cost = SpoolCost(message);
  SpoolMessage packed;
  if (!PackSpoolMessage(message, pool_, &packed)) {
    return {Code::kInternal,
            "spool: no memory for a message of " + std::to_string(cost) + " bytes"};
  }
  packed.accepted_ms = accepted_ms;
  const KeyCounts::Slot slot = KeyCounts::SlotOf(packed.order_key());
  const std::lock_guard lock(mutex_);
  if (Status status = Admit(cost, failures); !status.ok()) return status;
  packed.id = front_left_ > 0 ? front_row_++ : next_row_++;
  if (front_left_ > 0) --front_left_;
  pending_.messages.push_back(std::move(packed));
  pending_.tickets.push_back(ticket);
  pending_.bytes += cost;
  keys_.Add(slot);
  backlog_.fetch_add(1);
  if (pending_.messages.size() == 1) work_cv_.notify_one();
  return {};
}

void SpoolCore::BeginFront(size_t count) {
  const std::lock_guard lock(mutex_);
  if (lowest_row_ <= count) return;
  lowest_row_ -= count;
  front_row_ = lowest_row_;
  front_left_ = count;
}

void SpoolCore::RetryNow() {
  const std::lock_guard lock(mutex_);
  retry_at_ = Clock::now();
}

// ---------------------------------------------------------------- out

size_t SpoolCore::Fetch(size_t max_messages, size_t max_bytes, std::vector<SpoolMessage>* out) {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  uint64_t bytes = 0;
  while (count < max_messages && !ready_.empty()) {
    const auto first = ready_.begin();
    // A message that was returned and must be read again comes first.
    if (!released_.empty() && released_.begin()->first < first->first) break;
    const uint64_t cost = SpoolCost(first->second.message);
    if (count > 0 && bytes + cost > max_bytes) break;
    bytes += cost;
    ready_bytes_ -= cost;
    handed_[first->first] = {KeyCounts::SlotOf(first->second.order_key()), cost};
    out->push_back(std::move(first->second));
    ready_.erase(first);
    ++count;
  }
  hungry_ =
      ready_.empty() || (!released_.empty() && released_.begin()->first < ready_.begin()->first);
  if (WantsMore() || WantsReleased()) work_cv_.notify_one();
  return count;
}

// An acknowledgement may come after the message was released; it still counts.
bool SpoolCore::TakeUndelivered(uint64_t id, HandedOut* facts) {
  if (const auto node = handed_.extract(id)) {
    *facts = node.mapped();
    return true;
  }
  if (const auto node = released_.extract(id)) {
    *facts = node.mapped();
    return true;
  }
  if (const auto node = ready_.extract(id)) {
    const SpoolMessage& message = node.mapped();
    *facts = {KeyCounts::SlotOf(message.order_key()), SpoolCost(message.message)};
    ready_bytes_ -= facts->cost;
    return true;
  }
  return false;
}

void SpoolCore::MarkDelivered(std::span<const uint64_t> ids) {
  const std::lock_guard lock(mutex_);
  const bool none = removals_.empty();
  for (const uint64_t id : ids) {
    HandedOut facts;
    if (!TakeUndelivered(id, &facts)) continue;
    keys_.Remove(facts.slot);
    backlog_.fetch_sub(1);
    removals_.push_back({id, facts.cost});
  }
  if (removals_.empty()) return;
  if (none) removals_due_ = Clock::now() + kRemovalPause;
  if (removals_.size() >= kRemovalBatch) removals_due_ = std::min(removals_due_, Clock::now());
  if (none || removals_.size() >= kRemovalBatch) work_cv_.notify_one();
}

void SpoolCore::Release(std::span<const uint64_t> ids) {
  const std::lock_guard lock(mutex_);
  for (const uint64_t id : ids) {
    const auto found = handed_.find(id);
    if (found == handed_.end()) continue;
    released_.emplace(id, found->second);
    handed_.erase(found);
  }
  work_cv_.notify_one();
}

SpoolStats SpoolCore::Stats() const {
  const std::lock_guard lock(mutex_);
  SpoolStats stats;
  stats.rows = stored_rows_ + pending_.messages.size() + group_.messages.size();
  stats.bytes = stored_bytes_ + pending_.bytes + group_.bytes + held_log_;
  stats.backlog = backlog_.load();
  stats.evicted = evicted_;
  stats.lost = lost_;
  stats.failed = failed_;
  stats.failing = failing_;
  return stats;
}

// The sources must not change meanwhile: call it on the thread, or before it is started.
void SpoolCore::PublishTotals() {
  stored_rows_ = stored_bytes_ = 0;
  unread_ = false;
  for (const Source& source : sources_) {
    stored_rows_ += source.rows;
    stored_bytes_ += source.bytes;
    unread_ = unread_ || source.unread();
  }
}

}  // namespace dsmsg
