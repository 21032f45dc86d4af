// SPDX-License-Identifier: Apache-2.0
#include "outage.h"

#include <algorithm>

namespace dsmsg_demo {
namespace {

constexpr unsigned kLatestKill = 100;            // frames: some seven seconds
constexpr std::chrono::seconds kLongestDown{5};  // where frames do not come any more

}  // namespace

Outage::Outage(Target& target, unsigned frames, bool wanted)
    : target_(target),
      kill_at_(frames == 0 ? kLatestKill : std::clamp(frames / 3, 1U, kLatestKill)),
      back_at_(kill_at_ + std::max(kill_at_ / 2, 1U)) {
  if (wanted && target.can_fail()) state_.phase = Phase::kBefore;
}

Outage::~Outage() {
  if (returning_.joinable()) returning_.join();
}

double Outage::Seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void Outage::OnFrame(unsigned seen) {
  const std::lock_guard lock(mutex_);
  if (state_.phase == Phase::kBefore && seen >= kill_at_) {
    state_.status = target_.Kill();
    state_.killed_s = Seconds();
    killed_at_ = Clock::now();
    state_.phase = state_.status.ok() ? Phase::kDown : Phase::kOver;
  } else if (seen >= back_at_) {
    BringBack();
  }
}

void Outage::Update(bool now) {
  const std::lock_guard lock(mutex_);
  if (now && state_.phase == Phase::kBefore) state_.phase = Phase::kNone;
  if (now || Clock::now() - killed_at_ > kLongestDown) BringBack();
}

/// A server takes seconds to start; the pipeline goes on meanwhile.
void Outage::BringBack() {
  if (state_.phase != Phase::kDown || returning_.joinable()) return;
  returning_ = std::thread([this] {
    dsmsg::Status status = target_.Return();
    const std::lock_guard lock(mutex_);
    state_.status = std::move(status);
    state_.back_s = Seconds();
    state_.phase = Phase::kOver;
  });
}

Outage::State Outage::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace dsmsg_demo
