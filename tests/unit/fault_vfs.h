// SPDX-License-Identifier: Apache-2.0
// A disk under SQLite that a test can fill up, break, or stop. Everything else goes to the system's
// VFS. Any thread.
#ifndef DSMSG_TESTS_FAULT_VFS_H_
#define DSMSG_TESTS_FAULT_VFS_H_

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace dsmsg {

class FaultVfs {
 public:
  static constexpr char kName[] = "dsmsg-fault";

  /// Registered once, for good: SQLite keeps a pointer.
  static FaultVfs& Get() {
    static FaultVfs* vfs = new FaultVfs();
    return *vfs;
  }

  /// SQLITE_OK: works. SQLITE_FULL, SQLITE_IOERR_WRITE: every write answers that.
  void FailWrites(int code) { write_code_ = code; }
  /// The next write fails.
  void FailOnce(int code) { once_code_ = code; }
  /// That many writes work, then the disk is full.
  void FullAfter(int writes) {
    writes_left_ = writes;
    FailWrites(SQLITE_FULL);
  }
  /// Every read answers SQLITE_IOERR_READ.
  void FailReads(bool fail) { fail_reads_ = fail; }

  /// Writes wait from now on, until Unblock.
  void Block() {
    const std::lock_guard lock(mutex_);
    blocked_ = true;
  }
  void Unblock() {
    const std::lock_guard lock(mutex_);
    blocked_ = false;
    changed_cv_.notify_all();
  }
  /// Returns when a write waits.
  void WaitBlocked() {
    std::unique_lock lock(mutex_);
    changed_cv_.wait(lock, [this] { return waiting_ > 0; });
  }
  void Reset() {
    FailWrites(SQLITE_OK);
    FailOnce(SQLITE_OK);
    writes_left_ = 0;
    FailReads(false);
    Unblock();
  }
  /// Whether it is the default VFS.
  void MakeDefault(bool yes) { sqlite3_vfs_register(yes ? &vfs_ : real_, 1); }

  int syncs() const { return syncs_; }
  int writes() const { return writes_; }

 private:
  struct File {
    sqlite3_file base;
    sqlite3_file* real;  // the VFS below this one
  };

  FaultVfs() : real_(sqlite3_vfs_find(nullptr)) {
    vfs_ = *real_;
    vfs_.zName = kName;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = Open;
    sqlite3_vfs_register(&vfs_, 0);
  }

  static sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    File* wrapper = reinterpret_cast<File*>(file);
    wrapper->real = reinterpret_cast<sqlite3_file*>(wrapper + 1);
    FaultVfs& self = Get();
    const int code = self.real_->xOpen(self.real_, name, wrapper->real, flags, out_flags);
    wrapper->base.pMethods = wrapper->real->pMethods == nullptr ? nullptr : Methods();
    return code;
  }

  int BeforeWrite() {
    ++writes_;
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_cv_.notify_all();
    changed_cv_.wait(lock, [this] { return !blocked_; });
    --waiting_;
    if (writes_left_ > 0) {
      --writes_left_;
      return SQLITE_OK;
    }
    if (const int code = once_code_.exchange(SQLITE_OK); code != SQLITE_OK) return code;
    return write_code_;
  }

  static int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    if (Get().fail_reads_) return SQLITE_IOERR_READ;
    return Real(file)->pMethods->xRead(Real(file), data, size, offset);
  }
  static int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const int code = Get().BeforeWrite();
    return code != SQLITE_OK ? code : Real(file)->pMethods->xWrite(Real(file), data, size, offset);
  }
  static int Sync(sqlite3_file* file, int flags) {
    ++Get().syncs_;
    return Real(file)->pMethods->xSync(Real(file), flags);
  }

  static const sqlite3_io_methods* Methods() {
    static const sqlite3_io_methods kMethods = {
        2,
        [](sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); },
        Read,
        Write,
        [](sqlite3_file* f, sqlite3_int64 size) {
          return Real(f)->pMethods->xTruncate(Real(f), size);
        },
        Sync,
        [](sqlite3_file* f, sqlite3_int64* size) {
          return Real(f)->pMethods->xFileSize(Real(f), size);
        },
        [](sqlite3_file* f, int lock) { return Real(f)->pMethods->xLock(Real(f), lock); },
        [](sqlite3_file* f, int lock) { return Real(f)->pMethods->xUnlock(Real(f), lock); },
        [](sqlite3_file* f, int* out) {
          return Real(f)->pMethods->xCheckReservedLock(Real(f), out);
        },
        [](sqlite3_file* f, int op, void* argument) {
          return Real(f)->pMethods->xFileControl(Real(f), op, argument);
        },
        [](sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); },
        [](sqlite3_file* f) { return Real(f)->pMethods->xDeviceCharacteristics(Real(f)); },
        [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
          return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, out);
        },
        [](sqlite3_file* f, int offset, int n, int flags) {
          return Real(f)->pMethods->xShmLock(Real(f), offset, n, flags);
        },
        [](sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); },
        [](sqlite3_file* f, int remove) { return Real(f)->pMethods->xShmUnmap(Real(f), remove); },
        nullptr,
        nullptr,
    };
    return &kMethods;
  }

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  std::atomic<int> write_code_{SQLITE_OK}, once_code_{SQLITE_OK}, syncs_{0}, writes_{0},
      writes_left_{0};
  std::atomic<bool> fail_reads_{false};
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_cv_;
  bool blocked_ = false;
  int waiting_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_TESTS_FAULT_VFS_H_
