// SPDX-License-Identifier: Apache-2.0
#include "space/watched_rules.h"

#include <utility>

namespace dsmsg::space {

Result<std::unique_ptr<WatchedRules>> WatchedRules::Open(const std::string& path) {
  // It watches before it reads, so that no change is missed.
  auto watched = std::make_unique<WatchedRules>(path);
  Read read = Rules::Load(path);
  if (!read.ok()) return read.status();
  {
    const std::lock_guard lock(watched->mutex_);
    if (!watched->last_) watched->last_ = std::move(read);
  }
  watched->is_new_ = true;
  return watched;
}

WatchedRules::WatchedRules(std::string path)
    : path_(std::move(path)), watch_({path_}, kInterval, [this] {
        Read read = Rules::Load(path_);
        const std::lock_guard lock(mutex_);
        last_ = std::move(read);
        is_new_ = true;
      }) {}

std::optional<WatchedRules::Read> WatchedRules::Take() {
  if (!is_new_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  is_new_ = false;
  return std::exchange(last_, std::nullopt);
}

}  // namespace dsmsg::space
