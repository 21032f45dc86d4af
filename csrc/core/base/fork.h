// SPDX-License-Identifier: Apache-2.0
// fork(): a child has all of the parent's memory and descriptors, but only one thread, and locks
// whose owners no longer exist.
//
// State of the process (not of a connection) is therefore kept in PerProcess: a child starts with
// new state and never looks at the parent's, which stays as it is. Descriptors that would keep
// something alive beyond the parent's end (the lock of a spool, a connection, a bound port) are
// registered with CloseInChildren.
//
// Threads: every function from any thread. The handlers are pthread_atfork's, one set for each
// library that contains this file; they allocate, which glibc allows in a child.
#ifndef DSMSG_CORE_BASE_FORK_H_
#define DSMSG_CORE_BASE_FORK_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace dsmsg {

/// 0 in the process that loaded the library, one more in each child of a process.
uint64_t ProcessNumber() noexcept;

/// Tells whether this is still the process that created the stamp, and not a child.
class ProcessStamp {
 public:
  /// False in a child: what belongs to the stamp is the parent's, with the parent's locks.
  bool is_here() const noexcept { return number_ == ProcessNumber(); }

 private:
  uint64_t number_ = ProcessNumber();
};

/// A T that each process creates on first use. Never destroyed, because threads use
/// it until the very end of a process. T's constructor may run twice at the same time; one of the
/// two is kept.
template <class T>
class PerProcess {
 public:
  constexpr PerProcess() = default;
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;

  template <class... Args>
  T& Get(const Args&... args) {
    const uint64_t process = ProcessNumber();
    Kept* kept = kept_.load(std::memory_order_acquire);
    if (kept != nullptr && kept->process == process) return kept->value;
    auto* const fresh = new Kept(process, args...);
    while (kept == nullptr || kept->process != process) {
      if (kept_.compare_exchange_weak(kept, fresh, std::memory_order_acq_rel)) return fresh->value;
    }
    delete fresh;
    return kept->value;
  }

 private:
  struct Kept {
    template <class... Args>
    explicit Kept(uint64_t number, const Args&... args) : process(number), value(args...) {}
    const uint64_t process;
    T value;
  };
  std::atomic<Kept*> kept_{nullptr};
};

/// Prevents fork() while it lives: between opening a descriptor and registering it here. Hold it
/// briefly, and never while waiting for another thread.
class ForkDelayed {
 public:
  ForkDelayed();
  ~ForkDelayed();
  ForkDelayed(const ForkDelayed&) = delete;
  ForkDelayed& operator=(const ForkDelayed&) = delete;

  /// A child closes its copy of this socket or file, unless the number belongs to another file by
  /// then. The call need not be undone. `path`: see OpenInParent.
  void CloseInChildren(int fd, const std::string& path = {});
};

/// The same for a descriptor that a child may keep if it is made right now.
inline void CloseInChildren(int fd) { ForkDelayed().CloseInChildren(fd); }

/// In a child: a parent had a descriptor of this path when the child was made. What other libraries
/// keep in memory for that file is as the parent left it, so that the child must not use the file.
bool OpenInParent(const std::string& path);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_FORK_H_
