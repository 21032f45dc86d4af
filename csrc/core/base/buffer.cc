// SPDX-License-Identifier: Apache-2.0
#include "core/base/buffer.h"

#include <array>
#include <atomic>
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

/// The free blocks. Shared by the pool and every buffer in use; the last owner frees it.
/// Thread-safe; one mutex per class, held for a few instructions.
struct Buffer::Shelves {
  // A free block holds the link to the next one, so that keeping it needs no memory (and cannot
  // fail).
  struct Link {
    Link* next;
  };
  struct alignas(64) Shelf {
    std::mutex mutex;
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

  uint8_t* Take(size_t capacity) noexcept {
    Shelf& shelf = shelves[ClassOf(capacity)];
    const std::lock_guard<std::mutex> lock(shelf.mutex);
    if (shelf.first == nullptr) return nullptr;
    Link* block = std::exchange(shelf.first, shelf.first->next);
    shelf.bytes -= capacity;
    kept.fetch_sub(capacity, std::memory_order_relaxed);
    return reinterpret_cast<uint8_t*>(block);
  }

  bool Keep(uint8_t* data, size_t capacity) noexcept {
    // Reserved before the block is added, so the bound always holds.
    if (kept.fetch_add(capacity, std::memory_order_relaxed) + capacity > BufferPool::kMaxKept) {
      kept.fetch_sub(capacity, std::memory_order_relaxed);
      return false;
    }
    Shelf& shelf = shelves[ClassOf(capacity)];
    const std::lock_guard<std::mutex> lock(shelf.mutex);
    if (shelf.bytes + capacity > kMaxKeptOfClass) {
      kept.fetch_sub(capacity, std::memory_order_relaxed);
      return false;
    }
    Guard(data + sizeof(Link), capacity - sizeof(Link));
    shelf.first = new (data) Link{shelf.first};
    shelf.bytes += capacity;
    return true;
  }

  std::array<Shelf, kClasses> shelves;
  std::atomic<size_t> kept{0};
};

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    Release();
    home_ = std::move(other.home_);
    shared_ = std::move(other.shared_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

void Buffer::Release() noexcept {
  if (data_ != nullptr && shared_ == nullptr) {
    Unguard(data_, capacity_);
    if (capacity_ > BufferPool::kMaxBlock || !home_->Keep(data_, capacity_)) std::free(data_);
  }
  data_ = nullptr;
  size_ = capacity_ = 0;
  home_.reset();
  shared_.reset();
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

BufferPool::BufferPool() : shelves_(std::make_shared<Buffer::Shelves>()) {}

Buffer BufferPool::Get(size_t size) noexcept {
  const bool pooled = size <= kMaxBlock;
  const size_t capacity = !pooled ? size : std::bit_ceil(size < kMinBlock ? kMinBlock : size);
  uint8_t* data = pooled ? shelves_->Take(capacity) : nullptr;
  if (data == nullptr) data = static_cast<uint8_t*>(std::malloc(capacity));
  if (data == nullptr) return {};
  Unguard(data, size);
  Guard(data + size, capacity - size);
  return Buffer(shelves_, data, size, capacity);
}

size_t BufferPool::kept_bytes() const noexcept {
  return shelves_->kept.load(std::memory_order_relaxed);
}

}  // namespace dsmsg
