// SPDX-License-Identifier: Apache-2.0
// Writes JSON straight into one growing buffer: no tree, no allocation once the buffer is large
// enough. The caller writes punctuation and fixed keys itself (Raw); values go through here and
// come out valid whatever they contain. One thread at a time.
#ifndef DSMSG_MSGCONV_JSON_WRITER_H_
#define DSMSG_MSGCONV_JSON_WRITER_H_

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace dsmsg::msgconv {

class JsonWriter {
 public:
  /// kTyped: a reader that tells whole numbers from others sees which type a number has here: 1.0,
  /// and a float as the double of the same value.
  enum class Numbers { kShort, kTyped };
  explicit JsonWriter(Numbers numbers = Numbers::kShort) : typed_(numbers == Numbers::kTyped) {}

  void Clear() { size_ = 0; }
  size_t size() const { return size_; }
  /// Drops what was written since there were `size` bytes.
  void Rewind(size_t size) { size_ = size; }
  /// Valid until the next call that changes the writer.
  std::string_view view() const { return {data_.get(), size_}; }

  /// Written literally: punctuation, keys, JSON rendered earlier.
  void Raw(std::string_view text) {
    std::memcpy(Room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void Raw(char c) {
    *Room(1) = c;
    ++size_;
  }
  /// Quoted and escaped. Each byte that is not valid UTF-8 becomes U+FFFD.
  void String(std::string_view text);
  /// The shortest text that reads back as the same value; whole numbers without a fraction unless
  /// numbers are typed; NaN and infinity become null.
  void Number(double value);
  void Number(float value);
  template <std::integral T>
  void Number(T value) {
    if constexpr (std::is_signed_v<T>) {
      Integer(static_cast<long long>(value));
    } else {
      Unsigned(static_cast<unsigned long long>(value));
    }
  }
  /// Room for `n` more bytes: write them, then Wrote(n).
  char* Room(size_t n) {
    if (capacity_ - size_ < n) Grow(n);
    return data_.get() + size_;
  }
  void Wrote(size_t n) { size_ += n; }

 private:
  void Grow(size_t n);
  void Integer(long long value);
  void Unsigned(unsigned long long value);
  template <std::floating_point T>
  void Float(T value);

  const bool typed_;
  std::unique_ptr<char[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JSON_WRITER_H_
