// SPDX-License-Identifier: Apache-2.0
#include "core/base/buffer.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace dsmsg {
namespace {

constexpr size_t kClasses =
    static_cast<size_t>(std::countr_zero(BufferPool::kMaxBlock / BufferPool::kMinBlock)) + 1;
// No size class may use the whole allowance; otherwise a burst of one size would starve the others
// for good.
constexpr size_t kMaxKeptOfClass = BufferPool::kMaxKept / 2;

size_t ClassOf(size_t capacity) {
  return static_cast<size_t>(std::countr_zero(capacity / BufferPool::kMinBlock));
}

// With AddressSanitizer a pooled block is guarded as a freshly allocated one would be: reads after
// release and past the end are reported, though malloc and free see neither.
void Guard([[maybe_unused]] const uint8_t* begin, [[maybe_unused]] size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(begin, size);
#endif
}

void Unguard([[maybe_unused]] const uint8_t* begin, [[maybe_unused]] size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(begin, size);
#endif
}

}  // namespace

/// The free blocks. Lives until the last pool and the last buffer in use are gone. Thread-safe.
struct Buffer::Shelves {
  // A free block holds the link to the next one, so that keeping it needs no memory (and cannot
  // fail).
  struct Link {
    Link* next;
  };
  struct Shelf {
    Link* first = nullptr;
    size_t bytes = 0;
  };

  Shelves() = default;
  Shelves(const Shelves&) = delete;
  Shelves& operator=(const Shelves&) = delete;
  ~Shelves() {
    for (Shelf& shelf : shelves) {
      while (shelf.first != nullptr) std::free(std::exchange(shelf.first, shelf.first->next));
    }
  }

  /// The following expect the mutex to be held.
  uint8_t* Take(size_t capacity) noexcept {
    Shelf& shelf = shelves[ClassOf(capacity)];
    if (shelf.first == nullptr) return nullptr;
    Link* block = std::exchange(shelf.first, shelf.first->next);
    // The next taker needs it, and another core's cache has it.
    if (shelf.first != nullptr) __builtin_prefetch(shelf.first, 1);
    shelf.bytes -= capacity;
    kept -= capacity;
    return reinterpret_cast<uint8_t*>(block);
  }
  bool Keep(uint8_t* data, size_t capacity) noexcept {
    if (capacity > BufferPool::kMaxBlock || kept + capacity > BufferPool::kMaxKept) return false;
    Shelf& shelf = shelves[ClassOf(capacity)];
    if (shelf.bytes + capacity > kMaxKeptOfClass) return false;
    Guard(data + sizeof(Link), capacity - sizeof(Link));
    shelf.first = new (data) Link{shelf.first};
    shelf.bytes += capacity;
    kept += capacity;
    return true;
  }

  /// One user less: `pool`, or as many buffers. Unlocks, and may end this object.
  void Leave(std::unique_lock<std::mutex>* lock, bool pool, size_t buffers) noexcept {
    if (pool) has_pool = false;
    in_use -= buffers;
    const bool last = !has_pool && in_use == 0;
    lock->unlock();
    if (last) delete this;
  }

  std::mutex mutex;  // guards the following
  std::array<Shelf, kClasses> shelves;
  size_t kept = 0, in_use = 0;
  bool has_pool = true;
};

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    Release();
    home_ = std::exchange(other.home_, nullptr);
    shared_ = std::move(other.shared_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

void Buffer::Release() noexcept {
  if (data_ != nullptr) BufferPool::TakeBack({this, 1});
}

std::shared_ptr<const void> Buffer::Share() {
  if (shared_ == nullptr && data_ != nullptr) {
    uint8_t* const data = data_;
    const size_t size = size_, capacity = capacity_;
    auto shared = std::make_shared<Buffer>();
    *shared = std::move(*this);
    shared_ = std::move(shared);
    data_ = data;
    size_ = size;
    capacity_ = capacity;
  }
  return shared_;
}

BufferPool::BufferPool()
    : shelves_(new Buffer::Shelves, [](Buffer::Shelves* shelves) {
        std::unique_lock lock(shelves->mutex);
        shelves->Leave(&lock, true, 0);
      }) {}

Buffer BufferPool::Get(size_t size) noexcept {
  const bool pooled = size <= kMaxBlock;
  const size_t capacity = !pooled ? size : std::bit_ceil(size < kMinBlock ? kMinBlock : size);
  uint8_t* data = nullptr;
  {
    const std::lock_guard lock(shelves_->mutex);
    if (pooled) data = shelves_->Take(capacity);
    ++shelves_->in_use;
  }
  if (data == nullptr) data = static_cast<uint8_t*>(std::malloc(capacity));
  if (data == nullptr) {
    const std::lock_guard lock(shelves_->mutex);
    --shelves_->in_use;
    return {};
  }
  Unguard(data, size);
  Guard(data + size, capacity - size);
  return Buffer(shelves_.get(), data, size, capacity);
}

void BufferPool::TakeBack(std::span<Buffer> buffers) noexcept {
  for (Buffer& buffer : buffers) {
    if (buffer.home_ == nullptr) {  // its last owner gives it back
      buffer.data_ = nullptr;
      buffer.shared_.reset();
    } else {
      Unguard(buffer.data_, buffer.capacity_);
    }
  }
  for (size_t i = 0; i < buffers.size();) {
    Buffer::Shelves* const home = buffers[i].home_;
    if (home == nullptr) {
      ++i;
      continue;
    }
    size_t count = 0;
    std::unique_lock lock(home->mutex);
    for (; i < buffers.size() && buffers[i].home_ == home; ++i, ++count) {
      if (home->Keep(buffers[i].data_, buffers[i].capacity_)) buffers[i].data_ = nullptr;
      buffers[i].home_ = nullptr;
    }
    home->Leave(&lock, false, count);
  }
  for (Buffer& buffer : buffers) {
    std::free(std::exchange(buffer.data_, nullptr));  // what there was no room for
    buffer.size_ = buffer.capacity_ = 0;
  }
}

size_t BufferPool::kept_bytes() const noexcept {
  const std::lock_guard lock(shelves_->mutex);
  return shelves_->kept;
}

}  // namespace dsmsg
