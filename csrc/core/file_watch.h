// SPDX-License-Identifier: Apache-2.0
// Notices that files changed, by looking at them now and then: works on every file system, and
// when a file is replaced by another (as editors, certificate renewal and Kubernetes do).
//
// Threads: `changed` is called on a thread of this class, never after the destructor returned; the
// destructor waits for a call in progress.
#ifndef DSMSG_CORE_FILE_WATCH_H_
#define DSMSG_CORE_FILE_WATCH_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/net.h"

namespace dsmsg {

class FileWatch {
 public:
  /// Calls `changed` when any of `files` differs (time, size, inode, existence) from what it was
  /// `interval` ago, and is the same again at the next look, so that a half-written file is not
  /// read.
  FileWatch(std::vector<std::string> files, Millis interval, std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  std::string Look() const;
  void Run(std::string known);

  const std::vector<std::string> files_;
  const Millis interval_;
  const std::function<void()> changed_;
  std::mutex mutex_;  // guards stop_
  std::condition_variable stop_cv_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_FILE_WATCH_H_
