// SPDX-License-Identifier: Apache-2.0
#include "core/queue/letter_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "core/base/fork.h"

namespace dsmsg {
namespace {

namespace fs = std::filesystem;

// Sizes are read again after this time, because files may be removed or another process may add to
// them.
constexpr Millis kCountPause{100};

Status SystemError(const std::string& path, int error) {
  return {Code::kUnavailable, path + ": " + std::generic_category().message(error)};
}

}  // namespace

std::shared_ptr<LetterFolder> LetterFolder::Of(const std::string& path) {
  struct Known {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<LetterFolder>> folders;
  };
  static PerProcess<Known> processes;
  Known& known = processes.Get();
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  const std::string name = error ? path : canonical.string();
  const std::lock_guard lock(known.mutex);
  std::weak_ptr<LetterFolder>& kept = known.folders[name];
  std::shared_ptr<LetterFolder> folder = kept.lock();
  if (folder == nullptr) {
    folder = std::make_shared<LetterFolder>(name);
    kept = folder;
  }
  return folder;
}

Status LetterFolder::Append(const std::string& name, std::string_view line, uint64_t max_bytes) {
  const std::string path = path_ + '/' + name;
  const std::lock_guard lock(mutex_);
  if (Clock::now() >= count_again_) Count();
  if (bytes_ + line.size() > max_bytes) {
    return {Code::kWouldBlock, "full (dead-letter-max-bytes=" + std::to_string(max_bytes) + ")"};
  }
  if (Status status = Open(path); !status.ok()) return status;
  const std::string text = (half_ ? "\n" : "") + std::string(line);
  struct stat before {};
  if (::fstat(file_.get(), &before) != 0) return SystemError(path, errno);
  // One write per line, so that lines from several processes do not mix.
  ssize_t written;
  do {
    written = ::write(file_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) {
    bytes_ += text.size();
    half_ = false;
    return {};
  }
  const int error = written < 0 ? errno : ENOSPC;
  // An incomplete line is removed, unless something has been written after it.
  struct stat after {};
  if (written > 0 && ::fstat(file_.get(), &after) == 0 &&
      after.st_size == before.st_size + written) {
    [[maybe_unused]] const int cut = ::ftruncate(file_.get(), before.st_size);
  }
  open_path_.clear();  // Open checks how the file ends
  return SystemError(path, error);
}

bool LetterFolder::IsStillOpen(const std::string& path) const {
  struct stat open {
  }, named{};
  return path == open_path_ && ::fstat(file_.get(), &open) == 0 &&
         ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

Status LetterFolder::Open(const std::string& path) {
  if (IsStillOpen(path)) return {};
  constexpr int kFlags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC;
  file_ = UniqueFd(::open(path.c_str(), kFlags, 0640));
  if (!file_.valid() && errno == ENOENT) {
    std::error_code ignored;
    fs::create_directories(path_, ignored);
    file_ = UniqueFd(::open(path.c_str(), kFlags, 0640));
  }
  open_path_.clear();
  if (!file_.valid()) return SystemError(path, errno);
  struct stat facts {};
  char last = '\n';
  half_ = ::fstat(file_.get(), &facts) == 0 && facts.st_size > 0 &&
          ::pread(file_.get(), &last, 1, facts.st_size - 1) == 1 && last != '\n';
  open_path_ = path;
  return {};
}

void LetterFolder::Count() {
  bytes_ = 0;
  std::error_code error;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(kPrefix)) continue;
    std::error_code gone;
    const uintmax_t size = it->file_size(gone);
    if (!gone) bytes_ += size;
  }
  count_again_ = Clock::now() + kCountPause;
}

}  // namespace dsmsg
