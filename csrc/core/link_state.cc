// SPDX-License-Identifier: Apache-2.0
#include "core/link_state.h"

namespace dsmsg {
namespace {

constexpr Millis kHopelessAfter{1000};

}  // namespace

Status LinkState::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

std::string LinkState::peer() const {
  std::lock_guard lock(mutex_);
  return peer_;
}

void LinkState::SetPeer(std::string peer) {
  std::lock_guard lock(mutex_);
  peer_ = std::move(peer);
}

LinkState::Up LinkState::SetUp() {
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    if (up_) return Up::kAlready;
    again = established_;
    attempted_ = established_ = true;
    failures_ = 0;
    ++attempts_ended_;
    told_down_ = false;
    last_error_ = Status();
    up_ = true;
    // Before connect() can return: a host that sends at once must find a queue that waits for room.
    if (queue_ != nullptr) queue_->SetLinkUp(true);
  }
  changed_cv_.notify_all();
  return again ? Up::kAgain : Up::kFirst;
}

std::optional<LinkState::Down> LinkState::SetDown(const Status& reason, bool failed_attempt) {
  Down down;
  {
    std::lock_guard lock(mutex_);
    if (given_up_) return std::nullopt;
    up_ = false;
    attempted_ = true;
    last_error_ = reason;
    down.known = !established_ && settings_.connect != ConnectMode::kLazy;
    down.first = !told_down_;
    told_down_ = true;
    if (failed_attempt) {
      ++failures_;
      ++attempts_ended_;
    }
    const bool used_up =
        settings_.reconnect_attempts > 0 && failures_ >= settings_.reconnect_attempts;
    down.gives_up = !down.known && (!settings_.reconnect || used_up);
    given_up_ = down.gives_up;
    if (queue_ != nullptr) queue_->SetLinkUp(false);
  }
  changed_cv_.notify_all();
  return down;
}

void LinkState::Revive() {
  std::lock_guard lock(mutex_);
  failures_ = 0;
  given_up_ = false;
}

Status LinkState::WaitFirstAttempt(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_cv_.wait_until(lock, deadline, [this] { return attempted_; })) {
    return {Code::kTimeout, "no answer from " + peer_ + " within connect-timeout"};
  }
  return established_ ? Status() : last_error_;
}

Status LinkState::WaitUp(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_cv_.wait_until(lock, deadline, [this] {
    return established_ || last_error_.permanent() || given_up_.load();
  });
  if (established_) return {};
  if (!last_error_.ok()) return last_error_;
  return {Code::kTimeout, "no answer from " + peer_ + " within connect-wait-timeout"};
}

void LinkState::BeginFlush() {
  std::lock_guard lock(mutex_);
  flushing_ = true;
  flush_began_ = Clock::now();
  flush_attempts_ = attempts_ended_;
}

bool LinkState::FlushIsHopeless() const {
  if (given_up_) return true;
  std::lock_guard lock(mutex_);
  return flushing_ && !up_ && attempts_ended_ > flush_attempts_ &&
         Clock::now() - flush_began_ > kHopelessAfter;
}

void LinkState::RequestTopics(std::vector<std::string> topics) {
  std::lock_guard lock(mutex_);
  topics_ = std::move(topics);
  topics_pending_ = true;
  topics_result_.reset();
  subscribe_attempts_ = attempts_ended_;
}

Status LinkState::WaitSubscribed(Deadline deadline) {
  const bool lazy = settings_.connect == ConnectMode::kLazy;
  std::unique_lock lock(mutex_);
  changed_cv_.wait_until(lock, deadline, [&] {
    const bool refused =
        !up_ && attempts_ended_ > subscribe_attempts_ && (lazy || last_error_.permanent());
    return topics_result_.has_value() || refused;
  });
  if (topics_result_) {
    if (!topics_result_->ok()) topics_.clear();
    return *topics_result_;
  }
  if (lazy && !up_ && !given_up_) return {};  // made when the link comes up
  topics_.clear();
  topics_pending_ = false;
  if (!last_error_.ok() && !up_) return last_error_;
  return {Code::kTimeout, "the broker did not answer the subscription within connect-timeout"};
}

void LinkState::RenewTopics() {
  std::lock_guard lock(mutex_);
  topics_pending_ = !topics_.empty();
}

std::optional<std::vector<std::string>> LinkState::TakeTopics() {
  std::lock_guard lock(mutex_);
  if (!topics_pending_) return std::nullopt;
  topics_pending_ = false;
  return topics_;
}

void LinkState::AnswerTopics(const std::vector<std::string>& topics, const Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (topics != topics_) return;   // replaced meanwhile: the newer one is pending
    if (status.retryable()) return;  // the link is going: RenewTopics brings it back
    if (!status.ok()) topics_.clear();
    topics_result_ = status;
  }
  changed_cv_.notify_all();
}

void LinkState::RefuseTopics() {
  {
    std::lock_guard lock(mutex_);
    if (topics_pending_) topics_result_ = last_error_;
    topics_pending_ = false;
  }
  changed_cv_.notify_all();
}

}  // namespace dsmsg
