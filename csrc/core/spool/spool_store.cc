// SPDX-License-Identifier: Apache-2.0
#include "core/spool/spool_store.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

namespace dsmsg {
namespace {

constexpr int64_t kApplicationId = 0x64736d73;  // "dsms"
constexpr int64_t kFormat = 1;

// The payload comes late, so that the columns before it are read without it; message_id is where it
// is in files of earlier versions (kAddIds). The index has everything counting needs, so a start
// does not read payloads; it begins with the id, so that it grows at one end.
constexpr char kSchema[] = R"(
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,        -- larger: later
  accepted_ms INTEGER NOT NULL,  -- when dsmsg took the message, milliseconds since 1970
  timestamp_ms INTEGER NOT NULL, -- the message's own time
  topic TEXT NOT NULL,
  key TEXT,                      -- NULL: none
  headers TEXT,                  -- JSON [["name","value"],...]; NULL: none
  bytes INTEGER NOT NULL,        -- what it counts against spool-max-bytes
  payload BLOB NOT NULL,
  message_id TEXT                -- its name, the same on every try; NULL: dsmsg makes one of the row
);
CREATE INDEX messages_facts ON messages (id, key, bytes);
CREATE VIEW readable AS
  SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', accepted_ms / 1000.0, 'unixepoch') AS accepted,
         topic, key, headers, length(payload) AS size, CAST(payload AS TEXT) AS payload
  FROM messages ORDER BY id;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1685286259;
PRAGMA user_version = 1;
)";
static_assert(kApplicationId == 1685286259 && kFormat == 1);

// Checkpoints are rarer than by default, because they sync: every 8 MB of log. After a burst, the
// log file is truncated to that size.
constexpr char kPragmas[] = R"(
PRAGMA wal_autocheckpoint = 2000;
PRAGMA journal_size_limit = 8388608;
PRAGMA cache_size = -4096;
PRAGMA temp_store = MEMORY;
PRAGMA cell_size_check = ON;
)";

// A larger log is examined; a large group makes it exceed 8 MB for a moment.
constexpr uint64_t kPlainLog = uint64_t{16} << 20;

// What this file did not have in earlier versions.
constexpr char kHasIds[] =
    "SELECT count(*) FROM pragma_table_info('messages') WHERE name = 'message_id'";
constexpr char kAddIds[] = "ALTER TABLE messages ADD COLUMN message_id TEXT";

constexpr char kOurRows[] = " id <= 140737488355328 ";
static_assert(SpoolStore::kLargestRow == 140737488355328);

uint64_t Hash(uint64_t hash, std::string_view bytes) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV
  return hash;
}

/// For a row without a name, from an earlier version or added by a tool: the same at every start.
MessageId NameOf(const SpoolMessage& packed) {
  uint64_t origin = Hash(0xcbf29ce484222325, packed.message.topic);
  origin = Hash(Hash(origin, packed.message.key), packed.message.payload);
  return {origin ^ static_cast<uint64_t>(packed.accepted_ms), packed.id};
}

}  // namespace

KeyCounts::Slot KeyCounts::SlotOf(std::string_view key) {
  return static_cast<Slot>(std::hash<std::string_view>()(key) % kSlots);
}

void KeyCounts::Assign(const KeyCounts& other) {
  for (size_t i = 0; i < kSlots; ++i) counts_[i].store(other.counts_[i].load());
  ++removals_;
}

Result<std::unique_ptr<SpoolStore>> SpoolStore::Open(SpoolFile file, const Settings& settings,
                                                     BufferPool& pool, std::string* report) {
  std::unique_ptr<SpoolStore> store(new SpoolStore(std::move(file), settings, pool));
  // A process was killed while copying the rows of a damaged file: start over.
  const Result<bool> interrupted = store->file_.PutBack();
  if (!interrupted.ok()) return interrupted.status();
  Status status = store->EnsureOpen();
  // Also finds damage that only shows when the rows are counted.
  if (status.ok()) {
    if (const Result<Totals> totals = store->Count(); !totals.ok()) status = totals.status();
  }
  if (!status.ok() && store->damaged()) status = store->Replace(status, report);
  if (status.ok()) status = store->Renumber(report);
  if (!status.ok()) return status;
  return store;
}

Status SpoolStore::EnsureOpen() {
  if (open_) return {};
  if (!unrepaired_.ok()) {
    db_.MarkDamaged();
    return unrepaired_;
  }
  const Status status = OpenDatabase();
  open_ = status.ok();
  if (!open_) CloseDatabase();
  return status;
}

Status SpoolStore::OpenDatabase() {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  Status status = db_.Open(file_.path(), kFlags, settings_.vfs);
  if (status.ok()) status = db_.Execute(kPragmas);
  if (!status.ok()) return status;
  Result<int64_t> objects = db_.QueryInt("SELECT count(*) FROM sqlite_master");
  if (!objects.ok()) return objects.status();
  if (objects.value() == 0) {
    status = CreateSchema();
  } else {
    const Result<int64_t> application = db_.QueryInt("PRAGMA application_id");
    const Result<int64_t> format = db_.QueryInt("PRAGMA user_version");
    if (!application.ok()) return application.status();
    if (!format.ok()) return format.status();
    if (application.value() != kApplicationId || format.value() != kFormat) {
      status = db_.Error(SQLITE_NOTADB);
      return {status.code(), file_.path() + ": not a spool of this version (its format is " +
                                 std::to_string(format.value()) + ", expected " +
                                 std::to_string(kFormat) + ")"};
    }
    status = AddColumn();
  }
  // Not in the file, so set at each start.
  const char* sync =
      settings_.sync_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  if (status.ok()) status = db_.Execute(sync);
  if (status.ok()) status = PrepareStatements();
  return status;
}

std::string SpoolStore::Columns(bool ids) {
  return std::string("SELECT id, accepted_ms, timestamp_ms, topic, key, headers, ") +
         (ids ? "message_id" : "NULL") + ", payload FROM messages ";
}

Status SpoolStore::AddColumn() {
  const Result<int64_t> there = db_.QueryInt(kHasIds);
  if (!there.ok()) return there.status();
  return there.value() != 0 ? Status() : db_.Execute(kAddIds);
}

Status SpoolStore::CreateSchema() {
  SqliteStatement statement;
  if (Status status = db_.Prepare("PRAGMA journal_mode = WAL", &statement); !status.ok()) {
    return status;
  }
  const int code = statement.Step();
  if (code != SQLITE_ROW) return db_.Error(code);
  if (statement.Bytes(0) != "wal") {
    return {Code::kUnavailable, file_.path() +
                                    ": the file system lacks what SQLite's WAL needs (spool-dir "
                                    "must be on a local file system)"};
  }
  statement.Reset();
  // Creating the file must be durable whatever spool-sync says.
  Status status = db_.Execute("PRAGMA synchronous = FULL");
  if (!status.ok()) return status;
  SqliteTransaction transaction(db_);
  status = transaction.Begin();
  if (status.ok()) status = db_.Execute(kSchema);
  SqliteStatement about;
  if (status.ok()) status = db_.Prepare("INSERT INTO about VALUES (?1, ?2)", &about);
  const SpoolIdentity& identity = settings_.identity;
  const std::pair<const char*, std::string_view> facts[] = {{"protocol", identity.protocol},
                                                            {"endpoint", identity.endpoint},
                                                            {"spool-name", identity.name}};
  for (const auto& [name, value] : facts) {
    if (!status.ok()) return status;
    about.BindText(1, name);
    about.BindText(2, value);
    if (const int done = about.Step(); done != SQLITE_DONE) status = db_.Error(done);
    about.Reset();
  }
  if (status.ok()) status = transaction.Commit();
  if (status.ok()) status = file_.SyncDirectory();
  return status;
}

Status SpoolStore::PrepareStatements() {
  Status status = db_.Prepare(
      "INSERT INTO messages (id, accepted_ms, timestamp_ms, topic, key, headers, bytes, "
      "message_id, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      &insert_);
  const std::string columns = Columns(true);
  if (status.ok())
    status = db_.Prepare("DELETE FROM messages NOT INDEXED WHERE id BETWEEN ?1 AND ?2", &delete_);
  if (status.ok()) {
    status = db_.Prepare(
        (columns + "WHERE id > ?1 AND" + kOurRows + "ORDER BY id LIMIT ?2").c_str(), &read_);
  }
  if (status.ok()) status = db_.Prepare((columns + "WHERE id = ?1").c_str(), &read_one_);
  if (status.ok()) {
    status = db_.Prepare(
        (std::string(
             "SELECT id, bytes, key FROM messages INDEXED BY messages_facts WHERE id > ?1 AND") +
         kOurRows + "ORDER BY id")
            .c_str(),
        &list_);
  }
  return status;
}

Status SpoolStore::Insert(const SpoolMessage& packed, bool* refused) {
  const Message& message = packed.message;
  std::string headers;  // outlives the Reset
  insert_.BindInt(1, static_cast<int64_t>(packed.id));
  insert_.BindInt(2, packed.accepted_ms);
  insert_.BindInt(3, message.timestamp_ms);
  insert_.BindText(4, message.topic);
  if (message.has_key) {
    insert_.BindText(5, message.key);
  } else {
    insert_.BindNull(5);
  }
  if (message.headers.empty()) {
    insert_.BindNull(6);
  } else {
    headers = EncodeSpoolHeaders(message.headers);
    insert_.BindText(6, headers);
  }
  insert_.BindInt(7, static_cast<int64_t>(SpoolCost(message)));
  const std::string name = message.id.empty() ? "" : message.id.ToString();  // as `headers`
  if (name.empty()) {
    insert_.BindNull(8);
  } else {
    insert_.BindText(8, name);
  }
  insert_.BindBlob(9, message.payload);
  const int code = insert_.Step();
  *refused = (code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_TOOBIG;
  const Status status = code == SQLITE_DONE ? Status() : db_.Error(code);
  insert_.Reset();
  return status;
}

Status SpoolStore::Write(std::span<const SpoolMessage> messages, std::span<const uint64_t> removed,
                         bool* exact) {
  *exact = true;
  if (Status status = EnsureOpen(); !status.ok()) return status;
  SqliteTransaction transaction(db_);
  if (Status status = transaction.Begin(); !status.ok()) return status;
  if (db_.moved()) {
    db_.MarkDamaged();
    return {Code::kUnavailable, file_.path() + " was deleted or renamed by another program"};
  }
  // Runs of ids without a gap are deleted together. Not the whole span: rows in a gap are still
  // needed.
  for (size_t i = 0; i < removed.size();) {
    size_t end = i + 1;
    while (end < removed.size() && removed[end] == removed[end - 1] + 1) ++end;
    delete_.BindInt(1, static_cast<int64_t>(removed[i]));
    delete_.BindInt(2, static_cast<int64_t>(removed[end - 1]));
    const int code = delete_.Step();
    const Status status = code == SQLITE_DONE ? Status() : db_.Error(code);
    delete_.Reset();
    if (!status.ok()) return status;
    *exact = *exact && static_cast<size_t>(db_.changes()) == end - i;
    i = end;
  }
  for (const SpoolMessage& message : messages) {
    bool refused = false;
    if (Status status = Insert(message, &refused); !status.ok()) return status;
  }
  return transaction.Commit();
}

Status SpoolStore::Unpack(SqliteStatement& row, SpoolMessage* packed) {
  Message message;
  message.timestamp_ms = row.Int(2);
  message.topic = row.Bytes(3);
  message.has_key = !row.IsNull(4);
  if (message.has_key) message.key = row.Bytes(4);
  std::vector<std::pair<std::string, std::string>> owned;
  std::vector<Header> headers;
  // If edited headers make no sense, only the headers are lost, not the message.
  if (!row.IsNull(5)) DecodeSpoolHeaders(row.Bytes(5), &owned);
  headers.reserve(owned.size());
  for (const auto& [name, value] : owned) headers.emplace_back(name, value);
  message.headers = headers;
  message.id = MessageId::Parse(row.Bytes(6));
  message.payload = row.Bytes(7);
  packed->id = static_cast<uint64_t>(row.Int(0));
  packed->accepted_ms = row.Int(1);
  if (!PackSpoolMessage(message, pool_, packed)) return db_.Error(SQLITE_NOMEM);
  if (packed->message.id.empty()) packed->message.id = NameOf(*packed);
  return {};
}

Status SpoolStore::Read(uint64_t after, size_t max_rows, size_t max_bytes,
                        std::vector<SpoolMessage>* out) {
  if (Status opened = EnsureOpen(); !opened.ok()) return opened;
  read_.BindInt(1, static_cast<int64_t>(after));
  read_.BindInt(2, static_cast<int64_t>(max_rows));
  Status status;
  size_t bytes = 0;
  int code = SQLITE_DONE;
  while (status.ok() && bytes < max_bytes && (code = read_.Step()) == SQLITE_ROW) {
    SpoolMessage message;
    status = Unpack(read_, &message);
    bytes += SpoolCost(message.message);
    if (status.ok()) out->push_back(std::move(message));
  }
  if (status.ok() && code != SQLITE_ROW && code != SQLITE_DONE) status = db_.Error(code);
  read_.Reset();
  return status;
}

Status SpoolStore::ReadOne(uint64_t id, std::vector<SpoolMessage>* out) {
  if (Status opened = EnsureOpen(); !opened.ok()) return opened;
  read_one_.BindInt(1, static_cast<int64_t>(id));
  const int code = read_one_.Step();
  Status status;
  if (code == SQLITE_ROW) {
    SpoolMessage message;
    status = Unpack(read_one_, &message);
    if (status.ok()) out->push_back(std::move(message));
  } else if (code != SQLITE_DONE) {
    status = db_.Error(code);
  }
  read_one_.Reset();
  return status;
}

Status SpoolStore::List(uint64_t after, uint64_t bytes, std::vector<RowFacts>* out) {
  if (Status opened = EnsureOpen(); !opened.ok()) return opened;
  list_.BindInt(1, static_cast<int64_t>(after));
  Status status;
  int code = SQLITE_DONE;
  for (uint64_t seen = 0; seen < bytes && (code = list_.Step()) == SQLITE_ROW;) {
    out->push_back({static_cast<uint64_t>(list_.Int(0)), static_cast<uint64_t>(list_.Int(1)),
                    KeyCounts::SlotOf(list_.Bytes(2))});
    seen += out->back().bytes;
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) status = db_.Error(code);
  list_.Reset();
  return status;
}

Result<SpoolStore::Totals> SpoolStore::Count() {
  if (Status opened = EnsureOpen(); !opened.ok()) return opened;
  Totals totals;
  for (const auto& [what, value] :
       {std::pair("count(*)", &totals.rows),
        std::pair("CAST(total(bytes) AS INTEGER)", &totals.bytes),
        std::pair("min(id)", &totals.first_id), std::pair("max(id)", &totals.last_id)}) {
    const std::string sql = std::string("SELECT ") + what +
                            " FROM messages INDEXED BY messages_facts WHERE id > 0 AND" + kOurRows;
    const Result<int64_t> answer = db_.QueryInt(sql.c_str());
    if (!answer.ok()) return answer.status();
    *value = static_cast<uint64_t>(answer.value());
  }
  return totals;
}

Result<uint64_t> SpoolStore::CountKeys(uint64_t after, KeyCounts* counts) {
  if (Status opened = EnsureOpen(); !opened.ok()) return opened;
  SqliteStatement statement;
  const std::string sql =
      std::string("SELECT key FROM messages INDEXED BY messages_facts WHERE id > ?1 AND") +
      kOurRows;
  Status status = db_.Prepare(sql.c_str(), &statement);
  if (!status.ok()) return status;
  statement.BindInt(1, static_cast<int64_t>(after));
  uint64_t rows = 0;
  int code;
  while ((code = statement.Step()) == SQLITE_ROW) {
    counts->Add(KeyCounts::SlotOf(statement.Bytes(0)));
    ++rows;
  }
  if (code != SQLITE_DONE) return db_.Error(code);
  return rows;
}

void SpoolStore::ShrinkIfEmpty() {
  constexpr int64_t kLargePages = 4096;
  if (!open_) return;
  const Result<int64_t> pages = db_.QueryInt("PRAGMA page_count");
  if (!pages.ok() || pages.value() < kLargePages) return;
  const Result<int64_t> rows =
      db_.QueryInt("SELECT count(*) FROM (SELECT 1 FROM messages LIMIT 1)");
  if (!rows.ok() || rows.value() != 0) return;
  // This fails only for lack of space or because of a reader, and is tried again next time.
  if (db_.Execute("VACUUM").ok()) {
    [[maybe_unused]] const Status cut = db_.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}

uint64_t SpoolStore::HeldLog() {
  const bool was_held = std::exchange(log_held_, false);
  struct stat log {};
  if (!open_ || ::stat((file_.path() + "-wal").c_str(), &log) != 0) return 0;
  const auto size = static_cast<uint64_t>(log.st_size);
  if (size <= kPlainLog) return 0;
  // Pages in the log, and how many of them are also in the database: if not all are, a reader still
  // needs them.
  int pages = 0, copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
  if (code == SQLITE_OK && copied < pages) {
    log_held_ = true;
    return size - kPlainLog;
  }
  // The next write restarts the log, but it may be a long time off.
  if (was_held) {
    sqlite3_busy_timeout(db_.get(), 0);
    [[maybe_unused]] const Status cut = db_.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_busy_timeout(db_.get(), SqliteDb::kBusyTimeout);
  }
  return 0;
}

void SpoolStore::CloseDatabase() {
  for (SqliteStatement* statement : {&insert_, &delete_, &read_, &read_one_, &list_}) {
    *statement = SqliteStatement();
  }
  open_ = false;
  db_.Close();
}

void SpoolStore::Close(bool discard) {
  if (discard && open_) {
    // Another program may have added some.
    const Result<int64_t> rows =
        db_.QueryInt("SELECT count(*) FROM (SELECT 1 FROM messages LIMIT 1)");
    discard = rows.ok() && rows.value() == 0;
  }
  CloseDatabase();
  if (discard) file_.Discard();
}

}  // namespace dsmsg
