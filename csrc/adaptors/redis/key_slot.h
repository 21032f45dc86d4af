// SPDX-License-Identifier: Apache-2.0
// Which of a Redis Cluster's hash slots a key belongs to. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_REDIS_KEY_SLOT_H_
#define DSMSG_ADAPTORS_REDIS_KEY_SLOT_H_

#include <string_view>

namespace dsmsg::redis {

inline constexpr int kSlots = 16384;

/// CRC16 (XMODEM) of the key, or of its hash tag: what stands between the first { and the next },
/// if that is not empty.
int KeySlot(std::string_view key);

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_KEY_SLOT_H_
