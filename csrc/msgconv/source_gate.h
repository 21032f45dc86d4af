// SPDX-License-Identifier: Apache-2.0
// Decides which frames and how many messages of each source pass: `frame-interval` and `rate`. One
// thread at a time.
#ifndef DSMSG_MSGCONV_SOURCE_GATE_H_
#define DSMSG_MSGCONV_SOURCE_GATE_H_

#include <algorithm>
#include <cstdint>

#include "msgconv/recent_map.h"

namespace dsmsg::msgconv {

class SourceGate {
 public:
  struct Source {
    uint64_t frames = 0;   // seen so far
    uint64_t limited = 0;  // messages left out for `rate`
    double tokens = 0;
    uint64_t filled_ns = 0;
    bool reported = false;  // for the owner: the missing configuration was reported
  };

  /// Every `interval`-th frame, beginning with the first; at most `rate` messages per second on
  /// average, with one second's worth at once (0: no limit).
  SourceGate(uint32_t interval, double rate)
      : interval_(std::max<uint32_t>(interval, 1)), rate_(rate), burst_(std::max(rate, 1.0)) {}

  /// Valid until the next call; its counters start over if it has not been used for very long.
  Source& Find(uint32_t source_id) { return sources_.Get(source_id); }
  size_t sources() const { return sources_.size(); }

  /// Counts a frame; true if it should be converted. Its number is frames - 1.
  bool AdmitFrame(Source& source) const { return source.frames++ % interval_ == 0; }

  /// Takes one message from the source's allowance. `now_ns`: any clock that does not go back.
  bool AdmitMessage(Source& source, uint64_t now_ns) const {
    if (rate_ <= 0) return true;
    if (source.filled_ns == 0) {
      source.tokens = burst_;
    } else {
      const double elapsed = static_cast<double>(now_ns - source.filled_ns) * 1e-9;
      source.tokens = std::min(burst_, source.tokens + elapsed * rate_);
    }
    source.filled_ns = std::max<uint64_t>(now_ns, 1);
    if (source.tokens < 1) {
      ++source.limited;
      return false;
    }
    source.tokens -= 1;
    return true;
  }

 private:
  const uint32_t interval_;
  const double rate_, burst_;
  RecentMap<Source> sources_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_SOURCE_GATE_H_
