// SPDX-License-Identifier: Apache-2.0
#include "core/session/link_state.h"

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

void LinkState::Adopt(const Settings& settings) {
  std::lock_guard lock(mutex_);
  peer_ = settings.endpoints.ToString();
  reconnect_ = settings.reconnect;
  reconnect_attempts_ = settings.reconnect_attempts;
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
    // Set before connect() can return: a host that sends at once must find a queue that waits for
    // room.
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
    down.known = !established_ && connect_ != ConnectMode::kLazy;
    down.first = !told_down_;
    told_down_ = true;
    if (failed_attempt) {
      ++failures_;
      ++attempts_ended_;
    }
    const bool used_up = reconnect_attempts_ > 0 && failures_ >= reconnect_attempts_;
    down.gives_up = !down.known && (!reconnect_ || used_up);
    given_up_ = down.gives_up;
    // A server that ended a connection, perhaps over a message, usually accepts the next one: until
    // an attempt has failed, a full queue waits, and no message is dropped because of that one.
    if (queue_ != nullptr && (failed_attempt || down.gives_up)) queue_->SetLinkUp(false);
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

}  // namespace dsmsg
