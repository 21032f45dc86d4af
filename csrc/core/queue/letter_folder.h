// SPDX-License-Identifier: Apache-2.0
// The files of dead-letter-dir: one line after another, within a bound. A person or a program may
// rename, delete or truncate them at any time.
//
// Threads: every function from any thread; one lock, held while a line is written. All connections
// of the process to one directory share one object.
#ifndef DSMSG_CORE_QUEUE_LETTER_FOLDER_H_
#define DSMSG_CORE_QUEUE_LETTER_FOLDER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg {

class LetterFolder {
 public:
  /// What the names of its files begin with; nothing else counts against the bound.
  static constexpr std::string_view kPrefix = "dead-letters-";

  /// The one of that directory, which exists.
  static std::shared_ptr<LetterFolder> Of(const std::string& path);

  explicit LetterFolder(std::string path) : path_(std::move(path)) {}

  /// Appends `line`, which ends with a line break, to the file `name`; all of it or nothing. The
  /// file is created if it does not exist (any more). kWouldBlock: the files would hold more than
  /// `max_bytes` then. What other processes write is counted after a short delay.
  Status Append(const std::string& name, std::string_view line, uint64_t max_bytes);

 private:
  Status Open(const std::string& path);
  bool IsStillOpen(const std::string& path) const;
  void Count();

  const std::string path_;
  std::mutex mutex_;  // guards the following
  std::string open_path_;
  UniqueFd file_;
  bool half_ = false;  // it ends within a line
  uint64_t bytes_ = 0;
  Clock::time_point count_again_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_LETTER_FOLDER_H_
