// SPDX-License-Identifier: Apache-2.0
#include "core/spool/spool_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/base/digest.h"
#include "core/base/encoding.h"
#include "core/base/fork.h"
#include "core/base/limits.h"

namespace dsmsg {
namespace {

namespace fs = std::filesystem;

constexpr int kMostFiles = 1000;
constexpr mode_t kPrivate = 0600;  // no other user may read payloads

Status SystemError(const std::string& what, const std::string& path, int error) {
  std::string_view advice = LimitAdvice(error);
  if (error == EACCES || error == EROFS || error == EPERM) {
    advice = " (may this user write to spool-dir?)";
  } else if (error == ENOENT || error == ENOTDIR) {
    advice = " (is spool-dir right?)";
  }
  return {Code::kUnavailable,
          "cannot " + what + " " + path + ": " + std::strerror(error) + std::string(advice)};
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status RenameIfThere(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return SystemError("rename", from + " to " + to, errno);
}

Status MakeDirectory(const std::string& dir) {
  std::error_code error;
  if (fs::is_directory(dir, error)) return {};
  const fs::path parent = fs::path(dir).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) return SystemError("make directory", parent.string(), error.value());
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError("make directory", dir, errno);
  }
  if (!fs::is_directory(dir, error)) return SystemError("use as directory", dir, ENOTDIR);
  return {};
}

// The number in "<stem>-<number>.db", also for a file set aside while its rows are copied.
std::optional<int> NumberOf(std::string_view file, std::string_view stem) {
  const std::string_view end_of_name = file.ends_with(".salvage.db") ? ".salvage.db" : ".db";
  if (file.size() <= stem.size() + 1 + end_of_name.size() || !file.starts_with(stem) ||
      file[stem.size()] != '-' || !file.ends_with(end_of_name)) {
    return std::nullopt;
  }
  const std::string_view digits =
      file.substr(stem.size() + 1, file.size() - stem.size() - 1 - end_of_name.size());
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

// A forked child must not hold the lock after this process ends.
UniqueFd OpenLock(const std::string& path) {
  ForkDelayed delayed;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivate));
  const int error = errno;
  if (fd.valid()) delayed.CloseInChildren(fd.get(), path);
  errno = error;
  return fd;
}

// Tells a person which process holds the lock.
void WriteOwner(int fd) {
  const std::string owner = "pid " + std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(fd, owner.data(), owner.size(), 0);
  }
}

std::string UtcStamp() {
  const std::time_t now = std::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  const size_t length = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, length};
}

}  // namespace

std::string SpoolStem(const SpoolIdentity& identity) {
  std::string text;
  for (const std::string& part : {identity.protocol, identity.endpoint, identity.name}) {
    text += std::to_string(part.size()) + ":" + part;  // different identities give different texts
  }
  std::string stem;
  for (const char c : identity.protocol) {
    const auto byte = static_cast<unsigned char>(c);
    stem += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  return stem + "-" + ToHex(Sha256(text).substr(0, 8));
}

// `busy`: another process holds it. Its owner may have deleted the lock file between our open and
// our lock; then the lock is worthless and the file is opened again.
Result<SpoolFile> SpoolFile::TryLock(const std::string& stem, int number, bool* busy) {
  *busy = false;
  SpoolFile file;
  const std::string base = stem + "-" + std::to_string(number);
  file.path_ = base + ".db";
  file.lock_path_ = base + ".lock";
  file.number_ = number;
  if (OpenInParent(file.lock_path_)) {
    *busy = true;
    return Status(Code::kUnavailable, file.lock_path_ + " belongs to the parent process");
  }
  while (true) {
    file.lock_ = OpenLock(file.lock_path_);
    if (!file.lock_.valid()) return SystemError("open", file.lock_path_, errno);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file.lock_.get(), F_OFD_SETLK, &whole) != 0) {
      *busy = errno == EAGAIN || errno == EACCES;
      return SystemError("lock", file.lock_path_, errno);
    }
    struct stat held {
    }, named{};
    if (::fstat(file.lock_.get(), &held) == 0 && ::stat(file.lock_path_.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      break;
    }
  }
  WriteOwner(file.lock_.get());
  return file;
}

Result<SpoolFile> SpoolFile::Claim(const SpoolIdentity& identity) {
  if (Status status = MakeDirectory(identity.dir); !status.ok()) return status;
  const std::string stem = (fs::path(identity.dir) / SpoolStem(identity)).string();
  for (int number = 0; number < kMostFiles; ++number) {
    bool busy = false;
    Result<SpoolFile> file = TryLock(stem, number, &busy);
    if (!file.ok()) {
      if (busy) continue;
      return file.status();
    }
    if (Status status = file->Create(); !status.ok()) return status;
    return file;
  }
  return Status(Code::kUnavailable, std::to_string(kMostFiles) + " spools of " + identity.endpoint +
                                        " are in use in " + identity.dir);
}

std::vector<SpoolFile> SpoolFile::ClaimLeftovers(const SpoolIdentity& identity) {
  const std::string stem = SpoolStem(identity);
  std::vector<int> numbers;
  std::error_code error;
  for (fs::directory_iterator it(identity.dir, error), end; !error && it != end;
       it.increment(error)) {
    if (const auto number = NumberOf(it->path().filename().string(), stem)) {
      numbers.push_back(*number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<SpoolFile> files;
  for (const int number : numbers) {
    bool busy = false;
    Result<SpoolFile> file = TryLock((fs::path(identity.dir) / stem).string(), number, &busy);
    if (!file.ok()) continue;
    // Its last owner may have delivered everything and deleted it since we checked.
    if (!Exists(file->path()) && !Exists(file->AsidePath())) {
      file->Discard();
      continue;
    }
    files.push_back(std::move(file.value()));
  }
  return files;
}

Status SpoolFile::Create() const {
  const UniqueFd database(
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivate));
  return database.valid() ? Status() : SystemError("open", path_, errno);
}

// ---------------------------------------------------------------- damaged files

// After a kill between any two of these steps, PutBack must be able to continue: as long as a
// database is set aside, it has all rows, and the database under the original name has none of its
// own. Its log is next to it, or still (or already) has the original name; then the database of
// that name is missing or empty, because a database that SQLite has written to is not empty when it
// gets a log. The same holds after a power failure: where the order of two steps matters, the first
// is on disk before the second begins.

Result<std::string> SpoolFile::SetAside() const {
  const std::string aside = AsidePath();
  if (::unlink((aside + "-wal").c_str()) == 0) {  // KeepAside was interrupted
    if (Status status = SyncDirectory(); !status.ok()) return status;
  }
  if (::rename(path_.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return std::string();
    return SystemError("rename", path_ + " to " + aside, errno);
  }
  Status status = SyncDirectory();
  // SQLite finds the log by the name of the database.
  if (status.ok()) status = RenameIfThere(path_ + "-wal", aside + "-wal");
  if (!status.ok()) return status;
  ::unlink((path_ + "-shm").c_str());
  return aside;
}

Result<bool> SpoolFile::PutBack() const {
  const std::string aside = AsidePath();
  if (!Exists(aside)) return false;
  struct stat facts {};
  Status status;
  if (::stat(path_.c_str(), &facts) == 0 && facts.st_size > 0) {
    ::unlink((path_ + "-wal").c_str());
    status = SyncDirectory();
  }
  if (!status.ok()) return status;
  for (const std::string& useless : {path_, path_ + "-shm", aside + "-shm"}) {
    ::unlink(useless.c_str());
  }
  status = SyncDirectory();
  if (status.ok()) status = RenameIfThere(aside + "-wal", path_ + "-wal");
  if (status.ok()) status = SyncDirectory();
  if (status.ok()) status = RenameIfThere(aside, path_);
  if (status.ok()) status = SyncDirectory();
  if (!status.ok()) return status;
  return true;
}

Result<std::string> SpoolFile::KeepAside() const {
  const std::string aside = AsidePath(), base = Base() + ".corrupt-" + UtcStamp();
  std::string target = base + ".db";
  for (int i = 1; Exists(target); ++i) target = base + "-" + std::to_string(i) + ".db";
  Status status = RenameIfThere(aside, target);
  // From here on the new file is the spool and may have its own rows.
  if (status.ok()) status = SyncDirectory();
  if (!status.ok()) return status;
  if (::rename((aside + "-wal").c_str(), (target + "-wal").c_str()) != 0) {
    ::unlink((aside + "-wal").c_str());
  }
  ::unlink((aside + "-shm").c_str());
  return target;
}

void SpoolFile::DeleteDatabase() const {
  for (const char* end : {"", "-wal", "-shm"}) ::unlink((path_ + end).c_str());
}

void SpoolFile::Discard() {
  DeleteDatabase();
  ::unlink(lock_path_.c_str());  // while we hold it: see TryLock
  lock_.Reset();
}

Status SpoolFile::SyncDirectory() const {
  const std::string dir = fs::path(path_).parent_path().string();
  const UniqueFd fd(::open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return SystemError("open", dir, errno);
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return SystemError("sync", dir, errno);
  return {};
}

}  // namespace dsmsg
