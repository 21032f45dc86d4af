// SPDX-License-Identifier: Apache-2.0
// What becomes of a damaged spool file: a new one with all that can be read of it.
#include <algorithm>
#include <utility>

#include "core/spool_store.h"

namespace dsmsg {
namespace {

constexpr uint64_t kGroup = 1000;  // rows of one transaction
// A Replace that failed may have written as much as the disk took: the next one may begin after so
// many times what it took.
constexpr int kPause = 10;

// Whether what answered `code` to a read may answer otherwise another time. A bad sector does not.
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
  if (aside.value().empty()) {  // deleted by somebody
    if (!status.ok()) {
      file_.DeleteDatabase();
      return status;
    }
    *report = "spool: " + damage_ + "; a new one was begun";
    return {};
  }
  if (!status.ok()) return status;
  const Result<uint64_t> kept = Salvage(aside.value());
  if (!kept.ok()) return kept.status();
  const Result<std::string> keepsake = file_.KeepAside();
  if (!keepsake.ok()) return keepsake.status();
  *report = "spool: " + damage_ + "; the file was set aside as " + keepsake.value() +
            " and a new one was begun; " + std::to_string(kept.value()) +
            " of its messages could be read and go on";
  return {};
}

Result<uint64_t> SpoolStore::Salvage(const std::string& from) {
  SqliteDb damaged;
  // Written to, if only its log: a log left by a kill has to be read, too.
  if (Status status = damaged.Open(from, SQLITE_OPEN_READWRITE, settings_.vfs); !status.ok()) {
    return status;
  }
  uint64_t kept = 0;
  uint64_t last = 0;  // read from the front
  for (const char* order : {"ASC", "DESC"}) {
    SqliteStatement rows;
    const std::string sql = std::string(kColumns) + "WHERE id > ?1 ORDER BY id " + order;
    int code = SQLITE_ROW;
    if (!damaged.Prepare(sql.c_str(), &rows).ok()) code = sqlite3_extended_errcode(damaged.get());
    rows.BindInt(1, static_cast<int64_t>(last));
    while (code == SQLITE_ROW) {
      uint64_t newest = 0;
      const Result<uint64_t> group = SalvageGroup(rows, &code, &newest);
      if (!group.ok()) return group.status();
      kept += group.value();
      if (order[0] == 'A') last = std::max(last, newest);
    }
    if (MayPass(code)) return damaged.Error(code);
    if (code == SQLITE_DONE) break;
  }
  return kept;
}

// `newest`: the largest id. `code`: of the last Step.
Result<uint64_t> SpoolStore::SalvageGroup(SqliteStatement& rows, int* code, uint64_t* newest) {
  SqliteTransaction transaction(db_);
  if (Status status = transaction.Begin(); !status.ok()) return status;
  uint64_t group = 0;
  while (group < kGroup && (*code = rows.Step()) == SQLITE_ROW) {
    if (rows.Int(0) <= 0) continue;  // no message
    SpoolMessage message;
    if (Status status = Unpack(rows, &message); !status.ok()) return status;
    *newest = std::max(*newest, message.id);
    bool refused = false;  // it is there already
    const Status status = Insert(message, &refused);
    if (!status.ok() && !refused) return status;
    if (status.ok()) ++group;
  }
  if (Status status = transaction.Commit(); !status.ok()) return status;
  return group;
}

}  // namespace dsmsg
