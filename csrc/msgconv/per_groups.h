// SPDX-License-Identifier: Apache-2.0
// What is made once for each combination of groups of the configuration (model_parts.h). One thread
// at a time.
#ifndef DSMSG_MSGCONV_PER_GROUPS_H_
#define DSMSG_MSGCONV_PER_GROUPS_H_

#include <cstddef>
#include <unordered_map>
#include <utility>

#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

template <class T>
class PerGroups {
 public:
  PerGroups() = default;
  PerGroups(const PerGroups&) = delete;
  PerGroups& operator=(const PerGroups&) = delete;

  /// What `make()` returned when these groups were asked for first. Valid until the next call.
  template <class Make>
  T& Get(const Groups& groups, const Make& make) {
    if (last_ == nullptr || last_->first != groups) last_ = &Find(groups, make);
    return last_->second;
  }

 private:
  // A pipeline has as many as it has cameras; numbers from other sources may be anything.
  static constexpr size_t kMost = 4096;
  using Entry = std::pair<const Groups, T>;

  template <class Make>
  Entry& Find(const Groups& groups, const Make& make) {
    if (const auto found = all_.find(groups); found != all_.end()) return *found;
    if (all_.size() >= kMost) all_.clear();
    return *all_.try_emplace(groups, make()).first;
  }

  std::unordered_map<Groups, T, GroupsHash> all_;
  Entry* last_ = nullptr;  // the objects of a frame usually name the same groups
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_PER_GROUPS_H_
