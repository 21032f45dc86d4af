// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/chunks.h"

#include <algorithm>

#include "adaptors/pulsar/codec.h"

namespace dsmsg::pulsar {

void ChunkJoiner::Clear() {
  open_.clear();
  bytes_ = 0;
}

void ChunkJoiner::Drop(std::map<Key, Open>::iterator open) {
  bytes_ -= open->second.joined.payload.size();
  open_.erase(open);
}

bool ChunkJoiner::waiting(uint64_t source) const {
  const auto first = open_.lower_bound({source, std::string()});
  return first != open_.end() && first->first.first == source;
}

void ChunkJoiner::Forget(uint64_t source) {
  while (waiting(source)) Drop(open_.lower_bound({source, std::string()}));
}

// The oldest are given up: their producers have most likely ended. Their chunks stay
// unacknowledged.
bool ChunkJoiner::MakeRoom(size_t size) {
  while (bytes_ + size > kMostMessageBytes && !open_.empty()) {
    Drop(std::min_element(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
      return a.second.number < b.second.number;
    }));
  }
  return bytes_ + size <= kMostMessageBytes;
}

ChunkJoiner::Outcome ChunkJoiner::Add(uint64_t source, const Metadata& metadata,
                                      const MessageId& id, std::string_view payload, Joined* joined,
                                      std::string* problem) {
  const Key key(source, metadata.uuid);
  auto found = open_.find(key);
  if (metadata.chunk == 0) {
    if (found != open_.end()) Drop(found);  // it comes again, from its beginning
    if (metadata.chunked_size > kMostMessageBytes) {
      *problem = "its chunks have " + std::to_string(metadata.chunked_size) +
                 " bytes, more than the adaptor takes (64 MB)";
      return Outcome::kBroken;
    }
    found = open_.emplace(key, Open()).first;
    found->second.number = ++last_number_;
  }
  if (found == open_.end() || metadata.chunk > found->second.next) {
    if (found != open_.end()) Drop(found);
    *problem = "it is a chunk of a message of which others are missing";
    return Outcome::kBroken;
  }
  if (metadata.chunk < found->second.next) return Outcome::kMore;  // it is there already
  if (!MakeRoom(payload.size()) || (found = open_.find(key)) == open_.end()) {
    *problem = "its chunks have more than 64 MB, or too many others wait for theirs";
    return Outcome::kBroken;
  }
  Open& open = found->second;
  open.joined.payload.append(payload);
  bytes_ += payload.size();
  if (++open.next < metadata.chunks) {
    open.joined.ids.push_back(id);
    return Outcome::kMore;
  }
  bytes_ -= open.joined.payload.size();
  *joined = std::move(open.joined);
  open_.erase(found);
  return Outcome::kWhole;
}

}  // namespace dsmsg::pulsar
