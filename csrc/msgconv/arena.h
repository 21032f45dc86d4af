// SPDX-License-Identifier: Apache-2.0
// Memory for the C structures of one frame, all freed at once. One thread at a time.
#ifndef DSMSG_MSGCONV_ARENA_H_
#define DSMSG_MSGCONV_ARENA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>

namespace dsmsg::msgconv {

class Arena {
 public:
  /// Memory handed out before becomes invalid.
  void Clear() { memory_.release(); }

  /// `count` zeroed values; nullptr for none.
  template <class T>
  T* Make(size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count == 0) return nullptr;
    void* const memory = memory_.allocate(count * sizeof(T), alignof(T));
    std::memset(memory, 0, count * sizeof(T));
    return static_cast<T*>(memory);
  }
  /// Zeroed memory for structures that are known by their offsets; nullptr for a size of 0.
  char* Block(size_t size) { return reinterpret_cast<char*>(Make<uint64_t>((size + 7) / 8)); }
  /// A copy that ends with a NUL; nullptr for "".
  char* Text(std::string_view text) {
    if (text.empty()) return nullptr;
    char* const copy = static_cast<char*>(memory_.allocate(text.size() + 1, 1));
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
  }

 private:
  std::array<std::byte, 16384> first_;
  std::pmr::monotonic_buffer_resource memory_{first_.data(), first_.size()};
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_ARENA_H_
