// SPDX-License-Identifier: Apache-2.0
// The little of SQLite that the spool needs, with owners for its handles and errors a person can
// act on. A database and its statements belong to one thread at a time; nothing here is
// process-wide, because the host may use SQLite itself.
#ifndef DSMSG_CORE_SPOOL_SQLITE_H_
#define DSMSG_CORE_SPOOL_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg {

/// A prepared statement. Views given to Bind must live until the next Reset.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  void BindInt(int index, int64_t value) {
    sqlite3_bind_int64(statement_.get(), index, static_cast<sqlite3_int64>(value));
  }
  void BindNull(int index) { sqlite3_bind_null(statement_.get(), index); }
  void BindBlob(int index, std::string_view bytes);
  /// As TEXT where the bytes are text (UTF-8 without NUL), else as BLOB.
  void BindText(int index, std::string_view bytes);

  /// SQLITE_ROW, SQLITE_DONE or an error code.
  int Step() { return sqlite3_step(statement_.get()); }
  void Reset() { sqlite3_reset(statement_.get()); }

  int64_t Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  bool IsNull(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  /// The bytes of a TEXT or BLOB value, valid until the next Step or Reset.
  std::string_view Bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteDb {
 public:
  /// Milliseconds. Another program's transaction is waited for, but not for long: the messages
  /// behind us wait too.
  static constexpr int kBusyTimeout = 2000;

  /// `vfs`: nullptr for the system's. The file is created when `flags` say so.
  Status Open(const std::string& path, int flags, const char* vfs);
  void Close() { db_.reset(); }
  bool is_open() const { return db_ != nullptr; }
  sqlite3* get() const { return db_.get(); }

  Status Execute(const char* sql);
  Status Prepare(const char* sql, SqliteStatement* statement);
  /// The first column of the first row; 0 when there is none.
  Result<int64_t> QueryInt(const char* sql);
  int changes() const { return sqlite3_changes(db_.get()); }
  bool in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

  /// What went wrong in the call that answered `code`: kUnavailable for what may pass (disk full,
  /// I/O error, another program's lock), else kInternal.
  Status Error(int code);
  /// The file has another name now, or none: what is written is lost with the process.
  bool moved() const;
  /// Makes damaged() true.
  void MarkDamaged() { damaged_ = true; }
  /// An Error since Open said that the file is not a database or is damaged.
  bool damaged() const { return damaged_; }

 private:
  struct Closer {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Closer> db_;
  std::string path_;
  bool damaged_ = false;
};

/// BEGIN IMMEDIATE ... COMMIT; rolled back when it goes out of scope before that.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDb& db) : db_(db) {}
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  Status Begin() { return db_.Execute("BEGIN IMMEDIATE"); }
  Status Commit() { return db_.Execute("COMMIT"); }

 private:
  SqliteDb& db_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SQLITE_H_
