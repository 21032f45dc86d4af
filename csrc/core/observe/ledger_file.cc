// SPDX-License-Identifier: Apache-2.0
#include "core/observe/ledger_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/base/fork.h"

namespace dsmsg {
namespace {

// The size of the open file; -1 if it is not open or its path names another file by now.
int64_t SizeIfNamed(int fd, const std::string& path) {
  struct stat open {
  }, named{};
  const bool same = fd >= 0 && ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
                    open.st_ino == named.st_ino && open.st_dev == named.st_dev;
  return same ? static_cast<int64_t>(open.st_size) : -1;
}

bool EndsWithinALine(int fd, int64_t size) {
  char last = '\n';
  return size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

Status LedgerFile::Error(int error) const {
  return {Code::kUnavailable, "ledger-file=" + path_ +
                                  ": cannot be written: " + std::generic_category().message(error) +
                                  " (does the directory exist, and may this user write there?)"};
}

Status LedgerFile::Open() {
  ForkDelayed fork;
  file_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!file_.valid()) return Error(errno);
  struct flock own {};
  own.l_type = F_WRLCK;
  own.l_whence = SEEK_SET;
  own.l_start = kLocked + connection_;
  own.l_len = 1;
  // A file system without locks: the reader then takes every connection for ended.
  [[maybe_unused]] const int locked = ::fcntl(file_.get(), F_OFD_SETLK, &own);
  fork.CloseInChildren(file_.get());
  return {};
}

Status LedgerFile::Append(std::string_view lines) {
  int64_t size = SizeIfNamed(file_.get(), path_);
  const bool full = size > 0 && static_cast<uint64_t>(size) + lines.size() > max_bytes_ / 2;
  if (full && ::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return Error(errno);
  std::string text;
  if (size < 0 || full) {
    if (Status opened = Open(); !opened.ok()) return opened;
    size = SizeIfNamed(file_.get(), path_);
    if (EndsWithinALine(file_.get(), size)) text = '\n';
    text += head_();
  }
  text += lines;
  Status written = Write(text);
  if (!written.ok()) file_.Reset();  // the next one looks how the file ends
  return written;
}

Status LedgerFile::Write(std::string_view text) {
  struct stat before {};
  if (::fstat(file_.get(), &before) != 0) return Error(errno);
  ssize_t written;  // one write, so that lines of several processes do not mix
  do {
    written = ::write(file_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) return {};
  const int error = written < 0 ? errno : ENOSPC;
  struct stat after {};
  if (written > 0 && ::fstat(file_.get(), &after) == 0 &&
      after.st_size == before.st_size + written) {
    [[maybe_unused]] const int cut = ::ftruncate(file_.get(), before.st_size);
  }
  return Error(error);
}

}  // namespace dsmsg
