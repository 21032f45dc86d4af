// SPDX-License-Identifier: Apache-2.0
// Descriptors with an owner, and wake-ups.
#ifndef DSMSG_CORE_BASE_FD_H_
#define DSMSG_CORE_BASE_FD_H_

#include <utility>

namespace dsmsg {

/// Owns a descriptor. One owner at a time.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

/// A wake-up that poll() can wait for (eventfd). Signal from any thread; Drain on the waiting one.
class WakeFd {
 public:
  WakeFd();
  int fd() const { return fd_.get(); }
  void Signal() noexcept;
  void Drain() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_FD_H_
