// SPDX-License-Identifier: Apache-2.0
// The insides of the spool: what it keeps in memory (under one mutex, never held while the disk or
// the listener is called) and the thread that owns the files. Shared with that thread, which may
// outlive the Spool when the disk hangs.
//
// Life of a message: pending -> (commit) -> in the file, perhaps ready in memory -> handed out ->
// delivered -> (commit) -> gone. Ids carry the file's index above the row id, files in the order of
// delivery: leftovers of earlier processes first, the own file last.
#ifndef DSMSG_CORE_SPOOL_SPOOL_CORE_H_
#define DSMSG_CORE_SPOOL_SPOOL_CORE_H_

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/spool/spool.h"
#include "core/spool/spool_store.h"

namespace dsmsg {

class SpoolCore : public std::enable_shared_from_this<SpoolCore> {
 public:
  SpoolCore(const SpoolOptions& options, Logger& logger) : options_(options), logger_(logger) {}

  Status Open();
  Status Start(SpoolListener* listener);
  void Close(Deadline deadline);

  Status Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket,
                std::optional<uint64_t> failures);
  uint64_t failures() const { return failures_.load(); }
  void BeginFront(size_t count);
  void RetryNow();
  size_t Fetch(size_t max_messages, size_t max_bytes, std::vector<SpoolMessage>* out);
  void MarkDelivered(std::span<const uint64_t> ids);
  void Release(std::span<const uint64_t> ids);
  bool Flush(Deadline deadline);
  bool HasBacklog(std::string_view key) const { return keys_.Any(KeyCounts::SlotOf(key)); }
  uint64_t removals() const { return keys_.removals(); }
  uint64_t backlog() const { return backlog_.load(); }
  uint64_t losses() const { return evicted_.load() + lost_.load(); }
  SpoolStats Stats() const;
  const std::string& path() const { return path_; }

 private:
  using Lock = std::unique_lock<std::mutex>;

  /// One file. The thread's, after Open.
  struct Source {
    std::unique_ptr<SpoolStore> store;  // null: an adopted file that is done with
    uint64_t cursor = 0, last = 0;      // row ids: read up to, committed up to
    uint64_t first = 0;                 // row id when it was opened; 0: none
    uint64_t rows = 0, bytes = 0;
    bool unread() const { return store != nullptr && cursor < last; }
  };
  struct Group {
    std::vector<SpoolMessage> messages;
    std::vector<SpoolTicket> tickets;
    uint64_t bytes = 0;
    bool empty() const { return messages.empty(); }
    void Clear();
    void Append(Group&& later);
  };
  struct HandedOut {
    KeyCounts::Slot slot = 0;
    uint64_t cost = 0;
  };
  struct Removal {
    uint64_t id = 0, cost = 0;
  };

  static uint64_t RowOf(uint64_t id) { return id & ((uint64_t{1} << 48) - 1); }
  static size_t IndexOf(uint64_t id) { return static_cast<size_t>(id >> 48); }
  static uint64_t IdOf(size_t index, uint64_t row) { return (uint64_t{index} << 48) | row; }
  Source& own() { return sources_.back(); }

  Status AddSource(SpoolFile file, bool adopted);
  Status Admit(uint64_t cost, std::optional<uint64_t> failures);  // under the mutex
  bool TakeUndelivered(uint64_t id, HandedOut* facts);            // under the mutex
  void PublishTotals();                                           // under the mutex
  /// Calls the listener or the logger, without the lock, unless Close gave up on the thread.
  template <class Call>
  void CallOut(Lock& lock, Call call);
  /// At most a line a minute for each key: a disk that is nearly full fails and works in turn.
  void Log(Lock& lock, LogLevel level, const char* key, const std::string& text);

  // On the thread. With a lock: held before and after, let go of while the disk is used. Without:
  // called without the lock.
  void Run();
  void Round(Lock& lock, Clock::time_point now, bool last);
  void Thrown(Lock& lock, const std::string& what);
  Clock::time_point NextDue(Clock::time_point now) const;
  Clock::time_point RemovalsDue() const;
  bool WantsMore() const;
  bool WantsReleased() const;
  void Commit(Lock& lock);
  void Committed(Lock& lock, uint64_t last_before);
  void FailGroup(Lock& lock, Group group, const Status& status);
  void KeepUndone(std::vector<Removal>&& undone, Millis pause);
  void Tidy(Lock& lock);
  Status WriteTo(size_t index, std::span<const SpoolMessage> messages,
                 const std::vector<Removal>& removals);
  Status WriteOnce(size_t index, std::span<const SpoolMessage> messages,
                   const std::vector<Removal>& removals);
  void MakeRoom(Lock& lock, uint64_t soon_free);
  void Evict(Lock& lock, uint64_t need);
  uint64_t EvictFrom(Lock& lock, size_t index, std::vector<SpoolMessage> taken, uint64_t need);
  void TellEvicted(Lock& lock, std::span<const SpoolMessage> messages);
  Status ListUnread(const Source& source, uint64_t need, std::vector<SpoolStore::RowFacts>* rows,
                    std::vector<SpoolMessage>* messages);
  void ReadReleased(Lock& lock);
  void ReadAhead(Lock& lock);
  void AddReady(SpoolMessage message);
  void TellReady(Lock& lock);
  void DiskFailed(Lock& lock, const Status& status);
  Status Repair(size_t index, const Status& reason);
  void Recount(size_t index);
  uint64_t UnreadGuess(size_t index) const;  // under the mutex
  void CheckLogs(Lock& lock);
  void CloseStores();

  const SpoolOptions options_;
  Logger& logger_;
  SpoolListener* listener_ = nullptr;
  BufferPool pool_;
  KeyCounts keys_;
  std::string path_;
  std::thread thread_;
  std::vector<Source> sources_;

  mutable std::mutex mutex_;  // guards the following, for writing also the atomics
  std::condition_variable work_cv_, idle_cv_;
  Group pending_, group_;  // group_: in its commit
  std::map<uint64_t, SpoolMessage> ready_;
  uint64_t ready_bytes_ = 0;
  std::unordered_map<uint64_t, HandedOut> handed_;
  std::map<uint64_t, HandedOut> released_;
  std::vector<Removal> removals_;
  Clock::time_point removals_due_, removals_not_before_, retry_at_, read_at_, check_logs_at_;
  uint64_t next_row_ = 1;
  uint64_t lowest_row_ = 1;                  // no row of the own file is below
  uint64_t front_row_ = 0, front_left_ = 0;  // of BeginFront
  uint64_t stored_rows_ = 0, stored_bytes_ = 0;
  uint64_t held_log_ = 0;  // see SpoolStore::HeldLog
  uint64_t failed_ = 0;
  size_t flushing_ = 0, calls_ = 0;
  bool unread_ = false;  // some source has
  bool hungry_ = true;   // the last Fetch emptied ready_
  bool committing_ = false, removing_ = false, failing_ = false;
  bool telling_ = false;  // OnSpoolFailed runs: later messages wait until it returns
  bool started_ = false, stopping_ = false, done_ = false, abandoned_ = false;
  std::string failure_;
  std::atomic<uint64_t> backlog_{0}, failures_{0}, evicted_{0}, lost_{0};
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_CORE_H_
