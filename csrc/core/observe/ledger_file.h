// SPDX-License-Identifier: Apache-2.0
// The file of a delivery ledger (ledger-file): lines are appended; at half of its bound the file is
// renamed to <path>.1, in place of the one before, and begun again. Connections and processes may
// share one, and a person or a program may rename or delete it at any time.
//
// While it is open, one byte far behind its end is locked (by the open file description), which is
// the connection's own: a reader sees which connections still exist.
//
// Threads: one at a time. Every function may wait for the disk.
#ifndef DSMSG_CORE_OBSERVE_LEDGER_FILE_H_
#define DSMSG_CORE_OBSERVE_LEDGER_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/status.h"

namespace dsmsg {

class LedgerFile {
 public:
  /// What every file begins with: a reader may have this one only.
  using Head = std::function<std::string()>;

  /// `connection`: its number, by which the byte is found: kLocked + connection.
  LedgerFile(std::string path, uint64_t max_bytes, uint32_t connection, Head head)
      : path_(std::move(path)),
        max_bytes_(max_bytes),
        connection_(connection),
        head_(std::move(head)) {}

  static constexpr int64_t kLocked = int64_t{1} << 40;

  /// Appends whole lines, all or nothing. kUnavailable: the disk refuses, try again.
  Status Append(std::string_view lines);
  void Close() { file_.Reset(); }
  const std::string& path() const { return path_; }

 private:
  Status Open();
  Status Write(std::string_view text);
  Status Error(int error) const;

  const std::string path_;
  const uint64_t max_bytes_;
  const uint32_t connection_;
  const Head head_;
  UniqueFd file_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_LEDGER_FILE_H_
