// SPDX-License-Identifier: Apache-2.0
// Which file a spool uses: names, locks, leftovers, and putting a damaged one aside. The file's
// name is a hash of protocol, endpoint and spool-name and a number; next to `<name>.db` stands
// `<name>.lock`, locked while somebody uses the file.
//
// The lock is an open-file-description lock: two connections of one process exclude each other,
// the kernel frees it whatever way the process ends, and a look at it (`dsmsg spool ls`) takes
// nothing. Values that own their lock: one thread at a time.
#ifndef DSMSG_CORE_SPOOL_FILE_H_
#define DSMSG_CORE_SPOOL_FILE_H_

#include <string>
#include <vector>

#include "core/net.h"
#include "core/status.h"

namespace dsmsg {

struct SpoolIdentity {
  std::string dir, protocol, endpoint, name;
};

/// A file that nobody else uses as long as this lives.
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

  /// Renames the database and its log so that nobody takes them for a spool; returns the new path
  /// (empty: there was no file).
  Result<std::string> SetAside() const;
  /// Deletes database, log and lock, and lets go of it.
  void Discard();
  /// What was created, renamed or deleted in the directory is on disk when this returns ok.
  Status SyncDirectory() const;

 private:
  static Result<SpoolFile> TryLock(const std::string& stem, int number, bool* busy);

  std::string path_, lock_path_;
  int number_ = 0;
  UniqueFd lock_;
};

/// The part of the file names that all spools of `identity` share: "kafka-<16 hex digits>".
std::string SpoolStem(const SpoolIdentity& identity);

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_FILE_H_
