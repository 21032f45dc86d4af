// SPDX-License-Identifier: Apache-2.0
// What becomes of a damaged spool file: a new one with all that can be read of it.
#include <algorithm>
#include <limits>
#include <utility>

#include "core/spool/spool_store.h"

namespace dsmsg {
namespace {

constexpr uint64_t kGroup = 1000;  // rows of one transaction
// A failed Replace may have written as much as the disk took: the next one may start after this
// many times its duration.
constexpr int kPause = 10;
// New ids: from here up for rows read from the front; below the other one for rows read from the
// end.
constexpr int64_t kFirstNewId = 1'000'000'001;
constexpr int64_t kLastNewId = int64_t{1} << 46;

// Whether a read that returned `code` may succeed another time. With a bad sector it does not.
bool MayPass(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return true;
    case SQLITE_IOERR:
      return code != SQLITE_IOERR_READ && code != SQLITE_IOERR_SHORT_READ &&
             code != SQLITE_IOERR_CORRUPTFS && code != SQLITE_IOERR_DATA;
    default:
      return false;
  }
}

}  // namespace

Status SpoolStore::Replace(const Status& reason, std::string* report) {
  CloseDatabase();
  const Clock::time_point begin = Clock::now();
  if (unrepaired_.ok()) {
    damage_ = reason.message();
  } else if (begin < replace_not_before_) {
    return unrepaired_;
  }
  unrepaired_ = Status();
  Status status = ReplaceOnce(report);
  if (status.ok()) return {};
  CloseDatabase();
  std::string text = damage_ +
                     "; it stays until its messages can be copied to a new file, which "
                     "failed: " +
                     status.message();
  if (const Result<bool> back = file_.PutBack(); !back.ok()) text += "; " + back.status().message();
  unrepaired_ = Status(status.code(), std::move(text));
  replace_not_before_ = Clock::now() + kPause * (Clock::now() - begin);
  return unrepaired_;
}

Status SpoolStore::ReplaceOnce(std::string* report) {
  if (const Result<bool> back = file_.PutBack(); !back.ok()) return back.status();
  const Result<std::string> aside = file_.SetAside();
  if (!aside.ok()) return aside.status();
  Status status = file_.Create();
  if (status.ok()) status = EnsureOpen();
  if (aside.value().empty()) {  // deleted by another program
    if (!status.ok()) {
      file_.DeleteDatabase();
      return status;
    }
    *report = "spool: " + damage_ + "; a new file was started";
    return {};
  }
  if (!status.ok()) return status;
  const Result<uint64_t> kept = Salvage(aside.value());
  if (!kept.ok()) return kept.status();
  const Result<std::string> keepsake = file_.KeepAside();
  if (!keepsake.ok()) return keepsake.status();
  *report = "spool: " + damage_ + "; the file was set aside as " + keepsake.value() +
            " and a new one was started; " + std::to_string(kept.value()) +
            " of its messages could be read and will be sent";
  return {};
}

Status SpoolStore::Renumber(std::string* report) {
  const std::string count = "(SELECT count(*) FROM messages WHERE id ";
  const std::string sql =
      "SELECT " + count + "< 1) + " + count + "> " + std::to_string(kLargestRow) +
      ") + (SELECT count(*) FROM messages INDEXED BY messages_facts WHERE id BETWEEN 1 AND " +
      std::to_string(kLargestRow) +
      " AND (typeof(bytes) <> 'integer' OR bytes NOT BETWEEN 0 AND 4294967296))";
  const Result<int64_t> strays = db_.QueryInt(sql.c_str());
  if (!strays.ok()) return strays.status();
  if (strays.value() == 0) return {};
  new_id_ = kFirstNewId;
  std::string done;
  const Status status =
      Replace({Code::kInternal,
               file_.path() + ": " + std::to_string(strays.value()) +
                   " of its rows have ids outside 1 to 2^47, or impossible sizes (was it merged or "
                   "edited by hand?), so all rows get new ids in the same order"},
              &done);
  new_id_ = 0;
  *report += (report->empty() ? "" : "; ") + done;
  return status;
}

Result<uint64_t> SpoolStore::Salvage(const std::string& from) {
  SqliteDb damaged;
  // Opened for writing, if only because of its log: a log left by a kill must be read too.
  if (Status status = damaged.Open(from, SQLITE_OPEN_READWRITE, settings_.vfs); !status.ok()) {
    return status;
  }
  uint64_t kept = 0;
  int64_t next = std::numeric_limits<int64_t>::min();  // after what was read from the front
  for (const int step : {1, -1}) {
    SqliteStatement rows;
    const std::string where = std::string("WHERE id >= ?1 ORDER BY id ") + (step > 0 ? "" : "DESC");
    int code = SQLITE_ROW;
    // A file of an earlier version has no names of messages.
    if (!damaged.Prepare((Columns(true) + where).c_str(), &rows).ok() &&
        !damaged.Prepare((Columns(false) + where).c_str(), &rows).ok()) {
      code = sqlite3_extended_errcode(damaged.get());
    }
    rows.BindInt(1, next);
    if (new_id_ != 0) new_id_ = step > 0 ? kFirstNewId : kLastNewId;
    while (code == SQLITE_ROW) {
      const Result<uint64_t> group = SalvageGroup(rows, step, &code, &next);
      if (!group.ok()) return group.status();
      kept += group.value();
    }
    if (MayPass(code)) return damaged.Error(code);
    if (code == SQLITE_DONE) break;
  }
  return kept;
}

// `code`: of the last Step. `next`: moves after what was read from the front.
Result<uint64_t> SpoolStore::SalvageGroup(SqliteStatement& rows, int step, int* code,
                                          int64_t* next) {
  SqliteTransaction transaction(db_);
  if (Status status = transaction.Begin(); !status.ok()) return status;
  uint64_t group = 0;
  while (group < kGroup && (*code = rows.Step()) == SQLITE_ROW) {
    SpoolMessage message;
    if (Status status = Unpack(rows, &message); !status.ok()) return status;
    const int64_t id = rows.Int(0);
    if (step > 0) *next = id < std::numeric_limits<int64_t>::max() ? id + 1 : id;
    if (new_id_ != 0) {
      message.id = static_cast<uint64_t>(new_id_);
      new_id_ += step;
    }
    bool refused = false;  // it is there already
    const Status status = Insert(message, &refused);
    if (!status.ok() && !refused) return status;
    if (status.ok()) ++group;
  }
  if (Status status = transaction.Commit(); !status.ok()) return status;
  return group;
}

}  // namespace dsmsg
