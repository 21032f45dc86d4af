// SPDX-License-Identifier: Apache-2.0
// Output buffer of Redis commands in RESP: every argument is preceded by its length, so no byte of
// a topic or payload can change the command. One growing block of memory, reused.
//
// Threads: one at a time. Owns its memory.
#ifndef DSMSG_ADAPTORS_REDIS_RESP_WRITER_H_
#define DSMSG_ADAPTORS_REDIS_RESP_WRITER_H_

#include <charconv>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace dsmsg::redis {

class RespWriter {
 public:
  /// The number of arguments that follow, including the command's name.
  void Begin(size_t arguments) {
    if (asking_) Raw("*1\r\n$6\r\nASKING\r\n");
    Prefix('*', arguments);
  }
  /// From now on ASKING precedes each command: its key is on its way to this node of a cluster.
  void SetAsking(bool asking) { asking_ = asking; }

  void Argument(std::string_view text) {
    Prefix('$', text.size());
    Raw(text);
    Raw("\r\n");
  }

  void Number(int64_t value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    Argument({digits, static_cast<size_t>(end - digits)});
  }

  /// A whole command.
  void Command(std::initializer_list<std::string_view> arguments) {
    Begin(arguments.size());
    for (std::string_view argument : arguments) Argument(argument);
  }

  /// Bytes that are already RESP (cached parts of commands).
  void Raw(std::string_view text) {
    Reserve(text.size());
    if (!text.empty()) std::memcpy(data_.get() + end_, text.data(), text.size());
    end_ += text.size();
  }

  // What has not been consumed yet.
  const char* data() const { return data_.get() + begin_; }
  size_t size() const { return end_ - begin_; }
  std::string_view view() const { return {data(), size()}; }

  /// The first `n` bytes are no longer needed.
  void Consume(size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  void Clear() { begin_ = end_ = 0; }

 private:
  void Prefix(char kind, size_t number) {
    Reserve(24);
    char* out = data_.get() + end_;
    *out++ = kind;
    out = std::to_chars(out, out + 20, number).ptr;
    *out++ = '\r';
    *out++ = '\n';
    end_ = static_cast<size_t>(out - data_.get());
  }

  void Reserve(size_t n) {
    if (capacity_ - end_ < n) Grow(n);
  }
  void Grow(size_t n);

  std::unique_ptr<char[]> data_;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
  bool asking_ = false;
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_RESP_WRITER_H_
