// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/loss_watch.h"

#include <algorithm>

namespace dsmsg::kafka {
namespace {

constexpr int kEnough = 2;
constexpr Millis kListen{10'000};  // longer than any pause between attempts

}  // namespace

void LossWatch::OnAnswer(std::string_view topic, int32_t partition) {
  if (losses_.empty()) return;
  losses_.erase(std::string(topic) + " [" + std::to_string(partition) + "]");
}

std::string LossWatch::Tick(size_t waiting) {
  const LossLines::Losses seen = connection_.TakeLosses();
  if (waiting == 0) losses_.clear();
  const Deadline now = Clock::now();
  if ((seen.ended || !seen.partitions.empty()) && waiting > 0) {
    until_ = now + kListen;
    if (!listening_) connection_.ListenToLosses(listening_ = true);
  } else if (listening_ && (waiting == 0 || now >= until_)) {
    connection_.ListenToLosses(listening_ = false);
    losses_.clear();
  }
  for (const std::string& partition : seen.partitions) {
    if (waiting > 0 && ++losses_[partition] >= kEnough) {
      return partition.substr(0, partition.rfind(" ["));
    }
  }
  return "";
}

}  // namespace dsmsg::kafka
