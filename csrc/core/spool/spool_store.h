// SPDX-License-Identifier: Apache-2.0
// One spool file: messages in an SQLite database (WAL), written in groups, read in order. A person
// can look inside with the sqlite3 shell: table `messages`, view `readable`, table `about`.
//
// Threads: one at a time (the spool's own thread; Open runs on the thread that connects). Every
// function may wait for the disk. Ids here are row ids from 1 to kLargestRow: larger is later,
// never used again. Rows with other ids (in a merged or edited file) get such ids when it is
// opened; rows added while it is open wait for the next time.
#ifndef DSMSG_CORE_SPOOL_SPOOL_STORE_H_
#define DSMSG_CORE_SPOOL_SPOOL_STORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/spool/spool_file.h"
#include "core/spool/spool_message.h"
#include "core/spool/sqlite.h"

namespace dsmsg {

/// How many messages of each key wait. A fixed number of counters by hash, so that memory does not
/// grow with the number of keys: two keys that share one both count as having a backlog, which
/// costs time, never order. Any thread, without a lock.
class KeyCounts {
 public:
  using Slot = uint32_t;
  static Slot SlotOf(std::string_view key);
  void Add(Slot slot) { counts_[slot].fetch_add(1); }
  void Remove(Slot slot) {
    counts_[slot].fetch_sub(1);
    ++removals_;
  }
  bool Any(Slot slot) const { return counts_[slot].load() != 0; }
  /// Takes over what `other` counted; readers never see a moment without counts.
  void Assign(const KeyCounts& other);
  /// Changes whenever a key may have lost its last message.
  uint64_t removals() const { return removals_.load(); }

 private:
  static constexpr size_t kSlots = size_t{1} << 16;
  std::unique_ptr<std::atomic<uint32_t>[]> counts_ =
      std::make_unique<std::atomic<uint32_t>[]>(kSlots);
  std::atomic<uint64_t> removals_{0};
};

class SpoolStore {
 public:
  /// Half of what an id has room for (SpoolCore::RowOf): the next ones fit, too.
  static constexpr int64_t kLargestRow = int64_t{1} << 47;

  struct Settings {
    SpoolIdentity identity;
    bool sync_full = false;
    const char* vfs = nullptr;  // SQLite's; tests put a failing disk in
  };
  struct Totals {
    uint64_t rows = 0, bytes = 0, first_id = 0, last_id = 0;  // 0: empty
  };
  struct RowFacts {
    uint64_t id = 0, bytes = 0;
    KeyCounts::Slot slot = 0;
  };

  /// Opens the file or begins it. One that is damaged, or not a spool of this version, is set aside
  /// and a new one begun with what could be read; `report` then says so. Not ok: the disk refuses.
  static Result<std::unique_ptr<SpoolStore>> Open(SpoolFile file, const Settings& settings,
                                                  BufferPool& pool, std::string* report);

  /// One transaction: all of it or nothing. `*exact` false: some of `removed` were not there.
  Status Write(std::span<const SpoolMessage> messages, std::span<const uint64_t> removed,
               bool* exact);
  /// Messages after `after`, oldest first, up to about `max_bytes` of cost, at least one.
  Status Read(uint64_t after, size_t max_rows, size_t max_bytes, std::vector<SpoolMessage>* out);
  /// The message `id`, if it is there.
  Status ReadOne(uint64_t id, std::vector<SpoolMessage>* out);
  /// Facts of the rows after `after`, oldest first, until their bytes reach `bytes`.
  Status List(uint64_t after, uint64_t bytes, std::vector<RowFacts>* out);
  /// Counts without reading payloads.
  Result<Totals> Count();
  /// Adds the rows after `after` to `counts` and returns how many they are.
  Result<uint64_t> CountKeys(uint64_t after, KeyCounts* counts);
  /// Gives the disk its space back when the store is empty and the file large.
  void ShrinkIfEmpty();
  /// By how much the log beside the database is larger than it ever need be, because another
  /// program reads what the file held before (an open transaction). 0: it is not, or it is large
  /// for a moment.
  uint64_t HeldLog();

  /// An operation failed because the file is damaged: Replace it.
  bool damaged() const { return db_.damaged(); }
  /// Sets the damaged file aside and begins a new one with what can still be read of it, ids kept.
  /// `report`: what was done, for the log. Not ok: there was no room for that (or another reason
  /// that may pass); the damaged file is back in its place with all its rows. Everything then fails
  /// as damaged until a Replace, now or after a restart, does it. One that comes soon is refused: a
  /// disk that is full is not kept busy.
  Status Replace(const Status& reason, std::string* report);

  const SpoolFile& file() const { return file_; }
  /// Closes the database; with `discard` the file is deleted too, unless it has rows.
  void Close(bool discard);

 private:
  SpoolStore(SpoolFile file, Settings settings, BufferPool& pool)
      : file_(std::move(file)), settings_(std::move(settings)), pool_(pool) {}
  Status EnsureOpen();
  Status OpenDatabase();
  Status CreateSchema();
  Status AddColumn();
  Status PrepareStatements();
  void CloseDatabase();
  /// `refused`: it is the row that cannot be inserted, not the disk that does not work.
  Status Insert(const SpoolMessage& message, bool* refused);
  Status Unpack(SqliteStatement& row, SpoolMessage* message);
  Status ReplaceOnce(std::string* report);
  /// Replaces a file that has rows with invalid ids.
  Status Renumber(std::string* report);
  /// Copies rows of the damaged file `from` until it cannot be read any more, from both ends.
  /// Returns how many. Not ok: another time it may be more.
  Result<uint64_t> Salvage(const std::string& from);
  Result<uint64_t> SalvageGroup(SqliteStatement& rows, int step, int* code, int64_t* next);

  /// `ids`: the file has the column message_id.
  static std::string Columns(bool ids);

  SpoolFile file_;
  const Settings settings_;
  BufferPool& pool_;
  SqliteDb db_;
  bool open_ = false;  // with its statements prepared
  bool log_held_ = false;
  int64_t new_id_ = 0;  // of the next row that Salvage copies; 0: it keeps its own
  std::string damage_;
  Status unrepaired_;  // why the last Replace failed; ok: it did not
  Clock::time_point replace_not_before_;
  SqliteStatement insert_, delete_, read_, read_one_, list_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_STORE_H_
