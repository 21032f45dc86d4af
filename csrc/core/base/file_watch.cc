// SPDX-License-Identifier: Apache-2.0
#include "core/base/file_watch.h"

#include <sys/stat.h>

#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {

FileWatch::FileWatch(std::vector<std::string> files, Millis interval, std::function<void()> changed)
    : interval_(interval), changed_(std::move(changed)), files_(std::move(files)) {
  known_ = last_ = Look();
  thread_ = StartThread("dsmsg-watch", [this] { Run(); });
}

void FileWatch::Watch(std::vector<std::string> files) {
  std::lock_guard lock(mutex_);
  if (files == files_) return;
  files_ = std::move(files);
  known_ = last_ = Look();
}

void FileWatch::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_cv_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// One text for the state of all files; comparing the texts compares the files.
std::string FileWatch::Look() const {
  std::string state;
  for (const std::string& file : files_) {
    struct stat found {};
    if (stat(file.c_str(), &found) != 0) {
      state += "none;";
      continue;
    }
    for (const auto number :
         {static_cast<int64_t>(found.st_mtim.tv_sec), static_cast<int64_t>(found.st_mtim.tv_nsec),
          static_cast<int64_t>(found.st_size), static_cast<int64_t>(found.st_ino)}) {
      state += std::to_string(number) + ',';
    }
    state += ';';
  }
  return state;
}

void FileWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_cv_.wait_for(lock, interval_, [this] { return stop_; })) {
    std::string now = Look();
    const bool settled = now == last_ && now != known_;
    last_ = std::move(now);
    if (!settled) continue;
    known_ = last_;
    lock.unlock();
    Contained(changed_, [](const char* what) { LogException("reloading changed files", what); });
    lock.lock();
  }
}

}  // namespace dsmsg
