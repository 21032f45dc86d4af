// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/resp_writer.h"

#include <algorithm>
#include <utility>

namespace dsmsg::redis {

void RespWriter::Grow(size_t n) {
  const size_t used = end_ - begin_;
  // Moving to the front is enough if it frees half of the block; otherwise partial writes would
  // move the same bytes again and again.
  if (capacity_ - used >= n && used <= capacity_ / 2) {
    std::memmove(data_.get(), data_.get() + begin_, used);
  } else {
    const size_t capacity = std::max({size_t{64} << 10, capacity_ * 2, used + n});
    std::unique_ptr<char[]> bigger(new char[capacity]);
    if (used > 0) std::memcpy(bigger.get(), data_.get() + begin_, used);
    data_ = std::move(bigger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = used;
}

}  // namespace dsmsg::redis
