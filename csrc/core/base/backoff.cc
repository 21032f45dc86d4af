// SPDX-License-Identifier: Apache-2.0
#include "core/base/backoff.h"

#include <algorithm>
#include <limits>

namespace dsmsg {
namespace {

uint64_t NotNegative(Millis time) {
  return time.count() > 0 ? static_cast<uint64_t>(time.count()) : 0;
}

// SplitMix64: any seed gives a good sequence, including 0 and neighbouring seeds.
uint64_t NextRandom(uint64_t* state) {
  uint64_t x = (*state += 0x9e3779b97f4a7c15u);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Backoff::Backoff(Millis first, Millis max, uint64_t seed)
    : first_ms_(std::min(NotNegative(first), NotNegative(max))),
      max_ms_(NotNegative(max)),
      state_(seed),
      ceiling_ms_(first_ms_) {}

Millis Backoff::Next(Millis limit) {
  // The bias of the remainder is below 2^-24 for a ceiling of half a year.
  const uint64_t ceiling = std::min(ceiling_ms_, NotNegative(limit));
  const uint64_t pause = NextRandom(&state_) % (ceiling + 1);
  ceiling_ms_ = ceiling_ms_ > max_ms_ / 2 ? max_ms_ : ceiling_ms_ * 2;
  if (attempts_ < std::numeric_limits<int>::max()) ++attempts_;
  return Millis(static_cast<Millis::rep>(pause));
}

void Backoff::Reset() {
  ceiling_ms_ = first_ms_;
  attempts_ = 0;
}

}  // namespace dsmsg
