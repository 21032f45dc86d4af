// SPDX-License-Identifier: Apache-2.0
// What travels between session and driver, one thread at a time; views into the session's memory.
#ifndef DSMSG_CORE_DRIVER_MESSAGE_H_
#define DSMSG_CORE_DRIVER_MESSAGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/driver/message_id.h"
#include "dsmsg_ext.h"

namespace dsmsg {

/// Names one accepted message: slot and generation, so a late or second completion is recognised.
/// Fits a void* (librdkafka's opaque). Never 0.
using Token = uint64_t;

using Header = std::pair<std::string_view, std::string_view>;

/// An outgoing message. All views stay valid until the driver completed its token, or until after
/// Close. `topic` is followed by a NUL byte in memory, so topic.data() is a C string.
struct Message {
  std::string_view topic;
  std::string_view payload;  // bytes, may hold NULs
  std::string_view key;      // empty and has_key false: none
  bool has_key = false;
  std::span<const Header> headers;
  int64_t timestamp_ms = 0;  // since the epoch
  uint32_t attempt = 0;      // 0 for the first submission
  MessageId id{};            // the same on every try
};

/// Opaque to the core: the driver's own name of a received message (offset, entry id, delivery
/// tag).
using AckToken = uint64_t;
/// No driver gives it out.
inline constexpr AckToken kNoToken = 0;

/// A received message; owns its bytes. Beyond topic and payload, a driver fills in what its
/// protocol has.
struct InMessage {
  std::string topic{};
  std::string payload{};
  std::string key{};
  bool has_key = false;
  bool redelivered = false;   // the broker says that it delivered it before
  int32_t partition = -1;     // -1: none
  int64_t offset = -1;        // in the partition; -1: none
  int64_t timestamp_ms = -1;  // since the epoch, as the broker tells it; -1: none
  DsmsgTimestampType timestamp_type = DSMSG_TIMESTAMP_UNKNOWN;
  std::string id{};  // the broker's or the sender's name of it; empty: none
  std::vector<std::pair<std::string, std::string>> headers{};

  /// What it takes in memory, as far as the sender decides it.
  size_t Size() const {
    size_t size = topic.size() + payload.size() + key.size() + id.size();
    for (const auto& [name, value] : headers) size += name.size() + value.size();
    return size;
  }
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_DRIVER_MESSAGE_H_
