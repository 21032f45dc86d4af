// SPDX-License-Identifier: Apache-2.0
// One piece of work that waits, such as opening a connection, on a thread of its own, so that a
// node of a cluster that does not answer holds up no other.
//
// Threads: the I/O thread's, all functions. What the work touches belongs to its thread (named
// dsmsg-node) from Start until Take answered true or Cancel returned.
#ifndef DSMSG_CORE_BASE_BACKGROUND_H_
#define DSMSG_CORE_BASE_BACKGROUND_H_

#include <atomic>
#include <functional>
#include <thread>

#include "core/base/fd.h"
#include "core/base/status.h"

namespace dsmsg {

class Background {
 public:
  /// `ended` is signalled when a piece of work has ended; it outlives this object.
  explicit Background(WakeFd& ended) : ended_fd_(ended) {}
  ~Background() { Cancel(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Runs `work` with a descriptor that becomes readable when it is to stop. Only while nothing
  /// runs. Throws NoThreadError.
  void Start(std::function<Status(int cancel_fd)> work);
  bool running() const { return thread_.joinable(); }
  /// True once after the work has ended; *status is its result.
  bool Take(Status* status);
  /// Stops the work and waits for its end, which is near: it only waits for descriptors.
  void Cancel() noexcept;

 private:
  WakeFd& ended_fd_;
  WakeFd cancel_;
  std::thread thread_;
  std::atomic<bool> ended_{false};
  Status status_;  // written before ended_
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_BACKGROUND_H_
