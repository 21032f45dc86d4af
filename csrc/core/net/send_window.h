// SPDX-License-Identifier: Apache-2.0
// How many messages may be under way, with hysteresis: once the window is full, nothing is taken
// until a quarter of it is free, or kBurst messages, so that the next burst is worth its system
// calls. More than that would leave a part of the window unused, which counts where its size is the
// limit (a disk or a network that takes long). A value; one thread at a time.
#ifndef DSMSG_CORE_NET_SEND_WINDOW_H_
#define DSMSG_CORE_NET_SEND_WINDOW_H_

#include <algorithm>
#include <cstddef>

namespace dsmsg {

class SendWindow {
 public:
  /// Unsent bytes that make a write worth it: a system call is cheap beside the messages in them,
  /// and the server begins to work on them while more are added.
  static constexpr size_t kFlushAt = size_t{48} << 10;

  static constexpr size_t kBurst = 64;

  /// A new connection: at most `size` messages may be under way.
  void Reset(size_t size) {
    size_ = size;
    full_ = false;
  }
  size_t size() const { return size_; }
  /// The driver answers kWouldBlock.
  bool full() const { return full_; }
  void Fill() { full_ = true; }
  /// Whether another message may be taken. `room`: what the driver itself asks for.
  bool Takes(size_t under_way, bool room = true) {
    full_ = full_ || !room || under_way >= size_;
    return !full_;
  }
  /// After answers came: true when it was full and takes messages again.
  bool Reopens(size_t under_way, bool room = true) {
    if (!full_ || !room || under_way > size_ - std::min((size_ + 3) / 4, kBurst)) return false;
    full_ = false;
    return true;
  }

 private:
  size_t size_ = 0;
  bool full_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_SEND_WINDOW_H_
