// SPDX-License-Identifier: Apache-2.0
#include "evidence/folder_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/fd.h"
#include "core/base/limits.h"
#include "evidence/picture_name.h"

namespace dsmsg::evidence {
namespace {

constexpr std::chrono::minutes kCountEvery{5};
constexpr time_t kPartIsLeft = 60 * 60;  // seconds; an older one was left by a process that ended

std::string Reason(int error) {
  std::string text = std::strerror(error);
  if (error == ENOSPC || error == EDQUOT)
    return text + " (make room, or set max-bytes so that the oldest pictures are deleted)";
  if (error == EACCES || error == EPERM || error == EROFS)
    return text + " (may this user write there?)";
  return text + std::string(LimitAdvice(error));
}

Status Failed(const std::string& what, const std::string& path, int error) {
  return {Code::kUnavailable, "cannot " + what + " " + path + ": " + Reason(error)};
}

struct Entry {
  std::string name;
  uint64_t size = 0;
  time_t changed = 0;
};

/// The regular files, or the folders, whose names `wanted` takes, in order. Links are left out.
std::vector<Entry> List(const std::string& folder, bool folders, bool (*wanted)(std::string_view)) {
  std::vector<Entry> entries;
  DIR* const dir = opendir(folder.c_str());
  if (dir == nullptr) return entries;
  while (const dirent* const entry = readdir(dir)) {
    struct stat about {};
    if (!wanted(entry->d_name) ||
        fstatat(dirfd(dir), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (folders ? !S_ISDIR(about.st_mode) : !S_ISREG(about.st_mode)) continue;
    entries.push_back({entry->d_name, static_cast<uint64_t>(about.st_size), about.st_mtime});
  }
  closedir(dir);
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

Status WriteAll(int fd, const std::string& bytes, const std::string& path) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t written = write(fd, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed("write", path, written < 0 ? errno : ENOSPC);
    at += static_cast<size_t>(written);
  }
  return {};
}

int OpenPart(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

// The name of a picture of this time, as far as the seconds.
std::string StartOf(int64_t unix_ms) {
  PictureName name;
  name.time_ns = static_cast<uint64_t>(std::max<int64_t>(unix_ms, 0)) * 1'000'000;
  return TextOf(name).substr(0, std::string_view("2026-11-30/101530").size());
}

}  // namespace

Result<std::shared_ptr<FolderStore>> FolderStore::Open(const EvidenceSettings& settings) {
  const std::string& folder = settings.folder;
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    const int error = errno;
    const Status status = Failed("make the folder", folder, error);
    return Status(Code::kInvalidArgument, "evidence: " + status.message());
  }
  struct stat about {};
  if (stat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode))
    return Status(Code::kInvalidArgument, "evidence: " + folder + " is not a folder");
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return Status(Code::kInvalidArgument,
                  "evidence: " + Failed("write to", folder, errno).message());
  }
  std::shared_ptr<FolderStore> store(new FolderStore(settings));
  return store;
}

std::string FolderStore::Uri(const std::string& name) const {
  std::string uri = "file://";
  AppendPercentEncoded(folder_ + "/" + name, "/", &uri);
  return uri;
}

void FolderStore::Put(const std::string& name, const std::string& bytes, Done done) {
  if (max_bytes_ > 0) DeleteOldest(bytes.size());
  const Status status = Write(name, bytes);
  if (status.ok()) days_[name.substr(0, name.find('/'))] += bytes.size();
  done(status);
}

Status FolderStore::Write(const std::string& name, const std::string& bytes) {
  const size_t slash = name.find('/');
  const std::string day = folder_ + "/" + name.substr(0, slash);
  if (Status status = MakeDay(day); !status.ok()) return status;
  const std::string path = folder_ + "/" + name;
  const std::string part = day + "/." + name.substr(slash + 1) + ".part";
  Status status;
  {
    UniqueFd file(OpenPart(part));
    if (!file.valid() && errno == ENOENT) {  // the folder has been deleted
      last_day_.clear();
      if (status = MakeDay(day); !status.ok()) return status;
      file = UniqueFd(OpenPart(part));
    }
    if (!file.valid()) return Failed("write", path, errno);
    status = WriteAll(file.get(), bytes, path);
    if (status.ok() && fsync_ && fsync(file.get()) != 0) status = Failed("write", path, errno);
  }
  if (status.ok() && rename(part.c_str(), path.c_str()) != 0) status = Failed("write", path, errno);
  if (!status.ok()) {
    unlink(part.c_str());
    return status;
  }
  return fsync_ ? SyncFolder(day) : status;
}

Status FolderStore::MakeDay(const std::string& day) {
  if (day == last_day_) return {};
  if (mkdir(day.c_str(), 0777) != 0 && errno != EEXIST)
    return Failed("make the folder", day, errno);
  if (fsync_) {
    if (Status status = SyncFolder(folder_); !status.ok()) return status;
  }
  last_day_ = day;
  return {};
}

// Without this a power failure may take the file's name.
Status FolderStore::SyncFolder(const std::string& folder) const {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return Failed("write", folder, errno);
  return {};
}

// ---------------------------------------------------------------- retention

void FolderStore::Tend() {
  if (max_age_.count() == 0 && max_bytes_ == 0) return;
  if (Clock::now() >= next_count_) Count();
  if (max_age_.count() > 0) DeleteOld();
  if (max_bytes_ > 0) DeleteOldest(0);
}

void FolderStore::Count() {
  next_count_ = Clock::now() + kCountEvery;
  days_.clear();
  for (const Entry& day : List(folder_, true, IsDay)) {
    const std::string path = folder_ + "/" + day.name;
    uint64_t& bytes = days_[day.name];
    for (const Entry& file : List(path, false, IsPicture)) bytes += file.size;
    for (const Entry& part : List(path, false, IsPart)) {
      if (part.changed + kPartIsLeft < time(nullptr)) unlink((path + "/" + part.name).c_str());
    }
  }
}

void FolderStore::DeleteOld() {
  const auto now =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
  const std::string oldest = StartOf((now - max_age_).count());
  while (!days_.empty() && days_.begin()->first <= oldest.substr(0, oldest.find('/'))) {
    const auto [day, bytes] = *days_.begin();
    const std::string path = folder_ + "/" + day;
    bool all = true;
    for (const Entry& file : List(path, false, IsPicture)) {
      if (day + "/" + file.name >= oldest) {
        all = false;
        break;
      }
      if (unlink((path + "/" + file.name).c_str()) == 0)
        days_[day] -= std::min(days_[day], file.size);
    }
    if (!all) return;
    rmdir(path.c_str());  // unless somebody else has a file there
    if (path == last_day_) last_day_.clear();
    days_.erase(day);
  }
}

void FolderStore::DeleteOldest(uint64_t wanted) {
  uint64_t total = wanted;
  for (const auto& [day, bytes] : days_) total += bytes;
  if (total <= max_bytes_) return;
  // A little more than needed, so that not every picture has the folder read again.
  const uint64_t limit = max_bytes_ - max_bytes_ / 20;
  while (total > limit && !days_.empty()) {
    const std::string day = days_.begin()->first, path = folder_ + "/" + day;
    for (const Entry& file : List(path, false, IsPicture)) {
      if (total <= limit) return;
      if (unlink((path + "/" + file.name).c_str()) != 0) continue;
      total -= std::min(total, file.size);
      days_[day] -= std::min(days_[day], file.size);
    }
    total -= std::min(total, days_[day]);
    rmdir(path.c_str());  // unless somebody else has a file there
    if (path == last_day_) last_day_.clear();
    days_.erase(day);
  }
}

}  // namespace dsmsg::evidence
