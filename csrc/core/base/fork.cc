// SPDX-License-Identifier: Apache-2.0
#include "core/base/fork.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>

namespace dsmsg {
namespace {

struct Descriptor {
  dev_t device;
  ino_t inode;  // the number may belong to another file by now
  std::string path;
};

struct Descriptors {
  std::mutex mutex;  // held while a child is made
  std::map<int, Descriptor> open;
  std::set<std::string> of_parents;  // paths
};

std::atomic<uint64_t> process_number{0};

// Created when the library is loaded and never destroyed: threads use it until the process ends.
Descriptors& All() {
  static auto* const all = new Descriptors;
  return *all;
}

void InChild() {
  process_number.fetch_add(1, std::memory_order_relaxed);
  Descriptors& all = All();
  for (const auto& [fd, descriptor] : all.open) {
    struct stat found {};
    if (::fstat(fd, &found) != 0 || found.st_dev != descriptor.device ||
        found.st_ino != descriptor.inode) {
      continue;
    }
    ::close(fd);
    if (!descriptor.path.empty()) all.of_parents.insert(descriptor.path);
  }
  all.open.clear();
  all.mutex.unlock();
}

[[maybe_unused]] const int registered = [] {
  All();
  return ::pthread_atfork([] { All().mutex.lock(); }, [] { All().mutex.unlock(); }, InChild);
}();

}  // namespace

uint64_t ProcessNumber() noexcept { return process_number.load(std::memory_order_relaxed); }

ForkDelayed::ForkDelayed() { All().mutex.lock(); }

ForkDelayed::~ForkDelayed() { All().mutex.unlock(); }

void ForkDelayed::CloseInChildren(int fd, const std::string& path) {
  struct stat found {};
  if (fd < 0 || ::fstat(fd, &found) != 0) return;
  All().open.insert_or_assign(fd, Descriptor{found.st_dev, found.st_ino, path});
}

bool OpenInParent(const std::string& path) {
  Descriptors& all = All();
  const std::lock_guard lock(all.mutex);
  return all.of_parents.contains(path);
}

}  // namespace dsmsg
