// SPDX-License-Identifier: Apache-2.0
// Joins messages that their producer has cut into chunks, each an entry of its own. Those of
// several messages may come mixed.
//
// Threads: the link's I/O thread only.
#ifndef DSMSG_ADAPTORS_PULSAR_CHUNKS_H_
#define DSMSG_ADAPTORS_PULSAR_CHUNKS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adaptors/pulsar/wire.h"
#include "core/base/status.h"

namespace dsmsg::pulsar {

class ChunkJoiner {
 public:
  struct Joined {
    std::string payload;
    std::vector<MessageId> ids;  // of all chunks but the last
  };
  enum class Outcome {
    kMore,    // others are to come
    kWhole,   // *joined is the message
    kBroken,  // it cannot be joined, see *problem
  };
  /// `source`: the consumer that it came for.
  Outcome Add(uint64_t source, const Metadata& metadata, const MessageId& id,
              std::string_view payload, Joined* joined, std::string* problem);
  /// Chunks of this source wait for others.
  bool waiting(uint64_t source) const;
  void Forget(uint64_t source);
  void Clear();

 private:
  struct Open {
    Joined joined;
    uint32_t next = 0;    // chunk
    uint64_t number = 0;  // when it began
  };
  using Key = std::pair<uint64_t, std::string>;  // source, uuid
  void Drop(std::map<Key, Open>::iterator open);
  bool MakeRoom(size_t size);

  std::map<Key, Open> open_;
  size_t bytes_ = 0;  // in open_
  uint64_t last_number_ = 0;
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_CHUNKS_H_
