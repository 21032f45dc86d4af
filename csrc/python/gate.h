// SPDX-License-Identifier: Apache-2.0
// Keeps `disconnect` out during a call into the adaptor, and calls out after it.
//
// Threads: any. A child made by fork finds it closed.
#ifndef DSMSG_PYTHON_GATE_H_
#define DSMSG_PYTHON_GATE_H_

#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace dsmsg::python {

/// Becomes dsmsg.ClosedError.
struct Closed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Gate {
 public:
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) { gate_.Enter(); }
    ~Pass() { gate_.Leave(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };

  /// No call begins after this; waits for those that run. Without Python's lock.
  void Close() {
    if (getpid() != process_) return;
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.wait(lock, [this] { return calls_ == 0; });
  }

 private:
  void Enter() {
    // Before the lock, which a thread of the parent may have held.
    if (getpid() != process_) {
      throw Closed(
          "this connection belongs to the parent process: after fork(), the child must "
          "open its own connection");
    }
    const std::lock_guard lock(mutex_);
    if (closed_) throw Closed("the connection is closed");
    ++calls_;
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    if (--calls_ == 0) changed_.notify_all();
  }

  const pid_t process_ = getpid();
  std::mutex mutex_;
  std::condition_variable changed_;
  int calls_ = 0;
  bool closed_ = false;
};

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_GATE_H_
