// SPDX-License-Identifier: Apache-2.0
#include "core/spool/sqlite.h"

#include <glib.h>

#include <cstring>

namespace dsmsg {
namespace {

// A view with a null pointer would be bound as NULL.
const char* DataOf(std::string_view bytes) { return bytes.data() == nullptr ? "" : bytes.data(); }

const char* AdviceFor(int primary) {
  switch (primary) {
    case SQLITE_FULL:
      return " (free some space, or lower spool-max-bytes)";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return " (may this user write to spool-dir?)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return " (does another program, such as a sqlite3 shell, keep a transaction open?)";
    case SQLITE_IOERR:
      return " (is the disk healthy? spool-dir must be on a local file system)";
    default:
      return "";
  }
}

}  // namespace

void SqliteStatement::BindBlob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), index, DataOf(bytes), bytes.size(), SQLITE_STATIC);
}

void SqliteStatement::BindText(int index, std::string_view bytes) {
  if (g_utf8_validate(DataOf(bytes), static_cast<gssize>(bytes.size()), nullptr) == TRUE) {
    sqlite3_bind_text64(statement_.get(), index, DataOf(bytes), bytes.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  } else {
    BindBlob(index, bytes);
  }
}

std::string_view SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

Status SqliteDb::Open(const std::string& path, int flags, const char* vfs) {
  path_ = path;
  damaged_ = false;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, vfs);
  db_.reset(db);  // set even after most errors
  if (code != SQLITE_OK) {
    const Status status = Error(code);
    db_.reset();
    return status;
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyTimeout);
  return {};
}

Status SqliteDb::Execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : Error(code);
}

Status SqliteDb::Prepare(const char* sql, SqliteStatement* statement) {
  sqlite3_stmt* prepared = nullptr;
  const int code =
      sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  *statement = SqliteStatement(prepared);
  return code == SQLITE_OK ? Status() : Error(code);
}

Result<int64_t> SqliteDb::QueryInt(const char* sql) {
  SqliteStatement statement;
  if (Status status = Prepare(sql, &statement); !status.ok()) return status;
  const int code = statement.Step();
  if (code == SQLITE_ROW) return statement.Int(0);
  if (code == SQLITE_DONE) return int64_t{0};
  return Error(code);
}

bool SqliteDb::moved() const {
  int moved = 0;
  return sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
         moved != 0;
}

Status SqliteDb::Error(int code) {
  const int primary = code & 0xff;
  damaged_ = damaged_ || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
  const char* what = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_.get());
  std::string text = path_ + ": " + what;
  const int system_error = db_ == nullptr ? 0 : sqlite3_system_errno(db_.get());
  const bool from_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  if (from_system && system_error != 0) text += std::string(": ") + std::strerror(system_error);
  text += AdviceFor(primary);
  switch (primary) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
      return {Code::kUnavailable, std::move(text)};
    default:
      return {Code::kInternal, std::move(text)};
  }
}

SqliteTransaction::~SqliteTransaction() {
  // Some errors roll back automatically.
  if (db_.is_open() && db_.in_transaction()) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace dsmsg
