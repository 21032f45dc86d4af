// SPDX-License-Identifier: Apache-2.0
#include "core/net/servers.h"

#include <cstdint>

namespace dsmsg {

Status Servers::Open(Deadline deadline, const OpenOne& open, const std::function<void()>& close) {
  const size_t count = hosts_.size();
  std::string failures;
  Code code = Code::kInternal;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = (first_ + i) % count;
    // A server that does not answer must leave time for the others.
    const auto left = deadline - Clock::now();
    const Deadline share = Clock::now() + left / static_cast<int64_t>(count - i);
    Status status = open(hosts_[index], share);
    if (status.ok()) {
      first_ = index;
      return status;
    }
    close();
    if (status.code() == Code::kCancelled || count == 1) return status;
    // If one server may come back, the whole attempt is worth repeating soon.
    if (failures.empty() || status.retryable()) code = status.code();
    failures += (failures.empty() ? "" : "; ") + status.message();
  }
  return {code, "none of " + std::to_string(count) + " " + kind_ + " can be used: " + failures};
}

Answered Servers::AnsweredBy(const std::string& name, bool heard) const {
  if (worked_.contains(name)) return Answered::kBefore;
  return heard ? Answered::kPartly : Answered::kNever;
}

}  // namespace dsmsg
