// SPDX-License-Identifier: Apache-2.0
// State for the most recently used source ids: cameras that come and go under ever new numbers must
// not fill the memory. One thread at a time.
#ifndef DSMSG_MSGCONV_RECENT_MAP_H_
#define DSMSG_MSGCONV_RECENT_MAP_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <utility>

namespace dsmsg::msgconv {

template <class T>
class RecentMap {
 public:
  /// More cameras than a process can have at a time.
  static constexpr size_t kMost = 4096;

  /// The state of `id`, newly created if unknown; the least recently used one may be dropped for
  /// it. Valid until kMost other ids have been asked for.
  T& Get(uint32_t id) {
    const auto [found, is_new] = places_.try_emplace(id, recent_.begin());
    if (is_new) {
      recent_.emplace_front(id, T());
      found->second = recent_.begin();
      if (recent_.size() > kMost) {
        places_.erase(recent_.back().first);
        recent_.pop_back();
      }
    } else {
      recent_.splice(recent_.begin(), recent_, found->second);
    }
    return recent_.front().second;
  }
  size_t size() const { return recent_.size(); }
  bool full() const { return recent_.size() >= kMost; }
  bool Contains(uint32_t id) const { return places_.find(id) != places_.end(); }
  /// Calls `with(id, state)` for each.
  template <class Do>
  void ForEach(const Do& with) const {
    for (const auto& [id, state] : recent_) with(id, state);
  }
  /// Drops the least recently used one, of at least one, and returns it.
  T TakeOldest() {
    T oldest = std::move(recent_.back().second);
    places_.erase(recent_.back().first);
    recent_.pop_back();
    return oldest;
  }

 private:
  std::list<std::pair<uint32_t, T>> recent_;  // most recently used first
  std::unordered_map<uint32_t, typename std::list<std::pair<uint32_t, T>>::iterator> places_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_RECENT_MAP_H_
