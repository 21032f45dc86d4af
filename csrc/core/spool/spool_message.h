// SPDX-License-Identifier: Apache-2.0
// A message with the memory it lives in, as the spool keeps it and hands it out. Values: one thread
// at a time.
#ifndef DSMSG_CORE_SPOOL_SPOOL_MESSAGE_H_
#define DSMSG_CORE_SPOOL_SPOOL_MESSAGE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/buffer.h"
#include "core/driver/message.h"

namespace dsmsg {

/// The same parts as an Outgoing, so that its buffer can go into one without a copy.
struct SpoolMessage {
  uint64_t id = 0;          // of the spool; larger: later
  int64_t accepted_ms = 0;  // since the epoch: its age goes on over a restart
  Buffer buffer;
  Message message;  // views into `buffer`
  std::vector<Header> headers;

  std::string_view order_key() const { return message.has_key ? message.key : std::string_view(); }
};

/// Copies all that `message` refers to into one buffer of `pool`. False: no memory.
bool PackSpoolMessage(const Message& message, BufferPool& pool, SpoolMessage* packed);

/// What a message counts against spool-max-bytes: its bytes and about what its row costs beside
/// them.
uint64_t SpoolCost(const Message& message);

/// Headers as JSON, an array of pairs, so that order and repeated names survive:
/// [["source","camera 1"],["raw",{"base64":"/wE="}]]. Base64 is for what is not UTF-8.
std::string EncodeSpoolHeaders(std::span<const Header> headers);

/// The inverse. False when it is not such a text; `headers` then holds what could be read.
bool DecodeSpoolHeaders(std::string_view json,
                        std::vector<std::pair<std::string, std::string>>* headers);

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_MESSAGE_H_
