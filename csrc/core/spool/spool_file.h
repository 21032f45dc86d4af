// SPDX-License-Identifier: Apache-2.0
// Which file a spool uses: names, locks, leftovers, and putting a damaged one aside. The file's
// name is a hash of protocol, endpoint and spool-name and a number; next to `<name>.db` is
// `<name>.lock`, locked while the file is in use.
//
// The lock is an open-file-description lock: two connections of one process exclude each other,
// the kernel releases it however the process ends, and examining it (`dsmsg spool ls`) does not
// take it. Children of fork() close their copy at once; in them, a file that the parent used counts
// as in use. Values that own their lock: one thread at a time.
#ifndef DSMSG_CORE_SPOOL_SPOOL_FILE_H_
#define DSMSG_CORE_SPOOL_SPOOL_FILE_H_

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/status.h"

namespace dsmsg {

struct SpoolIdentity {
  std::string dir, protocol, endpoint, name;
};

/// A file that no other connection or process uses while this lives.
class SpoolFile {
 public:
  SpoolFile() = default;
  SpoolFile(SpoolFile&&) = default;
  SpoolFile& operator=(SpoolFile&&) = default;

  /// Makes the directory where it is missing and takes the first number that is free.
  static Result<SpoolFile> Claim(const SpoolIdentity& identity);
  /// Takes every other file of the same identity that is there and not in use.
  static std::vector<SpoolFile> ClaimLeftovers(const SpoolIdentity& identity);

  const std::string& path() const { return path_; }  // of the database
  int number() const { return number_; }

  /// Creates an empty database that only this user may read. SQLite gives its log the same mode.
  Status Create() const;
  /// Renames the database and its log, for the time in which a new one is made of what can be read
  /// of them; returns the new path (empty: there was no file). PutBack or KeepAside follows, if
  /// need be after a restart.
  Result<std::string> SetAside() const;
  /// Gives what was set aside its name again and deletes what has that name by now. True: there was
  /// something.
  Result<bool> PutBack() const;
  /// The new file has all that could be read of what was set aside: renames what was set aside, so
  /// that no process takes it for a spool. Returns the new path, for a person. Durable when it
  /// returns ok.
  Result<std::string> KeepAside() const;
  /// Deletes the database and its log.
  void DeleteDatabase() const;
  /// Deletes database, log and lock, and lets go of it.
  void Discard();
  /// What was created, renamed or deleted in the directory is on disk when this returns ok.
  Status SyncDirectory() const;

 private:
  static Result<SpoolFile> TryLock(const std::string& stem, int number, bool* busy);
  std::string Base() const { return path_.substr(0, path_.size() - 3); }  // without ".db"
  std::string AsidePath() const { return Base() + ".salvage.db"; }

  std::string path_, lock_path_;
  int number_ = 0;
  UniqueFd lock_;
};

/// The part of the file names that all spools of `identity` share: "kafka-<16 hex digits>".
std::string SpoolStem(const SpoolIdentity& identity);

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_FILE_H_
