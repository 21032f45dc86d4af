// SPDX-License-Identifier: Apache-2.0
// Payload buffers that are reused instead of being freed, because a pipeline sends the same sizes
// thousands of times a second.
#ifndef DSMSG_CORE_BASE_BUFFER_H_
#define DSMSG_CORE_BASE_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace dsmsg {

class BufferPool;

/// Uninitialized memory with one owner; goes back to its pool when destroyed, on whatever thread
/// that is. One thread at a time; different buffers are independent. May outlive the last
/// BufferPool (the pool's insides live until the last buffer is gone). An empty one (no memory, or
/// moved from) is false. Memory that was shared goes back with its last owner.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : home_(std::exchange(other.home_, nullptr)),
        shared_(std::move(other.shared_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { Release(); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  explicit operator bool() const { return data_ != nullptr; }

  /// Gives the memory back now; the buffer is then empty.
  void Release() noexcept;

  /// Another owner of the memory, for whoever may read it after this buffer is gone. Throws
  /// std::bad_alloc.
  std::shared_ptr<const void> Share();

 private:
  friend class BufferPool;
  struct Shelves;
  Buffer(Shelves* home, uint8_t* data, size_t size, size_t capacity) noexcept
      : home_(home), data_(data), size_(size), capacity_(capacity) {}

  Shelves* home_ = nullptr;         // which lives as long as its buffers; null when shared
  std::shared_ptr<Buffer> shared_;  // the one that gives the memory back
  uint8_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

/// Size classes of powers of two from 256 bytes to 64 KiB, each a bounded list of free blocks,
/// under one mutex; larger blocks come from malloc and go back to it. At most kMaxKept bytes are
/// kept in all. Thread-safe: any thread may Get, any thread may drop a Buffer. A copy is the same
/// pool.
class BufferPool {
 public:
  static constexpr size_t kMinBlock = 256;
  static constexpr size_t kMaxBlock = size_t{64} << 10;
  static constexpr size_t kMaxKept = size_t{8} << 20;

  BufferPool();

  /// A buffer of `size` bytes, not initialized; for size 0 still a valid one. Empty when there is
  /// no memory.
  Buffer Get(size_t size) noexcept;
  /// Releases many at once, which costs less than each alone.
  static void TakeBack(std::span<Buffer> buffers) noexcept;
  /// Bytes that wait for use, for metrics and tests.
  size_t kept_bytes() const noexcept;

 private:
  std::shared_ptr<Buffer::Shelves> shelves_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_BUFFER_H_
