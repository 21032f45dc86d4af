// SPDX-License-Identifier: Apache-2.0
// The text protocol of NATS: what the server sends, cut into operations, and the lines that a
// client writes.
//
// Threads: one at a time. Owns its memory.
#ifndef DSMSG_ADAPTORS_NATS_WIRE_H_
#define DSMSG_ADAPTORS_NATS_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/driver/message.h"

namespace dsmsg::nats {

/// One operation of the server. Its views are valid until the reader is used again.
struct Op {
  enum class Kind { kNone, kMsg, kInfo, kPing, kPong, kErr, kBroken };
  Kind kind = Kind::kNone;
  std::string_view subject, reply, headers, payload;  // kMsg; headers with their first line
  uint64_t sid = 0;
  std::string_view text;  // kInfo: JSON; kErr: the server's words; kBroken: what is wrong

  /// "NATS/1.0 503 No Responders": 503. 0: an ordinary message.
  int status() const;
  std::string_view status_text() const;
  /// The value of a header, in this spelling; empty: none.
  std::string_view header(std::string_view name) const;
};

class OpReader {
 public:
  /// Room for `size` more bytes; Filled says how many came.
  char* Space(size_t size);
  void Filled(size_t size) { end_ += size; }
  /// kNone: more bytes are needed. kBroken: this is not NATS; the rest is useless.
  Op Next();
  void Reset() { begin_ = end_ = 0; }
  std::string_view unread() const { return {data_.data() + begin_, end_ - begin_}; }

 private:
  Op Message(std::string_view arguments, bool with_headers, size_t body);

  std::vector<char> data_;
  size_t begin_ = 0, end_ = 0;
};

/// The names and values of a header block, without its first line.
std::vector<std::pair<std::string, std::string>> ParseHeaders(std::string_view block);

/// Appends PUB, or HPUB when there are headers (a block without first line and end: "A: b\r\n").
void AppendPublish(std::string_view subject, std::string_view reply, std::string_view headers,
                   std::string_view payload, std::string* out);
/// How many bytes the server counts against max_payload.
size_t PublishedSize(std::string_view headers, std::string_view payload);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_WIRE_H_
