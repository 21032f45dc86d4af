// SPDX-License-Identifier: Apache-2.0
// Parses the server's replies with hiredis's protocol reader, into one flat reply that is reused:
// the common case (an entry id) allocates nothing.
//
// Threads: one at a time. A Reply's text is valid until the next Get.
#ifndef DSMSG_ADAPTORS_REDIS_REPLY_H_
#define DSMSG_ADAPTORS_REDIS_REPLY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace dsmsg::redis {

/// One reply as nodes in depth-first order: node 0 is the reply, an array's elements follow it.
/// Walk with First and Next: they step over nested arrays.
class Reply {
 public:
  enum class Type { kString, kStatus, kError, kInteger, kNil, kArray };

  Type type(size_t node = 0) const { return nodes_[node].type; }
  bool is(Type type, size_t node = 0) const { return nodes_[node].type == type; }
  /// Text of a string, status or error; empty for others.
  std::string_view text(size_t node = 0) const {
    return std::string_view(bytes_).substr(nodes_[node].offset, nodes_[node].length);
  }
  int64_t integer(size_t node = 0) const { return nodes_[node].integer; }
  /// Elements of an array; 0 for others.
  size_t count(size_t node = 0) const {
    return is(Type::kArray, node) ? static_cast<size_t>(nodes_[node].integer) : 0;
  }
  /// The first element of an array that has one.
  static size_t First(size_t array) { return array + 1; }
  /// The node after this one and everything in it.
  size_t Next(size_t node) const;
  /// The n-th element.
  size_t At(size_t array, size_t n) const;

 private:
  friend class ReplyReader;
  struct Node {
    Type type;
    int64_t integer;  // the number, or an array's number of elements
    size_t offset, length;
  };
  std::vector<Node> nodes_;
  std::string bytes_;
};

class ReplyReader {
 public:
  enum class Result { kNone, kReply, kBroken };

  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  /// Drops a partial reply, for a new connection.
  void Reset();
  /// Copies bytes in. Keep the pieces small (kPiece): the parser moves the rest of what it holds
  /// now and then.
  void Feed(const char* data, size_t size);
  /// kReply: one more reply is in reply(). kNone: more bytes are needed. kBroken: this is not
  /// Redis's protocol; only Reset helps.
  Result Get();

  const Reply& reply() const { return reply_; }
  /// What was wrong, after kBroken.
  std::string ErrorText() const;

  static constexpr size_t kPiece = size_t{16} << 10;

  /// Called by the parser: begins a node of the reply being read.
  void Add(Reply::Type type, int64_t integer, const char* text, size_t length, bool root);

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
  Reply reply_;
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_REPLY_H_
