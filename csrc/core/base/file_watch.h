// SPDX-License-Identifier: Apache-2.0
// Notices that files changed, by looking at them now and then: works on every file system, and
// when a file is replaced by another (as editors, certificate renewal and Kubernetes do).
//
// Threads: every function from any thread. `changed` is called on a thread of this class, never
// after Stop returned, which waits for a call in progress (and so must not be called inside one).
#ifndef DSMSG_CORE_BASE_FILE_WATCH_H_
#define DSMSG_CORE_BASE_FILE_WATCH_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/time.h"

namespace dsmsg {

class FileWatch {
 public:
  /// Calls `changed` when any of `files` differs (time, size, inode, existence) from what it was
  /// `interval` ago, and is the same again at the next look, so that a half-written file is not
  /// read.
  FileWatch(std::vector<std::string> files, Millis interval, std::function<void()> changed);
  ~FileWatch() { Stop(); }
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  /// From now on these, as they are now.
  void Watch(std::vector<std::string> files);
  void Stop();

 private:
  std::string Look() const;
  void Run();

  const Millis interval_;
  const std::function<void()> changed_;
  std::mutex mutex_;  // guards the following
  std::vector<std::string> files_;
  std::string known_, last_;  // states of the files: that of the last call, that of the last look
  bool stop_ = false;
  std::condition_variable stop_cv_;
  std::thread thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_FILE_WATCH_H_
