// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace dsmsg::faults {

Journal::Journal(const std::string& path, size_t messages) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat about {};
  bool good = fd >= 0 && fstat(fd, &about) == 0;
  if (good && about.st_size == 0) {
    about.st_size = static_cast<off_t>(messages * sizeof(Entry));
    good = ftruncate(fd, about.st_size) == 0;
  }
  void* memory = MAP_FAILED;
  if (good) {
    memory = mmap(nullptr, static_cast<size_t>(about.st_size), PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd, 0);
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  if (memory == MAP_FAILED) {
    throw std::runtime_error("cannot map the journal " + path + ": " +
                             std::generic_category().message(error));
  }
  size_ = static_cast<size_t>(about.st_size) / sizeof(Entry);
  entries_ = static_cast<Entry*>(memory);
}

Journal::~Journal() { munmap(entries_, size_ * sizeof(Entry)); }

size_t Journal::End() const {
  size_t end = size_;
  while (end > 0 && entries_[end - 1].answer == kNever) --end;
  return end;
}

Journal::Counts Journal::Count(size_t first, size_t end) const {
  Counts counts;
  for (size_t i = first; i < end && i < size_; ++i) {
    const Entry& entry = entries_[i];
    const int calls = entry.calls, flag = entry.flag;
    counts.attempted += entry.answer != kNever;
    counts.accepted += entry.answer == kAccepted;
    counts.refused += entry.answer == kRefused;
    counts.called += calls > 0;
    counts.doubled += calls > 1;
    counts.ok += flag == 1 + NVDS_MSGAPI_OK;
    counts.err += flag == 1 + NVDS_MSGAPI_ERR;
    counts.unknown_topic += flag == 1 + NVDS_MSGAPI_UNKNOWN_TOPIC;
  }
  return counts;
}

}  // namespace dsmsg::faults
