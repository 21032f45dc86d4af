// SPDX-License-Identifier: Apache-2.0
// The spool's thread: commits, deletes, reads ahead. How it repairs is in spool_repair.cc, how it
// evicts in spool_evict.cc, the callers' side in spool_core.cc.
#include <algorithm>
#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"
#include "core/spool/spool_core.h"

namespace dsmsg {
namespace {

constexpr size_t kReadRows = 1000;
constexpr size_t kReleasedRows = 256;

}  // namespace

template <class Call>
void SpoolCore::CallOut(Lock& lock, Call call) {
  if (abandoned_) return;
  ++calls_;
  lock.unlock();
  call();
  lock.lock();
  --calls_;
  idle_cv_.notify_all();
}

void SpoolCore::Log(Lock& lock, LogLevel level, const char* key, const std::string& text) {
  CallOut(lock, [&] { logger_.Limited(level, key, text); });
}

void SpoolCore::TellEvicted(Lock& lock, std::span<const SpoolMessage> messages) {
  if (options_.tell_evicted) CallOut(lock, [&] { listener_->OnEvicted(messages); });
}

// ---------------------------------------------------------------- the loop

void SpoolCore::Run() {
  Lock lock(mutex_);
  TellReady(lock);
  while (true) {
    const Clock::time_point now = Clock::now();
    const Clock::time_point due = NextDue(now);
    if (due > now) {
      if (due == Clock::time_point::max()) {
        work_cv_.wait(lock);
      } else {
        work_cv_.wait_until(lock, due);
      }
      continue;
    }
    const bool last = stopping_;  // later messages are refused, so one more round is enough
    std::string thrown;
    if (!Contained([&] { Round(lock, now, last); }, [&](const char* what) { thrown = what; })) {
      Thrown(lock, thrown);
    }
    if (last) break;
  }
  lock.unlock();
  CloseStores();
  lock.lock();
  done_ = true;
  idle_cv_.notify_all();
}

void SpoolCore::Round(Lock& lock, Clock::time_point now, bool last) {
  const bool removals_due = !removals_.empty() && (last || RemovalsDue() <= now);
  const bool commit = !pending_.empty() || removals_due;
  if (commit) Commit(lock);
  if (last) return;
  if (commit || (held_log_ > 0 && now >= check_logs_at_)) CheckLogs(lock);
  if (WantsReleased() && now >= read_at_) ReadReleased(lock);
  if (WantsMore() && now >= read_at_) ReadAhead(lock);
  TellReady(lock);
}

// Out of memory. The group being written is returned, as when the disk fails: it may be on disk and
// arrive twice, but it is not lost.
void SpoolCore::Thrown(Lock& lock, const std::string& what) {
  if (!lock.owns_lock()) lock.lock();
  committing_ = removing_ = false;
  read_at_ = Clock::now() + options_.retry_pause;
  const auto fail = [&] { DiskFailed(lock, {Code::kUnavailable, what}); };
  Contained(fail, [](const char* again) { LogException("the spool", again); });
  if (!lock.owns_lock()) lock.lock();
  idle_cv_.notify_all();
}

Clock::time_point SpoolCore::NextDue(Clock::time_point now) const {
  if (stopping_ || !pending_.empty()) return now;
  Clock::time_point due = Clock::time_point::max();
  if (!removals_.empty()) due = RemovalsDue();
  if (held_log_ > 0) due = std::min(due, check_logs_at_);
  if (WantsReleased() || WantsMore()) due = std::min(due, std::max(read_at_, now));
  return due;
}

Clock::time_point SpoolCore::RemovalsDue() const {
  const Clock::time_point wanted = flushing_ > 0 ? Clock::time_point() : removals_due_;
  return std::max({wanted, removals_not_before_, failing_ ? retry_at_ : Clock::time_point()});
}

bool SpoolCore::WantsMore() const { return unread_ && ready_bytes_ < options_.prefetch_bytes / 2; }

bool SpoolCore::WantsReleased() const {
  if (released_.empty()) return false;
  return ready_bytes_ < options_.prefetch_bytes / 2 || ready_.empty() ||
         released_.begin()->first < ready_.begin()->first;
}

void SpoolCore::CloseStores() {
  for (Source& source : sources_) {
    if (source.store == nullptr) continue;
    const bool number_zero = source.store->file().number() == 0;
    source.store->Close(source.rows == 0 && !number_zero);
    source.store.reset();  // frees the lock
  }
}

// ---------------------------------------------------------------- commit

void SpoolCore::Commit(Lock& lock) {
  std::swap(pending_, group_);
  committing_ = true;
  std::vector<std::vector<Removal>> removals(sources_.size());
  uint64_t soon_free = 0;
  for (const Removal& removal : removals_) {
    removals[IndexOf(removal.id)].push_back(removal);
    soon_free += removal.cost;
  }
  removing_ = !removals_.empty();
  removals_.clear();
  if (options_.evict) MakeRoom(lock, soon_free);
  if (abandoned_) return;
  const uint64_t last_before = own().last;

  lock.unlock();
  for (auto& each : removals) {
    std::sort(each.begin(), each.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  }
  const size_t last = sources_.size() - 1;
  Status status;
  if (!group_.empty() || !removals[last].empty()) {
    status = WriteTo(last, group_.messages, removals[last]);
    if (status.ok()) removals[last].clear();
  }
  Status adopted;
  for (size_t i = 0; i < last; ++i) {
    if (removals[i].empty()) continue;
    const Status written = WriteTo(i, {}, removals[i]);
    if (written.ok()) {
      removals[i].clear();
    } else {
      adopted = written;
    }
  }
  lock.lock();

  PublishTotals();
  for (auto& each : removals) KeepUndone(std::move(each), options_.retry_pause);
  if (status.ok()) {
    const bool recovered = std::exchange(failing_, false);
    Committed(lock, last_before);
    if (recovered)
      Log(lock, LogLevel::kWarn, "spool works", "spool: " + path_ + " can be written again");
  } else {
    DiskFailed(lock, status);
  }
  if (!adopted.ok()) {
    Log(lock, LogLevel::kWarn, "spool delete",
        "spool: cannot delete delivered messages: " + adopted.message());
  }
  Tidy(lock);
  committing_ = removing_ = false;
  idle_cv_.notify_all();
}

// Replaces a damaged file and retries the transaction. Called without the lock.
Status SpoolCore::WriteTo(size_t index, std::span<const SpoolMessage> messages,
                          const std::vector<Removal>& removals) {
  const SpoolStore* store = sources_[index].store.get();
  Status status = WriteOnce(index, messages, removals);
  if (status.ok() || !store->damaged()) return status;
  status = Repair(index, status);
  return status.ok() ? WriteOnce(index, messages, removals) : status;
}

// One transaction and its effect on the counts.
Status SpoolCore::WriteOnce(size_t index, std::span<const SpoolMessage> messages,
                            const std::vector<Removal>& removals) {
  Source& source = sources_[index];
  if (source.store == nullptr) return {};
  std::vector<uint64_t> rows;
  rows.reserve(removals.size());
  for (const Removal& removal : removals) rows.push_back(RowOf(removal.id));
  bool exact = true;
  const Status status = source.store->Write(messages, rows, &exact);
  if (!status.ok()) return status;
  for (const SpoolMessage& message : messages) {
    source.bytes += SpoolCost(message.message);
    source.last = std::max(source.last, message.id);
  }
  source.rows += messages.size();
  if (!exact || source.rows < rows.size()) {
    Recount(index);
    return {};
  }
  source.rows -= rows.size();
  for (const Removal& removal : removals) source.bytes -= std::min(source.bytes, removal.cost);
  return {};
}

// The group is on disk. Reported first, so that none of it is handed out before. If nothing unread
// precedes it, it is ready without being read back.
void SpoolCore::Committed(Lock& lock, uint64_t last_before) {
  Source& source = own();
  bool straight = source.cursor >= last_before;
  for (const Source& each : sources_) straight = straight && (&each == &source || !each.unread());
  Group group = std::exchange(group_, Group());
  PublishTotals();
  if (!group.empty()) CallOut(lock, [&] { listener_->OnSpooled(group.tickets); });
  for (SpoolMessage& message : group.messages) {
    const uint64_t cost = SpoolCost(message.message);
    if (!straight || ready_bytes_ + cost > options_.prefetch_bytes) break;
    source.cursor = std::max(source.cursor, message.id);
    message.id = IdOf(sources_.size() - 1, message.id);
    AddReady(std::move(message));
  }
  PublishTotals();
}

void SpoolCore::KeepUndone(std::vector<Removal>&& undone, Millis pause) {
  if (undone.empty()) return;
  removals_.insert(removals_.end(), undone.begin(), undone.end());
  removals_not_before_ = Clock::now() + pause;
}

void SpoolCore::FailGroup(Lock& lock, Group group, const Status& status) {
  if (group.empty()) return;
  failed_ += group.messages.size();
  telling_ = true;
  CallOut(lock, [&] { listener_->OnSpoolFailed(group.tickets, status); });
  telling_ = false;
  ++failures_;
  for (const SpoolMessage& message : group.messages) {
    keys_.Remove(KeyCounts::SlotOf(message.order_key()));
  }
  backlog_.fetch_sub(group.messages.size());
}

void SpoolCore::DiskFailed(Lock& lock, const Status& status) {
  const bool first = !std::exchange(failing_, true);
  failure_ = "spool: cannot write: " + status.message();
  retry_at_ = Clock::now() + options_.retry_pause;
  Group failed = std::exchange(group_, Group());
  // Messages that came meanwhile would only fail one by one. Fail all at once, before anything else
  // is called: a Close that gives up in between would leave the rest unreported.
  failed.Append(std::exchange(pending_, Group()));
  FailGroup(lock, std::move(failed), {Code::kUnavailable, failure_});
  if (first) {
    Log(lock, LogLevel::kError, "spool write",
        failure_ + "; messages stay in memory until it works again (tried every " +
            std::to_string(options_.retry_pause.count()) + " ms)");
  }
}

// Removes finished files, and frees space that an empty file need not keep.
void SpoolCore::Tidy(Lock& lock) {
  if (!pending_.empty() || stopping_) return;
  lock.unlock();
  for (size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (source.store == nullptr || source.rows > 0) continue;
    if (i + 1 == sources_.size()) {
      source.store->ShrinkIfEmpty();
    } else {
      source.store->Close(true);
      source.store.reset();
    }
  }
  lock.lock();
  PublishTotals();
}

// A log that cannot be restarted counts against the limit; otherwise it would fill the disk.
void SpoolCore::CheckLogs(Lock& lock) {
  check_logs_at_ = Clock::now() + options_.retry_pause;
  lock.unlock();
  uint64_t held = 0;
  std::string path;
  for (const Source& source : sources_) {
    const uint64_t more = source.store == nullptr ? 0 : source.store->HeldLog();
    if (more > 0) path = source.store->file().path();
    held += more;
  }
  lock.lock();
  held_log_ = held;
  if (held == 0) return;
  Log(lock, LogLevel::kWarn, "spool log",
      "spool: another program keeps " + path +
          " open in a transaction (a sqlite3 shell?), so its write-ahead log, now " +
          std::to_string(held) +
          " bytes too large, cannot be reused; it counts against spool-max-bytes until that "
          "transaction ends");
}

// ---------------------------------------------------------------- reading

void SpoolCore::AddReady(SpoolMessage message) {
  ready_bytes_ += SpoolCost(message.message);
  const uint64_t id = message.id;
  ready_.insert_or_assign(id, std::move(message));
}

void SpoolCore::TellReady(Lock& lock) {
  if (!hungry_ || ready_.empty()) return;
  if (!released_.empty() && released_.begin()->first < ready_.begin()->first) return;
  hungry_ = false;
  CallOut(lock, [&] { listener_->OnSpoolReady(); });
}

void SpoolCore::ReadReleased(Lock& lock) {
  std::vector<uint64_t> ids;
  for (const auto& [id, facts] : released_) {
    if (ids.size() >= kReleasedRows) break;
    ids.push_back(id);
  }
  lock.unlock();
  std::vector<SpoolMessage> found;
  std::vector<uint64_t> gone;
  Status status;
  size_t bytes = 0, done = 0;
  for (; done < ids.size() && bytes < options_.prefetch_bytes; ++done) {
    const size_t before = found.size();
    const size_t index = IndexOf(ids[done]);
    SpoolStore* store = sources_[index].store.get();
    if (store != nullptr) status = store->ReadOne(RowOf(ids[done]), &found);
    if (!status.ok() && store->damaged()) {
      status = Repair(index, status);
      if (status.ok()) status = store->ReadOne(RowOf(ids[done]), &found);
    }
    if (!status.ok()) break;
    if (found.size() == before) {
      gone.push_back(ids[done]);
    } else {
      found.back().id = ids[done];
      bytes += SpoolCost(found.back().message);
    }
  }
  lock.lock();
  if (!status.ok()) {
    read_at_ = Clock::now() + options_.retry_pause;
    Log(lock, LogLevel::kWarn, "spool read", "spool: cannot read: " + status.message());
  }
  for (SpoolMessage& message : found) {
    // No longer there: an acknowledgement came late.
    if (released_.erase(message.id) > 0) AddReady(std::move(message));
  }
  for (const uint64_t id : gone) {  // lost with a damaged file
    const auto node = released_.extract(id);
    if (node.empty()) continue;
    keys_.Remove(node.mapped().slot);
    backlog_.fetch_sub(1);
    ++lost_;
  }
}

void SpoolCore::ReadAhead(Lock& lock) {
  size_t index = 0;
  while (index < sources_.size() && !sources_[index].unread()) ++index;
  if (index == sources_.size()) return;
  Source& source = sources_[index];
  const size_t room = options_.prefetch_bytes - ready_bytes_;
  lock.unlock();
  std::vector<SpoolMessage> found;
  Status status = source.store->Read(source.cursor, kReadRows, room, &found);
  if (!status.ok() && source.store->damaged()) {
    found.clear();
    status = Repair(index, status);
  } else if (status.ok()) {
    source.cursor = found.empty() ? source.last : found.back().id;
  }
  lock.lock();
  if (!status.ok()) {
    found.clear();
    read_at_ = Clock::now() + options_.retry_pause;
    Log(lock, LogLevel::kWarn, "spool read", "spool: cannot read: " + status.message());
  }
  for (SpoolMessage& message : found) {
    message.id = IdOf(index, message.id);
    AddReady(std::move(message));
  }
  PublishTotals();
}

}  // namespace dsmsg
